"""The real program on a real engine and registry, killed at every point, and its whole group."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.doors.crash import VARIABLE
from orchestrator.model.crash import CrashPoint
from orchestrator.model.run import Outcome, RunState
from tests.corner import Corner, make_corner
from tests.test_engine import busybox as busybox

pytestmark = pytest.mark.engine

#: Every point of a first build, the way on, and where in the run.
POINTS = [
    ("lease-taken", "build"),
    ("run-begun", "resume"),
    ("build-started", "resume"),
    ("layout-made:2", "build"),
    ("blobs-uploaded", "resume"),
    ("manifest-stored", "build"),
    ("claimed", "resume"),
    ("immutable-tag-put:2", "resume"),
    ("key-tag-put", "build"),
    ("announced:2", "resume"),
    ("copies-made", "resume"),
    ("step-recorded", "build"),
    ("steps-done", "resume"),
    ("journal-written", "build"),
    ("tag-moved:2", "resume"),
    ("move-settled:3", "build"),
    ("run-finished", "resume"),
    ("told", "build"),
]


@pytest.fixture
def corner(tmp_path: Path, registry_url: str, busybox: Path) -> Iterator[Corner]:
    with make_corner(tmp_path, registry_url, busybox) as made:
        yield made


def test_points_of_a_first_build_are_all_here() -> None:
    """Those that a plain build does not reach are killed at on twins."""
    elsewhere = {
        CrashPoint.MIRROR_COPIED,
        CrashPoint.MIRROR_TAGGED,
        CrashPoint.UNCHANGED_CLAIMED,
        CrashPoint.UNCHANGED_TAGGED,
        CrashPoint.MARKED,
        CrashPoint.RECOVERED,
        CrashPoint.MESSAGE_SENT,
    }
    assert {CrashPoint(p.partition(":")[0]) for p, _ in POINTS} | elsewhere == set(CrashPoint)


@pytest.mark.parametrize(("point", "way_on"), POINTS)
def test_program_killed_at_a_point_is_gone_on_with(corner: Corner, point: str, way_on: str) -> None:
    """Nothing that has a tag is built again, tags are all-old or all-new, and nothing is left."""
    oracle = corner.oracle()
    before = oracle.look()
    code, said = corner.run("build", **{VARIABLE: point})
    assert code == -signal.SIGKILL, said
    oracle.look()
    published = {name[0].path.rpartition("/")[2] for name in oracle.published()}
    runs = {run.id for run in corner.history.runs()}
    code, said = corner.run(way_on)
    assert code == 0, said
    oracle.require_settled(before)
    oracle.require_converged(corner.plan())
    oracle.require_announced()
    for run in corner.history.runs():
        for result in corner.history.results(run.id) if run.id not in runs else ():
            again = result.outcome is Outcome.BUILT and result.image in published
            assert not again, f"{result.image} was published, and built again"
    assert corner.run("resume") == (0, "Nothing to resume.\n")


def test_two_that_resume_at_once_do_it_once(corner: Corner) -> None:
    """The second one waits, and then finds nothing to resume."""
    oracle = corner.oracle()
    before = oracle.look()
    code, said = corner.run("build", **{VARIABLE: "step-recorded"})
    assert code == -signal.SIGKILL, said
    both = [corner.start("resume") for _ in range(2)]
    outs = sorted(process.communicate(timeout=120)[0] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert outs[0] == "Nothing to resume.\n"
    newest, killed = corner.history.runs()
    assert (newest.resumes, newest.state) == (killed.id, RunState.SUCCEEDED)
    oracle.require_settled(before)
    oracle.require_converged(corner.plan())


def test_whole_group_killed_in_the_middle_of_a_build(corner: Corner) -> None:
    """Program and client die at once, as with a power cut; the engine's build goes too."""
    corner.append("app", "RUN sleep 607")
    oracle = corner.oracle()
    before = oracle.look()
    process = corner.start("build")
    assert process.stderr is not None
    for line in process.stderr:
        if "app: started" in line:
            break
    until_s = time.monotonic() + 30
    while not _sleeping() and time.monotonic() < until_s:
        time.sleep(0.1)
    assert _sleeping()
    children = _children(process.pid)
    assert children, "the client is a child of ours"
    for pid in (process.pid, *children):
        os.kill(pid, signal.SIGKILL)
    process.communicate()
    while _sleeping() and time.monotonic() < until_s:
        time.sleep(0.1)
    assert not _sleeping(), "the engine still builds"
    text = (corner.tree / "app" / "Dockerfile").read_text()
    (corner.tree / "app" / "Dockerfile").write_text(text.replace("sleep 607", "sleep 0"))
    code, said = corner.run("resume")
    assert code == 4, said
    assert "orchestrate build" in said
    code, said = corner.run("build")
    assert code == 0, said
    oracle.require_settled(before)
    oracle.require_converged(corner.plan())
    newest, oldest = corner.history.runs()
    assert (newest.state, oldest.state) == (RunState.SUCCEEDED, RunState.INTERRUPTED)


def _sleeping() -> bool:
    """Say whether the build's own step runs on this machine's engine."""
    found = subprocess.run(["pgrep", "-fx", "sleep 607"], capture_output=True, check=False)
    return found.returncode == 0


def _children(pid: int) -> tuple[int, ...]:
    """Return the processes that a process started, and theirs."""
    said = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    found = tuple(int(line) for line in said.stdout.split())
    return (*found, *(below for child in found for below in _children(child)))
