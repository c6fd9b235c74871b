"""A plan in, events out: steps start as soon as their parents are there, tags move at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from queue import SimpleQueue
from typing import TYPE_CHECKING

from orchestrator.build.step import Site
from orchestrator.errors import (
    Unavailable,
)
from orchestrator.model.crash import CrashPoint
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
from orchestrator.model.hierarchy import Promote
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
from orchestrator.observe.rank import rank
from orchestrator.publish.mirror_copies import make_copies, unmirrored
from orchestrator.publish.promotion import moves_of, promote_everywhere
from orchestrator.run.again import Pauses
from orchestrator.run.attaching import Attaching
from orchestrator.run.ends import state_of
from orchestrator.run.steps import Queued, bare_result, carry_out_steps
from orchestrator.run.work import work_on

if TYPE_CHECKING:
    from orchestrator.plan.schedule import Schedule

#: Steps at work beside those that build: one that is prepared, one whose blobs are on their way.
BESIDE_BUILDS = 2


def execute(
    plan: Plan,
    run: Run,
    slots: int,
    make_site: Callable[[Callable[[StepProgress | Notice], None]], Site],
) -> Iterator[Event]:
    """Carry a plan out and yield what happens.

    A failure stops only what stands on it. When the site's ``stopping`` is set nothing new starts,
    and what is at work comes to its end and is published; when ``cancelled`` is, running builds
    stop too. Where that left anything undone, no floating tag moves: a later run moves them all.
    Closing the generator cancels as well.

    Args:
        plan: what to do.
        run: who, why, when.
        slots: builds at once, each of one platform; the site's ``fleet`` has as many.
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
    with Attaching(site) as attaching:
        for event in _steps(plan, slots, site, queue, tuple(mirrors.values())):
            if isinstance(event, StepFinished):
                results[event.result.image] = event.result
                attaching.begin(event.result)
            yield event
        site.crash.reached(CrashPoint.STEPS_DONE)
        yield from _end(plan, run, site, results, mirrors, attaching, began_s)


def _end(
    plan: Plan,
    run: Run,
    site: Site,
    results: Mapping[str, StepResult],
    mirrors: Mapping[MirrorCopy, MirrorResult],
    attaching: Attaching,
    began_s: float,
) -> Iterator[Event]:
    """Move the floating tags, and tell how the run ended."""
    ended = tuple(results[d.image] for d in plan.decisions if d.image in results)
    copied = tuple(mirrors[copy] for copy in plan.mirrors)
    interrupted = _is_cut_short(site, ended, copied)
    moves: list[JournalledMove] = []
    if not interrupted:
        for move in promote_everywhere(
            moves_of(plan, results),
            site.hierarchy,
            site.registry,
            site.history,
            run.id,
            site.crash,
            stands_on={step.image: step.needs for step in plan.steps},
            whole=plan.promote is Promote.ALL,
        ):
            moves.append(move)
            yield TagsMoved(move=move)
    # Once everybody has the images: who reads of them next finds their SBOMs.
    yield from attaching.finish()
    state = state_of(ended, moves, copied, interrupted=interrupted)
    yield RunFinished(
        run=run.ended(state, site.clock.now_s()),
        results=ended,
        moves=tuple(moves),
        duration_s=site.clock.monotonic_s() - began_s,
        mirrors=copied,
    )


def _is_cut_short(
    site: Site, results: tuple[StepResult, ...], mirrors: tuple[MirrorResult, ...]
) -> bool:
    """Say whether somebody stopped the run before all of it was done."""
    if not (site.stopping.is_set() or site.cancelled.is_set()):
        return False
    stopped = FailureCause.CANCELLED
    return any(result.was_stopped for result in results) or any(
        mirror.failure is not None and mirror.failure.cause is stopped for mirror in mirrors
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
    pauses = Pauses()

    def parked() -> int:
        # A registry may ask for an hour: who waits for that holds up no other image.
        return site.fleet.parked() + len(pauses)

    def order_by(schedule: Schedule) -> None:
        site.fleet.order_by(schedule, (site.hierarchy.images[step.image] for step in plan.steps))

    def work(step: Step, done: Mapping[str, StepResult]) -> StepResult:
        failure = unmirrored(step, mirrors)
        if failure:
            return replace(bare_result(step, Outcome.FAILED), failure=failure)
        return work_on(step, done, site, queue.put, pauses)

    return carry_out_steps(
        plan,
        work,
        queue,
        # Who is beside the builds may overtake: where time is short, the order counts more.
        at_once=slots + (BESIDE_BUILDS if site.until_s is None else 0),
        durations=site.history.durations(),
        sizes=site.history.sizes(),
        order_by=order_by,
        parked=parked if site.until_s is None else lambda: 0,
        clock=site.clock,
        cancelled=site.cancelled,
        stopping=site.stopping,
        until_s=site.until_s,
        urgency={} if site.until_s is None else rank(plan, site.hierarchy, site.registry),
        fail_fast=site.fail_fast,
        failed=next((result.image for result in undecided(plan)), ""),
    )
