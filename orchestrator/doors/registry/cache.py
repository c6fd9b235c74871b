"""Content by digest, on disk: what never changes is fetched once."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from orchestrator.model.fingerprint import sha256

#: Larger content is not kept: the cache is for manifests and configurations.
LARGEST_BYTES = 1024 * 1024


class ContentCache:
    """A directory that may be deleted at any time; several processes may share it.

    What cannot be read, written or is damaged counts as not there: a cache never fails.

    Args:
        directory: made when first written to, readable by its owner only, because images may
            be private; None for no cache at all.
    """

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def get(self, digest: str) -> bytes | None:
        """Return the content with this digest, verified; None when it is not there."""
        if self._directory is None:
            return None
        try:
            with self._path(self._directory, digest).open("rb") as file:
                content = file.read(LARGEST_BYTES + 1)
        except OSError:
            return None
        return content if sha256(content) == digest else None

    def put(self, digest: str, content: bytes) -> None:
        """Keep verified content; readers see all of it or nothing."""
        if self._directory is None or len(content) > LARGEST_BYTES:
            return
        path = self._path(self._directory, digest)
        temporary = ""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
            with open(handle, "wb") as file:
                file.write(content)
            os.replace(temporary, path)
        except OSError:
            with suppress(OSError):
                if temporary:
                    os.unlink(temporary)

    @staticmethod
    def _path(directory: Path, digest: str) -> Path:
        algorithm, _, name = digest.partition(":")
        return directory / algorithm / name[:2] / name
