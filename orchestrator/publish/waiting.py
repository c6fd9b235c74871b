"""What waits for its promotion: as the registry tells it, and as the journals of runs do. Reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache

from orchestrator.decide.verdicts import floating_tags
from orchestrator.doors.protocols import Registry
from orchestrator.doors.protocols_history import History
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.names import parse_repository
from orchestrator.model.observation import Observations
from orchestrator.model.plan import Cause, Decision
from orchestrator.model.run import HeldBy, JournalledMove, MoveState, Waiting
from orchestrator.observe.observations import is_rejected
from orchestrator.publish.held import as_tagged, why_no_more

#: Runs whose start is known.
_RUNS = 1000


def told_as_held(
    decisions: tuple[Decision, ...], history: History, hierarchy: Hierarchy
) -> tuple[Decision, ...]:
    """Return decisions whose images that wait name the newest run that holds them.

    Where the diary does not know, it is the run that built them, which promotes them as well.
    """
    if not any(r.cause is Cause.UNPROMOTED for d in decisions for r in d.reasons):
        return decisions
    runs: dict[tuple[str, str | None], str] = {}
    for run, move in history.held(hierarchy.name):
        runs.setdefault((move.image, move.now), run)
    return tuple(
        replace(
            d,
            reasons=tuple(
                replace(r, subject=runs.get((d.image, r.now), r.subject))
                if r.cause is Cause.UNPROMOTED
                else r
                for r in d.reasons
            ),
        )
        for d in decisions
    )


def waiting_moves(
    hierarchy: Hierarchy, seen: Observations, decisions: Iterable[Decision], run: str
) -> dict[str, tuple[JournalledMove, ...]]:
    """Return run → the moves that would promote what it built, as the registry alone tells.

    Args:
        hierarchy: knows the repositories.
        seen: what the decisions were made on.
        decisions: about every image.
        run: id of the run, or its beginning, which several may have.
    """
    found: dict[str, tuple[JournalledMove, ...]] = {}
    for decision in decisions:
        image = hierarchy.images[decision.image]
        for reason in decision.reasons:
            if reason.cause is not Cause.UNPROMOTED or not reason.subject.startswith(run):
                continue
            moves = (
                JournalledMove(
                    image=image.id,
                    repository=str(image.repository),
                    tag=tag,
                    was=seen.tags[image.id].get(tag),
                    now=reason.now,
                    state=MoveState.HELD,
                    held_by=HeldBy.MANUAL,
                )
                for tag in floating_tags(image)
            )
            found[reason.subject] = (*found.get(reason.subject, ()), *moves)
    return found


def passed_since(
    images: Iterable[str],
    hierarchy: Hierarchy,
    seen: Observations,
    decisions: Iterable[Decision],
) -> frozenset[str]:
    """Return those images whose canaries have all passed on what waits of them by now.

    Args:
        images: ids; each waits for its promotion.
        hierarchy: names their canaries.
        seen: what is, also of the canaries and of what they stand on.
        decisions: about the same.
    """
    good = {
        decision.image
        for decision in decisions
        if decision.key in seen.candidates
        and not any(reason.cause is Cause.REJECTED for reason in decision.reasons)
    }
    return frozenset(i for i in images if good.issuperset(hierarchy.images[i].canaries))


def what_waits(hierarchy: Hierarchy, registry: Registry, history: History) -> tuple[Waiting, ...]:
    """Return what runs held and somebody may still promote, the oldest run first.

    Not what is promoted, rolled back or gone, what something newer waits behind, what tags of
    images are for that are somewhere else by now, and what is no image any more.
    """

    @cache
    def there(repository: str, tag: str) -> str | None:
        """Return where a tag is; years of runs held the same few."""
        return registry.resolve(parse_repository(repository), tag)

    runs = {run.id: run.started_at for run in history.runs(_RUNS)}
    every: dict[tuple[str, str], list[JournalledMove]] = {}
    for run, move in history.held(hierarchy.name):
        every.setdefault((move.image, run), []).append(move)
    found: dict[str, Waiting] = {}
    for (image, run), own in every.items():
        if image in found or why_no_more(own[0], hierarchy) is not None:
            continue
        moves = as_tagged(own, hierarchy.images[image], registry)
        if any(_waits(move, there(move.repository, move.tag), registry) for move in moves):
            found[image] = Waiting(run=run, started_at=runs.get(run, ""), moves=tuple(moves))
    return tuple(sorted(found.values(), key=lambda waits: waits.run))


def _waits(move: JournalledMove, seen: str | None, registry: Registry) -> bool:
    """Say whether a move can be done, given where its tag is."""
    if seen != move.was or move.now is None or move.now == seen:
        return False
    repository = parse_repository(move.repository)
    there = registry.resolve(repository, move.now) is not None
    return there and not is_rejected(registry, repository, move.now)
