"""What happens to steps that are carried out side by side."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from queue import SimpleQueue

from orchestrator.doors.memory.clock import MemoryClock
from orchestrator.model.event import StepFinished
from orchestrator.model.plan import Step
from orchestrator.model.run import Outcome, StepResult
from orchestrator.steps import Queued, bare_result, carry_out_steps
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
