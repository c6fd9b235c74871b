"""What happens to steps that are carried out side by side."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from queue import SimpleQueue

from orchestrator.doors.memory.clock import MemoryClock
from orchestrator.model.event import StepFinished
from orchestrator.model.plan import Step, Verdict
from orchestrator.model.run import Outcome, StepResult
from orchestrator.run.steps import Queued, bare_result, carry_out_steps
from tests.plan.test_schedule import plan_of
from tests.world import World


def test_a_failure_says_how_long_it_took() -> None:
    """Reports show times of failures, too; what never began took none."""
    clock, queue = MemoryClock(), SimpleQueue[Queued]()

    def work(step: Step, done: Mapping[str, StepResult]) -> StepResult:
        clock.sleep(7)
        return bare_result(step, Outcome.FAILED if step.image == "python" else Outcome.BUILT)

    events = carry_out_steps(
        World().plan(),
        work,
        queue,
        at_once=1,
        durations={},
        clock=clock,
        cancelled=threading.Event(),
    )
    ended = {e.result.image: e.result for e in events if isinstance(e, StepFinished)}
    assert ended["python"].duration_s == 7
    assert ended["gunicorn"].outcome is Outcome.BLOCKED
    assert {r.duration_s for r in ended.values() if r.image != "python"} == {0.0}


def carried_out(needs: dict[str, tuple[str, ...]], verdicts: dict[str, Verdict]) -> dict[str, str]:
    """Carry out steps of which each takes a minute, in a run that may take 90 s."""
    clock, queue = MemoryClock(), SimpleQueue[Queued]()
    plan = plan_of(needs)
    steps = tuple(replace(s, verdict=verdicts.get(s.image, s.verdict)) for s in plan.steps)

    def work(step: Step, done: Mapping[str, StepResult]) -> StepResult:
        assert set(done) == set(step.needs)
        clock.sleep(60)
        return bare_result(step, Outcome.BUILT)

    events = carry_out_steps(
        replace(plan, steps=steps),
        work,
        queue,
        at_once=1,
        durations={},
        clock=clock,
        cancelled=threading.Event(),
        until_s=90.0,
    )
    ended = [e.result for e in events if isinstance(e, StepFinished)]
    assert len(ended) == len({result.image for result in ended}) == len(steps)
    return {result.image: str(result.outcome) for result in ended}


def test_nothing_is_begun_once_the_time_is_up() -> None:
    """What was begun is finished; the rest is skipped with what stands on it, and is no failure."""
    needs = {"a": (), "b": (), "c": (), "d": ("c",), "e": ("a", "d")}
    assert carried_out(needs, {}) == {
        "c": "built",
        "a": "built",
        "b": "skipped",
        "d": "skipped",
        "e": "skipped",
    }


def test_what_needs_no_build_is_done_when_the_time_is_up() -> None:
    """Tags are put right, and who waited may find that nothing changed."""
    needs = {"a": (), "b": (), "c": ("a",), "d": ("b",)}
    verdicts = {"b": Verdict.RETAG, "c": Verdict.AWAIT, "d": Verdict.BUILD}
    assert carried_out(needs, verdicts) == {
        "a": "built",
        "b": "built",
        "c": "built",
        "d": "skipped",
    }


def test_nothing_begins_once_somebody_stops_the_run() -> None:
    """What is at work comes to its end; what had not begun is cancelled, by nobody's failure."""
    queue, stopping, cancelled = SimpleQueue[Queued](), threading.Event(), threading.Event()
    worked: list[str] = []

    def work(step: Step, done: Mapping[str, StepResult]) -> StepResult:
        worked.append(step.image)
        stopping.set()
        return bare_result(step, Outcome.BUILT)

    events = carry_out_steps(
        plan_of({"base": (), "lone": (), "child": ("base",)}),
        work,
        queue,
        at_once=1,
        durations={},
        clock=MemoryClock(),
        cancelled=cancelled,
        stopping=stopping,
    )
    ended = {e.result.image: e.result for e in events if isinstance(e, StepFinished)}
    assert worked == ["base"]
    assert ended.pop("base").outcome is Outcome.BUILT
    assert {image for image, result in ended.items() if result.was_stopped} == {"lone", "child"}
    assert not cancelled.is_set()
