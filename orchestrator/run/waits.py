"""For how long images wait for a builder while none of their platforms is being built."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.doors.protocols import Clock


@dataclass(slots=True, kw_only=True)
class _Wait:
    """What is known of one image.

    Attributes:
        waiting: its platforms that wait for a place.
        placed: those that have one.
        until_s: monotonic time up to which ``total_s`` was counted.
        total_s: seconds.
    """

    waiting: int = 0
    placed: int = 0
    until_s: float
    total_s: float = 0.0


class Waits:
    """A count of seconds for each image. For one thread at a time.

    Args:
        clock: the door.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waits: dict[str, _Wait] = {}

    def change(self, image: str, *, waiting: int = 0, placed: int = 0) -> float:
        """Let so many more of its platforms wait, or have a place, from now on.

        Returns:
            The seconds in which some waited and none had a place, until now.
        """
        now_s = self._clock.monotonic_s()
        wait = self._waits.setdefault(image, _Wait(until_s=now_s))
        if wait.waiting and not wait.placed:
            wait.total_s += now_s - wait.until_s
        wait.until_s = now_s
        wait.waiting += waiting
        wait.placed += placed
        return wait.total_s
