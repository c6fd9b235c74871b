"""Events in, the same events out, each in the diary before it is passed on."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.doors.protocols_crash import NO_CRASH, CrashPoints
from orchestrator.doors.protocols_history import History
from orchestrator.errors import LeaseLost
from orchestrator.model.crash import CrashPoint
from orchestrator.model.event import Event, RunFinished, RunStarted, StepFinished, StepRetried
from orchestrator.model.run import Run, RunState
from orchestrator.plan.kept import keep


def record(
    events: Iterator[Event], history: History, crash: CrashPoints = NO_CRASH
) -> Iterator[Event]:
    """Write the diary of a run, each event before it is passed on.

    The plan is kept with the run's beginning, so that whoever finds it unfinished can end it.
    """
    run: Run | None = None
    finished = False
    try:
        for event in events:
            if isinstance(event, RunStarted):
                run = event.run
                has_work = event.plan.steps or event.plan.mirrors
                history.begin_run(run, keep(event.plan) if has_work else "")
                crash.reached(CrashPoint.RUN_BEGUN)
            elif isinstance(event, StepFinished | StepRetried) and run:
                history.record_step(run.id, event.result)
                crash.reached(CrashPoint.STEP_RECORDED)
            elif isinstance(event, RunFinished):
                history.finish_run(event.run.id, event.run.state, event.run.finished_at)
                finished = True
                crash.reached(CrashPoint.RUN_FINISHED)
            yield event
    except LeaseLost:
        # That says more than the refusal of another entry would.
        finished = True
        raise
    finally:
        if run and not finished:
            history.finish_run(run.id, RunState.INTERRUPTED, "")
