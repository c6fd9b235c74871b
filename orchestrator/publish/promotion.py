"""Which floating tags a run moves at its end, in the first registry and wherever copies are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from orchestrator.doors.protocols import Registry
from orchestrator.doors.protocols_history import History
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.plan import Plan
from orchestrator.model.run import (
    JournalledMove,
    StepResult,
)
from orchestrator.publish.spread import copied_moves
from orchestrator.publish.tags import promote


def promote_everywhere(
    wanted: tuple[JournalledMove, ...],
    hierarchy: Hierarchy,
    registry: Registry,
    history: History,
    run: str,
) -> Iterator[JournalledMove]:
    """Move floating tags in the first registry, then wherever copies are; yield each as it settles.

    Args:
        wanted: where the tags of the first registry should be; those that are there are no move.
        hierarchy: knows the further repositories.
        registry: the door.
        history: gets the journal.
        run: its id.
    """
    stuck: set[tuple[str, str]] = set()
    moves = tuple(move for move in wanted if move.was != move.now)
    for move in promote(moves, registry, history, run):
        if not move.state.is_success:
            stuck.add((move.image, move.tag))
        yield move
    # Where the first registry could not follow, the others stay with it.
    there = [move for move in wanted if (move.image, move.tag) not in stuck]
    yield from promote(copied_moves(there, hierarchy, registry), registry, history, run)


def moves_of(plan: Plan, results: Mapping[str, StepResult]) -> tuple[JournalledMove, ...]:
    """Return where floating tags should be: those of images whose own chain succeeded."""
    return tuple(
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
