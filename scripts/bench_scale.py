"""Time loading and planning of very large hierarchies, beside floors.

    scripts/bench scale [--images N] [--rounds N] [--registry HOST:PORT] [--published N]

Every figure is of a process of its own, so its memory is all there is. "Without network" means a
registry that answers HEADs from memory; manifests come from the cache on disk, as they do for
real. The no-op plan is the whole command on a real registry, in turn with a bare client that does
nothing but send the same HEADs, eight at a time.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PYTHON = str(ROOT / ".venv/bin/python")
PARALLEL = 8
#: Figure → at most: processor seconds, MiB, and a ratio of times.
GOALS = {"load": 3.0, "plan": 3.0, "memory": 300.0, "no-op": 1.25}
#: What is planned, in the order in which the caches fill.
CASES = {
    "new": "nothing published, no cache",
    "changed": "all published, no cache of contexts",
    "kept": "all published, nothing changed",
}


def plan_once(where: Path, case: str) -> dict[str, float]:
    """Load, plan and render in this process; return processor seconds and MiB."""
    from orchestrator.observe.load_files import load_files

    with _files(where, cached=case == "kept") as files:
        hierarchy = load_files(files)
        load_s = time.process_time()
        tags = {} if case == "new" else json.loads((where / "tags.json").read_text())
        began_s = time.process_time()
        steps = _plan(where, files, hierarchy, tags)
        plan_s = time.process_time() - began_s
    expected = len(hierarchy.images) if case == "new" else 0
    if steps != expected:
        sys.exit(f"{case}: {steps} steps in place of {expected}")
    memory_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"load": load_s, "plan": plan_s, "memory": memory_mib}


def _plan(where: Path, files: Any, hierarchy: Any, tags: dict[str, str]) -> int:
    from bench_world import RecordedRegistry

    from orchestrator import flow
    from orchestrator.cli.planning import parents_of
    from orchestrator.doors.clock import RealClock
    from orchestrator.doors.git import RealGit
    from orchestrator.doors.memory.history import MemoryHistory
    from orchestrator.doors.registry.cache import ContentCache
    from orchestrator.render.style import Style
    from orchestrator.render.text_plan import plan_text

    registry: Any = RecordedRegistry(tags, ContentCache(where / ".cache" / "manifests"))
    unused: Any = None
    doors = flow.Doors(
        files=files,
        git=RealGit(where),
        registry=registry,
        builder=unused,
        history=MemoryHistory(),
        spool=unused,
        clock=RealClock(),
        packages=unused,
    )
    made = flow.plan(hierarchy, doors, flow.Wish())
    assert plan_text(made, parents_of(hierarchy), Style(color=False, width=80))
    return len(made.steps)


def floors(where: Path, case: str) -> dict[str, float]:
    """Do what cannot be left out: parse the YAML and read the Dockerfiles; look at every file."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    files = [where / "hierarchy.yaml", *where.glob("teams/*.yaml")]
    for file in files:
        yaml.load(file.read_bytes(), loader)
    for directory in os.scandir(where / "images"):
        Path(directory.path, "Dockerfile").read_bytes()
    load_s = time.process_time()
    for directory, _, names in os.walk(where / "images"):
        for name in names:
            os.lstat(os.path.join(directory, name))
    return {"load": load_s, "plan": time.process_time() - load_s, "memory": 0.0}


def prepare(where: Path, case: str) -> dict[str, float]:
    """Write what a registry would say if everything were published, and fill the caches."""
    from bench_world import published

    from orchestrator.doors.registry.cache import ContentCache
    from orchestrator.observe.load_files import load_files

    cache = ContentCache(where / ".cache" / "manifests")
    tags: dict[str, str] = {}
    with _files(where, cached=True) as files:
        for image, index, names in published(load_files(files), files):
            cache.put(index.digest, index.content)
            tags |= {f"{image.repository.path}:{name}": index.digest for name in names}
    (where / "tags.json").write_text(json.dumps(tags))
    return {}


def publish(where: Path, case: str) -> dict[str, float]:
    """Publish everything in the registry that the hierarchy names."""
    from bench_world import publish

    from orchestrator.doors.registry import HttpRegistry
    from orchestrator.observe.load_files import load_files

    with HttpRegistry() as registry, _files(where, cached=False) as files:
        paths = publish(load_files(files), files, registry)
    (where / "heads.json").write_text(json.dumps(paths))
    return {}


@contextmanager
def _files(where: Path, *, cached: bool) -> Iterator[Any]:
    from orchestrator.doors.clock import RealClock
    from orchestrator.doors.files import RealFiles

    files = RealFiles(where / "hierarchy.yaml")
    if not cached:
        yield files
        return
    with files.cached(where / ".cache" / "contexts", RealClock()):
        yield files


def bare_heads(where: Path, registry: str) -> dict[str, float]:
    """Send a HEAD for every tag with a plain client; only the requests are timed."""
    import httpx2

    left = iter(json.loads((where / "heads.json").read_text()))
    types = ("index.v1", "manifest.v1")
    accept = ", ".join(f"application/vnd.oci.image.{kind}+json" for kind in types)
    limits = httpx2.Limits(max_connections=PARALLEL, max_keepalive_connections=PARALLEL)
    lock = threading.Lock()
    with httpx2.Client(limits=limits, trust_env=False, headers={"Accept": accept}) as client:

        def work() -> None:
            while True:
                with lock:
                    path = next(left, None)
                if path is None:
                    return
                answer = client.head(f"http://{registry}/v2/{path}")
                assert answer.status_code == 200
                assert answer.headers["docker-content-digest"]

        began_s = time.perf_counter()
        with ThreadPoolExecutor(PARALLEL) as pool:
            for done in [pool.submit(work) for _ in range(PARALLEL)]:
                done.result()
        return {"seconds": time.perf_counter() - began_s}


PHASES: dict[str, Callable[[Path, str], dict[str, float]]] = {
    "plan": plan_once,
    "floors": floors,
    "prepare": prepare,
    "publish": publish,
    "heads": bare_heads,
}


def phase(name: str, where: Path, case: str = "", *, script: str = __file__) -> dict[str, float]:
    """Do one phase in a process of its own."""
    command = [PYTHON, script, name, str(where), case]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'scripts'}"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def without_network(count: int, rounds: int) -> Iterator[str]:
    """Yield the rows of a Markdown table."""
    from bench_world import SHAPES

    yield "| hierarchy | plan of | load | plan | memory |"
    yield "|---|---|--:|--:|--:|"
    for shape, write in SHAPES.items():
        with tempfile.TemporaryDirectory(prefix="bench-scale-") as directory:
            where = Path(directory)
            write(where, count, "localhost:5000/scale")
            time.sleep(3)  # what was written just now is not taken for settled
            phase("prepare", where)
            rows = {words: ("plan", case) for case, words in CASES.items()}
            rows["(floor: YAML and Dockerfiles; a look at each file)"] = ("floors", "")
            for words, (name, case) in rows.items():
                found = [phase(name, where, case) for _ in range(rounds)]
                median = {key: statistics.median(one[key] for one in found) for key in found[0]}
                memory = f"{median['memory']:.0f} MiB" if median["memory"] else ""
                cells = f"{median['load']:.2f} s | {median['plan']:.2f} s | {memory}"
                yield f"| {shape} | {words} | {cells} |"
    goals = (f"≤ {GOALS['load']:g} s", f"≤ {GOALS['plan']:g} s", f"≤ {GOALS['memory']:g} MiB")
    yield f"| goal | | {' | '.join(goals)} |"


def no_op(count: int, rounds: int, registry: str) -> Iterator[str]:
    """Yield the rows of a Markdown table, a pair of figures of the same minute on each."""
    from bench_world import write_wide

    with tempfile.TemporaryDirectory(prefix="bench-scale-") as directory:
        where = Path(directory)
        write_wide(where, count, f"{registry}/bench/{uuid.uuid4().hex[:8]}")
        phase("publish", where)
        _no_op_plan(where)
        yield "| no-op plan | bare HEADs | ratio |"
        yield "|--:|--:|--:|"
        ratios = []
        for number in range(rounds):
            ours_s = _no_op_plan(where) if number % 2 else 0.0
            bare_s = phase("heads", where, registry)["seconds"]
            ours_s = ours_s or _no_op_plan(where)
            ratios.append(ours_s / bare_s)
            yield f"| {ours_s:.2f} s | {bare_s:.2f} s | {ratios[-1]:.2f} |"
        yield f"| | median | {statistics.median(ratios):.2f} |"
        yield f"| | goal | ≤ {GOALS['no-op']} |"


def _no_op_plan(where: Path) -> float:
    state = {"XDG_STATE_HOME": str(where / ".state"), "XDG_CACHE_HOME": str(where / ".cache")}
    command = [PYTHON, "-m", "orchestrator", "plan", "--detailed-exitcode", "-q"]
    environment = {**os.environ, **state, "PYTHONPATH": str(ROOT)}
    began_s = time.perf_counter()
    subprocess.run(command, cwd=where, env=environment, check=True)
    return time.perf_counter() - began_s


def main(arguments: list[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench scale", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--images", type=int, default=10_000, help="without network; 0: none")
    parser.add_argument("--published", type=int, default=500, help="on the registry; 0: none")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each figure (5)")
    parser.add_argument("--registry", default="localhost:5000", help="host and port")
    asked = parser.parse_args(arguments)
    if asked.images:
        print(f"{asked.images} images, median of {asked.rounds}, processor time\n")
        for line in without_network(asked.images, asked.rounds):
            print(line, flush=True)
    if asked.published:
        heads = 4 * asked.published
        print(f"\n{asked.published} published images, {heads} HEADs, {PARALLEL} at a time\n")
        for line in no_op(asked.published, asked.rounds, asked.registry):
            print(line, flush=True)


if __name__ == "__main__":
    name, directory, case = sys.argv[1:]
    print(json.dumps(PHASES[name](Path(directory), case)))
