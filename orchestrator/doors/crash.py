"""Killed at a point that a variable names: how tests end real processes where it hurts."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Mapping

from orchestrator.doors.protocols_crash import NO_CRASH, CrashPoints
from orchestrator.errors import UsageError
from orchestrator.model.crash import CrashPoint

#: Names the point, and perhaps the time it is reached, from 1: ``tag-moved:3``.
VARIABLE = "ORCHESTRATE_CRASH_AT"


def crash_points(environment: Mapping[str, str]) -> CrashPoints:
    """Return what goes on at every point, unless the environment names one.

    Raises:
        UsageError: it names none that there is.
    """
    said = environment.get(VARIABLE, "")
    if not said:
        return NO_CRASH
    name, _, number = said.partition(":")
    known = {str(point): point for point in CrashPoint}
    if name not in known or not (number or "1").isdecimal():
        raise UsageError(
            f"{VARIABLE}: {said!r} names no crash point",
            hint=f"it is for tests alone; NAME or NAME:3, of {', '.join(known)}",
        )
    return KillAt(known[name], int(number or "1"))


class KillAt:
    """Kills the process when a point is reached. Thread-safe.

    Args:
        point: which.
        occurrence: the how manieth time, from 1.
    """

    def __init__(self, point: CrashPoint, occurrence: int = 1) -> None:
        self._point = point
        self._left = occurrence
        self._lock = threading.Lock()

    def reached(self, point: CrashPoint) -> None:
        """Go on, or end here without any farewell."""
        if point is not self._point:
            return
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
