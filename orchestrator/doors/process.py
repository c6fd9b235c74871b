"""Processes of this machine: which one this is, and whether another one is gone."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

#: Enough for some thousand builds at once.
MANY_FILES = 1 << 14

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
#: Letters in /proc/PID/stat of a process that has ended, and only was not collected yet.
_ENDED = ("Z", "X")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timekeeper:
    """A clock, and its name: times of two clocks cannot be compared.

    Attributes:
        name: of the clock.
        now_s: seconds since some moment.
    """

    name: str
    now_s: Callable[[], float]


def machine_time() -> Timekeeper:
    """Return a clock that all processes of this machine share, until it is started anew.

    Nobody can set it, and it stands still while the machine sleeps. Where the system does not say
    which start this is, it is the time of day.
    """
    boot = _boot_id()
    if boot:
        return Timekeeper(name=f"boot {boot}", now_s=time.monotonic)
    return Timekeeper(name="time of day", now_s=time.time)


def this_machine() -> str:
    """Return what tells this machine from others, at least until it is started anew."""
    return _boot_id() or socket.gethostname()


def this_process() -> str:
    """Return what tells this process from all others, also later ones with its number.

    Empty where the system does not say enough.
    """
    boot, namespace, began = _boot_id(), _namespace(), _began(os.getpid())
    return f"{boot} {namespace} {os.getpid()} {began}" if boot and namespace and began else ""


def is_gone(process: str) -> bool:
    """Say whether a process is known to be gone; False also where nobody can know.

    Args:
        process: what :func:`this_process` said there.
    """
    boot, _, rest = process.partition(" ")
    namespace, _, rest = rest.partition(" ")
    pid, _, began = rest.partition(" ")
    # Containers have numbers of their own.
    if not pid.isdecimal() or boot != _boot_id() or namespace != _namespace():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:  # Somebody else's.
        pass
    now = _began(int(pid))
    return now in _ENDED or (now != "" and now != began)


def open_many_files() -> None:
    """Let this process have as many files open as its user may: every build has four.

    Where that cannot be changed, it stays as it is.
    """
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY_FILES if hard == resource.RLIM_INFINITY else min(hard, MANY_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _began(pid: int) -> str:
    """Return when a process began, in ticks since the start; a letter if it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # The name comes second, in parentheses, and may have spaces and parentheses itself.
    fields = stat.rpartition(")")[2].split()
    if len(fields) < 20:
        return ""
    return fields[0] if fields[0] in _ENDED else fields[19]
