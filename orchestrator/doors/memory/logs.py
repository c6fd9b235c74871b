"""The build logs' twin."""

from __future__ import annotations


class MemoryLogs:
    """Build logs in memory.

    Attributes:
        texts: (run, the log's name) → all that was written so far.
    """

    def __init__(self) -> None:
        self.texts: dict[tuple[str, str], bytes] = {}

    def names(self, run: str, image: str) -> tuple[str, ...]:
        """Return what an image's logs of a run are called, sorted; none where there is none."""
        found = (name for of, name in self.texts if of == run)
        return tuple(sorted(name for name in found if name.partition("@")[0] == image))

    def size_bytes(self, run: str, name: str) -> int | None:
        """Return how long a log is now; None where there is none."""
        text = self.texts.get((run, name))
        return None if text is None else len(text)

    def read(self, run: str, name: str, offset: int, most: int) -> bytes:
        """Return what stands in a log from a byte on; empty at its end."""
        return self.texts.get((run, name), b"")[offset : offset + most]
