"""Standard output and standard error: a reader that has gone is no error, a full disk is."""

from __future__ import annotations

import io
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

#: Exit code where the answer could not be written: something needed is not available.
UNWRITABLE = 5


def write_out(text: str) -> int:
    """Write an answer to standard output.

    Returns:
        0, also when the reader has gone (`| head`) or there is no standard output; 5 when the
        answer is lost for another reason, such as a full disk, which is said.
    """
    try:
        _write(sys.stdout, text)
    except OSError as error:
        write_err(f"error: cannot write to standard output: {error.strerror}\n")
        return UNWRITABLE
    return 0


def stream_out(chunks: Iterator[bytes]) -> int:
    """Write an answer to standard output while it comes, and stop when its reader has gone.

    Returns:
        As :func:`write_out`.
    """
    if sys.stdout is None or sys.stdout.closed:
        return 0
    try:
        for chunk in chunks:
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        _silence(sys.stdout)
    except OSError as error:
        _silence(sys.stdout)
        write_err(f"error: cannot write to standard output: {error.strerror}\n")
        return UNWRITABLE
    return 0


def write_err(text: str) -> None:
    """Write to standard error; where nobody can read it, it is lost."""
    try:
        _write(sys.stderr, text)
    except OSError:
        return


class ForgivingStderr(io.TextIOBase):
    """Standard error for a display that redraws itself: a terminal that has gone is no error."""

    def write(self, text: str) -> int:
        """Write; where nobody can read it, it is lost."""
        write_err(text)
        return len(text)

    def flush(self) -> None:
        """Do nothing: everything is written at once."""

    def isatty(self) -> bool:
        """Say whether it is a terminal."""
        return sys.stderr is not None and sys.stderr.isatty()


def _write(stream: TextIO | None, text: str) -> None:
    if stream is None or stream.closed:
        return
    try:
        stream.write(text)
        stream.flush()
    except UnicodeEncodeError:
        _write(stream, text.encode(stream.encoding, "replace").decode(stream.encoding))
    except BrokenPipeError:
        _silence(stream)
    except OSError:
        _silence(stream)
        raise


def _silence(stream: TextIO) -> None:
    """Let what follows, and what Python flushes at its end, go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
