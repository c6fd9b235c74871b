"""A lock on a file, which the kernel releases when its holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.errors import Conflict, StateUnavailable

#: A holder's line is shorter; what else stands in such a file is not read to its end.
_LONGEST_BYTES = 1000


class FileLock:
    """A lock that is held by an open file, one for each name: ``DIRECTORY/NAME.lock``.

    The files stay: one that were removed could be locked by somebody who had opened it before,
    while another one locks the new one.

    Args:
        directory: is made when a lock is first taken.
    """

    def __init__(self, directory: str) -> None:
        self._directory = Path(directory)

    @contextmanager
    def hold(self, name: str, holder: str) -> Iterator[None]:
        """Hold a name while the context lasts; see the protocol."""
        path = self._directory / f"{name}.lock"
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unusable(path, error) from error
        try:
            _take(descriptor, name, path)
            _say(descriptor, holder, path)
            yield
        finally:
            # Closing releases it; what the file says is then nobody's, and never read.
            os.close(descriptor)


def _take(descriptor: int, name: str, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        said = os.pread(descriptor, _LONGEST_BYTES, 0).decode("utf-8", "replace").strip()
        raise held_by(name, said) from error
    except OSError as error:
        raise _unusable(path, error) from error


def _say(descriptor: int, holder: str, path: Path) -> None:
    line = f"{holder}\n".encode("utf-8", "replace")[:_LONGEST_BYTES]
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, line, 0)
    except OSError as error:
        raise _unusable(path, error) from error


def held_by(name: str, holder: str) -> Conflict:
    """Return what a second one is told.

    Args:
        name: of the hierarchy.
        holder: what the first one said of itself; empty when it has not yet.
    """
    return Conflict(
        f"another night of {name} is at work: {holder or 'it has just begun'}",
        hint="nothing was begun, and nothing is lost: the next night does what is left",
    )


def _unusable(path: Path, error: OSError) -> StateUnavailable:
    return StateUnavailable(
        f"cannot lock {path}: {error.strerror}",
        hint="the directory must be writable; --state PATH names another one",
    )
