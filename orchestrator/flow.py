"""The story of the product: load → observe → decide → plan → run, with history beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from orchestrator.build.step import Site
from orchestrator.decide.promotion import may_be_promoted, taken_along, with_canaries
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
from orchestrator.doors.protocols_channels import NO_CHANNELS, Channels
from orchestrator.doors.protocols_crash import NO_CRASH, CrashPoints
from orchestrator.doors.protocols_history import History
from orchestrator.doors.protocols_packages import PackageManagers
from orchestrator.doors.protocols_sbom import NO_SBOMS, Sboms
from orchestrator.doors.protocols_scanner import Scanner
from orchestrator.errors import StalePlan, UsageError
from orchestrator.model.event import Event, Notice, RunFinished, StepProgress
from orchestrator.model.hierarchy import Hierarchy, Promote
from orchestrator.model.observation import Observations
from orchestrator.model.packages import PackageAnswer
from orchestrator.model.plan import Decision, Plan
from orchestrator.model.run import Run
from orchestrator.model.time import run_id
from orchestrator.observe import ask as asking
from orchestrator.observe import choose as choosing
from orchestrator.observe import examine as examining
from orchestrator.observe.examine import Examination
from orchestrator.observe.ledger import lacking, note_absorbed, note_sightings
from orchestrator.observe.mirror import lost_copies
from orchestrator.observe.observations import observe
from orchestrator.plan.make import make_plan
from orchestrator.plan.stale import command_again, left_out, moved_since, too_old
from orchestrator.publish import adopt as adopting
from orchestrator.publish.adopt import Adopting
from orchestrator.publish.waiting import told_as_held
from orchestrator.run.execute import execute
from orchestrator.run.fleet import Fleet, builders_of
from orchestrator.run.record import record
from orchestrator.run.recover import Recovered as Recovered
from orchestrator.run.recover import plan_to_resume, to_resume
from orchestrator.run.recover import recover as recover_runs


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
    crash: CrashPoints = NO_CRASH
    sboms: Sboms = NO_SBOMS
    scanner: Scanner | None = None
    channels: Channels = NO_CHANNELS
    #: Set when somebody wants the end at once: no door sits out a pause then.
    hurry: threading.Event = field(default_factory=threading.Event)


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
    seen, decisions = _decided(hierarchy, doors, wish, plan_id, selected)
    if wish.remember:
        note_sightings(hierarchy, seen, doors.history, doors.clock.now_s())
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


def _decided(
    hierarchy: Hierarchy,
    doors: Doors,
    wish: Wish,
    plan_id: str,
    selected: frozenset[str] | None,
) -> tuple[Observations, tuple[Decision, ...]]:
    """Look at images and decide on them; a selection takes its canaries along, and is repeated."""
    without = wish.chosen.without if wish.chosen else frozenset[str]()
    taken: dict[str, str] = {}
    while True:
        seen = look(hierarchy, doors, wish.forced, plan_id, selected, unsoaked=wish.unsoaked)
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
        moving = [d.image for d in decisions if may_be_promoted(d)]
        more = {} if selected is None else with_canaries(hierarchy, selected, moving, without)
        if selected is None or not more:
            return seen, told_as_held(taken_along(decisions, taken), doors.history, hierarchy)
        taken |= more
        selected |= more.keys()


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
    begins: Callable[[], None] = lambda: None,
) -> tuple[PackageAnswer, ...]:
    """Ask what is current for package updates, and keep the answers; also of what it stands on.

    Args:
        hierarchy: what should be.
        doors: the outside world.
        chosen: the images.
        cancelled: when set, nobody else is asked.
        heard: is told every answer at once, in any thread.
        begins: called when it is known whom to ask, before anybody is.
    """
    asked = with_ancestors(hierarchy, chosen.images)
    currents = asking.packaged_currents(hierarchy, doors.registry, asked)
    begins()
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
    builders = builders_of(hierarchy, intent.slots)
    slots = sum(builder.slots for builder in builders)
    slots = min(intent.slots or slots, slots)

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
            sboms=doors.sboms,
            revision=revision,
            run=started.id,
            planned=plan.date,
            log_dir=f"{intent.log_dir}/{started.id}",
            progress=progress,
            stopping=intent.stopping,
            cancelled=intent.cancelled,
            fleet=Fleet(builders, doors.builder, doors.clock, progress, at_most=slots),
            until_s=intent.until_s,
            crash=doors.crash,
            fail_fast=intent.fail_fast,
        )

    for event in record(execute(plan, started, slots, site), doors.history, doors.crash):
        if isinstance(event, RunFinished) and seen is not None:
            now_s = doors.clock.now_s()
            note_absorbed(hierarchy, plan, seen, doors.history, now_s, event)
        yield event


def verify(
    saved: Plan,
    hierarchy: Hierarchy,
    doors: Doors,
    max_age_s: float | None = None,
    *,
    again: str = "",
) -> Observations:
    """Return what is seen of the images that a saved plan has steps for.

    Refuse a saved plan that is too old or whose inputs moved; what it did itself is done.

    Args:
        saved: the plan.
        hierarchy: as the file says now.
        doors: the outside world.
        max_age_s: seconds that it may be old; None: whatever it says itself.
        again: the command that makes one like it; empty: one that saves it.

    Raises:
        StalePlan: naming everything that moved.
    """
    again = again or command_again(saved)
    old = too_old(saved, doors.clock.now_s(), max_age_s)
    if old:
        raise StalePlan((old,), hint=f"make a new one: `{again}`")
    planned = frozenset(step.image for step in saved.steps)
    if hierarchy.promote is Promote.MANUAL:
        # What a parent is built on as, while it waits, is known by its files alone; one that the
        # plan left out is built on as what is current.
        planned |= with_ancestors(hierarchy, planned) - left_out(saved)
    seen = look(hierarchy, doors, selected=planned, unsoaked=frozenset(saved.unsoaked))
    note_sightings(hierarchy, seen, doors.history, doors.clock.now_s())
    moved = moved_since(saved, hierarchy, seen)
    moved += lost_copies(saved, hierarchy, doors.registry)
    if moved:
        raise StalePlan(moved, hint=f"make a new one: `{again}`")
    return seen


def recover(hierarchy: Hierarchy, doors: Doors) -> Iterator[Recovered]:
    """Settle what dead runs of a hierarchy left; whoever calls holds it.

    See :func:`orchestrator.run.recover.recover`.
    """
    return recover_runs(
        hierarchy,
        registry=doors.registry,
        history=doors.history,
        clock=doors.clock,
        crash=doors.crash,
    )


def left_of(run_id: str | None, hierarchy: Hierarchy, doors: Doors) -> tuple[Run, Plan] | None:
    """Return a run that was cut short, and its plan; None: nothing is to be resumed.

    Args:
        run_id: the run, or an unambiguous prefix; None: the newest that was cut short.
        hierarchy: whose run it must be.
        doors: the outside world.

    Raises:
        UsageError: the run that was named is none that can be resumed.
        Conflict: its plan was kept by another version, or is damaged.
    """
    run = to_resume(hierarchy, doors.history, run_id)
    made = plan_to_resume(run, doors.history) if run else None
    return (run, made) if run and made else None


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
