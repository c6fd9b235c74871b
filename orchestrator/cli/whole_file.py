"""Files that are written as a whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress

from orchestrator.errors import Conflict

#: Option → how a file begins that it wrote earlier, without white space.
_OURS = {
    "--out": (b'{"format":',),
    "--events": (b'{"format":',),
    "--junit": (b"<?xml", b"<testsuite"),
    "--code-quality": (b"[",),
}


def write_whole(path: str, content: bytes) -> None:
    """Write a file; whoever reads it sees the old one or the new one.

    A device or a pipe (`/dev/stdout`) is written to, not replaced.

    Raises:
        OSError: it cannot be written; what was there is still there.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as file:
            file.write(content)
    else:
        _replace(os.path.realpath(path), content)


def require_writable(path: str) -> str:
    """Return why a file cannot be written as it seems now; empty where nothing speaks against it.

    Worth asking before an hour of work whose report it is to hold.
    """
    directory = os.path.dirname(os.path.realpath(path))
    if os.path.isdir(path):
        return "is a directory"
    if not os.path.isdir(directory):
        return "its directory does not exist"
    target = path if os.path.exists(path) and not os.path.isfile(path) else directory
    return "" if os.access(target, os.W_OK) else "permission denied"


def require_replaceable(option: str, path: str, shown: str) -> None:
    """Refuse to overwrite what no command of ours wrote: a mistyped name costs nobody their work.

    What is empty, no regular file, or cannot be read is left to whoever writes.

    Args:
        option: that named the file.
        path: of the file.
        shown: the same, as the user wrote it.

    Raises:
        Conflict: something else is there.
    """
    if not os.path.isfile(path):
        return
    try:
        with open(path, "rb") as file:
            start = b"".join(file.read(200).split())
    except OSError:
        return
    if start and not start.startswith(_OURS[option]):
        raise Conflict(
            f"{option} {shown}: a file is there that was not written by {option}",
            hint="name another file, or remove this one",
        )


def _replace(path: str, content: bytes) -> None:
    handle, beside = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".orchestrate-")
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            # mkstemp's mode is for its owner alone; what is written here is to be read by others.
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
