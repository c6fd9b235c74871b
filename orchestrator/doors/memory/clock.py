"""A clock that tests own: nobody waits, and midnight comes when it is asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable


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
        self._alarms: list[tuple[float, Callable[[], None]]] = []

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

    def wait(self, event: threading.Event, seconds: float, *others: threading.Event) -> bool:
        """Let the time pass at once, up to the moment at which an alarm sets one of the events."""
        end_s = self.monotonic_s() + max(seconds, 0.0)
        while not any(each.is_set() for each in (event, *others)):
            alarm = self._next_alarm(end_s)
            self.sleep(max((alarm[0] if alarm else end_s) - self.monotonic_s(), 0.0))
            if alarm is None:
                return False
            alarm[1]()
        return True

    def alarm(self, at_s: float, action: Callable[[], None]) -> None:
        """Do something when somebody waits past a moment.

        Args:
            at_s: of the monotonic time.
            action: called in the thread that waits, before it goes on.
        """
        with self._lock:
            self._alarms.append((at_s, action))

    def _next_alarm(self, end_s: float) -> tuple[float, Callable[[], None]] | None:
        with self._lock:
            due = [alarm for alarm in self._alarms if alarm[0] <= end_s]
            first = min(due, key=lambda alarm: alarm[0], default=None)
            if first is not None:
                self._alarms.remove(first)
            return first

    def set_now(self, now_s: float) -> None:
        """Set the wall clock, also back; the monotonic one does not notice."""
        with self._lock:
            self._now_s = now_s

    @property
    def slept_s(self) -> tuple[float, ...]:
        """Every sleep so far, in order."""
        with self._lock:
            return tuple(self._slept_s)
