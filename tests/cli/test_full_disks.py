"""A disk that is full under the database. Needs root, for small disks."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.doors.history import SqliteHistory
from orchestrator.model.run import RunState
from tests.cli.processes import TWINS, started
from tests.cli.stage import Stage

Disk = Callable[[int], Path]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Disk]:
    """Makes disks of a given size, in bytes; skips where that is not allowed."""
    mounted: list[Path] = []

    def make(size_bytes: int) -> Path:
        place = tmp_path / f"disk-{len(mounted)}"
        place.mkdir()
        line = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(place)]
        made = subprocess.run(line, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            pytest.skip(f"cannot mount a small disk: {made.stderr.strip()}")
        mounted.append(place)
        return place

    yield make
    for place in mounted:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk: Path) -> Path:
    """Fill a disk; return the file that does."""
    hog = disk / "hog"
    free = os.statvfs(disk)
    with hog.open("wb") as file:
        file.write(b"\0" * (free.f_bavail * free.f_frsize))
    return hog


def test_database_that_cannot_grow_stops_the_run_which_is_resumed(
    stage: Stage, small_disk: Disk, tmp_path: Path
) -> None:
    """Exit 5 and a hint; when there is room the journal is settled and the rest is done."""
    disk, gate = small_disk(4 << 20), tmp_path / "gate"
    state = disk / "state.db"
    build = (*TWINS, "-C", str(stage.directory), "--state", str(state), "build")
    with started(*build, GATED="base", GATE=str(gate)) as process:
        process.wait_for("base is at the gate")
        hog = fill(disk)
        gate.touch()
        ended = process.end()
    assert ended.code == 5
    assert "cannot grow" in ended.err
    assert "free some room on its disk" in ended.err
    hog.unlink()
    resume = (*TWINS, "-C", str(stage.directory), "--state", str(state), "resume")
    with started(*resume) as process:
        ended = process.end()
    assert ended.code == 0, ended.err
    assert "never ended" in ended.err
    with SqliteHistory(state) as history:
        # Their ids sort by the second, and both may have begun in the same one.
        (stopped, resumed) = sorted(history.runs(), key=lambda run: run.resumes != "")
    assert (resumed.state, resumed.resumes) == (RunState.SUCCEEDED, stopped.id)
