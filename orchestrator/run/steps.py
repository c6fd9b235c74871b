"""The steps of a plan, carried out side by side, each as soon as what it needs is there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from orchestrator.decide.urgency import Urgency
from orchestrator.doors.protocols import Clock
from orchestrator.model.event import (
    Event,
    Notice,
    StepFinished,
    StepProgress,
    StepRetried,
    StepStarted,
)
from orchestrator.model.plan import Plan, Step, Verdict
from orchestrator.model.run import Outcome, StepResult
from orchestrator.model.time import rfc3339

if TYPE_CHECKING:
    from orchestrator.plan.schedule import Schedule

#: Steps that may wait for a builder while others, which need another one, go on.
MOST_PARKED = 64
_POLL_S = 0.2

Queued = StepProgress | StepRetried | Notice | tuple[str, "Future[StepResult]"]


def carry_out_steps(
    plan: Plan,
    work: Callable[[Step, Mapping[str, StepResult]], StepResult],
    queue: SimpleQueue[Queued],
    *,
    at_once: int,
    durations: Mapping[str, float],
    clock: Clock,
    cancelled: threading.Event,
    stopping: threading.Event | None = None,
    until_s: float | None = None,
    urgency: Mapping[str, Urgency] | None = None,
    sizes: Mapping[str, int] | None = None,
    order_by: Callable[[Schedule], None] = lambda _: None,
    parked: Callable[[], int] = lambda: 0,
    fail_fast: bool = False,
    failed: str = "",
) -> Iterator[Event]:
    """Carry steps out, and yield what happens: one ``StepFinished`` for each of them.

    A failure stops only what stands on it. Once ``stopping`` or ``cancelled`` is set nothing new
    starts; closing the generator sets both, and waits for what is at work.

    Args:
        plan: its steps may come in any order.
        work: carries out a step, given the results of those it needs; what goes wrong in it is a
            result.
        queue: what it says meanwhile is put here.
        at_once: steps at work at the same time.
        durations: image id → seconds its last build took; the longest chain goes first.
        clock: the door.
        cancelled: stops everything.
        stopping: lets only what is at work go on; None: nobody sets it.
        until_s: when the clock's monotonic time is past it, what is to be built is SKIPPED with
            all that stands on it; what may come out without a build still starts.
        urgency: image id → what comes before the length of its chain.
        sizes: image id → bytes of its last build; the largest of equal chains goes first.
        order_by: given the schedule before anything starts.
        parked: says how many of the steps at work keep nobody busy, so that as many more may start.
        fail_fast: the first failure sets ``cancelled``; what it stops is CANCELLED by that image.
        failed: with ``fail_fast``: an image that failed before any of them began; may be empty.
    """
    # networkx takes longer to import than a plan without work takes in all.
    from orchestrator.plan.schedule import Schedule

    steps = {step.image: step for step in plan.steps}
    stopping = stopping or threading.Event()
    schedule = Schedule(plan, durations, urgency, sizes)
    order_by(schedule)
    done: dict[str, StepResult] = {}
    running: dict[str, float] = {}
    culprit = failed if fail_fast else ""
    if culprit:
        cancelled.set()
    with ThreadPoolExecutor(at_once + MOST_PARKED, "build") as pool:
        try:
            while schedule.unfinished or running:
                if stopping.is_set() or cancelled.is_set():
                    for image in schedule.drain():
                        result = bare_result(steps[image], Outcome.CANCELLED)
                        yield StepFinished(result=replace(result, blocked_by=culprit))
                if until_s is not None and clock.monotonic_s() >= until_s:
                    yield from _skip(schedule, steps)
                room = at_once + min(parked(), MOST_PARKED) - len(running)
                for image in schedule.ready(max(room, 0)):
                    schedule.start(image)
                    running[image] = clock.monotonic_s()
                    yield StepStarted(image=image, at=rfc3339(clock.now_s()))
                    needed = {need: done[need] for need in steps[image].needs}
                    future = pool.submit(work, steps[image], needed)
                    future.add_done_callback(lambda f, image=image: queue.put((image, f)))  # type: ignore[misc]
                if not running:
                    continue
                try:
                    # Who is parked now was not when it was put to work, and nobody says so.
                    said = queue.get(timeout=_POLL_S if schedule.ready(1) else None)
                except Empty:
                    continue
                if isinstance(said, StepProgress | StepRetried | Notice):
                    yield said
                    continue
                image, future = said
                result = _timed(future.result(), clock.monotonic_s() - running.pop(image))
                if result.outcome is Outcome.CANCELLED:
                    result = replace(result, blocked_by=culprit)
                done[image] = result
                yield StepFinished(result=result)
                if result.outcome.is_success:
                    schedule.succeed(image)
                    continue
                for left in schedule.fail(image):
                    yield StepFinished(result=_left(steps[left], result))
                if fail_fast and result.outcome is Outcome.FAILED and not culprit:
                    culprit = image
                    cancelled.set()
        finally:
            if running:
                stopping.set()
                cancelled.set()


def _skip(schedule: Schedule, steps: Mapping[str, Step]) -> Iterator[StepFinished]:
    """Leave what is to be built for another run, with what stands on it."""
    for image in schedule.ready():
        if steps[image].verdict is Verdict.BUILD:
            schedule.start(image)
            for left in (image, *schedule.fail(image)):
                yield StepFinished(result=bare_result(steps[left], Outcome.SKIPPED))


def bare_result(step: Step, outcome: Outcome) -> StepResult:
    """Return a result that says no more than how a step ended."""
    return StepResult(image=step.image, outcome=outcome, key=step.key or "", was=step.current or "")


def _timed(result: StepResult, took_s: float) -> StepResult:
    """Return a failure with the seconds after which it came; a success knows its own."""
    return replace(result, duration_s=took_s) if result.outcome is Outcome.FAILED else result


def _left(step: Step, by: StepResult) -> StepResult:
    """Return the result of a step that was never started, because of another one's."""
    if by.outcome in (Outcome.CANCELLED, Outcome.SKIPPED):
        return replace(bare_result(step, by.outcome), blocked_by=by.blocked_by)
    return replace(bare_result(step, Outcome.BLOCKED), blocked_by=by.image)
