"""The story of the product: load → observe → decide → plan → run, with history beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from orchestrator.build.step import Site
from orchestrator.decide.refuse import (
    require_forcible,
    require_ground,
    require_upstreams,
)
from orchestrator.decide.select import Chosen, Selection, with_ancestors
from orchestrator.decide.verdicts import decide
from orchestrator.decide.wish import Intent as Intent
from orchestrator.decide.wish import Wish as Wish
from orchestrator.decide.wish import run_of
from orchestrator.doors.protocols import Builder, Clock, Files, Git, Registry, Spool
from orchestrator.doors.protocols_history import History
from orchestrator.doors.protocols_packages import PackageManagers
from orchestrator.errors import StalePlan, UsageError
from orchestrator.model.event import Event, Notice, RunFinished, StepProgress
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.observation import Observations
from orchestrator.model.packages import PackageAnswer
from orchestrator.model.plan import Plan
from orchestrator.model.time import run_id
from orchestrator.observe import ask as asking
from orchestrator.observe import choose as choosing
from orchestrator.observe import examine as examining
from orchestrator.observe.examine import Examination
from orchestrator.observe.ledger import lacking, note_absorbed, note_sightings
from orchestrator.observe.mirror import lost_copies
from orchestrator.observe.observations import observe
from orchestrator.plan.make import make_plan
from orchestrator.plan.stale import command_again, moved_since, too_old
from orchestrator.publish import adopt as adopting
from orchestrator.publish.adopt import Adopting
from orchestrator.publish.tags import rollback_moves
from orchestrator.publish.undo import run_to_undo, undo
from orchestrator.run.execute import execute
from orchestrator.run.record import record


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
    packages: PackageManagers


def choose(
    hierarchy: Hierarchy, doors: Doors, selection: Selection, registry: str | None = None
) -> Chosen:
    """Return the images that selectors mean; see :func:`orchestrator.observe.choose.choose`."""
    return choosing.choose(
        hierarchy,
        selection,
        files=doors.files,
        git=doors.git,
        history=doors.history,
        registry=registry,
    )


def plan(hierarchy: Hierarchy, doors: Doors, wish: Wish) -> Plan:
    """Return what a run would do, and why; see :func:`prepare`."""
    made, _ = prepare(hierarchy, doors, wish)
    return made


def prepare(hierarchy: Hierarchy, doors: Doors, wish: Wish) -> tuple[Plan, Observations]:
    """Return what a run would do, and why, and what that was decided on.

    Nothing is written but what the wish wants remembered.

    Raises:
        UsageError: an image that is to be forced does not exist, is retired or not selected; an
            upstream that is not to soak does not exist; or an image that is selected stands on
            one that is not and was never published.
        OrchestrateError: whatever :func:`orchestrator.observe.observations.observe` raises.
    """
    selected = wish.chosen.only if wish.chosen else None
    require_forcible(wish.forced, hierarchy, selected)
    require_upstreams(wish.unsoaked, hierarchy)
    created_s = doors.clock.now_s()
    plan_id = run_id(created_s, wish.suffix)
    seen = look(hierarchy, doors, wish.forced, plan_id, selected, unsoaked=wish.unsoaked)
    if wish.remember:
        note_sightings(hierarchy, seen, doors.history, doors.clock.now_s())
    if selected is not None:
        require_ground(hierarchy, seen, selected)
    decisions = decide(
        hierarchy,
        seen,
        forced=wish.forced,
        epoch=plan_id,
        allow_dirty=wish.allow_dirty,
        selected=selected,
        paused=wish.paused,
    )
    made = make_plan(
        hierarchy,
        seen,
        decisions,
        plan_id=plan_id,
        created_s=created_s,
        forced=wish.forced,
        allow_dirty=wish.allow_dirty,
        selection=wish.chosen.terms if wish.chosen else (),
        max_age_s=wish.max_age_s,
    )
    late = lacking(hierarchy, seen, decisions, doors.history, created_s)
    return replace(made, behind=late, unsoaked=tuple(sorted(wish.unsoaked))), seen


def look(
    hierarchy: Hierarchy,
    doors: Doors,
    forced: frozenset[str] = frozenset(),
    epoch: str = "",
    selected: frozenset[str] | None = None,
    unsoaked: frozenset[str] = frozenset(),
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
        selected=selected,
        ledger=doors.history.sightings(hierarchy.name) if hierarchy.upstreams else (),
        answers=doors.history.answers,
        unsoaked=unsoaked,
    )


def ask_packages(
    hierarchy: Hierarchy,
    doors: Doors,
    chosen: Chosen,
    *,
    cancelled: threading.Event,
    heard: Callable[[PackageAnswer], None] = lambda _: None,
) -> tuple[PackageAnswer, ...]:
    """Ask what is current for package updates, and keep the answers; also of what it stands on."""
    asked = with_ancestors(hierarchy, chosen.images)
    currents = asking.packaged_currents(hierarchy, doors.registry, asked)
    return asking.ask_packages(
        hierarchy, currents, doors.packages, doors.history, cancelled=cancelled, heard=heard
    )


def run(
    plan: Plan,
    hierarchy: Hierarchy,
    doors: Doors,
    intent: Intent,
    seen: Observations | None = None,
) -> Iterator[Event]:
    """Carry a plan out; every event has been written to the history when it is yielded.

    With what the plan was made or verified on, the ledger gets which contents of upstreams have
    arrived everywhere.
    """
    started = run_of(intent, hierarchy, doors.clock.now_s(), plan.revision, plan.id)
    revision = doors.git.revision()
    slots = intent.slots or hierarchy.builders[0].slots

    def site(progress: Callable[[StepProgress | Notice], None]) -> Site:
        return Site(
            hierarchy=hierarchy,
            files=doors.files,
            registry=doors.registry,
            builder=doors.builder,
            history=doors.history,
            spool=doors.spool,
            clock=doors.clock,
            packages=doors.packages,
            revision=revision,
            run=started.id,
            planned=plan.date,
            log_dir=f"{intent.log_dir}/{started.id}",
            progress=progress,
            cancelled=intent.cancelled,
            turns=threading.BoundedSemaphore(slots),
            until_s=intent.until_s,
        )

    for event in record(execute(plan, started, slots, site), doors.history):
        if isinstance(event, RunFinished) and seen is not None:
            now_s = doors.clock.now_s()
            note_absorbed(hierarchy, plan, seen, doors.history, now_s, event)
        yield event


def verify(
    saved: Plan, hierarchy: Hierarchy, doors: Doors, max_age_s: float | None = None
) -> Observations:
    """Return what is seen of the images that a saved plan has steps for.

    Refuse a saved plan that is too old or whose inputs moved; what it did itself is done.

    Args:
        saved: the plan.
        hierarchy: as the file says now.
        doors: the outside world.
        max_age_s: seconds that it may be old; None: whatever it says itself.

    Raises:
        StalePlan: naming everything that moved.
    """
    again = command_again(saved)
    old = too_old(saved, doors.clock.now_s(), max_age_s)
    if old:
        raise StalePlan((old,), hint=f"make a new one: `{again}`")
    planned = frozenset(step.image for step in saved.steps)
    seen = look(hierarchy, doors, selected=planned, unsoaked=frozenset(saved.unsoaked))
    note_sightings(hierarchy, seen, doors.history, doors.clock.now_s())
    moved = moved_since(saved, hierarchy, seen)
    moved += lost_copies(saved, hierarchy, doors.registry)
    if moved:
        raise StalePlan(moved, hint=f"make a new one: `{again}`")
    return seen


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
        UsageError: there is no such run, or it is another hierarchy's.
        Conflict: it moved nothing that could be moved back.
    """
    undone = run_to_undo(run_id, hierarchy, doors.history)
    moves = rollback_moves(doors.history.moves(undone.id), images or None)
    started = run_of(intent, hierarchy, doors.clock.now_s())
    events = undo(
        moves,
        started,
        hierarchy,
        registry=doors.registry,
        history=doors.history,
        clock=doors.clock,
    )
    yield from record(events, doors.history)


