"""Trying again what may pass by itself, with growing pauses."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential_jitter,
)

from orchestrator.doors.protocols import Clock
from orchestrator.errors import BuildFailed, OrchestrateError, RegistryUnavailable

#: Tries in all, while the failure may pass by itself.
ATTEMPTS = 3
#: First pause between tries, in seconds; it doubles, with jitter.
FIRST_PAUSE_S = 2.0


def attempts(
    clock: Clock, cancelled: threading.Event, told: Callable[[OrchestrateError], None]
) -> Retrying:
    """Return what calls a function, and again while what it raises may pass by itself.

    Args:
        clock: waits between tries.
        cancelled: when set, no pause is sat out.
        told: called with what went wrong before each further try.
    """

    def sleep(seconds: float) -> None:
        if not cancelled.is_set():
            clock.sleep(seconds)

    def before(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        assert isinstance(error, OrchestrateError)  # _is_transient has looked at it
        told(error)

    return Retrying(
        retry=retry_if_exception(_is_transient),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential_jitter(multiplier=FIRST_PAUSE_S, max=60),
        sleep=sleep,
        before_sleep=before,
        reraise=True,
    )


def _is_transient(error: BaseException) -> bool:
    return isinstance(error, BuildFailed | RegistryUnavailable) and error.transient
