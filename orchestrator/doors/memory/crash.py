"""Crash points' twin: a process that dies inside the test's own."""

from __future__ import annotations

import threading
from collections import Counter
from functools import wraps
from typing import Any

from orchestrator.model.crash import CrashPoint

#: What a door has that is a door itself.
_DOORS_WITHIN = ("outbox",)
#: What gives a door: the same again, for whoever holds a lease; a way to one receiver.
_GIVE_DOORS = ("fenced", "open")


class Killed(BaseException):
    """The process is gone; nobody catches that."""


class MemoryCrashPoints:
    """Counts what is reached, and dies at one point. Thread-safe.

    Args:
        point: where to die; None: nowhere.
        occurrence: the how manieth time, from 1.

    Attributes:
        reached_at: point → how often.
        dead: whether the process died.
    """

    def __init__(self, point: CrashPoint | None = None, occurrence: int = 1) -> None:
        self._point = point
        self._occurrence = occurrence
        self._lock = threading.Lock()
        self.reached_at: Counter[CrashPoint] = Counter()
        self.dead = False

    def reached(self, point: CrashPoint) -> None:
        """Go on, or die here.

        Raises:
            Killed: this is the point, or the process died before in another thread.
        """
        with self._lock:
            self.reached_at[point] += 1
            if point is self._point and self.reached_at[point] == self._occurrence:
                self.dead = True
        self.require_alive()

    def require_alive(self) -> None:
        """Let nobody do anything in a process that died.

        Raises:
            Killed: it did.
        """
        if self.dead:
            raise Killed


class Mortal:
    """A door of a process: once that is dead, nothing goes through any more.

    Args:
        door: any.
        crash: knows whether the process lives.
    """

    def __init__(self, door: object, crash: MemoryCrashPoints) -> None:
        self._door = door
        self._crash = crash

    def __getattr__(self, name: str) -> Any:
        """Return what the door has, guarded where it can be called."""
        found = getattr(self._door, name)
        if name in _DOORS_WITHIN:
            return Mortal(found, self._crash)
        if not callable(found):
            return found

        @wraps(found)
        def guarded(*args: Any, **named: Any) -> Any:
            self._crash.require_alive()
            given = found(*args, **named)
            return Mortal(given, self._crash) if name in _GIVE_DOORS else given

        return guarded
