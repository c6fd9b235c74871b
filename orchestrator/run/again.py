"""Trying again what may pass by itself, with growing pauses, for a while.

Source: docs/adr/0022-outcomes.md
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

from tenacity import RetryCallState, Retrying, retry_if_exception

from orchestrator.doors.protocols import Clock
from orchestrator.errors import OrchestrateError, Stopped

#: First pause between tries, in seconds; the next ones double, each with up to as much at random
#: on top, so that what failed together does not come back together.
FIRST_PAUSE_S = 2.0
#: Longest pause of our own choice, before what is added at random.
LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to go on with what may pass by itself.

    Attributes:
        retries: further tries.
        lasts_s: no further try begins later than so many seconds after the first one failed. A
            pause that would end after that is not begun, whoever asked for it.
    """

    retries: int = 2
    lasts_s: float = 7200.0


class Pauses:
    """How many are in a pause now. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def __enter__(self) -> None:
        """Begin one."""
        with self._lock:
            self._count += 1

    def __exit__(self, *_: object) -> None:
        """End one."""
        with self._lock:
            self._count -= 1

    def __len__(self) -> int:
        """Return how many."""
        return self._count


def attempts(
    clock: Clock,
    stops: tuple[threading.Event, ...],
    told: Callable[[OrchestrateError], None],
    patience: Patience = Patience(),
    *,
    excused_s: Callable[[], float] = lambda: 0.0,
    pauses: Pauses | None = None,
) -> Retrying:
    """Return what calls a function, and again while what it raises may pass by itself.

    It may be used for several functions one after another: each gets all the tries, and all of
    them together the time. What cannot pass by itself is raised at once.

    Args:
        clock: waits between tries.
        stops: at least one event; when one is set, a pause ends at once, with :class:`Stopped`.
        told: called with what went wrong before each further try, and its pause.
        patience: for how long.
        excused_s: says how many seconds until now do not count.
        pauses: counts who is in one; None: nobody wants to know.
    """
    first, *others = stops
    end_s: float | None = None
    counted = Pauses() if pauses is None else pauses

    def counted_s() -> float:
        return clock.monotonic_s() - excused_s()

    def pause_s(state: RetryCallState) -> float:
        own_s: float = min(FIRST_PAUSE_S * 2.0 ** (state.attempt_number - 1), LONGEST_PAUSE_S)
        # Who asks to be left alone is left alone for longer, never for less.
        return max(own_s, _error(state).retry_after_s or 0.0) + random.uniform(0, FIRST_PAUSE_S)

    def is_last(state: RetryCallState) -> bool:
        nonlocal end_s
        if end_s is None:
            end_s = counted_s() + patience.lasts_s
        over = counted_s() + state.upcoming_sleep > end_s
        return over or state.attempt_number > patience.retries

    def pause(state: RetryCallState) -> None:
        error = _error(state)
        told(error)
        with counted:
            stopped = clock.wait(first, state.upcoming_sleep, *others)
        if stopped:
            raise Stopped(error.what, hint=error.hint) from error

    return Retrying(
        retry=retry_if_exception(_is_transient),
        stop=is_last,
        wait=pause_s,
        before_sleep=pause,
        # The pause is over by then: only before it is the error known.
        sleep=lambda _seconds: None,
        reraise=True,
    )


def _error(state: RetryCallState) -> OrchestrateError:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, OrchestrateError)  # _is_transient has looked at it
    return error


def _is_transient(error: BaseException) -> bool:
    return isinstance(error, OrchestrateError) and error.transient
