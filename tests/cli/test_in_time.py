"""Telling at a run's end never takes longer than it may."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.cli.interrupts import Interrupts
from orchestrator.cli.notifying import in_time
from orchestrator.cli.workplace import Places, Workplace
from orchestrator.doors.memory.logs import MemoryLogs
from orchestrator.model.notified import Notified
from tests.world import World

LONG_S = 60.0
DONE = Notified(messages=1)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workplace]:
    """Return a place that nothing has been told from yet."""
    world, where = World(), str(tmp_path)
    with Interrupts() as interrupts:
        yield Workplace(
            hierarchy=world.hierarchy(),
            doors=world.doors,
            places=Places(hierarchy_dir=where, state=where, logs=where, cache=None),
            logs=MemoryLogs(),
            interrupts=interrupts,
        )


def test_what_ends_in_time_is_not_disturbed(place: Workplace) -> None:
    """Nobody is asked to stop, and what came of it is returned."""
    assert in_time(place, lambda: DONE, LONG_S, last_s=LONG_S) == DONE
    assert (place.interrupts.stopping.is_set(), place.doors.hurry.is_set()) == (False, False)


def test_what_takes_too_long_is_asked_to_stop(place: Workplace) -> None:
    """It may end what is under way, and says what came of it."""

    def tell() -> Notified:
        assert place.interrupts.stopping.wait(LONG_S)
        assert not place.doors.hurry.is_set()
        return DONE

    assert in_time(place, tell, 0.01, last_s=LONG_S) == DONE
    assert in_time(place, tell, 0.01) == DONE


def test_what_does_not_stop_is_broken_off(place: Workplace) -> None:
    """Pauses between requests, and programs: these end at once."""
    hurry = place.doors.hurry
    assert (
        in_time(place, lambda: DONE if hurry.wait(LONG_S) else Notified(), 0.01, last_s=0) == DONE
    )


def test_what_never_ends_is_left_to_itself(place: Workplace) -> None:
    """A run's end does not wait for a request that nobody answers."""
    never = threading.Event()

    def tell() -> Notified:
        never.wait()
        return DONE

    try:
        assert in_time(place, tell, 0.01, last_s=0) is None
    finally:
        never.set()


def test_a_signal_is_not_waited_out(place: Workplace) -> None:
    """Who stops it need not wait for the limit."""
    place.interrupts.stopping.set()
    hurry = place.doors.hurry
    assert in_time(place, lambda: DONE if hurry.wait(LONG_S) else Notified(), 1e9, last_s=0) == DONE


def test_what_goes_wrong_goes_wrong_for_the_caller(place: Workplace) -> None:
    """It is raised there."""

    def tell() -> Notified:
        raise KeyError("told")

    with pytest.raises(KeyError, match="told"):
        in_time(place, tell, LONG_S)
