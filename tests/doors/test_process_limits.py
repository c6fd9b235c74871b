"""What this process may use of its machine."""

from __future__ import annotations

import resource
import subprocess
import sys

from orchestrator.doors.process import MANY_FILES

_ASK = """\
import resource
from orchestrator.doors.process import open_many_files
resource.setrlimit(resource.RLIMIT_NOFILE, (64, {hard}))
open_many_files()
open_many_files()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def _after(hard: int) -> tuple[int, ...]:
    """Return the limits of a process that began with 64 files, and asked for many."""
    done = subprocess.run(
        [sys.executable, "-c", _ASK.format(hard=hard)], check=True, capture_output=True, text=True
    )
    return tuple(map(int, done.stdout.split()))


def test_as_many_files_as_are_allowed() -> None:
    """A shell's usual limit of 1024 is less than what 400 builds at once have open."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = MANY_FILES if hard == resource.RLIM_INFINITY else min(hard, MANY_FILES)
    assert _after(hard) == (allowed, hard)
    assert _after(100) == (100, 100)
