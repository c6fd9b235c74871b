"""A directory on disk, as it is."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from orchestrator.doors.tree import Changed, Kind, OpenedFile, encoded


class DiskTree:
    """A directory on disk; what it promises is said by :class:`~orchestrator.doors.tree.Tree`."""

    def __init__(self, directory: Path) -> None:
        self._root = os.fsencode(directory)

    def kind(self, path: str) -> Kind | None:
        """Return what stands there; None when nothing does."""
        try:
            return _kind(os.lstat(self._at(path)).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def entries(self, path: str) -> list[tuple[str, Kind]]:
        """Return a directory's names and what they are, in any order."""
        with os.scandir(self._at(path)) as found:
            return [
                (entry.name.decode("utf-8", "surrogateescape"), _kind_of(entry)) for entry in found
            ]

    def target(self, path: str) -> str:
        """Return a symlink's text."""
        return os.readlink(self._at(path)).decode("utf-8", "surrogateescape")

    def open(self, path: str) -> OpenedFile:
        """Open a regular file."""
        return opened(self._at(path), os.O_NOFOLLOW)

    def _at(self, path: str) -> bytes:
        return self._root + b"/" + encoded(path) if path else self._root


def opened(path: bytes, flags: int = 0) -> OpenedFile:
    """Open a regular file.

    Raises:
        Changed: it is something else.
    """
    # Without O_NONBLOCK a FIFO waits for a writer.
    flags |= os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise Changed(f"is {Kind.SOCKET}, not a file") from error
        raise
    status = os.fstat(descriptor)
    kind = _kind(status.st_mode)
    if kind is not Kind.FILE:
        os.close(descriptor)
        raise Changed(f"is {kind}, not a file")
    return OpenedFile(
        stream=os.fdopen(descriptor, "rb"),
        size_bytes=status.st_size,
        executable=bool(status.st_mode & 0o111),
    )


def _kind_of(entry: os.DirEntry[bytes]) -> Kind:
    if entry.is_symlink():
        return Kind.SYMLINK
    if entry.is_dir(follow_symlinks=False):
        return Kind.DIRECTORY
    if entry.is_file(follow_symlinks=False):
        return Kind.FILE
    return _kind(entry.stat(follow_symlinks=False).st_mode)


def _kind(mode: int) -> Kind:
    return _KINDS.get(stat.S_IFMT(mode), Kind.DEVICE)


_KINDS = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFDIR: Kind.DIRECTORY,
    stat.S_IFLNK: Kind.SYMLINK,
    stat.S_IFIFO: Kind.FIFO,
    stat.S_IFSOCK: Kind.SOCKET,
}
