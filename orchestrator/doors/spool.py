"""Room on disk for a blob between the builder and the registry."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from orchestrator.errors import Unavailable

#: Left free for everybody else on the machine.
MARGIN_BYTES = 64 << 20
#: A blob up to this size never touches the disk.
IN_MEMORY_BYTES = 1 << 20
CHUNK_BYTES = 1 << 20

_HINT = "free some room there, or set TMPDIR to a larger disk"


class DiskSpool:
    """Anonymous temporary files, gone with the process however it ends.

    Args:
        directory: where; None for the system's temporary directory.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory or Path(tempfile.gettempdir())

    @contextmanager
    def hold(self, content: Iterator[bytes], size_bytes: int) -> Iterator[Iterable[bytes]]:
        """Keep a stream's bytes while the context lasts; see the protocol."""
        self._require(size_bytes)
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

    def _require(self, size_bytes: int) -> None:
        if size_bytes <= IN_MEMORY_BYTES:
            return
        free = shutil.disk_usage(self._directory).free
        if free < size_bytes + MARGIN_BYTES:
            raise Unavailable(
                f"{self._directory} has {free >> 20} MiB free; "
                f"a layer of {size_bytes >> 20} MiB is on its way to the registry",
                hint=_HINT,
            )


class _Chunks:
    """An iterable that starts at the beginning each time."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(0)
        while chunk := self._file.read(CHUNK_BYTES):
            yield chunk
