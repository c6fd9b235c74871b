"""`--events FILE`: every event of a run as a line of JSON, written the moment it happens."""

from __future__ import annotations

import errno
import os
import select
import stat
import sys
import time

from orchestrator.errors import Unavailable, UsageError

#: Seconds in which somebody must begin to read a pipe, and in which they must go on.
PATIENCE_S = 5.0


class EventFile:
    """A file, a pipe or standard output that gets one line for each event.

    Nothing that goes wrong with it stops a run: :meth:`write` says so once, and the rest is lost.

    Args:
        path: ``-`` for standard output. A file that is there is emptied.
        patience_s: seconds in which somebody must begin to read a pipe, and must go on.

    Raises:
        Unavailable: it cannot be opened; or it is a named pipe that nobody reads.
        UsageError: ``-``, and standard output is closed.
    """

    def __init__(self, path: str, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._shown = "standard output" if path == "-" else path
        self._handle: int | None = None
        if path == "-":
            if sys.stdout is None or sys.stdout.closed:
                raise UsageError("--events -: standard output is closed", hint="name a file")
            sys.stdout.flush()
            self._handle = os.dup(sys.stdout.fileno())
        else:
            self._handle = _opened(path, patience_s)

    def write(self, line: str) -> str:
        """Write a line, given without its newline.

        Returns:
            Empty; or once, when it cannot be written any more, a sentence that says so.
        """
        if self._handle is None:
            return ""
        try:
            _write_all(self._handle, f"{line}\n".encode("ascii"), self._patience_s)
        except OSError as error:
            self.close()
            what = "nobody reads it" if error.errno == errno.EPIPE else error.strerror
            return f"events are no longer written to {self._shown}: {what}; the run goes on"
        return ""

    def close(self) -> None:
        """Close it; what is written afterwards is lost."""
        if self._handle is not None:
            os.close(self._handle)
        self._handle = None


def _opened(path: str, patience_s: float) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NONBLOCK
    until_s = time.monotonic() + patience_s
    while True:
        try:
            return os.open(path, flags, 0o666)
        except OSError as error:
            if error.errno != errno.ENXIO or not _is_pipe(path):
                raise Unavailable(
                    f"cannot write events to {path}: {error.strerror}",
                    hint="--events takes a file in a directory that is there, a pipe, or -",
                ) from error
            if time.monotonic() > until_s:
                raise Unavailable(
                    f"nobody reads the pipe {path}",
                    hint="start its reader first, or name a file",
                ) from error
        # A pipe whose reader may just be starting.
        time.sleep(0.05)


def _is_pipe(path: str) -> bool:
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except OSError:
        return False


def _write_all(handle: int, content: bytes, patience_s: float) -> None:
    """Write, and wait a while for a reader that is slow.

    Raises:
        OSError: the disk is full, the reader has gone, or reads no longer.
    """
    left = memoryview(content)
    while left:
        try:
            left = left[os.write(handle, left) :]
        except BlockingIOError:
            _, ready, _ = select.select([], [handle], [], patience_s)
            if not ready:
                raise OSError(errno.ETIMEDOUT, "its reader has stopped reading") from None
