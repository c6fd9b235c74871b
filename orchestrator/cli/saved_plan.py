"""A plan in a file: written as a whole or not at all, read as it is."""

from __future__ import annotations

import json
import os
import select
import stat
import sys
import time
from typing import TYPE_CHECKING

from orchestrator.cli.whole_file import write_whole
from orchestrator.errors import InvalidInput, Problem, Unavailable

if TYPE_CHECKING:
    from orchestrator.model.plan import Plan

#: A plan of 10,000 images has some 30 MB.
BYTES_AT_MOST = 256 << 20
#: Seconds in which somebody must begin to write into a pipe.
PATIENCE_S = 1.0


def save_plan(plan: Plan, path: str) -> None:
    """Write a plan's JSON; whoever reads the file sees the old one or the new one.

    A device or a pipe (`/dev/stdout`) is written to, not replaced.

    Raises:
        Unavailable: it cannot be written; what was there is still there.
    """
    from orchestrator.plan.file import plan_json

    content = (json.dumps(plan_json(plan), indent=2) + "\n").encode("ascii")
    try:
        write_whole(path, content)
    except OSError as error:
        raise Unavailable(
            f"cannot write the plan to {path}: {error.strerror}",
            hint="--out takes a file in a directory that is there and can be written",
        ) from error


def saved_plan(path: str) -> Plan:
    """Return the plan that a file holds.

    Args:
        path: of the file as the user would write it; ``-`` for standard input.

    Raises:
        InvalidInput: it cannot be read, or holds no plan that this version knows.
    """
    from orchestrator.plan.file import read_plan

    shown = "standard input" if path == "-" else path
    try:
        if path == "-" and sys.stdin is None:
            raise _not_readable(shown, "is closed")
        if path == "-":
            content = sys.stdin.buffer.read(BYTES_AT_MOST + 1)
        else:
            content = _content(path, shown)
    except OSError as error:
        what = "does not exist" if isinstance(error, FileNotFoundError) else _trouble(error)
        raise _not_readable(shown, what) from error
    if len(content) > BYTES_AT_MOST:
        raise _too_large(shown)
    return read_plan(content, shown)


def _content(path: str, shown: str) -> bytes:
    """Return the bytes of a file, or of a pipe somebody writes into.

    Raises:
        InvalidInput: it is neither, is too large, or nobody writes into it.
        OSError: it cannot be read.
    """
    # Without O_NONBLOCK a named pipe waits for its writer, for ever if need be.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    status = os.fstat(handle)
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISFIFO(status.st_mode)):
        os.close(handle)
        kind = "a directory" if stat.S_ISDIR(status.st_mode) else "a device"
        raise _not_readable(shown, f"is {kind}, not a file")
    with open(handle, "rb") as file:
        if status.st_size > BYTES_AT_MOST:
            raise _too_large(shown)
        start = _piped(handle, shown) if stat.S_ISFIFO(status.st_mode) else b""
        return start + file.read(BYTES_AT_MOST + 1 - len(start))


def _piped(handle: int, shown: str) -> bytes:
    """Return what comes first out of a pipe, once somebody writes into it; then it blocks."""
    until_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            content = os.read(handle, 65536)
        except BlockingIOError:
            content = b""
            until_s = time.monotonic() + PATIENCE_S
            select.select([handle], [], [], PATIENCE_S)
            continue
        if content:
            os.set_blocking(handle, True)
            return content
        if time.monotonic() > until_s:
            raise _not_readable(shown, "is a pipe, and nobody writes into it")
        time.sleep(0.05)


def _too_large(shown: str) -> InvalidInput:
    return _not_readable(shown, f"is larger than {BYTES_AT_MOST >> 20} MiB")


def _trouble(error: OSError) -> str:
    return f"cannot be read: {error.strerror}"


def _not_readable(shown: str, what: str) -> InvalidInput:
    problem = Problem(
        file=shown,
        line=0,
        column=0,
        code="BAD-PLAN",
        what=what,
        hint="make one with `orchestrate plan --out FILE`",
    )
    return InvalidInput((problem,))
