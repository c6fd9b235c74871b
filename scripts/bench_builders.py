"""What a second builder is worth: a changed base of 34 images, on one builder and on two.

    scripts/bench builders [--rounds N] [--work wait|cpu] [--seconds S] [--registry HOST:PORT]

A builder is an engine with two slots: the one that is there, and beside it one that is started for
this, as root. Every image has one RUN that takes about as long as any other. With `--work wait` it
sleeps, as one does that waits for a mirror: what is seen is how well slots are used, whatever the
machine has. With `--work cpu` it counts: two builders on one machine are then worth what its cores
are, and the goal needs four.

In each round both hierarchies are published first, which is not timed and fills the engines'
caches; then the base changes and everything is built again, in turn, the other one first in every
other round. For the machine's own architecture alone, since emulation would be CPU, too.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from bench_cascade import cascade

from tests.second_engine import SecondEngine, can_start_one, running_second_engine

ROOT = Path(__file__).resolve().parent.parent
SLOTS = 2
GOAL = 0.75
CORES = 4
#: Rounds of a busybox shell's loop in a second, about; only that it is the same everywhere counts.
_LOOPS_A_SECOND = 500_000


def _run_line(work: str, seconds: float) -> str:
    if work == "wait":
        return f"RUN sleep {seconds:g}\n"
    loops = int(seconds * _LOOPS_A_SECOND)
    return f"RUN i=0; while [ $i -lt {loops} ]; do i=$((i+1)); done\n"


def write_project(
    where: Path, registry: str, busybox: Path, builders: tuple[str, ...], run_line: str
) -> None:
    """Write hierarchy.yaml and every image's files, with content that nobody built before."""
    parents = cascade()
    arch = "arm64" if os.uname().machine in ("aarch64", "arm64") else "amd64"
    for image, parent in parents.items():
        context = where / image
        context.mkdir(parents=True)
        change(where, image)
        above = f"FROM {parent}\n"
        if parent is None:
            shutil.copy(busybox / arch / "busybox", context / "busybox")
            above = (
                "FROM scratch\nCOPY busybox /bin/busybox\n"
                'RUN ["/bin/busybox", "--install", "-s", "/bin"]\n'
            )
        (context / "Dockerfile").write_text(f"{above}COPY content /{image}\n{run_line}")
    (where / "hierarchy.yaml").write_text(
        f"version: 1\nname: bench\nregistry: {registry}\nplatforms: [linux/{arch}]\n"
        'tags: {immutable: "{version}-{date}-{key}", floating: [stable]}\nbuilders:\n'
        + "".join(f"  - {{name: {name}, slots: {SLOTS}}}\n" for name in builders)
        + "images:\n"
        + "".join(f'  {image}: {{context: {image}, version: "1"}}\n' for image in parents)
    )


def change(where: Path, image: str) -> None:
    """Give an image's file another content."""
    (where / image / "content").write_text(f"{image} {uuid.uuid4()}\n")


def build(where: Path, environment: Mapping[str, str]) -> float:
    """Build all that is to build, and return the seconds that it took."""
    own = {"XDG_STATE_HOME": str(where / ".state"), "XDG_CACHE_HOME": str(where / ".cache")}
    began_s = time.perf_counter()
    done = subprocess.run(
        [str(ROOT / ".venv/bin/orchestrate"), "build"],
        cwd=where,
        env={**environment, **own},
        capture_output=True,
        text=True,
    )
    took_s = time.perf_counter() - began_s
    if done.returncode:
        sys.exit(f"orchestrate build failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return took_s


def one_round(
    engine: SecondEngine, registry: str, busybox: Path, run_line: str, *, two_first: bool
) -> dict[int, float]:
    """Return builders → seconds for a changed base."""
    names = ("default", engine.context)
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        places = {count: Path(directory) / str(count) for count in (1, 2)}
        for count, place in places.items():
            corner = f"{registry}/bench/{uuid.uuid4().hex[:8]}"
            write_project(place, corner, busybox, names[:count], run_line)
            build(place, engine.environment)
        took_s = {}
        for count in (2, 1) if two_first else (1, 2):
            change(places[count], "base")
            took_s[count] = build(places[count], engine.environment)
        return took_s


def report(rounds: list[dict[int, float]], work: str, seconds: float) -> str:
    """Return what was found, and what it is worth here."""
    one, two = (statistics.median(times[count] for times in rounds) for count in (1, 2))
    ratios = [times[2] / times[1] for times in rounds]
    cores = os.cpu_count() or 1
    lines = [
        f"34 images, their base changed; RUN: {work} {seconds:g} s; {cores} cores",
        f"one builder of {SLOTS} slots   {one:6.1f} s",
        f"two builders of {SLOTS} slots  {two:6.1f} s",
        f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
        f"median of {len(rounds)} rounds; goal ≤ {GOAL}",
    ]
    if work == "cpu" and cores < CORES:
        lines.append(
            f"This machine has {cores} cores, and one builder of {SLOTS} slots can use them all: "
            f"the goal needs {CORES}."
        )
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench builders", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=3, help="rounds (3)")
    parser.add_argument("--work", choices=("wait", "cpu"), default="cpu", help="of a RUN (cpu)")
    parser.add_argument("--seconds", type=float, default=2.0, help="that a RUN takes, about (2)")
    parser.add_argument("--registry", default="localhost:5000", help="host and port")
    asked = parser.parse_args(arguments)
    if not can_start_one():
        sys.exit("scripts/bench builders: a second engine needs root, dockerd, ip and unshare")
    busybox = Path(subprocess.check_output([ROOT / "scripts/busybox"], text=True).strip())
    rounds = []
    with running_second_engine() as engine:
        for n in range(asked.rounds):
            line = _run_line(asked.work, asked.seconds)
            times = one_round(engine, asked.registry, busybox, line, two_first=n % 2 == 1)
            rounds.append(times)
            print(f"round {n + 1}: one {times[1]:.1f} s, two {times[2]:.1f} s", file=sys.stderr)
    print(report(rounds, asked.work, asked.seconds))
