"""A plan in, events out: steps start as soon as their parents are there, tags move at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from queue import SimpleQueue

from orchestrator.build.step import Site
from orchestrator.errors import (
    Unavailable,
)
from orchestrator.model.event import (
    Event,
    MirrorFinished,
    Notice,
    RunFinished,
    RunStarted,
    StepFinished,
    StepProgress,
    TagsMoved,
)
from orchestrator.model.plan import Cause, Decision, MirrorCopy, Plan, Step, Verdict
from orchestrator.model.run import (
    Failure,
    FailureCause,
    JournalledMove,
    MirrorResult,
    Outcome,
    Run,
    StepResult,
)
from orchestrator.model.time import rfc3339
from orchestrator.observe.rank import rank
from orchestrator.publish.mirror_copies import make_copies, unmirrored
from orchestrator.publish.promotion import moves_of, promote_everywhere
from orchestrator.run.ends import state_of
from orchestrator.run.steps import Queued, bare_result, carry_out_steps
from orchestrator.run.work import work_on

#: Steps at work beside those that build: one that is prepared, one whose blobs are on their way.
BESIDE_BUILDS = 2


def execute(
    plan: Plan,
    run: Run,
    slots: int,
    make_site: Callable[[Callable[[StepProgress | Notice], None]], Site],
) -> Iterator[Event]:
    """Carry a plan out and yield what happens.

    A failure stops only what stands on it. When the site's ``cancelled`` is set, running builds
    stop, nothing new starts and no floating tag moves. Closing the generator cancels as well.

    Args:
        plan: what to do.
        run: who, why, when.
        slots: builds at once; the site's ``turns`` are as many.
        make_site: makes what the steps share, given where progress goes.
    """
    queue: SimpleQueue[Queued] = SimpleQueue()
    site = make_site(queue.put)
    began_s = site.clock.monotonic_s()
    yield RunStarted(run=run, plan=plan)
    results: dict[str, StepResult] = {}
    for result in undecided(plan):
        results[result.image] = result
        yield StepFinished(result=result)
    mirrors: dict[MirrorCopy, MirrorResult] = {}
    for said in make_copies(plan.mirrors, site):
        if isinstance(said, MirrorFinished):
            mirrors[said.result.copy] = said.result
        yield said
    for event in _steps(plan, slots, site, queue, tuple(mirrors.values())):
        if isinstance(event, StepFinished):
            results[event.result.image] = event.result
        yield event
    moves: list[JournalledMove] = []
    if not site.cancelled.is_set():
        for move in promote_everywhere(
            moves_of(plan, results), site.hierarchy, site.registry, site.history, run.id
        ):
            moves.append(move)
            yield TagsMoved(move=move)
    ended = tuple(results[d.image] for d in plan.decisions if d.image in results)
    copied = tuple(mirrors[copy] for copy in plan.mirrors)
    finished = replace(
        run,
        finished_at=rfc3339(site.clock.now_s()),
        state=state_of(ended, moves, copied, interrupted=site.cancelled.is_set()),
    )
    yield RunFinished(
        run=finished,
        results=ended,
        moves=tuple(moves),
        duration_s=site.clock.monotonic_s() - began_s,
        mirrors=copied,
    )


def undecided(plan: Plan) -> tuple[StepResult, ...]:
    """Return a failure for every image that nobody could decide on; see ``Verdict.FAIL``."""
    return tuple(
        StepResult(
            image=decision.image,
            outcome=Outcome.FAILED,
            was=decision.current or "",
            failure=_undecided(decision),
        )
        for decision in plan.decisions
        if decision.verdict is Verdict.FAIL
    )


def _undecided(decision: Decision) -> Failure:
    causes = {Cause.UPSTREAM_UNUSABLE: FailureCause.UPSTREAM}
    causes[Cause.SOURCE_UNUSABLE] = FailureCause.SOURCE
    first = decision.reasons[0]
    said = first.because or "it cannot be had any more"
    return Failure(
        cause=causes.get(first.cause, FailureCause.PARENT_MISSING),
        what=f"{first.subject}: {said}",
        hint="what is published stays as it is",
        exit_code=Unavailable.exit_code,
    )


def _steps(
    plan: Plan,
    slots: int,
    site: Site,
    queue: SimpleQueue[Queued],
    mirrors: tuple[MirrorResult, ...],
) -> Iterator[Event]:
    awaited = {parent for step in plan.steps for parent in step.needs}

    def work(step: Step, done: Mapping[str, StepResult]) -> StepResult:
        failure = unmirrored(step, mirrors)
        if failure:
            return replace(bare_result(step, Outcome.FAILED), failure=failure)
        return work_on(step, done, site, queue.put, awaited=step.image in awaited)

    return carry_out_steps(
        plan,
        work,
        queue,
        # Who is beside the builds may overtake: where time is short, the order counts more.
        at_once=slots + (BESIDE_BUILDS if site.until_s is None else 0),
        durations=site.history.durations(),
        clock=site.clock,
        cancelled=site.cancelled,
        until_s=site.until_s,
        urgency={} if site.until_s is None else rank(plan, site.hierarchy, site.registry),
    )
