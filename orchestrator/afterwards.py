"""What is done with a run that is over: it is taken back, or what it held is promoted."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from orchestrator.decide.select import with_ancestors
from orchestrator.decide.verdicts import decide
from orchestrator.decide.wish import run_of
from orchestrator.errors import UsageError
from orchestrator.flow import Doors, Intent, look
from orchestrator.model.event import Event
from orchestrator.model.hierarchy import Hierarchy, Promote
from orchestrator.model.run import HeldBy, JournalledMove, MoveState, Waiting
from orchestrator.publish.held import (
    Asked,
    carry_over,
    promotable,
    require_any,
)
from orchestrator.publish.tags import rollback_moves
from orchestrator.publish.undo import require_own, run_to_undo, still_held, undo
from orchestrator.publish.waiting import passed_since, waiting_moves, what_waits
from orchestrator.run.record import record


def rollback(
    run_id: str, images: frozenset[str], hierarchy: Hierarchy, doors: Doors, intent: Intent
) -> Iterator[Event]:
    """Move the floating tags of a run back, and reject what it had promoted.

    The digests rolled back stay rejected, in the registry too, until somebody asks. A rollback is
    itself a run, and can be rolled back: that asks for its digests again. What the run held is
    rejected as well, so that nobody promotes it.

    Args:
        run_id: the run to undo, or an unambiguous prefix.
        images: only these; empty: all that it moved or held.
        hierarchy: whose name the run gets.
        doors: the outside world.
        intent: who undoes it, and why.

    Raises:
        UsageError: there is no such run, or it is another hierarchy's.
        Conflict: it moved nothing that could be moved back.
    """
    undone = run_to_undo(run_id, hierarchy, doors.history)
    journal = still_held(doors.history.moves(undone.id), doors.registry)
    moves = rollback_moves(journal, images or None)
    yield from _carried_out(undo, moves, hierarchy, doors, intent)


def held_of(
    run_id: str, hierarchy: Hierarchy, doors: Doors
) -> tuple[str, tuple[JournalledMove, ...]]:
    """Return a run's id and the moves that it held; none: it held nothing that anybody knows of.

    Where the diary knows of none, the registry tells what the run built and nobody promoted.

    Args:
        run_id: the run, or an unambiguous prefix.
        hierarchy: whose run it must be.
        doors: the outside world.

    Raises:
        UsageError: it is another hierarchy's, or its id means several.
    """
    run = doors.history.run(run_id)
    if run is not None:
        require_own(run, hierarchy)
        moves = doors.history.moves(run.id)
        kept = tuple(move for move in moves if move.state is MoveState.HELD)
        if kept or hierarchy.promote is not Promote.MANUAL:
            return run.id, kept
    seen = look(hierarchy, doors)
    found = waiting_moves(hierarchy, seen, decide(hierarchy, seen), run.id if run else run_id)
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} runs whose images wait begin with {run_id!r}",
            hint=f"name one of them: {', '.join(sorted(found))}",
        )
    return next(iter(found.items()), (run.id if run else run_id, ()))


def promote(
    held: tuple[str, tuple[JournalledMove, ...]],
    images: frozenset[str],
    hierarchy: Hierarchy,
    doors: Doors,
    intent: Intent,
    *,
    despite_canaries: bool = False,
) -> Iterator[Event]:
    """Move the floating tags that a run held: a run of its own, which can be rolled back.

    Args:
        held: of :func:`held_of`.
        images: only these; empty: all that it held.
        hierarchy: whose name the run gets.
        doors: the outside world.
        intent: who promotes, and why.
        despite_canaries: also what failed its canary.

    Raises:
        Conflict: something that was named stays as it is, or nothing is left to promote.
    """
    run_id, moves = held
    asked = Asked(
        run=run_id,
        moves=moves,
        images=images or None,
        despite_canaries=despite_canaries,
        passed=_passed_since(moves, hierarchy, doors),
        led_to=_led_to(held, hierarchy, doors),
    )
    found = promotable(asked, hierarchy, doors.registry, doors.history)
    require_any(found, asked)
    yield from _carried_out(carry_over, found, hierarchy, doors, intent)


def _carried_out(
    act: Callable[..., Iterator[Event]],
    what: object,
    hierarchy: Hierarchy,
    doors: Doors,
    intent: Intent,
) -> Iterator[Event]:
    """Do something as a run of its own, and record it."""
    events = act(
        what,
        run_of(intent, hierarchy, doors.clock.now_s()),
        hierarchy,
        registry=doors.registry,
        history=doors.history,
        clock=doors.clock,
        crash=doors.crash,
    )
    yield from record(events, doors.history, doors.crash)


def _led_to(
    held: tuple[str, tuple[JournalledMove, ...]], hierarchy: Hierarchy, doors: Doors
) -> dict[str, str]:
    """Return image id → what its files lead to and waits, where newer runs hold something else.

    Files that are as they were again lead to what an older run built, and the plan says so.
    """
    run_id, moves = held
    mine = {move.image: move.now for move in moves}
    if hierarchy.promote is not Promote.MANUAL or not any(
        run > run_id and mine.get(move.image, move.now) != move.now
        for run, move in doors.history.held(hierarchy.name)
    ):
        return {}
    waits = look(hierarchy, doors).waiting
    return {image: waits[image].digest for image in mine if image in waits}


def _passed_since(
    moves: tuple[JournalledMove, ...], hierarchy: Hierarchy, doors: Doors
) -> frozenset[str]:
    """Return images that a canary held back and that have passed it in a later run."""
    doubted = {move.image: move.now for move in moves if move.held_by is HeldBy.CANARY}
    doubted = {image: now for image, now in doubted.items() if image in hierarchy.images}
    # Where runs promote, one in which the canary passes has promoted what it was for.
    if not doubted or hierarchy.promote is not Promote.MANUAL:
        return frozenset()
    canaries = {canary for image in doubted for canary in hierarchy.images[image].canaries}
    selected = with_ancestors(hierarchy, canaries)
    seen = look(hierarchy, doors, selected=selected)
    waits = {image for image, found in seen.waiting.items() if found.digest == doubted.get(image)}
    return passed_since(waits, hierarchy, seen, decide(hierarchy, seen, selected=selected))


def waiting(hierarchy: Hierarchy, doors: Doors) -> tuple[Waiting, ...]:
    """Return what runs held and somebody may still promote, the oldest run first. Reads only."""
    return what_waits(hierarchy, doors.registry, doors.history)
