"""A run taken back: its digests rejected wherever they are, its floating tags where they were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace

from orchestrator.doors.protocols import Clock, Registry
from orchestrator.doors.protocols_crash import NO_CRASH, CrashPoints
from orchestrator.doors.protocols_history import History
from orchestrator.errors import CheckFailed, RegistryUnavailable, UsageError
from orchestrator.model.crash import CrashPoint
from orchestrator.model.event import Event
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.names import Repository, parse_repository
from orchestrator.model.run import HeldBy, JournalledMove, MoveState, Run
from orchestrator.observe.observations import is_rejected
from orchestrator.publish.moving import moving
from orchestrator.publish.tags import lift_rejection, reject, settle_moves
from orchestrator.publish.transfer import Transfer, copy_index


def run_to_undo(run_id: str, hierarchy: Hierarchy, history: History) -> Run:
    """Return the run that is to be taken back.

    Args:
        run_id: its id, or an unambiguous prefix.
        hierarchy: whose run it must be.
        history: the diary.

    Raises:
        UsageError: there is no such run, or it is another hierarchy's.
    """
    undone = history.run(run_id)
    if undone is None:
        raise UsageError(f"no run {run_id!r}", hint="`orchestrate history` lists the runs")
    require_own(undone, hierarchy)
    return undone


def require_own(run: Run, hierarchy: Hierarchy) -> None:
    """Refuse another hierarchy's run: one database has them all, and a short id may hit any.

    Raises:
        UsageError: it is another one's.
    """
    if run.hierarchy != hierarchy.name:
        raise UsageError(
            f"run {run.id} is of hierarchy {run.hierarchy}, this is {hierarchy.name}",
            hint=f"go to {run.hierarchy}'s directory, or name it with -C or --file",
        )


def still_held(moves: tuple[JournalledMove, ...], registry: Registry) -> tuple[JournalledMove, ...]:
    """Return a run's moves without those that it held and somebody has promoted or rejected.

    What it could not move is as good as held: a later run would promote it. One that failed is
    moved if its tag is there: only the answer was lost.
    """
    return tuple(now for move in moves if (now := _as_it_stands(move, registry)) is not None)


def _as_it_stands(move: JournalledMove, registry: Registry) -> JournalledMove | None:
    lost = move.state in (MoveState.FAILED, MoveState.CONFLICT)
    if move.now is None or not (lost or move.state is MoveState.HELD):
        return move
    repository = parse_repository(move.repository)
    try:
        if registry.resolve(repository, move.tag) == move.now:
            return replace(move, state=MoveState.MOVED) if move.state is MoveState.FAILED else None
        if is_rejected(registry, repository, move.now):
            return None
    except RegistryUnavailable:
        if lost:
            return move
        raise
    return replace(move, state=MoveState.HELD)


def undo(
    moves: tuple[JournalledMove, ...],
    run: Run,
    hierarchy: Hierarchy,
    *,
    registry: Registry,
    history: History,
    clock: Clock,
    crash: CrashPoints = NO_CRASH,
) -> Iterator[Event]:
    """Do the moves that take a run back, and yield what happens.

    Args:
        moves: of :func:`orchestrator.publish.tags.rollback_moves`.
        run: the rollback itself.
        hierarchy: knows the images' further repositories.
        registry: the door.
        history: gets the journal.
        clock: for the end of the run.
        crash: told where a test may kill the process.
    """

    def undone() -> Iterator[JournalledMove]:
        # The journal first: a rollback that is killed is brought to its end, marks and tags.
        history.journal(run.id, moves)
        crash.reached(CrashPoint.JOURNAL_WRITTEN)
        mark_moves(moves, hierarchy, registry)
        crash.reached(CrashPoint.MARKED)
        yield from settle_moves(moves, registry, history, run.id, crash)

    return moving(run, undone(), clock)


def mark_moves(moves: Iterable[JournalledMove], hierarchy: Hierarchy, registry: Registry) -> None:
    """Reject what tags are to leave, and lift the rejection of what they go back to.

    Before any tag moves: whoever looks in between must not promote again what is taken back.
    """
    for move in moves:
        if (move.was and move.now) or move.held_by:
            _mark(move, hierarchy, registry)


def _mark(move: JournalledMove, hierarchy: Hierarchy, registry: Registry) -> None:
    """Reject what a tag is to leave, and lift the rejection of what it goes back to."""
    image = hierarchy.images.get(move.image)
    own = parse_repository(move.repository)
    if image is None or own not in image.copies:
        _mark_in(own, move, registry)
    for repository in image.copies if image else ():
        # A registry of copies that is away must not keep the first one from going back.
        with suppress(RegistryUnavailable, CheckFailed):
            if repository == own and image:
                _bring(image.repository, move, registry)
            _mark_in(repository, move, registry)


def _mark_in(repository: Repository, move: JournalledMove, registry: Registry) -> None:
    if move.now and move.held_by is not HeldBy.ROLLED_BACK:
        lift_rejection(registry, repository, move.now, move.was)
    if move.was and move.held_by in (None, HeldBy.ROLLED_BACK):
        reject(registry, repository, move.was)


def _bring(source: Repository, move: JournalledMove, registry: Registry) -> None:
    """Copy what a tag of a copy is to go back to, where it never was there."""
    target = parse_repository(move.repository)
    if move.now and registry.resolve(target, move.now) is None:
        copy_index(move.now, Transfer(registry=registry, source=source, target=target))
