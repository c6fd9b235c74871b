"""A run that builds nothing and only moves floating tags: a rollback, a promotion by hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from orchestrator.doors.protocols import Clock
from orchestrator.model.event import Event, Notice, RunFinished, RunStarted, TagsMoved
from orchestrator.model.plan import Plan
from orchestrator.model.run import JournalledMove, Run
from orchestrator.run.ends import state_of


def moving(
    run: Run, moves: Iterator[JournalledMove], clock: Clock, notices: Iterable[Notice] = ()
) -> Iterator[Event]:
    """Yield what happens in such a run.

    Args:
        run: which begins here.
        moves: does one with each step, and yields what came of it; begun once the run has.
        clock: for the end of the run.
        notices: what people should know before.
    """
    began_s = clock.monotonic_s()
    yield RunStarted(run=run, plan=empty_plan(run))
    yield from notices
    settled: list[JournalledMove] = []
    for move in moves:
        settled.append(move)
        yield TagsMoved(move=move)
    yield RunFinished(
        run=run.ended(state_of((), settled, interrupted=False), clock.now_s()),
        results=(),
        moves=tuple(settled),
        duration_s=clock.monotonic_s() - began_s,
    )


def empty_plan(run: Run) -> Plan:
    """Return the plan of a run that builds nothing."""
    return Plan(
        id=run.id,
        hierarchy=run.hierarchy,
        created=run.started_at,
        date="",
        revision=run.revision,
        decisions=(),
        steps=(),
    )
