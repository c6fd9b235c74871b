"""How long to try, and how long to wait between tries."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

from orchestrator.doors.protocols import Clock
from orchestrator.doors.registry.answers import OutOfTime, TransientFault
from orchestrator.errors import RegistryUnavailable

if TYPE_CHECKING:
    import tenacity

T = TypeVar("T")

#: For so long after tries were used up in vain, others give up after one: a registry that is
#: down is then reported in seconds however many images ask for it.
UNREACHABLE_MEMORY_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """How long a registry may take.

    Attributes:
        connect_s: for a connection, TLS included.
        idle_s: longest silence in the middle of a request.
        commit_s: longest silence after the last byte of a blob: some registries copy it then.
        total_s: for one operation with all its tries and pauses. Waiting for one of the host's
            slots or for our own content does not count.
        slowest_bytes_per_s: an upload gets as much longer as its size takes at this rate.
    """

    connect_s: float = 10.0
    idle_s: float = 30.0
    commit_s: float = 300.0
    total_s: float = 120.0
    slowest_bytes_per_s: float = 128 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often to try, and the pauses between.

    Attributes:
        attempts: in all, at least 1.
        connect_attempts: in all, where nobody answers at that address.
        first_s: first pause; the next ones double, each with up to ``first_s`` at random on top.
        longest_s: longest pause of our own choice.
        retry_after_cap_s: longest pause that a registry may ask for.
    """

    attempts: int = 6
    connect_attempts: int = 4
    first_s: float = 0.5
    longest_s: float = 10.0
    retry_after_cap_s: float = 60.0


class Deadline:
    """The end of one operation; belongs to the thread that runs it."""

    def __init__(self, clock: Clock, total_s: float) -> None:
        self._clock = clock
        self._total_s = total_s
        self._end_s = clock.monotonic_s() + total_s

    def remaining_s(self) -> float:
        """Return the seconds that are left; negative when it has passed."""
        return self._end_s - self._clock.monotonic_s()

    def require(self) -> float:
        """Return the seconds that are left.

        Raises:
            OutOfTime: none are.
        """
        remaining = self.remaining_s()
        if remaining <= 0:
            raise OutOfTime(f"{self._total_s:g} s were over")
        return remaining

    def prolong(self, seconds: float) -> None:
        """Put the end off."""
        self._end_s += seconds

    def excuse(self, waited: Callable[[], T]) -> T:
        """Do something whose time is not the registry's, and put the end off by it."""
        start = self._clock.monotonic_s()
        try:
            return waited()
        finally:
            self._end_s += self._clock.monotonic_s() - start


def retry_after_s(value: str | None, now_s: float) -> float | None:
    """Return the pause a Retry-After header asks for.

    Args:
        value: seconds or an HTTP date; None or anything else means nothing.
        now_s: seconds since 1970, for dates.

    Returns:
        Seconds, not negative, uncapped; None when nothing was asked.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        when = parsedate_to_datetime(text)
        return max(0.0, when.replace(tzinfo=when.tzinfo or UTC).timestamp() - now_s)
    except (TypeError, ValueError, OverflowError):
        return None


class Retrier:
    """Runs operations until they succeed, fail for good, or tries or time are used up.

    Thread-safe. Remembers for a moment which hosts did not answer at all.

    Args:
        retries: how often.
        clock: for the pauses.
        hurry: once it is set there are no more pauses: one that has begun ends, with a last try.
    """

    def __init__(self, retries: Retries, clock: Clock, hurry: threading.Event) -> None:
        self._retries = retries
        self._clock = clock
        self._hurry = hurry
        self._lock = threading.Lock()
        self._given_up_s: dict[str, float] = {}

    def run(self, registry: str, deadline: Deadline, operation: Callable[[], T]) -> T:
        """Return what the operation returns.

        Args:
            registry: host, for what is remembered.
            deadline: no pause is begun that would end after it.
            operation: raises :class:`TransientFault` when another try may help.

        Raises:
            RegistryUnavailable: the last fault's error, which then says how many tries there were.
        """
        try:
            result = operation()
        except TransientFault as fault:
            result = self._run_again(registry, deadline, operation, fault)
        if self._given_up_s:
            self._remember(registry, unreachable=False)
        return result

    def _run_again(
        self, registry: str, deadline: Deadline, operation: Callable[[], T], first: TransientFault
    ) -> T:
        """Go on after the first try, which had a fault."""
        # Slow to import, and a registry that is well needs it not.
        import tenacity

        retries = self._retries
        back_off = tenacity.wait_exponential_jitter(
            multiplier=retries.first_s, max=retries.longest_s, jitter=retries.first_s
        )
        faults = [first]

        def pause_s(state: tenacity.RetryCallState) -> float:
            asked = _fault(state).retry_after_s
            if asked is None:
                return back_off(state)
            # On top of what was asked, so that all our threads do not come back at once.
            return min(asked, retries.retry_after_cap_s) + random.uniform(0, retries.first_s)

        def once_more() -> T:
            if faults:
                raise faults.pop()
            return operation()

        def is_last(state: tenacity.RetryCallState) -> bool:
            fault = _fault(state)
            if self._hurry.is_set():
                return True
            if fault.unreachable and self._lately_unreachable(registry):
                return True
            limit = retries.connect_attempts if fault.unreachable else retries.attempts
            return state.attempt_number >= limit or deadline.remaining_s() < state.upcoming_sleep

        def pause(seconds: float) -> None:
            self._clock.wait(self._hurry, seconds)

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(TransientFault),
            wait=pause_s,
            stop=is_last,
            sleep=pause,
            reraise=True,
        )
        try:
            return retrying(once_more)
        except TransientFault as fault:
            self._remember(registry, unreachable=fault.unreachable)
            raise _final(fault, retrying.statistics["attempt_number"]) from fault.__cause__

    def _lately_unreachable(self, registry: str) -> bool:
        with self._lock:
            until = self._given_up_s.get(registry, 0.0)
        return self._clock.monotonic_s() < until

    def _remember(self, registry: str, *, unreachable: bool) -> None:
        with self._lock:
            if unreachable:
                until = self._clock.monotonic_s() + UNREACHABLE_MEMORY_S
                self._given_up_s[registry] = until
            else:
                self._given_up_s.pop(registry, None)


def _fault(state: tenacity.RetryCallState) -> TransientFault:
    fault = state.outcome.exception() if state.outcome else None
    assert isinstance(fault, TransientFault)
    return fault


def _final(fault: TransientFault, attempts: int) -> RegistryUnavailable:
    error = fault.error
    if attempts > 1:
        error.what += f", {attempts} tries"
    if fault.retry_after_s:
        error.what += f"; it asks to be left alone for {fault.retry_after_s:g} s"
        error.retry_after_s = fault.retry_after_s
    error.args = (error.what,)
    return error
