"""What git has stored, by its name, read through a few processes of ``git cat-file``."""

from __future__ import annotations

import errno
import io
import os
import select
import subprocess
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: Larger files are never in memory as a whole.
LARGE_BYTES = 8 << 20
#: Repositories of which a process is kept.
OPEN_AT_MOST = 8

#: Starts ``git cat-file`` with these arguments and unbuffered pipes for input and output.
Start = Callable[..., subprocess.Popen[bytes]]


class Lacking(OSError):
    """A repository does not have, or cannot read, what it should."""

    def __init__(self, what: str = "git does not have its content here") -> None:
        super().__init__(errno.EIO, what)


class Stored(Protocol):
    """What a repository has stored. Thread-safe."""

    def read(self, object_id: bytes, kind: bytes = b"blob") -> bytes:
        """Return an object's bytes.

        Raises:
            OSError: the repository lacks it, as a partial clone may, or git does not answer.
        """

    def open(self, object_id: bytes) -> tuple[BinaryIO, int]:
        """Return a blob's bytes as a stream, which the caller closes, and how many they are.

        Raises:
            OSError: as for :meth:`read`; reading the stream may raise it too.
        """


class Objects:
    """Objects of a repository, by one ``git cat-file --batch`` that is started when needed.

    Thread-safe. The process ends with the object.

    Args:
        start: starts it.
        timeout_s: how long an object may keep us waiting for its next bytes.
    """

    def __init__(self, start: Start, timeout_s: float) -> None:
        self._start = start
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stop: Callable[[], object] | None = None
        self._read_ahead = b""

    def read(self, object_id: bytes, kind: bytes = b"blob") -> bytes:
        """Return an object's bytes; see :class:`Stored`."""
        with self._lock:
            try:
                return self._rest(self._ask(object_id, kind))
            except OSError:
                # Its answer may still come, and must not be taken for another one's.
                self._end()
                raise

    def open(self, object_id: bytes) -> tuple[BinaryIO, int]:
        """Return a blob's bytes as a stream, and how many they are; see :class:`Stored`."""
        with self._lock:
            try:
                size_bytes = self._ask(object_id, b"blob")
                if size_bytes <= LARGE_BYTES:
                    return io.BytesIO(self._rest(size_bytes)), size_bytes
            except OSError:
                self._end()
                raise
            # Whoever reads it may take long, and others wait for this process.
            self._end()
        process = self._start("blob", object_id.decode())
        return io.BufferedReader(_Stream(process, size_bytes, self._timeout_s)), size_bytes

    def close(self) -> None:
        """End the process; the next one who asks starts another."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._stop is not None:
            self._stop()
        self._process, self._stop, self._read_ahead = None, None, b""

    def _ask(self, object_id: bytes, kind: bytes) -> int:
        """Ask for an object, and return how many bytes will follow."""
        if self._process is None:
            self._process = self._start("--batch")
            self._stop = weakref.finalize(self, _end, self._process)
        asked, answered = self._process.stdin, self._process.stdout
        assert asked is not None and answered is not None  # noqa: PT018 - they are pipes
        asked.write(object_id + b"\n")
        while b"\n" not in self._read_ahead:
            self._read_ahead += _more(answered.fileno(), self._timeout_s)
        line, _, self._read_ahead = self._read_ahead.partition(b"\n")
        header = line.split(b" ")
        if len(header) != 3 or header[1] != kind:
            raise Lacking
        return int(header[2])

    def _rest(self, size_bytes: int) -> bytes:
        """Return the bytes that follow, and take in the line end behind them."""
        assert self._process is not None and self._process.stdout is not None  # noqa: PT018
        descriptor = self._process.stdout.fileno()
        chunks, have = [self._read_ahead], len(self._read_ahead)
        while have <= size_bytes:
            chunks.append(_more(descriptor, self._timeout_s))
            have += len(chunks[-1])
        whole = b"".join(chunks)
        self._read_ahead = whole[size_bytes + 1 :]
        return whole[:size_bytes]


class Readers:
    """Objects of many repositories, with a process each for those that were read last.

    Thread-safe.

    Args:
        start: a repository → what starts its processes.
        timeout_s: as for :class:`Objects`.
        told: called with a repository that lacks something.
    """

    def __init__(
        self, start: Callable[[Path], Start], timeout_s: float, told: Callable[[Path], object]
    ) -> None:
        self._start = start
        self.told = told
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._open: OrderedDict[Path, Objects] = OrderedDict()

    def of(self, repository: Path) -> Stored:
        """Return a repository's objects."""
        return _Reader(self, repository)

    def opened(self, repository: Path) -> Objects:
        """Return what has a repository's process, and end that of the one longest unused."""
        surplus = None
        with self._lock:
            found = self._open.get(repository)
            if found is None:
                found = Objects(self._start(repository), self._timeout_s)
                self._open[repository] = found
                if len(self._open) > OPEN_AT_MOST:
                    surplus = self._open.popitem(last=False)[1]
            self._open.move_to_end(repository)
        if surplus is not None:
            surplus.close()
        return found


class _Reader:
    """A repository's objects, as :class:`Stored`."""

    def __init__(self, readers: Readers, repository: Path) -> None:
        self._readers = readers
        self._repository = repository

    def read(self, object_id: bytes, kind: bytes = b"blob") -> bytes:
        try:
            return self._readers.opened(self._repository).read(object_id, kind)
        except Lacking:
            self._readers.told(self._repository)
            raise

    def open(self, object_id: bytes) -> tuple[BinaryIO, int]:
        try:
            return self._readers.opened(self._repository).open(object_id)
        except Lacking:
            self._readers.told(self._repository)
            raise


class _Stream(io.RawIOBase):
    """What a process of its own prints, which must be so many bytes."""

    def __init__(self, process: subprocess.Popen[bytes], size_bytes: int, timeout_s: float) -> None:
        super().__init__()
        assert process.stdout is not None  # it is a pipe
        self._descriptor = process.stdout.fileno()
        self._left = size_bytes
        self._timeout_s = timeout_s
        self._stop = weakref.finalize(self, _end, process)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        if not self._left or not len(view):
            return 0
        found = _more(self._descriptor, self._timeout_s, min(len(view), self._left))
        view[: len(found)] = found
        self._left -= len(found)
        return len(found)

    def close(self) -> None:
        self._stop()
        super().close()


def _more(descriptor: int, timeout_s: float, at_most: int = 1 << 20) -> bytes:
    if not select.select([descriptor], [], [], timeout_s)[0]:
        raise OSError(errno.ETIMEDOUT, f"git gave no answer in {timeout_s:g} s")
    found = os.read(descriptor, at_most)
    if not found:
        # So it does where what it reads is damaged.
        raise Lacking("git ended")
    return found


def _end(process: subprocess.Popen[bytes]) -> None:
    # It only reads; there is nothing that it could leave half done.
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(OSError):
                stream.close()
