"""A directory as a commit has it, read by git: the files door's view of the past."""

from __future__ import annotations

import errno
import io
import os
import select
import subprocess
import threading
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress

from orchestrator.doors.files import HIERARCHY_BYTES_AT_MOST, TreeFiles
from orchestrator.doors.tree import Changed, Kind, OpenedFile, PathProblem, directory_of, find

_SUBMODULE = b"160000"
#: Modes of `git ls-tree`.
_KINDS: Mapping[bytes, Kind] = {
    b"040000": Kind.DIRECTORY,
    b"100644": Kind.FILE,
    b"100664": Kind.FILE,
    b"100755": Kind.FILE,
    b"120000": Kind.SYMLINK,
}
_EXECUTABLE = b"100755"
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

    Args:
        listing: what ``git ls-tree -r -t -z`` says of the directory.
        blobs: reads their bytes.
        submodules: what they are taken for: where nobody checked them out, empty directories.
        refuses_pointers: files that Git LFS keeps elsewhere cannot be opened.
    """

    def __init__(
        self,
        listing: bytes,
        blobs: Blobs,
        *,
        submodules: Kind = Kind.DIRECTORY,
        refuses_pointers: bool = False,
    ) -> None:
        self._blobs = blobs
        self._refuses_pointers = refuses_pointers
        self._kinds = {**_KINDS, _SUBMODULE: submodules}
        self._children: dict[str, dict[str, tuple[bytes, bytes]]] = {"": {}}
        #: Of what no directory can hold; only who makes trees by hand commits that.
        self.impossible: list[str] = []
        for line in filter(None, listing.split(b"\0")):
            about, _, name = line.partition(b"\t")
            mode, _, object_id = about.split(b" ")
            path = name.decode("utf-8", "surrogateescape")
            if not {"", ".", ".."}.isdisjoint(path.split("/")):
                self.impossible.append(path)
            if self._kinds.get(mode) is Kind.DIRECTORY:
                self._children[path] = {}
            children = self._children.setdefault(directory_of(path), {})
            children[path.rpartition("/")[2]] = mode, object_id

    def kind(self, path: str) -> Kind | None:
        """Return what stands there; None when nothing does."""
        if not path:
            return Kind.DIRECTORY
        entry = self._entry(path)
        return self._kinds.get(entry[0], Kind.DEVICE) if entry else None

    def entries(self, path: str) -> list[tuple[str, Kind]]:
        """Return a directory's names and what they are, in any order."""
        if path not in self._children:
            raise _error(errno.ENOTDIR if self._entry(path) else errno.ENOENT)
        return [
            (name, self._kinds.get(mode, Kind.DEVICE))
            for name, (mode, _) in self._children[path].items()
        ]

    def target(self, path: str) -> str:
        """Return a symlink's text."""
        entry = self._entry(path)
        if entry is None or self._kinds.get(entry[0]) is not Kind.SYMLINK:
            raise _error(errno.EINVAL if entry else errno.ENOENT)
        return self._blobs.read(entry[1]).decode("utf-8", "surrogateescape")

    def open(self, path: str) -> OpenedFile:
        """Open a regular file."""
        entry = self._entry(path)
        if entry is None:
            raise _error(errno.ENOENT)
        mode, object_id = entry
        if self._kinds.get(mode) is not Kind.FILE:
            raise Changed(f"is {self._kinds.get(mode, Kind.DEVICE)}, not a file")
        content = self._blobs.read(object_id)
        if self._refuses_pointers and content.startswith(_LFS_POINTER):
            raise OSError(errno.ENOTSUP, "it is kept in Git LFS, which is not fetched")
        return OpenedFile(
            stream=io.BytesIO(content),
            size_bytes=len(content),
            executable=mode == _EXECUTABLE,
        )

    def _entry(self, path: str) -> tuple[bytes, bytes] | None:
        return self._children.get(directory_of(path), {}).get(path.rpartition("/")[2])


class Blobs:
    """Blobs of a repository, by one ``git cat-file --batch`` that is started when needed.

    Thread-safe. The process ends with the object.

    Args:
        start: starts it, with unbuffered pipes for standard input and output.
        timeout_s: how long a blob may keep us waiting for its next bytes.
    """

    def __init__(self, start: Callable[[], subprocess.Popen[bytes]], timeout_s: float) -> None:
        self._start = start
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stop: Callable[[], object] | None = None
        self._read_ahead = b""

    def read(self, object_id: bytes) -> bytes:
        """Return a blob's bytes.

        Raises:
            OSError: the repository lacks it, as a partial clone may, or git does not answer.
        """
        with self._lock:
            try:
                content = self._ask(object_id)
            except OSError:
                # Its answer may still come, and must not be taken for another one's.
                if self._stop is not None:
                    self._stop()
                self._process, self._read_ahead = None, b""
                raise
        if content is None:
            raise OSError(errno.EIO, "git does not have its content here")
        return content

    def _ask(self, object_id: bytes) -> bytes | None:
        if self._process is None:
            self._process = self._start()
            self._stop = weakref.finalize(self, _end, self._process)
        asked, answered = self._process.stdin, self._process.stdout
        assert asked is not None and answered is not None  # noqa: PT018 - they are pipes
        asked.write(object_id + b"\n")
        header = self._line(answered.fileno()).split(b" ")
        if len(header) != 3 or header[1] != b"blob":
            return None
        return self._bytes(answered.fileno(), int(header[2]) + 1)[:-1]

    def _line(self, descriptor: int) -> bytes:
        while b"\n" not in self._read_ahead:
            self._read_ahead += self._more(descriptor)
        line, _, self._read_ahead = self._read_ahead.partition(b"\n")
        return line

    def _bytes(self, descriptor: int, count: int) -> bytes:
        chunks, have = [self._read_ahead], len(self._read_ahead)
        while have < count:
            chunks.append(self._more(descriptor))
            have += len(chunks[-1])
        whole = b"".join(chunks)
        self._read_ahead = whole[count:]
        return whole[:count]

    def _more(self, descriptor: int) -> bytes:
        if not select.select([descriptor], [], [], self._timeout_s)[0]:
            raise OSError(errno.ETIMEDOUT, f"git gave no answer in {self._timeout_s:g} s")
        found = os.read(descriptor, 1 << 20)
        if not found:
            raise OSError(errno.EPIPE, "git ended")
        return found


def _end(process: subprocess.Popen[bytes]) -> None:
    # It only reads; there is nothing that it could leave half done.
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(OSError):
                stream.close()


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
