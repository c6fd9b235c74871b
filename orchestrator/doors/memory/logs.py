"""The build logs' twin."""

from __future__ import annotations


class MemoryLogs:
    """Build logs in memory.

    Attributes:
        texts: (run, image) → all that was written so far.
    """

    def __init__(self) -> None:
        self.texts: dict[tuple[str, str], bytes] = {}

    def size_bytes(self, run: str, image: str) -> int | None:
        """Return how long a log is now; None where there is none."""
        text = self.texts.get((run, image))
        return None if text is None else len(text)

    def read(self, run: str, image: str, offset: int, most: int) -> bytes:
        """Return what stands in a log from a byte on; empty at its end."""
        return self.texts.get((run, image), b"")[offset : offset + most]
