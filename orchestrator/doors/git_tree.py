"""A directory as a commit has it, read by git: the files door's view of the past."""

from __future__ import annotations

import errno
import io
import os

from orchestrator.doors.files import HIERARCHY_BYTES_AT_MOST, TreeFiles
from orchestrator.doors.git_objects import Stored
from orchestrator.doors.tree import Changed, Kind, OpenedFile, PathProblem, directory_of, find

#: A directory that holds itself in many ways has more files than anybody could read.
DIRECTORIES_AT_MOST = 200_000

#: Types of files in a tree's entries; what is none of them is a submodule.
_KINDS = {0o040000: Kind.DIRECTORY, 0o100000: Kind.FILE, 0o120000: Kind.SYMLINK}
_TYPE, _EXECUTABLE = 0o170000, 0o100
_Entry = tuple[int, bytes]

_LFS_POINTER_BYTES_AT_MOST = 1024
_LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\n"


class GitFiles(TreeFiles):
    """A hierarchy's directory as a commit has it.

    What git would do to files on the way to a working tree (line ends, filters, LFS) is not done:
    such files look changed.

    Args:
        tree: the directory.
        hierarchy_path: path of the hierarchy file as the user wrote it; it lies in the directory.
        shown: what to call the commit in messages.
    """

    def __init__(self, tree: GitTree, hierarchy_path: str, shown: str) -> None:
        super().__init__(tree, hierarchy_path)
        self._git_tree = tree
        self._at = f" at {shown}"

    def hierarchy_text(self) -> bytes:
        """Return the hierarchy file's bytes.

        Raises:
            InvalidInput: it is not there, is not a regular file, or is larger than 4 MiB.
        """
        try:
            path = find(self._git_tree, os.path.basename(self.name))
            if path is None:
                raise self._bad_hierarchy(f"does not exist{self._at}")
            content = self._git_tree.open(path).stream.read()
        except PathProblem as problem:
            raise self._bad_hierarchy(f"{problem}{self._at}") from problem
        except OSError as error:
            raise self._bad_hierarchy(f"cannot be read{self._at}: {error.strerror}") from error
        if len(content) > HIERARCHY_BYTES_AT_MOST:
            raise self._too_large(self._at)
        return content


class GitTree:
    """A tree of a commit; what it promises is said by :class:`~orchestrator.doors.tree.Tree`.

    A directory is read when somebody looks into it. A name that no directory can have, which only
    who makes trees by hand commits, is an error then.

    Args:
        root: the name of git's tree object; empty for no files.
        stored: what the repository has.
        submodules: what they are taken for: where nobody checked them out, empty directories.
        refuses_pointers: files that Git LFS keeps elsewhere cannot be opened.
        directories_at_most: that are looked into.
    """

    def __init__(
        self,
        root: bytes,
        stored: Stored,
        *,
        submodules: Kind = Kind.DIRECTORY,
        refuses_pointers: bool = False,
        directories_at_most: int = DIRECTORIES_AT_MOST,
    ) -> None:
        self._root = root
        self._directories_at_most = directories_at_most
        self._stored = stored
        self._submodules = submodules
        self._refuses_pointers = refuses_pointers
        self._directories: dict[str, dict[str, _Entry]] = {} if root else {"": {}}

    def kind(self, path: str) -> Kind | None:
        """Return what stands there; None when nothing does."""
        if not path:
            return Kind.DIRECTORY
        entry = self._entry(path)
        return self._kind(entry) if entry else None

    def entries(self, path: str) -> list[tuple[str, Kind]]:
        """Return a directory's names and what they are, in any order."""
        found = self._directory(path)
        if found is None:
            raise _error(errno.ENOTDIR if self._entry(path) else errno.ENOENT)
        return [(name, self._kind(entry)) for name, entry in found.items()]

    def target(self, path: str) -> str:
        """Return a symlink's text."""
        entry = self._entry(path)
        if entry is None or self._kind(entry) is not Kind.SYMLINK:
            raise _error(errno.EINVAL if entry else errno.ENOENT)
        return self._stored.read(entry[1]).decode("utf-8", "surrogateescape")

    def open(self, path: str) -> OpenedFile:
        """Open a regular file."""
        entry = self._entry(path)
        if entry is None:
            raise _error(errno.ENOENT)
        mode, object_id = entry
        if self._kind(entry) is not Kind.FILE:
            raise Changed(f"is {self._kind(entry)}, not a file")
        stream, size_bytes = self._stored.open(object_id)
        if self._refuses_pointers and size_bytes <= _LFS_POINTER_BYTES_AT_MOST:
            with stream:
                content = stream.read()
            if content.startswith(_LFS_POINTER):
                raise OSError(errno.ENOTSUP, "it is kept in Git LFS, which is not fetched")
            stream = io.BytesIO(content)
        executable = bool(mode & _EXECUTABLE)
        return OpenedFile(stream=stream, size_bytes=size_bytes, executable=executable)

    def _kind(self, entry: _Entry) -> Kind:
        return _KINDS.get(entry[0] & _TYPE, self._submodules)

    def _entry(self, path: str) -> _Entry | None:
        directory = self._directory(directory_of(path))
        return directory.get(path.rpartition("/")[2]) if directory else None

    def _directory(self, path: str) -> dict[str, _Entry] | None:
        """Return name → entry; None where there is no directory."""
        if path in self._directories:
            return self._directories[path]
        entry = self._entry(path) if path else None
        if path and (entry is None or self._kind(entry) is not Kind.DIRECTORY):
            return None
        if len(self._directories) >= self._directories_at_most:
            what = f"there are more than {self._directories_at_most:,} directories"
            raise OSError(errno.EMFILE, what)
        is_here = entry is None or entry[0] & _TYPE in _KINDS
        object_id = entry[1] if entry else self._root
        found = _parsed(self._stored.read(object_id, b"tree"), len(self._root)) if is_here else {}
        self._directories[path] = found
        return found


def _parsed(content: bytes, digits: int) -> dict[str, _Entry]:
    """Return the entries of a tree object: name → mode and the name of what stands there.

    Args:
        content: of the object.
        digits: hexadecimal, of the names of objects.

    Source: gitformat-pack, "tree objects"; `git ls-tree` prints the same.
    """
    found: dict[str, _Entry] = {}
    at = 0
    while at < len(content):
        try:
            space = content.index(b" ", at)
            end = content.index(b"\0", space)
            mode = int(content[at:space], 8)
        except ValueError as error:
            raise OSError(errno.EIO, "git has no directory there") from error
        name, at = (
            content[space + 1 : end].decode("utf-8", "surrogateescape"),
            end + 1 + digits // 2,
        )
        if name in ("", ".", "..") or "/" in name:
            raise OSError(errno.EINVAL, f"it has a file that no directory can have: {name!r}")
        found[name] = mode, content[end + 1 : at].hex().encode()
    return found


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
