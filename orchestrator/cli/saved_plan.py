"""A plan in a file: written as a whole or not at all, read as it is."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING

from orchestrator.errors import InvalidInput, Problem, Unavailable

if TYPE_CHECKING:
    from orchestrator.model.plan import Plan

#: A plan of 10,000 images has some 30 MB.
BYTES_AT_MOST = 256 << 20


def save_plan(plan: Plan, path: str) -> None:
    """Write a plan's JSON; whoever reads the file sees the old one or the new one.

    A device or a pipe (`/dev/stdout`) is written to, not replaced.

    Raises:
        Unavailable: it cannot be written; what was there is still there.
    """
    from orchestrator.plan import plan_json

    content = (json.dumps(plan_json(plan), indent=2) + "\n").encode("ascii")
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            with open(path, "wb") as file:
                file.write(content)
        else:
            _replace(os.path.realpath(path), content)
    except OSError as error:
        raise Unavailable(
            f"cannot write the plan to {path}: {error.strerror}",
            hint="--out takes a file in a directory that is there and can be written",
        ) from error


def _replace(path: str, content: bytes) -> None:
    handle, beside = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".plan-")
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            # mkstemp's mode is for its owner alone; a plan holds no secret and gets reviewed.
            os.fchmod(file.fileno(), 0o666 & ~_umask())
        os.replace(beside, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(beside)
        raise


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def saved_plan(path: str) -> Plan:
    """Return the plan that a file holds.

    Args:
        path: of the file as the user would write it; ``-`` for standard input.

    Raises:
        InvalidInput: it cannot be read, or holds no plan that this version knows.
    """
    from orchestrator.plan import read_plan

    shown = "standard input" if path == "-" else path
    try:
        if path == "-" and sys.stdin is None:
            raise _not_readable(shown, "is closed")
        if path == "-":
            content = sys.stdin.buffer.read(BYTES_AT_MOST + 1)
        else:
            with open(path, "rb") as file:
                content = file.read(BYTES_AT_MOST + 1)
    except OSError as error:
        what = "does not exist" if isinstance(error, FileNotFoundError) else _trouble(error)
        raise _not_readable(shown, what) from error
    if len(content) > BYTES_AT_MOST:
        raise _not_readable(shown, f"is larger than {BYTES_AT_MOST >> 20} MiB")
    return read_plan(content, shown)


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
