"""Whether a process is there still."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.doors.process import is_gone, this_process


def test_this_process_is_there() -> None:
    """It knows itself, and what it says of itself is one word a part."""
    mine = this_process()
    assert len(mine.split(" ")) == 4
    assert not is_gone(mine)


def test_a_process_that_was_killed_is_gone() -> None:
    """Also before anybody has collected it; one that is only stopped is there."""
    line = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(line, stdin=subprocess.PIPE) as child:
        boot, namespace, _, _ = this_process().split(" ")
        began = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19]
        theirs = f"{boot} {namespace} {child.pid} {began}"
        assert not is_gone(theirs)
        child.send_signal(signal.SIGSTOP)
        assert not is_gone(theirs)
        child.kill()
        # Not collected yet: waitid leaves it as it is.
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert is_gone(theirs)
    assert is_gone(theirs)


def test_a_later_process_of_the_same_number_is_another_one() -> None:
    """The number alone says nothing."""
    boot, namespace, pid, began = this_process().split(" ")
    assert is_gone(f"{boot} {namespace} {pid} {int(began) - 1}")


@pytest.mark.parametrize("part", [0, 1])
def test_of_processes_elsewhere_nobody_knows(part: int) -> None:
    """Another start of the machine, another container: they may well be there."""
    words = this_process().split(" ")
    words[part], words[2] = "another", "4194304"
    assert not is_gone(" ".join(words))
    assert not is_gone("")
