"""The log of an image's build: which one is meant, and its bytes, also while they are written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from orchestrator.doors.protocols import Clock
from orchestrator.doors.protocols_history import History, Logs
from orchestrator.model.run import Outcome, Run, RunState, StepResult

#: Bytes that are read at once: a log may be larger than the memory.
CHUNK_BYTES = 64 << 10
#: Runs that are searched for a log.
REMEMBERED = 1_000
_POLL_S = 0.2
#: Seconds after a failure in which another try begins, if there is one.
_RETRY_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildLog:
    """One log.

    Attributes:
        run: whose.
        image: by the id under which it was built.
    """

    run: Run
    image: str


def find_log(
    names: tuple[str, ...], history: History, logs: Logs, *, hierarchy: str | None, follow: bool
) -> BuildLog | None:
    """Return the newest log of an image; None where there is none.

    Args:
        names: the image's id, then those that it had before.
        history: knows the runs.
        logs: the door.
        hierarchy: only its runs; None: those of any.
        follow: a run that is going on and has not ended with the image counts, though there is no
            log yet.
    """
    for run in history.runs(REMEMBERED):
        if hierarchy is not None and run.hierarchy != hierarchy:
            continue
        for image in names:
            if logs.size_bytes(run.id, image) is not None:
                return BuildLog(run=run, image=image)
        if follow and run.state is RunState.RUNNING:
            ended = {result.image for result in history.results(run.id)}
            if ended.isdisjoint(names):
                return BuildLog(run=run, image=names[0])
    return None


def last_result(log: BuildLog, history: History) -> StepResult | None:
    """Return how the image's step ended in that run, its last try; None where it did not."""
    tries = _tries(log, history)
    return tries[-1] if tries else None


def _tries(log: BuildLog, history: History) -> list[StepResult]:
    return [result for result in history.results(log.run.id) if result.image == log.image]


def log_chunks(log: BuildLog, logs: Logs, start: int = 0) -> Iterator[bytes]:
    """Yield what stands in a log now, from a byte on."""
    at = start
    while chunk := logs.read(log.run.id, log.image, at, CHUNK_BYTES):
        at += len(chunk)
        yield chunk


def follow_log(
    log: BuildLog, history: History, logs: Logs, clock: Clock, restarted: Callable[[], None]
) -> Iterator[bytes]:
    """Yield a log while it is written, until the image's step or its run has ended.

    Args:
        log: which; it may not be there yet.
        history: says when it is over.
        logs: the door.
        clock: waits between looks.
        restarted: is called when another try begins the log anew.
    """
    at = 0
    # A try that has ended writes no more: whatever its log grows by is another one's.
    ended, complete = len(_tries(log, history)), False
    grew_s = clock.monotonic_s()
    while True:
        # Asked before the log is read: what was written before the end is not missed.
        quiet_s = clock.monotonic_s() - grew_s
        tries = _tries(log, history)
        over = _is_over(log, history, tries, quiet_s)
        size = logs.size_bytes(log.run.id, log.image) or 0
        if size < at or (complete and size > at):
            restarted()
            at, complete = 0, False
        for chunk in log_chunks(log, logs, at):
            at += len(chunk)
            grew_s = clock.monotonic_s()
            yield chunk
        if over:
            return
        complete = complete or len(tries) > ended
        ended = len(tries)
        clock.sleep(_POLL_S)


def _is_over(log: BuildLog, history: History, tries: list[StepResult], quiet_s: float) -> bool:
    run = history.run(log.run.id)
    if run is None or run.state is not RunState.RUNNING:
        return True
    if not tries:
        return False
    # A try that failed may be followed by another one.
    return tries[-1].outcome is not Outcome.FAILED or quiet_s > _RETRY_WITHIN_S
