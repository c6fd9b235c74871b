"""The steps of a plan, carried out side by side, each as soon as what it needs is there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from queue import SimpleQueue
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
    until_s: float | None = None,
    urgency: Mapping[str, Urgency] | None = None,
) -> Iterator[Event]:
    """Carry steps out, and yield what happens: one ``StepFinished`` for each of them.

    A failure stops only what stands on it. Once ``cancelled`` is set nothing new starts; closing
    the generator sets it, and waits for what is at work.

    Args:
        plan: its steps may come in any order.
        work: carries out a step, given the results of those it needs; what goes wrong in it is a
            result.
        queue: what it says meanwhile is put here.
        at_once: steps at work at the same time.
        durations: image id → seconds its last build took; the longest chain goes first.
        clock: the door.
        cancelled: stops everything.
        until_s: when the clock's monotonic time is past it, what is to be built is SKIPPED with
            all that stands on it; what may come out without a build still starts.
        urgency: image id → what comes before the length of its chain.
    """
    # networkx takes longer to import than a plan without work takes in all.
    from orchestrator.plan.schedule import Schedule

    steps = {step.image: step for step in plan.steps}
    schedule = Schedule(plan, durations, urgency)
    done: dict[str, StepResult] = {}
    running: dict[str, float] = {}
    with ThreadPoolExecutor(at_once, "build") as pool:
        try:
            while schedule.unfinished or running:
                if cancelled.is_set():
                    for image in schedule.drain():
                        yield StepFinished(result=bare_result(steps[image], Outcome.CANCELLED))
                if until_s is not None and clock.monotonic_s() >= until_s:
                    yield from _skip(schedule, steps)
                for image in schedule.ready(at_once - len(running)):
                    schedule.start(image)
                    running[image] = clock.monotonic_s()
                    yield StepStarted(image=image, at=rfc3339(clock.now_s()))
                    needed = {need: done[need] for need in steps[image].needs}
                    future = pool.submit(work, steps[image], needed)
                    future.add_done_callback(lambda f, image=image: queue.put((image, f)))  # type: ignore[misc]
                if not running:
                    continue
                said = queue.get()
                if isinstance(said, StepProgress | StepRetried | Notice):
                    yield said
                    continue
                image, future = said
                result = _timed(future.result(), clock.monotonic_s() - running.pop(image))
                done[image] = result
                yield StepFinished(result=result)
                if result.outcome.is_success:
                    schedule.succeed(image)
                    continue
                for left in schedule.fail(image):
                    yield StepFinished(result=_left(steps[left], result))
        finally:
            if running:
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
        return bare_result(step, by.outcome)
    return replace(bare_result(step, Outcome.BLOCKED), blocked_by=by.image)
