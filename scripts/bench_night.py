"""Time a night on a large hierarchy, beside the bare requests that it cannot do without.

    scripts/bench night [--images N] [--upstreams N] [--rounds N] [--registry HOST:PORT]

The hierarchy has a base on each upstream and applications on these; all of it is published in the
registry that is there. A night looks, decides, and builds what changed: one in which nothing
moved, and one in which one upstream did. Builds are the twin's, which takes no time: what is
measured is the orchestrator, and every request it sends is counted. Beside it stands a plain
client that sends one HEAD for every tag and upstream, eight at a time: the floor of a night in
which nothing moved, and less than what the other one needs.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import bench_scale

PLATFORM = "linux/amd64"
NIGHTS = ("nothing moved", "one upstream moved")


def write(where: Path, images: int, upstreams: int, registry: str) -> None:
    """Write the hierarchy, and every image's files."""
    host, _, path = registry.partition("/")
    lines = [
        "version: 1",
        "name: night",
        f"registry: {registry}",
        f"platforms: [{PLATFORM}]",
        'tags: {immutable: "{version}-{date}-{key}", floating: ["{version}", stable]}',
        "upstreams:",
        *(f"  up-{n:03}:1: {{source: '{host}/{path}/up/{n:03}:1'}}" for n in range(upstreams)),
        "images:",
    ]
    parents = {f"base-{n:03}": f"up-{n:03}:1" for n in range(upstreams)}
    parents |= {f"app-{n:04}": f"base-{n % upstreams:03}" for n in range(images - upstreams)}
    for image, parent in parents.items():
        context = where / "images" / image
        context.mkdir(parents=True)
        (context / "Dockerfile").write_text(f"FROM {parent}\nCOPY content /srv/{image}\n")
        (context / "content").write_text(f"{image}\n" * 20)
        lines.append(f'  {image}: {{context: images/{image}, version: "1"}}')
    (where / "hierarchy.yaml").write_text("\n".join(lines) + "\n")


def push_upstream(registry: Any, repository: Any, content: str) -> None:
    """Push an image of one layer, as somebody outside would."""
    from orchestrator.model.manifest import OCI_MANIFEST, Descriptor, Manifest, compose_index

    def digest(blob: bytes) -> str:
        return "sha256:" + hashlib.sha256(blob).hexdigest()

    tar = content.encode()
    layer = gzip.compress(tar, mtime=0)
    system, _, architecture = PLATFORM.partition("/")
    config = json.dumps(
        {
            "architecture": architecture,
            "os": system,
            "created": "2023-01-01T00:00:00Z",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest(tar)]},
        }
    ).encode()
    kinds = {"config.v1+json": config, "layer.v1.tar+gzip": layer}
    described = [
        {
            "mediaType": f"application/vnd.oci.image.{kind}",
            "digest": digest(blob),
            "size": len(blob),
        }
        for kind, blob in kinds.items()
    ]
    said = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": described[0],
        "layers": described[1:],
    }
    manifest = Manifest.of(json.dumps(said).encode(), OCI_MANIFEST)
    for blob in kinds.values():
        registry.upload_blob(repository, digest(blob), (blob,), len(blob))
    registry.put_manifest(repository, manifest.digest, manifest)
    entry = Descriptor(
        media_type=OCI_MANIFEST,
        digest=manifest.digest,
        size_bytes=len(manifest.content),
        platform=PLATFORM,
    )
    registry.put_manifest(repository, "1", compose_index((entry,), {}))


def move_upstreams(where: Path, which: str) -> dict[str, float]:
    """Push new content to one upstream, or to all."""
    from orchestrator.doors.registry import HttpRegistry

    with HttpRegistry() as registry, bench_scale._files(where, cached=False) as files:
        from orchestrator.observe.load_files import load_files

        for name, upstream in load_files(files).upstreams.items():
            if which in ("all", name):
                push_upstream(registry, upstream.source.repository, f"{name} {uuid.uuid4()}")
    return {}


