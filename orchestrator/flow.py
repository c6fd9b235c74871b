"""The story of the product: load → observe → decide → plan → run, with history beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from orchestrator import adopt as adopting
from orchestrator import choose as choosing
from orchestrator import examine as examining
from orchestrator.adopt import Adopting
from orchestrator.build import Site
from orchestrator.decide import decide
from orchestrator.doors.protocols import Builder, BuildRequest, Clock, Files, Git, Registry, Spool
from orchestrator.doors.protocols_history import History
from orchestrator.errors import StalePlan, UsageError
from orchestrator.examine import Examination
from orchestrator.explain import explanation, statuses
from orchestrator.model.event import Event, StepProgress
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.observation import Observations
from orchestrator.model.orphan import Orphans
from orchestrator.model.plan import Decision, Plan, Verdict
from orchestrator.model.protection import Shelf
from orchestrator.model.run import Run
from orchestrator.model.status import Explanation, ImageStatus
from orchestrator.model.time import rfc3339, run_id
from orchestrator.observe import observe
from orchestrator.orphans import find_orphans
from orchestrator.plan import make_plan, make_step
from orchestrator.prepare import preview
from orchestrator.publish import rollback_moves
from orchestrator.record import record
from orchestrator.refuse import require_forcible, require_ground, retired_image, unknown_image
from orchestrator.run import execute
from orchestrator.select import Chosen, Selection, with_ancestors
from orchestrator.stale import moved_since
from orchestrator.stock import Stocktaking, take_stock
from orchestrator.undo import undo


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
        chosen: the images it is about; None: every image.
    """

    forced: frozenset[str] = frozenset()
    allow_dirty: bool = False
    suffix: str = "0000"
    chosen: Chosen | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """Who starts a run, and why.

    Attributes:
        command: build, apply, rollback or adopt.
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


def choose(
    hierarchy: Hierarchy, doors: Doors, selection: Selection, registry: str | None = None
) -> Chosen:
    """Return the images that selectors mean; see :func:`orchestrator.choose.choose`."""
    return choosing.choose(
        hierarchy,
        selection,
        files=doors.files,
        git=doors.git,
        history=doors.history,
        registry=registry,
    )


def plan(hierarchy: Hierarchy, doors: Doors, wish: Wish) -> Plan:
    """Return what a run would do, and why. Nothing is written anywhere.

    Raises:
        UsageError: an image that is to be forced does not exist, is retired or not selected; or
            one that is selected stands on one that is not and was never published.
        OrchestrateError: whatever :func:`orchestrator.observe.observe` raises.
    """
    selected = wish.chosen.only if wish.chosen else None
    require_forcible(wish.forced, hierarchy, selected)
    created_s = doors.clock.now_s()
    plan_id = run_id(created_s, wish.suffix)
    seen = look(hierarchy, doors, wish.forced, plan_id, selected)
    if selected is not None:
        require_ground(hierarchy, seen, selected)
    decisions = decide(
        hierarchy,
        seen,
        forced=wish.forced,
        epoch=plan_id,
        allow_dirty=wish.allow_dirty,
        selected=selected,
    )
    return make_plan(
        hierarchy,
        seen,
        decisions,
        plan_id=plan_id,
        created_s=created_s,
        forced=wish.forced,
        allow_dirty=wish.allow_dirty,
        selection=wish.chosen.terms if wish.chosen else (),
    )


def status(
    hierarchy: Hierarchy, doors: Doors, chosen: Chosen | None = None
) -> tuple[ImageStatus, ...]:
    """Return how images stand, every one or those chosen. Nothing is written anywhere."""
    images = chosen.only if chosen else None
    seen, decisions = _judged(hierarchy, doors, images)
    return statuses(hierarchy, seen, decisions, doors.clock.now_s(), images)


def _judged(
    hierarchy: Hierarchy, doors: Doors, images: frozenset[str] | None
) -> tuple[Observations, tuple[Decision, ...]]:
    """Look at images, or at all, and at what they stand on, which decides about them too."""
    selected = None if images is None else with_ancestors(hierarchy, images)
    seen = look(hierarchy, doors, selected=selected)
    return seen, decide(hierarchy, seen, selected=selected)


def orphans(hierarchy: Hierarchy, doors: Doors) -> Orphans:
    """Return what is published and in no file any more. Nothing is written anywhere."""
    return find_orphans(hierarchy, doors.registry, doors.history)


def digests(
    hierarchy: Hierarchy, doors: Doors, chosen: Chosen, plans: tuple[Plan, ...]
) -> tuple[Shelf, ...]:
    """Return every digest that tags name, and what protects it. Nothing is written anywhere.

    Args:
        hierarchy: what should be.
        doors: the outside world.
        chosen: whose repositories; what protects their digests may be anybody's.
        plans: saved ones that somebody may still apply.
    """
    taken = Stocktaking(
        hierarchy=hierarchy,
        seen=look(hierarchy, doors),
        registry=doors.registry,
        history=doors.history,
        plans=plans,
        now_s=doors.clock.now_s(),
    )
    return take_stock(taken, chosen.images)


def why(hierarchy: Hierarchy, doors: Doors, image: str) -> Explanation:
    """Return why an image would be built or why not. Nothing is written anywhere.

    Raises:
        UsageError: there is no such image.
    """
    if image not in hierarchy.images:
        raise unknown_image(image, hierarchy)
    images = frozenset((image,))
    seen, decisions = _judged(hierarchy, doors, images)
    (found,) = statuses(hierarchy, seen, decisions, doors.clock.now_s(), images)
    return explanation(hierarchy, seen, found)


def build_command(hierarchy: Hierarchy, doors: Doors, image: str) -> BuildRequest:
    """Return the build that a run would start for an image now.

    Parents that are about to be built are pinned to what is current; the SOURCE_DATE_EPOCH is the
    one of what is published, where there is something.

    Raises:
        UsageError: there is no such image, or a parent was never published.
    """
    if image not in hierarchy.images:
        raise unknown_image(image, hierarchy)
    if hierarchy.images[image].retired:
        raise retired_image(image)
    seen, decisions = _judged(hierarchy, doors, frozenset((image,)))
    decided = {d.image: replace(d, verdict=Verdict.KEEP) for d in decisions}
    step = make_step(hierarchy.images[image], hierarchy, seen, decided)
    missing = [parent.subject for parent in step.parents if parent.digest is None]
    if missing:
        raise UsageError(
            f"{image} stands on {missing[0]}, which was never published",
            hint=f"build it first: `orchestrate build`, or ask `orchestrate why {missing[0]}`",
        )
    return preview(step, hierarchy, doors.files, doors.registry, seen.revision, doors.clock)


def look(
    hierarchy: Hierarchy,
    doors: Doors,
    forced: frozenset[str] = frozenset(),
    epoch: str = "",
    selected: frozenset[str] | None = None,
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
    )


def run(plan: Plan, hierarchy: Hierarchy, doors: Doors, intent: Intent) -> Iterator[Event]:
    """Carry a plan out; every event has been written to the history when it is yielded."""
    started = _begin(hierarchy, doors, intent, plan.revision, plan.id)
    revision = doors.git.revision()
    slots = intent.slots or hierarchy.builders[0].slots

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
            turns=threading.BoundedSemaphore(slots),
        )

    yield from record(execute(plan, started, slots, site), doors.history)


def verify(saved: Plan, hierarchy: Hierarchy, doors: Doors) -> None:
    """Refuse a saved plan whose inputs moved since; what it did itself counts as done.

    Raises:
        StalePlan: naming everything that moved.
    """
    planned = frozenset(step.image for step in saved.steps)
    moved = moved_since(saved, hierarchy, look(hierarchy, doors, selected=planned))
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
        UsageError: there is no such run, or it is another hierarchy's.
        Conflict: it moved nothing that could be moved back.
    """
    undone = doors.history.run(run_id)
    if undone is None:
        raise UsageError(f"no run {run_id!r}", hint="`orchestrate history` lists the runs")
    if undone.hierarchy != hierarchy.name:
        # One database has them all, and a short id may hit any.
        raise UsageError(
            f"run {undone.id} is of hierarchy {undone.hierarchy}, this is {hierarchy.name}",
            hint=f"go to {undone.hierarchy}'s directory, or name it with -C or --file",
        )
    moves = rollback_moves(doors.history.moves(undone.id), images or None)
    started = _begin(hierarchy, doors, intent, "", "")
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
    started = _begin(hierarchy, doors, intent, str(revision or ""), "")
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
