"""The machine's clock."""

from __future__ import annotations

import threading
import time

#: How long an event that is not the first of several may be overlooked.
_GLANCE_S = 0.1


class RealClock:
    """Time as the machine has it."""

    def now_s(self) -> float:
        """Return seconds since 1970 UTC."""
        return time.time()

    def monotonic_s(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def wait(self, event: threading.Event, seconds: float, *others: threading.Event) -> bool:
        """Wait until one of the events is set, but no longer than so many seconds."""
        end_s = time.monotonic() + seconds
        while not any(each.is_set() for each in (event, *others)):
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                return False
            event.wait(min(left_s, _GLANCE_S) if others else left_s)
        return True
