"""What keeps two nights apart: one contract for the lock on a file and for its twin."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.doors.lock import FileLock
from orchestrator.doors.memory.lock import MemoryLock
from orchestrator.doors.protocols_lock import Lock
from orchestrator.errors import Conflict, StateUnavailable

#: Holds a lock until it is killed; says when it has it.
_HOLD = """
import sys, time
from orchestrator.doors.lock import FileLock
with FileLock(sys.argv[1]).hold("gold", f"pid {sys.argv[2]}"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture(params=["file", "memory"])
def lock(request: pytest.FixtureRequest, tmp_path: Path) -> Lock:
    """The door, on a directory that is not there yet."""
    return FileLock(str(tmp_path / "state" / "deep")) if request.param == "file" else MemoryLock()


def test_a_second_one_is_refused_and_told_who_has_it(lock: Lock) -> None:
    """It is told at once, with the first one's own words and the hierarchy's name."""
    with lock.hold("gold", "pid 4711 on builder since today"):
        with pytest.raises(Conflict, match="of gold is at work: pid 4711 on builder") as refused:
            lock.hold("gold", "pid 4712").__enter__()
        assert refused.value.exit_code == 4
        with pytest.raises(Conflict, match="pid 4711"):
            lock.hold("gold", "pid 4713").__enter__()


def test_names_do_not_hinder_one_another(lock: Lock) -> None:
    """Another hierarchy has its own nights."""
    with lock.hold("gold", "one"), lock.hold("silver", "two"):
        pass


def test_it_is_free_again_at_the_end_also_after_an_error(lock: Lock) -> None:
    """The next night comes in; whoever held it before is not named any more."""
    with pytest.raises(ZeroDivisionError), lock.hold("gold", "a long line about the first one"):
        raise ZeroDivisionError
    with lock.hold("gold", "two"), pytest.raises(Conflict, match=r"at work: two$"):
        lock.hold("gold", "three").__enter__()


def test_a_holder_that_is_killed_holds_nothing(tmp_path: Path) -> None:
    """The kernel releases the lock of a process that ends by ``kill -9``."""
    line = [sys.executable, "-c", _HOLD, str(tmp_path), "77"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as first:
        try:
            assert first.stdout is not None
            assert first.stdout.readline() == "held\n"
            with pytest.raises(Conflict, match="pid 77"):
                FileLock(str(tmp_path)).hold("gold", "second").__enter__()
        finally:
            first.kill()
    with FileLock(str(tmp_path)).hold("gold", "second"):
        assert (tmp_path / "gold.lock").read_text() == "second\n"


def test_programs_that_the_holder_starts_do_not_keep_it(tmp_path: Path) -> None:
    """A build that outlives a killed orchestrator leaves the next night free."""
    with FileLock(str(tmp_path)).hold("gold", "first"):
        child = subprocess.Popen(["sleep", "600"], close_fds=False)
    try:
        with FileLock(str(tmp_path)).hold("gold", "second"):
            pass
    finally:
        child.kill()
        child.wait()


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """Where nobody can know whether another night is at work, none begins."""
    (tmp_path / "state").write_text("a file")
    with pytest.raises(StateUnavailable, match=r"cannot lock .*gold\.lock"):
        FileLock(str(tmp_path / "state")).hold("gold", "first").__enter__()


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    """As the database beside it."""
    with FileLock(str(tmp_path / "state")).hold("gold", "first"):
        modes = [os.stat(tmp_path / name).st_mode & 0o777 for name in ("state", "state/gold.lock")]
    assert modes == [0o700, 0o600]
