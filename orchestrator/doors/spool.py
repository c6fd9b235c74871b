"""Room on disk for what is between the builder and the registry."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from orchestrator.errors import CheckFailed, Unavailable

#: Left free for everybody else on the machine.
MARGIN_BYTES = 64 << 20
#: A blob up to this size never touches the disk.
IN_MEMORY_BYTES = 1 << 20
CHUNK_BYTES = 1 << 20
#: How the directories of builds begin; one that is there without its process was left behind.
PREFIX = "orchestrate-build-"

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_YOUNG_S = 60.0
_HINT = "free some room there, or set TMPDIR to a larger disk"


class DiskSpool:
    """Anonymous temporary files, gone with the process however it ends, and directories.

    A directory is removed when its build is uploaded or failed. A process that is killed leaves
    it, under a name that begins with :data:`PREFIX`; the next spool that makes one removes it.

    Args:
        directory: where; None for the system's temporary directory.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory or Path(tempfile.gettempdir())
        self._swept = False

    @contextmanager
    def output(self, size_bytes: int) -> Iterator[DiskOutput]:
        """Make an empty directory, readable by this user only; see the protocol."""
        if not self._swept:
            self._swept = True
            _sweep(self._directory)
        self._require(size_bytes, "a build's result")
        try:
            path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=self._directory))
        except OSError as error:
            raise Unavailable(
                f"cannot make a directory in {self._directory}: {error.strerror}", hint=_HINT
            ) from error
        try:
            with _locked(path):
                yield DiskOutput(path)
        finally:
            # A client that is being killed may still write into it.
            for _ in range(3):
                shutil.rmtree(path, ignore_errors=True)
                if not path.exists():
                    break

    @contextmanager
    def hold(self, content: Iterator[bytes], size_bytes: int) -> Iterator[Iterable[bytes]]:
        """Keep a stream's bytes while the context lasts; see the protocol."""
        self._require(size_bytes, "a layer")
        with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES, dir=str(self._directory)) as file:
            for chunk in content:
                try:
                    file.write(chunk)
                except OSError as error:
                    raise Unavailable(
                        f"cannot hold {size_bytes} bytes in {self._directory}: {error.strerror}",
                        hint=_HINT,
                    ) from error
            yield _Chunks(file)

    def _require(self, size_bytes: int, what: str) -> None:
        if size_bytes <= IN_MEMORY_BYTES:
            return
        free = shutil.disk_usage(self._directory).free
        if free < size_bytes + MARGIN_BYTES:
            raise Unavailable(
                f"{self._directory} has {free >> 20} MiB free; "
                f"{what} of {size_bytes >> 20} MiB is on its way to the registry",
                hint=_HINT,
            )


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Lock a directory until the context or the process ends; False where another one has it."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(handle)


def _sweep(directory: Path) -> None:
    """Remove what killed processes left; what cannot be removed stays, and `doctor` says so."""
    for path in directory.glob(f"{PREFIX}*"):
        with suppress(OSError):
            # Between its making and its locking it may be anybody's.
            if time.time() - path.stat().st_mtime > _YOUNG_S:
                with _locked(path) as ours:
                    if ours:
                        shutil.rmtree(path, ignore_errors=True)


class DiskOutput:
    """A directory with an OCI layout in it; see the protocol.

    Args:
        path: the directory.
    """

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self._root = path

    def leave_out(self, digest: str, size_bytes: int) -> None:
        """Put a hole of the blob's size in its place: it takes no room; see the protocol."""
        blob = self._blob(digest)
        try:
            blob.parent.mkdir(parents=True, exist_ok=True)
            with blob.open("xb") as file:
                file.truncate(size_bytes)
        except OSError as error:
            raise self._unavailable(error) from error

    def index(self) -> bytes | None:
        """Return the layout's ``index.json``; see the protocol."""
        try:
            return (self._root / "index.json").read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unavailable(error) from error

    def size_bytes(self, digest: str) -> int | None:
        """Return a blob's size; see the protocol."""
        try:
            return self._blob(digest).stat().st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unavailable(error) from error

    def chunks(self, digest: str) -> Iterable[bytes]:
        """Return a blob's bytes; see the protocol."""
        return _FileChunks(self._blob(digest))

    def _blob(self, digest: str) -> Path:
        """Return a blob's place; raise CheckFailed rather than leave the directory."""
        if not _DIGEST.fullmatch(digest):
            raise CheckFailed(f"a manifest names {digest[:80]!r}, which is no digest")
        return self._root / "blobs" / digest.replace(":", "/")

    def _unavailable(self, error: OSError) -> Unavailable:
        return Unavailable(f"cannot use {self.path}: {error.strerror}", hint=_HINT)


class _Chunks:
    """An iterable that starts at the beginning each time."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(0)
        return _chunks(self._file)


class _FileChunks:
    """The same of a file by its path; several may read it at once."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __iter__(self) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            yield from _chunks(file)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk
