"""The machine's clock."""

from __future__ import annotations

import time


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
