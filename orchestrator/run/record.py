"""Events in, the same events out, each in the diary before it is passed on."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.doors.protocols_history import History
from orchestrator.model.event import Event, RunFinished, RunStarted, StepFinished, StepRetried
from orchestrator.model.run import Run, RunState


def record(events: Iterator[Event], history: History) -> Iterator[Event]:
    """Write the diary of a run, each event before it is passed on."""
    run: Run | None = None
    finished = False
    try:
        for event in events:
            if isinstance(event, RunStarted):
                run = event.run
                history.begin_run(run)
            elif isinstance(event, StepFinished | StepRetried) and run:
                history.record_step(run.id, event.result)
            elif isinstance(event, RunFinished):
                history.finish_run(event.run.id, event.run.state, event.run.finished_at)
                finished = True
            yield event
    finally:
        if run and not finished:
            history.finish_run(run.id, RunState.INTERRUPTED, "")
