"""What the verbs need in order to be killed where a test wants it."""

from __future__ import annotations

from typing import Protocol

from orchestrator.model.crash import CrashPoint


class CrashPoints(Protocol):
    """Told of every point that is reached. Thread-safe."""

    def reached(self, point: CrashPoint) -> None:
        """Go on, or end the process here as ``kill -9`` does."""


class NoCrash:
    """Goes on at every point."""

    def reached(self, point: CrashPoint) -> None:
        """Go on."""


NO_CRASH = NoCrash()
