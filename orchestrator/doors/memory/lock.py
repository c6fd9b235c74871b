"""The lock's twin."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.doors.lock import held_by


class MemoryLock:
    """A lock within one process. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, str] = {}

    @contextmanager
    def hold(self, name: str, holder: str) -> Iterator[None]:
        """Hold a name while the context lasts; see the protocol."""
        with self._lock:
            if name in self._held:
                raise held_by(name, self._held[name])
            self._held[name] = holder
        try:
            yield
        finally:
            with self._lock:
                del self._held[name]
