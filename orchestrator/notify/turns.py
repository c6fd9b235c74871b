"""Whose turn it is: many receivers, some threads, and those who do not answer at the back."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable

from orchestrator.doors.protocols import Clock
from orchestrator.notify.lane import Lane


class Turns:
    """Gives every lane to one thread at a time, in turn. Thread-safe.

    Receivers that did not answer when they were last tried never have more than half of the
    threads, and only those that no other one needs: a thousand dead ones slow nobody down.
    Where a place has asked for a pause, every lane to it keeps that, and from then on one of them
    is away at a time: several teams may share an address that takes one message a second.

    Args:
        lanes: in the order of the first turns.
        threads: how many there are.
        clock: for pauses.
        until_s: of the monotonic time; nobody gets a turn afterwards.
        stops: events, at least one; once one is set, nobody gets a turn.
    """

    def __init__(
        self,
        lanes: Iterable[Lane],
        *,
        threads: int,
        clock: Clock,
        until_s: float,
        stops: tuple[threading.Event, ...],
    ) -> None:
        self._clock = clock
        self._until_s = until_s
        self._stops = stops
        self._changed = threading.Condition()
        self._ready: deque[Lane] = deque()
        self._suspects: deque[Lane] = deque()
        self._resting: list[tuple[float, Lane]] = []
        self._most_suspects = max(threads // 2, 1)
        #: Lane that has its turn → whether it was a suspect when it got it.
        self._away: dict[Lane, bool] = {}
        #: Places that have asked for a pause.
        self._limited: set[str] = set()
        self._watched = False
        #: Set when somebody rests, so that who waits for another one looks again.
        self._another = threading.Event()
        for lane in lanes:
            self._line_up(lane)

    @property
    def is_over(self) -> bool:
        """Whether nothing may be sent any more."""
        stopped = any(stop.is_set() for stop in self._stops)
        return stopped or self._clock.monotonic_s() >= self._until_s

    @property
    def left_s(self) -> float:
        """Seconds until nothing may be sent any more; not negative."""
        return max(self._until_s - self._clock.monotonic_s(), 0.0)

    @property
    def some_are_left(self) -> bool:
        """Whether lanes are waiting for a turn that nobody gives them any more."""
        return bool(self._ready or self._suspects or self._resting)

    @property
    def others_wait(self) -> bool:
        """Whether another lane could have the thread of one whose receiver answers."""
        return bool(self._ready)

    def take(self) -> Lane | None:
        """Return the next lane; None: there is none any more.

        Waits as long as another thread may bring one back, or one rests.
        """
        with self._changed:
            while not self.is_over:
                self._wake()
                if lane := self._next():
                    self._away[lane] = lane.is_suspect
                    return lane
                if not (self._away or self._resting or self._suspects):
                    break
                self._wait()
            self._changed.notify_all()
            return None

    def bring_back(self, lane: Lane, wait_s: float | None) -> None:
        """End a turn.

        Args:
            lane: what :meth:`take` gave.
            wait_s: seconds after which it may have its next turn; None: it has no more.
        """
        with self._changed:
            del self._away[lane]
            if wait_s:
                self._limited.add(lane.place)
                self._resting.append((self._clock.monotonic_s() + wait_s, lane))
                self._another.set()
            elif wait_s is not None:
                self._line_up(lane)
            self._changed.notify_all()

    def _line_up(self, lane: Lane) -> None:
        (self._suspects if lane.is_suspect else self._ready).append(lane)

    def _next(self) -> Lane | None:
        lane = self._free(self._ready)
        if lane is None and sum(self._away.values()) < self._most_suspects:
            lane = self._free(self._suspects)
        return lane

    def _free(self, lanes: deque[Lane]) -> Lane | None:
        """Take the first lane whose place keeps nobody waiting."""
        busy = self._limited and self._limited.intersection(
            lane.place for lane in (*self._away, *(lane for _, lane in self._resting))
        )
        found = next((lane for lane in lanes if lane.place not in busy), None)
        if found is not None:
            lanes.remove(found)
        return found

    def _wake(self) -> None:
        """Let those line up whose rest is over."""
        now_s = self._clock.monotonic_s()
        for resting in sorted(self._resting, key=lambda resting: resting[0]):
            if resting[0] <= now_s:
                self._resting.remove(resting)
                # Who rests was not answered; before others of its place, which would else take
                # what it waited for.
                self._suspects.appendleft(resting[1])

    def _wait(self) -> None:
        """Wait for a change: one of the threads for whoever rests, the others for these."""
        if self._watched or not self._resting:
            self._changed.wait()
            return
        seconds = min(at_s for at_s, _ in self._resting) - self._clock.monotonic_s()
        self._watched = True
        self._another.clear()
        self._changed.release()
        try:
            self._clock.wait(self._another, max(seconds, 0.0), *self._stops)
        finally:
            self._changed.acquire()
            self._watched = False
            self._changed.notify_all()
