"""What a whole run costs the orchestrator, and what it costs to go on with one that was killed.

    scripts/bench runs [--images N] [--killed N] [--rounds N] [--registry HOST:PORT]

Builds are the twin's, whose own CPU is measured and taken off; registry, files and database are
real. Every phase is a process of its own.

- A first run of all images: CPU of the orchestrator for each image built, and its peak memory.
- A run that was killed half way: what is left of it, found as `resume` finds it, beside a plan of
  the same files at the same moment.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import bench_night
import bench_scale

SLOTS = 8
UPSTREAMS = 20


class Metered:
    """A builder of which is known how much CPU it took, in seconds."""

    def __init__(self, builder: Any) -> None:
        self._builder = builder
        self._lock = threading.Lock()
        self.cpu_s = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._builder, name)

    def build(self, *arguments: Any, **named: Any) -> None:
        """Build, and note what that took this thread."""
        began_s = time.thread_time()
        try:
            self._builder.build(*arguments, **named)
        finally:
            with self._lock:
                self.cpu_s += time.thread_time() - began_s


@contextmanager
def opened(where: Path) -> Iterator[tuple[Any, Any, Metered]]:
    """Give doors, the hierarchy, and the builder."""
    from orchestrator import flow
    from orchestrator.doors.clock import RealClock
    from orchestrator.doors.crash import crash_points
    from orchestrator.doors.git import RealGit
    from orchestrator.doors.history import SqliteHistory
    from orchestrator.doors.memory.builder import MemoryBuilder
    from orchestrator.doors.registry import HttpRegistry
    from orchestrator.doors.spool import DiskSpool
    from orchestrator.observe.load_files import load_files

    with ExitStack() as stack:
        registry = stack.enter_context(HttpRegistry(cache_dir=where / ".cache" / "manifests"))
        files = stack.enter_context(bench_scale._files(where, cached=True))
        # What the twin reads of parents is not ours to pay for.
        builder = Metered(MemoryBuilder(stack.enter_context(HttpRegistry())))
        unused: Any = None
        doors = flow.Doors(
            files=files,
            git=RealGit(where),
            registry=registry,
            builder=builder,  # type: ignore[arg-type]
            history=stack.enter_context(SqliteHistory(where / "state.db")),
            spool=DiskSpool(),
            clock=RealClock(),
            packages=unused,
            crash=crash_points(os.environ),
        )
        yield doors, load_files(files), builder


def run(where: Path, case: str) -> dict[str, float]:
    """Plan and build everything."""
    from orchestrator import flow

    began_s = time.process_time()
    with opened(where) as (doors, hierarchy, builder):
        wish = flow.Wish(remember=True, suffix=uuid.uuid4().hex[:4])
        made, seen = flow.prepare(hierarchy, doors, wish)
        intent = flow.Intent(
            command="build",
            who="bench",
            suffix=uuid.uuid4().hex[:4],
            slots=SLOTS,
            log_dir=str(where / "logs"),
        )
        # A run's events are many, and nobody keeps them.
        (last,) = deque(flow.run(made, hierarchy, doors, intent, seen), maxlen=1)
        built = sum(result.outcome == "built" for result in last.results)  # type: ignore[union-attr]
    cpu_s = time.process_time() - began_s - builder.cpu_s
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"built": built, "cpu_s": cpu_s, "twin_s": builder.cpu_s, "peak_mib": peak_mib}


def plan(where: Path, case: str) -> dict[str, float]:
    """Plan as `orchestrate plan` does."""
    from orchestrator import flow

    began_s, cpu_s = time.perf_counter(), time.process_time()
    with opened(where) as (doors, hierarchy, _):
        made = flow.plan(hierarchy, doors, flow.Wish(suffix="0000"))
        return _taken(began_s, cpu_s, len(made.steps))


def left(where: Path, case: str) -> dict[str, float]:
    """Find out what is left of a killed run, as `orchestrate resume` does before it builds."""
    from orchestrator import flow

    began_s, cpu_s = time.perf_counter(), time.process_time()
    with opened(where) as (doors, hierarchy, _):
        for _ in flow.recover(hierarchy, doors):
            pass
        found = flow.left_of(None, hierarchy, doors)
        assert found is not None
        flow.verify(found[1], hierarchy, doors)
        return _taken(began_s, cpu_s, len(found[1].steps))


def _taken(began_s: float, cpu_s: float, steps: int) -> dict[str, float]:
    return {
        "seconds": time.perf_counter() - began_s,
        "cpu_s": time.process_time() - cpu_s,
        "steps": steps,
    }


PHASES = {"run": run, "plan": plan, "left": left, "move": bench_night.move_upstreams}


def phase(name: str, where: Path, case: str = "") -> dict[str, float]:
    """Do one phase in a process of its own."""
    return bench_scale.phase(name, where, case, script=__file__)


def killed(where: Path, after: int) -> None:
    """Run till so many images are published, and no further."""
    line = [bench_scale.PYTHON, __file__, "run", str(where), ""]
    environment = {
        **os.environ,
        "PYTHONPATH": f"{bench_scale.ROOT}:{bench_scale.ROOT / 'scripts'}",
        "ORCHESTRATE_CRASH_AT": f"step-recorded:{after}",
    }
    ended = subprocess.run(line, env=environment, stdout=subprocess.DEVNULL)
    assert ended.returncode == -signal.SIGKILL, ended


def rows(images: int, to_kill: int, rounds: int, registry: str) -> Iterator[str]:
    """Yield what is found, a line each."""
    with tempfile.TemporaryDirectory(prefix="bench-runs-") as directory:
        where = Path(directory)
        bench_night.write(where, images, UPSTREAMS, f"{registry}/bench/{uuid.uuid4().hex[:8]}")
        phase("move", where, "all")
        whole = phase("run", where)
        assert whole["built"] == images, whole
        yield (
            f"a first run of {images} images: {whole['cpu_s'] / images:.3f} s of CPU for each "
            f"(goal ≤ 0.3), peak memory {whole['peak_mib']:.0f} MiB (goal ≤ 500)"
        )
    with tempfile.TemporaryDirectory(prefix="bench-runs-") as directory:
        where = Path(directory)
        bench_night.write(where, to_kill, UPSTREAMS, f"{registry}/bench/{uuid.uuid4().hex[:8]}")
        phase("move", where, "all")
        killed(where, to_kill // 2)
        phase("left", where)  # the run is marked as dead, and its journal settled, once
        ratios = []
        for _ in range(rounds):
            ours, beside = phase("left", where), phase("plan", where)
            ratios.append(ours["seconds"] / beside["seconds"])
            yield (
                f"what is left of a killed run of {to_kill} images: {ours['seconds']:.2f} s, a "
                f"plan {beside['seconds']:.2f} s, ratio {ratios[-1]:.2f} "
                f"(CPU {ours['cpu_s'] / beside['cpu_s']:.2f})"
            )
        yield f"median ratio {statistics.median(ratios):.2f} (goal ≤ 1.3)"


def main(arguments: list[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench runs", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--images", type=int, default=10_000, help="of the run that is not killed")
    parser.add_argument("--killed", type=int, default=1000, help="of the run that is")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--registry", default="localhost:5000", help="host and port")
    asked = parser.parse_args(arguments)
    for line in rows(asked.images, asked.killed, asked.rounds, asked.registry):
        print(line, flush=True)


if __name__ == "__main__":
    name, directory, case = sys.argv[1:]
    print(json.dumps(PHASES[name](Path(directory), case)))