def examine(hierarchy: Hierarchy, doors: Doors, chosen: Chosen) -> Examination:
    """Return what others published that could be recorded as current. Nothing is written."""
    seen = look(hierarchy, doors, selected=chosen.only)
    found = examining.examine(hierarchy, seen, doors.registry, chosen.images)
    return Examination(seen=seen, images=found)


def adopt(
    found: Examination,
    hierarchy: Hierarchy,
    doors: Doors,
    intent: Intent,
    *,
    allow_dirty: bool = False,
) -> Iterator[Event]:
    """Record as current what passed its examination, without a build. A run; it can be undone.

    Raises:
        UsageError: the tree has changes that git does not know, and nobody allowed that.
    """
    revision = found.seen.revision
    if revision and revision.dirty and not allow_dirty:
        raise UsageError(
            "the working tree has changes that git does not know",
            hint="images would be recorded as built from them: commit, or --allow-dirty",
        )
    started = run_of(intent, hierarchy, doors.clock.now_s(), str(revision or ""))
    site = Adopting(
        hierarchy=hierarchy,
        seen=found.seen,
        registry=doors.registry,
        history=doors.history,
        clock=doors.clock,
        run=started,
        log_dir=f"{intent.log_dir}/{started.id}",
        cancelled=intent.cancelled,
    )
    yield from record(adopting.adopt(found.images, site), doors.history)
