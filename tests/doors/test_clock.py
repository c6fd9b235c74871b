"""Clocks: one contract, and what the virtual one adds."""

from __future__ import annotations

import threading
import time

import pytest

from orchestrator.doors.clock import RealClock
from orchestrator.doors.memory.clock import MemoryClock
from orchestrator.doors.protocols import Clock


@pytest.mark.parametrize("clock", [RealClock(), MemoryClock()], ids=["real", "memory"])
def test_sleep_passes_time_on_both_clocks(clock: Clock) -> None:
    """After a sleep, both the wall clock and the steady one are at least that much further."""
    wall_s, steady_s = clock.now_s(), clock.monotonic_s()
    clock.sleep(0.02)
    assert clock.monotonic_s() - steady_s >= 0.02
    assert clock.now_s() - wall_s >= 0.019
    with pytest.raises(ValueError, match="non-negative"):
        clock.sleep(-1)


@pytest.mark.parametrize("clock", [RealClock(), MemoryClock()], ids=["real", "memory"])
@pytest.mark.parametrize("number", [1, 2])
def test_wait_ends_with_the_time_or_with_any_event(clock: Clock, number: int) -> None:
    """Whoever waits is told whether an event is set, and by none of them the time just passes."""
    events = [threading.Event() for _ in range(number)]
    began_s = clock.monotonic_s()
    assert not clock.wait(events[0], 0.02, *events[1:])
    assert clock.monotonic_s() - began_s >= 0.02
    events[-1].set()
    began_s = clock.monotonic_s()
    assert clock.wait(events[0], 3600, *events[1:])
    assert clock.monotonic_s() - began_s < 60


@pytest.mark.parametrize("which", [0, 1])
def test_event_that_is_set_meanwhile_ends_the_wait(which: int) -> None:
    """Nobody sits out an hour that somebody else has ended."""
    events = threading.Event(), threading.Event()
    threading.Timer(0.02, events[which].set).start()
    assert RealClock().wait(events[0], 3600, events[1])


def test_alarm_rings_while_somebody_waits() -> None:
    """Virtual time passes up to the alarm, and goes on where that set nothing."""
    clock, event = MemoryClock(), threading.Event()
    rung = []
    clock.alarm(20, event.set)
    clock.alarm(10, lambda: rung.append(clock.monotonic_s()))
    assert clock.wait(event, 60)
    assert (clock.monotonic_s(), rung) == (20, [10])
    assert not clock.wait(threading.Event(), 5)
    assert clock.monotonic_s() == 25


def test_real_clock_is_the_machines() -> None:
    """The wall clock counts from 1970 in UTC."""
    assert abs(RealClock().now_s() - time.time()) < 5


def test_virtual_sleep_takes_no_time() -> None:
    """A day passes at once, and what was slept can be asked for."""
    clock = MemoryClock(now_s=1000.0)
    began_s = time.monotonic()
    clock.sleep(86_400)
    clock.sleep(0)
    assert time.monotonic() - began_s < 1
    assert (clock.now_s(), clock.monotonic_s()) == (87_400.0, 86_400.0)
    assert clock.slept_s == (86_400, 0)


def test_wall_clock_can_be_set_back() -> None:
    """A machine's clock may jump; the steady one never does."""
    clock = MemoryClock(now_s=1000.0)
    clock.sleep(10)
    clock.set_now(5.0)
    assert (clock.now_s(), clock.monotonic_s()) == (5.0, 10.0)
