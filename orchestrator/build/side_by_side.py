"""Work for every platform of an image at once, of which all comes to an end, or nothing counts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import TypeVar

from orchestrator.errors import BuildFailed, OrchestrateError
from orchestrator.model.run import FailureCause

T = TypeVar("T")

_POLL_S = 0.2


def side_by_side(
    platforms: tuple[str, ...],
    work: Callable[[str], T],
    *,
    stop: threading.Event,
    cancelled: threading.Event,
) -> dict[str, T]:
    """Return platform → what came of it, in their order.

    When one fails the others are stopped, and its reason is the reason; where another one had
    failed by then, and trying again does not help it, that one's is.

    Args:
        platforms: what there is to do.
        work: does it for one of them, in a thread of its own.
        stop: set to stop what is at work, and at the end.
        cancelled: when somebody sets it, everything is stopped.

    Raises:
        BaseException: what ``work`` raised.
    """
    failures: list[BaseException] = []

    def guarded(platform: str) -> T:
        try:
            return work(platform)
        except BaseException as error:
            failures.append(error)
            stop.set()
            raise

    with ThreadPoolExecutor(len(platforms), "platform") as pool:
        futures = {platform: pool.submit(guarded, platform) for platform in platforms}
        running = set(futures.values())
        try:
            while running:
                _, running = wait(running, _POLL_S, FIRST_COMPLETED)
                if failures or cancelled.is_set():
                    stop.set()
        finally:
            stop.set()
    if failures:
        raise _decisive(failures)
    return {platform: future.result() for platform, future in futures.items()}


def _decisive(failures: list[BaseException]) -> BaseException:
    """Return the failure of a step: of what failed by itself the first that cannot pass."""
    first = failures[0]
    if not isinstance(first, OrchestrateError) or not first.transient:
        return first
    stopped = FailureCause.CANCELLED
    return next(
        (
            each
            for each in failures
            if not (isinstance(each, OrchestrateError) and each.transient)
            and not (isinstance(each, BuildFailed) and each.cause == stopped)
        ),
        first,
    )
