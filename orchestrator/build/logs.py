"""The log of an image's build: which one is meant, and its bytes, also while they are written.

Each platform of an image with several has a log of its own. They are shown one after the other,
or in turns while they are written, under headings as those of ``tail`` for several files.
"""

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
        platform: only of this one; None: of all.
    """

    run: Run
    image: str
    platform: str | None = None

    def names(self, logs: Logs) -> tuple[str, ...]:
        """Return what is there of it now, sorted; see :class:`Logs`."""
        wanted = self.platform and self.platform.replace("/", "-")
        return tuple(
            name
            for name in logs.names(self.run.id, self.image)
            if wanted is None or name.partition("@")[2] in ("", wanted)
        )


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
            if logs.names(run.id, image):
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


def log_chunks(log: BuildLog, logs: Logs) -> Iterator[bytes]:
    """Yield what stands in a log now, one platform after the other."""
    for number, name in enumerate(log.names(logs)):
        if "@" in name and log.platform is None:
            yield _heading(name, first=number == 0)
        at = 0
        while chunk := logs.read(log.run.id, name, at, CHUNK_BYTES):
            at += len(chunk)
            yield chunk


def _heading(name: str, *, first: bool) -> bytes:
    """Return the line above what a platform's build wrote."""
    platform = name.partition("@")[2].replace("-", "/")
    return f"{'' if first else chr(10)}==> {platform} <==\n".encode()


class _Tails:
    """How far the logs of a build were read.

    Args:
        log: whose.
        logs: the door.
    """

    def __init__(self, log: BuildLog, logs: Logs) -> None:
        self._log = log
        self._logs = logs
        self._at: dict[str, int] = {}
        self._shown = ""

    def sizes(self) -> dict[str, int]:
        """Return name → bytes that are there now."""
        run = self._log.run.id
        return {name: self._logs.size_bytes(run, name) or 0 for name in self._log.names(self._logs)}

    def shrunk(self, sizes: dict[str, int]) -> list[str]:
        """Return the logs that are shorter than what was read of them."""
        return [name for name, size in sizes.items() if size < self._at.get(name, 0)]

    def grown(self, sizes: dict[str, int]) -> bool:
        """Say whether anything was written since."""
        return any(size > self._at.get(name, 0) for name, size in sizes.items())

    def forget(self, names: list[str]) -> None:
        """Begin with some logs anew."""
        for name in names:
            self._at.pop(name, None)

    def read(self, sizes: dict[str, int], *, over: bool) -> Iterator[bytes]:
        """Yield what is new; of several logs only whole lines, until it is over."""
        for name in sizes:
            alone = "@" not in name or self._log.platform is not None
            run = self._log.run.id
            while chunk := self._logs.read(run, name, self._at.get(name, 0), CHUNK_BYTES):
                if not alone and not over and len(chunk) < CHUNK_BYTES:
                    chunk = chunk[: chunk.rfind(b"\n") + 1]
                if not chunk:
                    break
                if not alone and name != self._shown:
                    yield _heading(name, first=not self._shown)
                    self._shown = name
                self._at[name] = self._at.get(name, 0) + len(chunk)
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
    tails = _Tails(log, logs)
    # A try that has ended writes no more: whatever its log grows by is another one's.
    ended, complete = len(_tries(log, history)), False
    grew_s = clock.monotonic_s()
    while True:
        # Asked before the log is read: what was written before the end is not missed.
        quiet_s = clock.monotonic_s() - grew_s
        tries = _tries(log, history)
        over = _is_over(log, history, tries, quiet_s)
        sizes = tails.sizes()
        shrunk = tails.shrunk(sizes)
        if shrunk or (complete and tails.grown(sizes)):
            restarted()
            tails.forget(list(sizes) if complete else shrunk)
            complete = False
        for chunk in tails.read(sizes, over=over):
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
