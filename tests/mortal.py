"""A process that can be killed inside the test's own: doors that nothing goes through then."""

from __future__ import annotations

from dataclasses import replace

from orchestrator import flow
from orchestrator.doors.memory.crash import MemoryCrashPoints, Mortal


def mortal(doors: flow.Doors, crash: MemoryCrashPoints) -> flow.Doors:
    """Return doors through which nothing goes any more once the process is dead."""
    return replace(
        doors,
        registry=Mortal(doors.registry, crash),
        history=Mortal(doors.history, crash),
        builder=Mortal(doors.builder, crash),
        channels=Mortal(doors.channels, crash),
        crash=crash,
    )
