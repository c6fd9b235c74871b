"""Clocks: one contract, and what the virtual one adds."""

from __future__ import annotations

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
