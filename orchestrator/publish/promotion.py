"""Which floating tags a run moves at its end, in the first registry and wherever copies are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from orchestrator.doors.protocols import Registry
from orchestrator.doors.protocols_crash import NO_CRASH, CrashPoints
from orchestrator.doors.protocols_history import History
from orchestrator.errors import RegistryUnavailable
from orchestrator.model.hierarchy import Hierarchy, Promote
from orchestrator.model.names import parse_repository
from orchestrator.model.plan import Plan
from orchestrator.model.run import (
    HeldBy,
    JournalledMove,
    MoveState,
    Outcome,
    StepResult,
)
from orchestrator.publish.spread import PARALLEL, copied_moves
from orchestrator.publish.tags import held, promote


def promote_everywhere(
    wanted: tuple[JournalledMove, ...],
    hierarchy: Hierarchy,
    registry: Registry,
    history: History,
    run: str,
    crash: CrashPoints = NO_CRASH,
    *,
    stands_on: Mapping[str, Collection[str]] | None = None,
    whole: bool = False,
) -> Iterator[JournalledMove]:
    """Move floating tags in the first registry, then wherever copies are; yield each as it settles.

    Args:
        wanted: where the tags of the first registry should be, parents before children; those that
            are there are no move, and those that are held are only written down.
        hierarchy: knows the further repositories.
        registry: the door.
        history: gets the journal.
        run: its id.
        crash: told where a test may kill the process.
        stands_on: image id → ids of images without whose tags its own do not move.
        whole: move none where somebody else moved one of the tags.
    """
    stuck: set[tuple[str, str]] = set()
    moves = tuple(move for move in wanted if move.was != move.now)
    if whole:
        moves = all_or_none(moves, registry)
    for move in promote(moves, registry, history, run, crash, stands_on):
        if not move.state.is_success:
            stuck.add((move.image, move.tag))
        yield move
    # Where the first registry could not follow, the others stay with it.
    there = [move for move in wanted if (move.image, move.tag) not in stuck]
    yield from promote(copied_moves(there, hierarchy, registry), registry, history, run, crash)


def all_or_none(
    moves: tuple[JournalledMove, ...], registry: Registry
) -> tuple[JournalledMove, ...]:
    """Hold all moves where one could not be done, because somebody else moved its tag."""

    def is_possible(move: JournalledMove) -> bool:
        try:
            seen = registry.resolve(parse_repository(move.repository), move.tag)
        except RegistryUnavailable:
            # The move itself will fail and say why.
            return True
        return seen in (move.was, move.now)

    due = tuple(move for move in moves if move.state is not MoveState.HELD)
    with ThreadPoolExecutor(PARALLEL, "promote") as pool:
        possible = dict(zip(due, pool.map(is_possible, due), strict=True))
    lost = next((move.image for move in due if not possible[move]), None)
    if lost is None:
        return moves
    found = {
        move: held(move, HeldBy.RUN, lost) if fine else replace(move, state=MoveState.CONFLICT)
        for move, fine in possible.items()
    }
    return tuple(found.get(move, move) for move in moves)


def moves_of(plan: Plan, results: Mapping[str, StepResult]) -> tuple[JournalledMove, ...]:
    """Return where floating tags should be, parents before children.

    Those of every image whose own chain succeeded; the ones that this run may not move are held,
    and say why.
    """
    holds = _holds(plan, results)
    moves = (
        JournalledMove(
            image=step.image,
            repository=step.repository,
            tag=move.tag,
            was=move.expects,
            now=results[step.image].digest,
        )
        for step in plan.steps
        if results[step.image].outcome.is_success
        for move in step.floating
    )
    return tuple(held(move, *holds[move.image]) if move.image in holds else move for move in moves)


def _holds(plan: Plan, results: Mapping[str, StepResult]) -> dict[str, tuple[HeldBy, str]]:
    """Return image id → why it is not promoted, of images that passed on another digest.

    The gravest reason counts: a canary, then a parent that is held itself, then what was asked for.
    """
    found: dict[str, tuple[HeldBy, str]] = {}
    new = [
        step
        for step in plan.steps
        if results[step.image].outcome.is_success and results[step.image].digest != step.current
    ]
    for step in new:
        for canary in plan.canaries.get(step.image, ()):
            # One without a step stands on something else, or was left out: it proves nothing.
            if canary not in results or not results[canary].outcome.is_success:
                found[step.image] = (HeldBy.CANARY, canary)
                break
        else:
            doubted = next((n for n in step.needs if n in found and _is_doubt(found[n])), None)
            if doubted is not None:
                found[step.image] = (HeldBy.PARENT, doubted)
            elif plan.promote is Promote.MANUAL:
                found[step.image] = (HeldBy.MANUAL, "")
    if plan.promote is Promote.ALL:
        failed = _first_failure(results.values())
        # A canary that was left out has not failed, and holds all the same.
        lost = [failed.image] if failed else [why for _, why in found.values()]
        for step in new if lost else ():
            found.setdefault(step.image, (HeldBy.RUN, lost[0]))
    return found


def _is_doubt(why: tuple[HeldBy, str]) -> bool:
    return why[0] in (HeldBy.CANARY, HeldBy.PARENT)


def _first_failure(results: Iterable[StepResult]) -> StepResult | None:
    """Return what kept a run from passing: a failure rather than what it blocked."""
    left = [result for result in results if not result.outcome.is_success]
    left.sort(key=lambda result: result.outcome is not Outcome.FAILED)
    return left[0] if left else None
