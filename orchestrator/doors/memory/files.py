"""A hierarchy's directory, and its version control, in memory."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from orchestrator.doors.files import HIERARCHY_BYTES_AT_MOST, TreeFiles
from orchestrator.doors.git import unknown_commit
from orchestrator.doors.protocols import Files
from orchestrator.doors.repositories import Repositories
from orchestrator.doors.tree import Changed, Kind, OpenedFile, directory_of
from orchestrator.model.source import Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Executable:
    """A file that somebody may execute."""

    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Symlink:
    """A symlink with this text."""

    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """A directory; only empty ones need to be named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Special:
    """A FIFO, a socket or a device."""

    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Faulty:
    """A file or directory that is listed, but fails with this error number when it is opened."""

    kind: Kind = Kind.FILE
    error_number: int = errno.EACCES


#: What can stand at a path; ``bytes`` is an ordinary file.
Entry: TypeAlias = bytes | Executable | Symlink | Directory | Special | Faulty


class MemoryFiles(TreeFiles):
    """A twin of :class:`orchestrator.doors.files.RealFiles`.

    Args:
        entries: path relative to the hierarchy file's directory → what is there. Directories on
            the way need not be named.
        hierarchy: name of the hierarchy file among the entries.
        repositories: as for :class:`orchestrator.doors.files.TreeFiles`.
    """

    def __init__(
        self,
        entries: Mapping[str, Entry] | None = None,
        hierarchy: str = "hierarchy.yaml",
        repositories: Callable[[], Repositories] | None = None,
    ) -> None:
        self._memory = MemoryTree()
        super().__init__(self._memory, hierarchy, repositories)
        for path, entry in (entries or {}).items():
            self.write(path, entry)

    def hierarchy_text(self) -> bytes:
        """Return the hierarchy file's bytes.

        Raises:
            InvalidInput: it cannot be read, is not a regular file, or is larger than 4 MiB.
        """
        try:
            content = self._memory.open(self.name).stream.read()
        except FileNotFoundError as error:
            raise self._bad_hierarchy("does not exist") from error
        except Changed as error:
            raise self._bad_hierarchy(error.what) from error
        except OSError as error:
            raise self._bad_hierarchy(f"cannot be read: {error.strerror}") from error
        if len(content) > HIERARCHY_BYTES_AT_MOST:
            raise self._too_large()
        return content

    def write(self, path: str, entry: Entry) -> None:
        """Put something at a path, in place of what was there."""
        self._memory.write(path, entry)

    def remove(self, path: str) -> None:
        """Take away what is at a path and below it."""
        self._memory.remove(path)


class MemoryTree:
    """A tree of entries; what it promises is said by :class:`~orchestrator.doors.tree.Tree`."""

    def __init__(self) -> None:
        self._children: dict[str, dict[str, Entry]] = {"": {}}

    def kind(self, path: str) -> Kind | None:
        """Return what stands there; None when nothing does."""
        entry = self._entry(path)
        return None if entry is None else _kind(entry)

    def entries(self, path: str) -> list[tuple[str, Kind]]:
        """Return a directory's names and what they are, in any order."""
        entry = self._entry(path)
        if isinstance(entry, Faulty):
            raise _error(entry.error_number)
        if path not in self._children:
            raise _error(errno.ENOENT if entry is None else errno.ENOTDIR)
        return [(name, _kind(child)) for name, child in self._children[path].items()]

    def target(self, path: str) -> str:
        """Return a symlink's text."""
        entry = self._entry(path)
        if not isinstance(entry, Symlink):
            raise _error(errno.ENOENT if entry is None else errno.EINVAL)
        return entry.target

    def open(self, path: str) -> OpenedFile:
        """Open a regular file."""
        entry = self._entry(path)
        if entry is None or isinstance(entry, Faulty):
            raise _error(errno.ENOENT if entry is None else entry.error_number)
        if not isinstance(entry, bytes | Executable):
            raise Changed(f"is {_kind(entry)}, not a file")
        content = entry if isinstance(entry, bytes) else entry.content
        return OpenedFile(
            stream=io.BytesIO(content),
            size_bytes=len(content),
            executable=isinstance(entry, Executable),
        )

    def write(self, path: str, entry: Entry) -> None:
        """Put an entry at a path, with the directories on the way."""
        self.remove(path)
        directory, name = directory_of(path), path.rpartition("/")[2]
        if directory not in self._children:
            self.write(directory, Directory())
        self._children[directory][name] = entry
        if isinstance(entry, Directory):
            self._children[path] = {}

    def remove(self, path: str) -> None:
        """Take away what is at a path and below it; nothing there is fine."""
        self._children.get(directory_of(path), {}).pop(path.rpartition("/")[2], None)
        if path not in self._children:
            return  # Below a file there is nothing, and there may be thousands of directories.
        for directory in [d for d in self._children if d == path or d.startswith(f"{path}/")]:
            del self._children[directory]

    def _entry(self, path: str) -> Entry | None:
        if not path:
            return Directory()
        return self._children.get(directory_of(path), {}).get(path.rpartition("/")[2])


class MemoryGit:
    """A twin of :class:`orchestrator.doors.git.RealGit` that says what it is told.

    Attributes:
        current: what :meth:`revision` returns; tests may set it.
        past: reference → the directory as it was where this branch left it; tests may set it.
    """

    def __init__(
        self, current: Revision | None = None, past: Mapping[str, Files] | None = None
    ) -> None:
        self.current = current
        self.past = dict(past or {})

    def revision(self) -> Revision | None:
        """Return where the tree stands; None outside git."""
        return self.current

    def files_since(self, reference: str, name: str) -> Files:
        """Return the hierarchy's directory as it was where this branch left another one.

        Raises:
            UsageError: there is no such commit.
        """
        if reference not in self.past:
            raise unknown_commit(reference)
        return self.past[reference]


def _kind(entry: Entry) -> Kind:
    if isinstance(entry, Special | Faulty):
        return entry.kind
    if isinstance(entry, Symlink):
        return Kind.SYMLINK
    return Kind.DIRECTORY if isinstance(entry, Directory) else Kind.FILE


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