def night(where: Path, case: str) -> dict[str, float]:
    """Look, decide, and build; only that is timed, and the requests of it are counted."""
    from orchestrator import flow
    from orchestrator.doors.clock import RealClock
    from orchestrator.doors.git import RealGit
    from orchestrator.doors.history import SqliteHistory
    from orchestrator.doors.memory.builder import MemoryBuilder
    from orchestrator.doors.registry import HttpRegistry
    from orchestrator.doors.spool import DiskSpool
    from orchestrator.observe.load_files import load_files

    sent = count_requests()
    began_s = time.perf_counter()
    with ExitStack() as stack:
        registry = stack.enter_context(HttpRegistry(cache_dir=where / ".cache" / "manifests"))
        history = stack.enter_context(SqliteHistory(where / "state.db"))
        files = stack.enter_context(bench_scale._files(where, cached=True))
        unused: Any = None
        doors = flow.Doors(
            files=files,
            git=RealGit(where),
            registry=registry,
            builder=MemoryBuilder(registry),
            history=history,
            spool=DiskSpool(),
            clock=RealClock(),
            packages=unused,
        )
        hierarchy = load_files(files)
        wish = flow.Wish(remember=True, suffix=uuid.uuid4().hex[:4])
        made, seen = flow.prepare(hierarchy, doors, wish)
        built = 0
        if made.steps:
            intent = flow.Intent(
                command="patch",
                who="bench",
                suffix=uuid.uuid4().hex[:4],
                slots=4,
                log_dir=str(where / "logs"),
            )
            *_, last = flow.run(made, hierarchy, doors, intent, seen)
            built = sum(result.outcome == "built" for result in last.results)  # type: ignore[union-attr]
    seconds = time.perf_counter() - began_s
    heads = sent.pop("HEAD", 0)
    return {"seconds": seconds, "heads": heads, "others": sum(sent.values()), "built": built}


def count_requests() -> Counter[str]:
    """Return what grows by one, under its method, with every request that a client sends."""
    import httpx2

    sent: Counter[str] = Counter()
    lock = threading.Lock()
    send = httpx2.Client.send

    def counted(client: Any, request: Any, **options: Any) -> Any:
        with lock:
            sent[request.method] += 1
        return send(client, request, **options)

    httpx2.Client.send = counted  # type: ignore[method-assign]
    return sent


def note_heads(where: Path, case: str) -> dict[str, float]:
    """Write down every tag that a night must look at."""
    from orchestrator.decide.verdicts import floating_tags, immutable_tag
    from orchestrator.doors.registry import HttpRegistry
    from orchestrator.model.fingerprint import key_tag
    from orchestrator.observe.load_files import load_files
    from orchestrator.observe.observations import current_of

    with HttpRegistry() as registry, bench_scale._files(where, cached=False) as files:
        hierarchy = load_files(files)
        sources = [upstream.source for upstream in hierarchy.upstreams.values()]
        paths = [f"{source.repository.path}/manifests/{source.tag}" for source in sources]
        for image in hierarchy.images.values():
            current = current_of(registry, image)
            assert current
            assert current.publication
            said = current.publication
            tags = (*floating_tags(image), immutable_tag(image, said), key_tag(said.key))
            paths += [f"{image.repository.path}/manifests/{tag}" for tag in tags]
    (where / "heads.json").write_text(json.dumps(paths))
    return {"heads": len(paths)}


PHASES = {"move": move_upstreams, "night": night, "note": note_heads}


def rows(images: int, upstreams: int, rounds: int, registry: str) -> Iterator[str]:
    """Yield the rows of a Markdown table, a pair of figures of the same minute on each."""
    with tempfile.TemporaryDirectory(prefix="bench-night-") as directory:
        where = Path(directory)
        write(where, images, upstreams, f"{registry}/bench/{uuid.uuid4().hex[:8]}")
        phase("move", where, "all")
        first = phase("night", where)
        assert first["built"] == images, first
        phase("night", where)  # reads what was published into the cache
        needed = int(phase("note", where)["heads"])
        yield "| night | built | HEADs | other requests | seconds | bare HEADs | ratio |"
        yield "|---|--:|--:|--:|--:|--:|--:|"
        ratios: dict[str, list[float]] = {name: [] for name in NIGHTS}
        for number in range(rounds):
            for name in NIGHTS:
                if name == NIGHTS[1]:
                    phase("move", where, f"up-{number % upstreams:03}:1")
                ours = phase("night", where)
                phase("note", where)
                bare_s = bench_scale.phase("heads", where, registry)["seconds"]
                ratios[name].append(ours["seconds"] / bare_s)
                yield (
                    f"| {name} | {ours['built']:.0f} | {ours['heads']:.0f} (needed: {needed}) "
                    f"| {ours['others']:.0f} | {ours['seconds']:.2f} | {bare_s:.2f} "
                    f"| {ratios[name][-1]:.2f} |"
                )
        for name in NIGHTS:
            yield f"| {name}, median | | | | | | {statistics.median(ratios[name]):.2f} |"


def phase(name: str, where: Path, case: str = "") -> Mapping[str, float]:
    """Do one phase in a process of its own."""
    return bench_scale.phase(name, where, case, script=__file__)


def main(arguments: list[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench night", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--upstreams", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--registry", default="localhost:5000", help="host and port")
    asked = parser.parse_args(arguments)
    print(f"{asked.images} images on {asked.upstreams} upstreams, one platform\n")
    for line in rows(asked.images, asked.upstreams, asked.rounds, asked.registry):
        print(line, flush=True)


if __name__ == "__main__":
    name, directory, case = sys.argv[1:]
    print(json.dumps(PHASES[name](Path(directory), case)))
