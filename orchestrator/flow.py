"""The story of the product: load → observe → decide → plan → run, with history beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from orchestrator.build import Site
from orchestrator.decide import decide
from orchestrator.doors.protocols import (
    Builder,
    BuildRequest,
    Clock,
    Files,
    Git,
    History,
    Registry,
    Spool,
)
from orchestrator.errors import StalePlan, UsageError
from orchestrator.explain import explanation, statuses
from orchestrator.model.event import (
    Event,
    RunFinished,
    RunStarted,
    StepFinished,
    StepProgress,
    StepRetried,
    TagsMoved,
)
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.names import parse_repository
from orchestrator.model.observation import Observations
from orchestrator.model.plan import Plan, Verdict
from orchestrator.model.run import JournalledMove, Run, RunState
from orchestrator.model.status import Explanation, ImageStatus
from orchestrator.model.time import rfc3339, run_id
from orchestrator.observe import observe
from orchestrator.plan import make_plan, make_step
from orchestrator.prepare import preview
from orchestrator.publish import lift_rejection, promote, reject, rollback_moves
from orchestrator.run import execute
from orchestrator.stale import moved_since


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """Everything outside, in one bundle without behaviour."""

    files: Files
    git: Git
    registry: Registry
    builder: Builder
    history: History
    spool: Spool
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the user asks for beside what the files say.

    Attributes:
        forced: image ids to build whatever is there.
        allow_dirty: floating tags may move though the tree is dirty.
        suffix: four characters that tell apart plans of the same second.
    """

    forced: frozenset[str] = frozenset()
    allow_dirty: bool = False
    suffix: str = "0000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """Who starts a run, and why.

    Attributes:
        command: build, apply or rollback.
        who: user and host.
        trigger: ``manual``, ``ci``, ``schedule``.
        because: free text, may be empty.
        suffix: four characters that tell apart runs of the same second.
        slots: builds at once; None: what the hierarchy's builder has.
        log_dir: directory under which the run's logs go.
        cancelled: set it to stop.
    """

    command: str
    who: str
    trigger: str = "manual"
    because: str = ""
    suffix: str = "0000"
    slots: int | None = None
    log_dir: str
    cancelled: threading.Event = field(default_factory=threading.Event)


def plan(hierarchy: Hierarchy, doors: Doors, wish: Wish) -> Plan:
    """Return what a run would do, and why. Nothing is written anywhere.

    Raises:
        UsageError: an image that is to be forced does not exist.
        OrchestrateError: whatever :func:`orchestrator.observe.observe` raises.
    """
    unknown = sorted(wish.forced - set(hierarchy.images))
    if unknown:
        raise unknown_image(unknown[0], hierarchy)
    created_s = doors.clock.now_s()
    plan_id = run_id(created_s, wish.suffix)
    seen = look(hierarchy, doors, wish.forced, plan_id)
    decisions = decide(
        hierarchy, seen, forced=wish.forced, epoch=plan_id, allow_dirty=wish.allow_dirty
    )
    return make_plan(
        hierarchy,
        seen,
        decisions,
        plan_id=plan_id,
        created_s=created_s,
        forced=wish.forced,
        allow_dirty=wish.allow_dirty,
    )


def status(hierarchy: Hierarchy, doors: Doors) -> tuple[ImageStatus, ...]:
    """Return how every image stands. Nothing is written anywhere."""
    seen = look(hierarchy, doors)
    return statuses(hierarchy, seen, decide(hierarchy, seen), doors.clock.now_s())


def why(hierarchy: Hierarchy, doors: Doors, image: str) -> Explanation:
    """Return why an image would be built or why not. Nothing is written anywhere.

    Raises:
        UsageError: there is no such image.
    """
    if image not in hierarchy.images:
        raise unknown_image(image, hierarchy)
    seen = look(hierarchy, doors)
    every = statuses(hierarchy, seen, decide(hierarchy, seen), doors.clock.now_s())
    return explanation(hierarchy, seen, next(s for s in every if s.image == image))


def build_command(hierarchy: Hierarchy, doors: Doors, image: str) -> BuildRequest:
    """Return the build that a run would start for an image now.

    Parents that are about to be built are pinned to what is current; the SOURCE_DATE_EPOCH is the
    one of what is published, where there is something.

    Raises:
        UsageError: there is no such image, or a parent was never published.
    """
    if image not in hierarchy.images:
        raise unknown_image(image, hierarchy)
    seen = look(hierarchy, doors)
    decided = {d.image: replace(d, verdict=Verdict.KEEP) for d in decide(hierarchy, seen)}
    step = make_step(hierarchy.images[image], hierarchy, seen, decided)
    missing = [parent.subject for parent in step.parents if parent.digest is None]
    if missing:
        raise UsageError(
            f"{image} stands on {missing[0]}, which was never published",
            hint=f"build it first: `orchestrate build`, or ask `orchestrate why {missing[0]}`",
        )
    return preview(step, hierarchy, doors.files, doors.registry, seen.revision, doors.clock)


def unknown_image(name: str, hierarchy: Hierarchy) -> UsageError:
    """Return the error for an image id that is not in the hierarchy, with the nearest ones."""
    near = get_close_matches(name, hierarchy.images, 1, 0.5)
    hint = f"did you mean {near[0]}?" if near else f"images: {', '.join(hierarchy.images)}"
    return UsageError(f"no image is called {name!r}", hint=hint)


def look(
    hierarchy: Hierarchy, doors: Doors, forced: frozenset[str] = frozenset(), epoch: str = ""
) -> Observations:
    """Return what is seen of files, registry and upstreams now."""
    return observe(
        hierarchy,
        files=doors.files,
        git=doors.git,
        registry=doors.registry,
        clock=doors.clock,
        forced=forced,
        epoch=epoch,
    )


def run(plan: Plan, hierarchy: Hierarchy, doors: Doors, intent: Intent) -> Iterator[Event]:
    """Carry a plan out; every event has been written to the history when it is yielded."""
    started = _begin(hierarchy, doors, intent, plan.revision, plan.id)
    revision = doors.git.revision()

    def site(progress: Callable[[StepProgress], None]) -> Site:
        return Site(
            hierarchy=hierarchy,
            files=doors.files,
            registry=doors.registry,
            builder=doors.builder,
            history=doors.history,
            spool=doors.spool,
            clock=doors.clock,
            revision=revision,
            run=started.id,
            log_dir=f"{intent.log_dir}/{started.id}",
            progress=progress,
            cancelled=intent.cancelled,
        )

    slots = intent.slots or hierarchy.builders[0].slots
    yield from _record(execute(plan, started, slots, site), doors.history)


def verify(saved: Plan, hierarchy: Hierarchy, doors: Doors) -> None:
    """Refuse a saved plan whose inputs moved since; what it did itself counts as done.

    Raises:
        StalePlan: naming everything that moved.
    """
    moved = moved_since(saved, hierarchy, look(hierarchy, doors))
    if moved:
        raise StalePlan(moved, hint="make a new one with `orchestrate plan --out FILE`")


def rollback(
    run_id: str, images: frozenset[str], hierarchy: Hierarchy, doors: Doors, intent: Intent
) -> Iterator[Event]:
    """Move the floating tags of a run back, and reject what it had promoted.

    The digests rolled back stay rejected, in the registry too, until somebody asks. A rollback is
    itself a run, and can be rolled back: that asks for its digests again.

    Args:
        run_id: the run to undo, or an unambiguous prefix.
        images: only these; empty: all that it moved.
        hierarchy: whose name the run gets.
        doors: the outside world.
        intent: who undoes it, and why.

    Raises:
        UsageError: there is no such run.
        Conflict: it moved nothing that could be moved back.
    """
    undone = doors.history.run(run_id)
    if undone is None:
        raise UsageError(f"no run {run_id!r}", hint="`orchestrate history` lists the runs")
    moves = rollback_moves(doors.history.moves(undone.id), images or None)
    started = _begin(hierarchy, doors, intent, "", "")
    yield from _record(_roll_back(moves, started, doors), doors.history)


def _roll_back(moves: tuple[JournalledMove, ...], run: Run, doors: Doors) -> Iterator[Event]:
    began_s = doors.clock.monotonic_s()
    nothing = Plan(
        id=run.id,
        hierarchy=run.hierarchy,
        created=run.started_at,
        date="",
        revision="",
        decisions=(),
        steps=(),
    )
    yield RunStarted(run=run, plan=nothing)
    # The marks first: whoever looks in between must not promote again what is being taken back.
    for move in moves:
        if move.was and move.now:
            repository = parse_repository(move.repository)
            lift_rejection(doors.registry, repository, move.now, move.was)
            reject(doors.registry, repository, move.was)
    settled: list[JournalledMove] = []
    for move in promote(moves, doors.registry, doors.history, run.id):
        settled.append(move)
        yield TagsMoved(move=move)
    good = all(move.state.is_success for move in settled)
    yield RunFinished(
        run=replace(
            run,
            finished_at=rfc3339(doors.clock.now_s()),
            state=RunState.SUCCEEDED if good else RunState.FAILED,
        ),
        results=(),
        moves=tuple(settled),
        duration_s=doors.clock.monotonic_s() - began_s,
    )


def _begin(hierarchy: Hierarchy, doors: Doors, intent: Intent, revision: str, plan_id: str) -> Run:
    now_s = doors.clock.now_s()
    return Run(
        id=run_id(now_s, intent.suffix),
        hierarchy=hierarchy.name,
        command=intent.command,
        who=intent.who,
        trigger=intent.trigger,
        because=intent.because,
        revision=revision,
        started_at=rfc3339(now_s),
        plan=plan_id,
    )


def _record(events: Iterator[Event], history: History) -> Iterator[Event]:
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
