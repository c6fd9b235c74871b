"""Runs that were cut short: their journals settled, and what is left of their plans.

Source: docs/adr/0019-recovery.md
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from orchestrator.decide.resumable import is_resumable
from orchestrator.doors.protocols import Clock, Registry
from orchestrator.doors.protocols_crash import NO_CRASH, CrashPoints
from orchestrator.doors.protocols_history import History
from orchestrator.errors import CheckFailed, Conflict, RegistryUnavailable, UsageError
from orchestrator.model.crash import CrashPoint
from orchestrator.model.hierarchy import Hierarchy, Promote
from orchestrator.model.names import parse_repository
from orchestrator.model.plan import Plan, Verdict
from orchestrator.model.run import HeldBy, JournalledMove, MoveState, Run, RunState
from orchestrator.model.time import rfc3339, seconds_of
from orchestrator.observe.observations import rejected_tag
from orchestrator.plan.kept import kept_plan
from orchestrator.publish.held import parents_of
from orchestrator.publish.pending import settle_pending
from orchestrator.publish.promotion import all_or_none
from orchestrator.publish.tags import do_move, held
from orchestrator.publish.undo import mark_moves

#: Runs whose plan is carried out again as it was kept.
_PLANNED = ("build", "apply", "patch", "resume")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """A run that was cut short, as it was found, and what became of its moves.

    Attributes:
        run: RUNNING: its process died.
        moves: those that had not ended, as they are now; PLANNED: their registry does not answer,
            and the next recovery asks again.
        whole: nothing of its plan is left, so that it is a run that succeeded.
    """

    run: Run
    moves: tuple[JournalledMove, ...]
    whole: bool = False


def recover(
    hierarchy: Hierarchy,
    *,
    registry: Registry,
    history: History,
    clock: Clock,
    crash: CrashPoints = NO_CRASH,
    is_dead: Callable[[Run], bool] = lambda run: True,
) -> Iterator[Recovered]:
    """Settle what dead runs left, the oldest first, and yield each when it is settled.

    Every move in a journal is done now, unless its tag is somewhere else by now or its digest was
    rolled back meanwhile; then what stands on its image is held, as the run would have done. The
    runs are marked as interrupted. In the end it is known what they have published. It may be
    killed and done again.

    Args:
        hierarchy: whose runs; the caller holds it, so that nobody else carries one out.
        registry: the door.
        history: the door.
        clock: the door.
        crash: told where a test may kill the process.
        is_dead: says of a run that never ended whether nobody is at it any more.

    Raises:
        StateUnavailable: the diary cannot be read or written.
    """
    for run in history.unsettled(hierarchy.name):
        if run.state is RunState.RUNNING and not is_dead(run):
            continue
        settled = tuple(_settle(run, hierarchy, registry, history))
        crash.reached(CrashPoint.RECOVERED)
        whole = _is_whole(run, hierarchy, history)
        if run.state is RunState.RUNNING or whole:
            # Never before it began, whatever this clock says.
            ended_s = max(clock.now_s(), seconds_of(run.started_at))
            state = RunState.SUCCEEDED if whole else RunState.INTERRUPTED
            history.finish_run(run.id, state, rfc3339(ended_s))
        elif all(move.state is MoveState.PLANNED for move in settled):
            continue  # Said before, and nothing is new.
        yield Recovered(run=run, moves=settled, whole=whole)
    settle_pending(hierarchy, registry, history, clock)


def _is_whole(run: Run, hierarchy: Hierarchy, history: History) -> bool:
    """Say whether every step of a run succeeded and every tag is where it was to go."""
    moves = history.moves(run.id)
    if run.command not in _PLANNED or any(move.state.is_fault for move in moves):
        return False
    try:
        plan = plan_to_resume(run, history)
    except Conflict:
        return False
    results = {result.image: result for result in history.results(run.id)}
    if plan is None or any(d.verdict is Verdict.FAIL for d in plan.decisions):
        return False
    moved = {(move.image, move.repository, move.tag) for move in moves}
    # Copies follow what moves, not what somebody is to promote.
    waits = {move.image for move in moves if move.state is MoveState.HELD}
    for step in plan.steps:
        result, image = results.get(step.image), hierarchy.images.get(step.image)
        if result is None or image is None or not result.outcome.is_success:
            return False
        for tag in step.floating:
            own = (step.image, step.repository, tag.tag)
            if tag.expects != result.digest and own not in moved:
                return False
            copies = image.copies if step.image not in waits else ()
            if any((step.image, str(copy), tag.tag) not in moved for copy in copies):
                return False
    return True


def _settle(
    run: Run, hierarchy: Hierarchy, registry: Registry, history: History
) -> Iterator[JournalledMove]:
    """Do the moves of a run that were left, and yield them as they are now."""
    journal = history.moves(run.id)
    if all(move.state is not MoveState.PLANNED for move in journal):
        return
    stands_on, whole = _bonds(run, journal, hierarchy, registry, history)
    untouched = whole and not any(move.state is MoveState.MOVED for move in journal)
    due = all_or_none(journal, registry) if untouched else journal
    stuck: dict[str, MoveState] = {}
    for before, move in zip(journal, due, strict=True):
        first = not _is_copy(move, hierarchy)
        below = stands_on.get(move.image, ()) if first else ()
        lost = next((parent for parent in below if parent in stuck), None)
        now = move
        if move.state is MoveState.PLANNED and lost is None:
            now = replace(move, state=_state_now(move, run, hierarchy, registry))
        elif move.state is MoveState.PLANNED and lost and stuck[lost] is not MoveState.PLANNED:
            now = held(move, HeldBy.PARENT, lost)
        if first and not now.state.is_success:
            stuck[move.image] = now.state
        if before.state is not MoveState.PLANNED:
            continue
        if now.state is not MoveState.PLANNED:
            history.settle(run.id, now, now.state)
        yield now


def _bonds(
    run: Run,
    moves: tuple[JournalledMove, ...],
    hierarchy: Hierarchy,
    registry: Registry,
    history: History,
) -> tuple[Mapping[str, Collection[str]], bool]:
    """Return whose tags follow whose, and whether none moves where one cannot.

    As the run's plan says; of a promotion by hand, as what it promotes was built.
    """
    with suppress(Conflict):
        plan = plan_to_resume(run, history)
        if plan is not None:
            needs = {step.image: step.needs for step in plan.steps}
            return needs, plan.promote is Promote.ALL
    if run.command != "promote":
        return {}, False
    first = {move.image: move for move in reversed(moves)}
    # Where a registry does not answer, its moves stay as they are in any case.
    found: dict[str, Collection[str]] = {}
    for image, move in first.items():
        with suppress(RegistryUnavailable):
            found[image] = parents_of(move, hierarchy, registry).keys()
    return found, False


def _is_copy(move: JournalledMove, hierarchy: Hierarchy) -> bool:
    image = hierarchy.images.get(move.image)
    return image is not None and parse_repository(move.repository) in image.copies


def _state_now(
    move: JournalledMove, run: Run, hierarchy: Hierarchy, registry: Registry
) -> MoveState:
    try:
        if run.command == "rollback":
            mark_moves((move,), hierarchy, registry)
        elif _is_rejected(move, registry):
            return MoveState.CONFLICT
        state = do_move(move, registry)
    except (RegistryUnavailable, CheckFailed):
        return MoveState.PLANNED
    # That is how a registry that does not answer looks; nobody knows where the tag is.
    return MoveState.PLANNED if state is MoveState.FAILED else state


def _is_rejected(move: JournalledMove, registry: Registry) -> bool:
    if move.now is None:
        return False
    repository = parse_repository(move.repository)
    return registry.resolve(repository, rejected_tag(move.now)) == move.now


def to_resume(hierarchy: Hierarchy, history: History, asked: str | None = None) -> Run | None:
    """Return the run to bring to its end; None: there is none.

    Args:
        hierarchy: whose.
        history: the door; :func:`recover` was there before.
        asked: the id that somebody named; None: the newest that was cut short, or the newest of
            all if it failed through nobody's fault. What a later run has carried out as well is
            not looked at then.

    Raises:
        UsageError: the one that was named is another hierarchy's, not known, or no run to resume.
    """
    unfinished = [run for run in history.unfinished(hierarchy.name) if run.command in _PLANNED]
    if asked is None:
        return next((run for run in unfinished if _is_next(run, hierarchy, history)), None)
    run = history.run(asked)
    if run is None:
        raise UsageError(f"no run {asked!r}", hint="`orchestrate history` lists the runs")
    if run.hierarchy != hierarchy.name:
        raise UsageError(
            f"run {run.id} is of hierarchy {run.hierarchy}, this is {hierarchy.name}",
            hint=f"go to {run.hierarchy}'s directory, or name it with -C or --file",
        )
    left = run.id in {each.id for each in unfinished}
    if left and (run.state is not RunState.FAILED or _may_go_on(run, history)):
        return run
    if run.command not in _PLANNED:
        raise UsageError(
            f"run {run.id} is a run of `{run.command}`, of which no plan is kept",
            hint="what it had begun is settled; start it again",
        )
    if left:
        raise UsageError(
            f"run {run.id} came to its end, and failed",
            hint="`orchestrate build state:failed` tries again what failed",
        )
    return None


def plan_to_resume(run: Run, history: History) -> Plan | None:
    """Return what a run was to do; None: it was killed before that was known.

    Raises:
        Conflict: the plan that is kept cannot be read.
    """
    text = history.kept_plan(run.id)
    return kept_plan(text) if text else None


def _is_next(run: Run, hierarchy: Hierarchy, history: History) -> bool:
    """Say whether a run is to be resumed where nobody names one."""
    later = [
        each
        for each in history.runs(100)
        if each.hierarchy == run.hierarchy
        and each.command in _PLANNED
        and (each.started_at, each.id) > (run.started_at, run.id)
    ]
    if run.state is RunState.FAILED:
        # What has come to its end is left alone once something else was tried.
        return not later and _may_go_on(run, history)
    return not _is_overtaken(run, later, hierarchy, history)


def _may_go_on(run: Run, history: History) -> bool:
    """Say whether a run that failed may come out otherwise, though its plan is the same."""
    last = {result.image: result for result in history.results(run.id)}
    return bool(history.kept_plan(run.id)) and is_resumable(last.values(), history.moves(run.id))


def _is_overtaken(run: Run, later: list[Run], hierarchy: Hierarchy, history: History) -> bool:
    """Say whether later runs have carried out all that an older one was to do.

    What is no image any more, or is retired, is nobody's to do.
    """
    later = [each for each in later if each.state in (RunState.SUCCEEDED, RunState.FAILED)]
    if not later:
        return False
    done = {image for image in hierarchy.images if hierarchy.images[image].retired}
    done |= {
        result.image
        for each in later
        for result in history.results(each.id)
        if result.outcome.is_success
    }
    try:
        plan = plan_to_resume(run, history)
    except Conflict:
        return True
    images = {step.image for step in plan.steps} if plan else set[str]()
    return images & hierarchy.images.keys() <= done
