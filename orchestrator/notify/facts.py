"""A run's diary in, facts that teams may hear of out: the same ones whoever asks, and how often.

Source: docs/adr/0025-outbox.md
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from orchestrator.doors.protocols_history import History
from orchestrator.model.announcement import Announcement, EventType, announcement_id
from orchestrator.model.hierarchy import Hierarchy, Image
from orchestrator.model.run import (
    FailureCause,
    JournalledMove,
    MoveState,
    Outcome,
    Run,
    RunState,
    StepResult,
)
from orchestrator.model.time import rfc3339, seconds_of
from orchestrator.notify.diary import RunDiary, images_by_name, is_own, read_diary
from orchestrator.notify.standing import before_s, standing_facts

#: Runs that are looked at for one that carried out the same plan before.
_REMEMBERED = 200

_BY_OUTCOME = {
    Outcome.UNCHANGED: EventType.IMAGE_UNCHANGED,
    Outcome.CUT_OFF: EventType.IMAGE_UNCHANGED,
    Outcome.FAILED: EventType.IMAGE_FAILED,
    Outcome.BLOCKED: EventType.IMAGE_BLOCKED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveFact:
    """A tag's move that teams may hear of.

    Attributes:
        id: of the fact.
        type: tag.moved, tag.rolled-back or image.held.
        image: whose tag, as the hierarchy has it now.
        move: as the journal has it.
    """

    id: str
    type: EventType
    image: Image
    move: JournalledMove


def started_of(run: Run) -> Announcement:
    """Return the fact that a run began."""
    return Announcement(
        id=announcement_id(run.hierarchy, EventType.RUN_STARTED, run.id),
        hierarchy=run.hierarchy,
        run=run.id,
        type=EventType.RUN_STARTED,
        subject=run.id,
        at=run.started_at,
    )


def facts_of(
    run: Run, hierarchy: Hierarchy, history: History, now_s: float
) -> tuple[Announcement, ...]:
    """Return what a run that is over has made so, and nobody was told; its end comes last.

    Not image.published, which the outbox has from the claim on, nor run.started. Facts about what
    is no image any more are left out, and so are those of copies, which follow their images.

    Args:
        run: which; see :func:`is_settled` for one that was killed.
        hierarchy: as it is now.
        history: the door.
        now_s: seconds since 1970; the time of what the diary has no time for.

    Raises:
        StateUnavailable: the diary cannot be read.
    """
    diary = read_diary(run, history)
    ended_s = max(seconds_of(run.finished_at) if run.finished_at else now_s, _began_s(run))

    def fact(type_: EventType, subject: str, id_: str, repository: str = "") -> Announcement:
        return Announcement(
            id=id_,
            hierarchy=run.hierarchy,
            run=run.id,
            type=type_,
            subject=subject,
            at=rfc3339(ended_s),
            repository=repository,
        )

    found = [
        fact(type_, image.id, announcement_id(run.hierarchy, type_, run.id, result.image))
        for type_, image, result in result_facts(diary, hierarchy)
    ]
    found += (
        fact(each.type, each.image.id, each.id, each.move.repository)
        for each in move_facts(diary, hierarchy, history)
    )
    found += standing_facts(
        hierarchy,
        history,
        max(now_s, _began_s(run)),
        run=run.id,
        since_s=before_s(hierarchy, history, run),
        unsoaked=frozenset(diary.plan.unsoaked) if diary.plan else frozenset(),
    )
    end = EventType.RUN_FINISHED
    found.append(fact(end, run.id, announcement_id(run.hierarchy, end, run.id)))
    told = history.outbox.told(tuple(each.id for each in found))
    return tuple(each for each in found if each.id not in told)


def parents_first(
    announcements: Iterable[Announcement], hierarchy: Hierarchy
) -> tuple[Announcement, ...]:
    """Return facts about images in the order of the hierarchy; what is of none comes first."""
    place = {image: number for number, image in enumerate(hierarchy.images)}
    known = images_by_name(hierarchy)
    return tuple(
        sorted(
            announcements,
            key=lambda each: place[known[each.subject].id] if each.subject in known else -1,
        )
    )


def artifacts_of(published: Iterable[Announcement]) -> tuple[Announcement, ...]:
    """Return the artifact.published of every image.published: one fact in another form."""
    type_ = EventType.ARTIFACT_PUBLISHED
    return tuple(
        Announcement(
            id=announcement_id(each.hierarchy, type_, each.repository, each.key, each.digest),
            hierarchy=each.hierarchy,
            run=each.run,
            type=type_,
            subject=each.subject,
            at=each.at,
            repository=each.repository,
            key=each.key,
            digest=each.digest,
        )
        for each in published
        if each.type is EventType.IMAGE_PUBLISHED
    )


def is_settled(run: Run, hierarchy: Hierarchy, history: History) -> bool:
    """Say whether what a run did is known for good, so that it can be told.

    It is not where a recovery could not ask a registry yet whether a tag was moved. A tag of what
    is no image any more, or is elsewhere by now, keeps nobody waiting, and neither does a copy's.
    """
    if run.state is RunState.RUNNING:
        return False
    known = images_by_name(hierarchy)
    return not any(
        move.state is MoveState.PLANNED
        and move.image in known
        and str(known[move.image].repository) == move.repository
        for move in history.moves(run.id)
    )


def result_facts(
    diary: RunDiary, hierarchy: Hierarchy
) -> Iterator[tuple[EventType, Image, StepResult]]:
    """Yield what is told of the steps of a run."""
    known = images_by_name(hierarchy)
    for result in diary.results.values():
        image, type_ = known.get(result.image), _BY_OUTCOME.get(result.outcome)
        if image is None or type_ is None or _is_open(result, diary.run):
            continue
        yield type_, image, result
        failure = result.failure
        if failure and failure.cause is FailureCause.CHECK and result.was:
            yield EventType.CHECK_REGRESSED, image, result


def _is_open(result: StepResult, run: Run) -> bool:
    """Say whether a failure may have been a try before another one, which was killed."""
    interrupted = run.state is RunState.INTERRUPTED
    return interrupted and result.failure is not None and result.failure.transient


def move_facts(diary: RunDiary, hierarchy: Hierarchy, history: History) -> Iterator[MoveFact]:
    """Yield what is told of the tags of a run: first what it held, an image once."""
    run, known = diary.run, images_by_name(hierarchy)
    own = [
        (known[move.image], move)
        for move in diary.moves
        if move.image in known and is_own(move, known[move.image])
    ]
    held: set[str] = set()
    for image, move in own:
        if move.state is not MoveState.HELD or image.id in held or move.held_by is None:
            continue
        held.add(image.id)
        # Night by night the same digest is held for the same reason: that is told once. One that
        # waits again because its rejection was taken back is told again.
        again = run.id if run.command == "rollback" else ""
        told = (move.repository, move.now or "", str(move.held_by), move.held_for, again)
        type_ = EventType.IMAGE_HELD
        id_ = announcement_id(run.hierarchy, type_, *told)
        yield MoveFact(id=id_, type=type_, image=image, move=move)
    undone = run.command == "rollback"
    type_ = EventType.TAG_ROLLED_BACK if undone else EventType.TAG_MOVED
    there = _already_there(diary, history)
    for image, move in own:
        place = (move.repository, move.tag)
        if not _has_moved(move) or there.get(place, "") == move.now:
            continue
        id_ = announcement_id(run.hierarchy, type_, run.id, *place)
        yield MoveFact(id=id_, type=type_, image=image, move=move)


def _has_moved(move: JournalledMove) -> bool:
    return move.state is MoveState.MOVED and move.held_by is None and move.was != move.now


def _already_there(diary: RunDiary, history: History) -> dict[tuple[str, str], str | None]:
    """Return where tags were put by earlier runs that carried out the same plan, or since it.

    A run that goes on with a plan says of every tag where the plan saw it, also of one that the
    first run had moved.
    """
    run, plan = diary.run, diary.plan
    if plan is None or run.command not in ("resume", "apply"):
        return {}
    earlier = [
        each
        for each in history.runs(_REMEMBERED)
        if each.hierarchy == run.hierarchy
        if plan.created <= each.started_at
        if (each.started_at, each.id) < (run.started_at, run.id)
    ]
    found: dict[tuple[str, str], str | None] = {}
    for each in reversed(earlier):
        for move in history.moves(each.id):
            if _has_moved(move):
                found[move.repository, move.tag] = move.now
    return found


def _began_s(run: Run) -> float:
    return seconds_of(run.started_at)
