"""A clock that tests own: nobody waits, and midnight comes when it is asked for."""

from __future__ import annotations

import threading


class MemoryClock:
    """Virtual time; thread-safe.

    Args:
        now_s: what the wall clock says at first, seconds since 1970 UTC.
    """

    def __init__(self, now_s: float = 1_700_000_000.0) -> None:
        self._lock = threading.Lock()
        self._now_s = now_s
        self._monotonic_s = 0.0
        self._slept_s: list[float] = []

    def now_s(self) -> float:
        """Return seconds since 1970 UTC."""
        with self._lock:
            return self._now_s

    def monotonic_s(self) -> float:
        """Return seconds that never go back."""
        with self._lock:
            return self._monotonic_s

    def sleep(self, seconds: float) -> None:
        """Let the time pass at once.

        Raises:
            ValueError: negative, as with ``time.sleep``.
        """
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        with self._lock:
            self._slept_s.append(seconds)
            self._now_s += seconds
            self._monotonic_s += seconds

    def set_now(self, now_s: float) -> None:
        """Set the wall clock, also back; the monotonic one does not notice."""
        with self._lock:
            self._now_s = now_s

    @property
    def slept_s(self) -> tuple[float, ...]:
        """Every sleep so far, in order."""
        with self._lock:
            return tuple(self._slept_s)
