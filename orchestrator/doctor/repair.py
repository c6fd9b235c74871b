"""What `doctor --repair` mends: each thing is explained before it is touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from orchestrator.doctor.state import leftover_runs, lost_files, lost_logs
from orchestrator.doctor.subject import HealthDoors, Subject
from orchestrator.doors.protocols_history import History
from orchestrator.errors import LeaseLost, StateUnavailable
from orchestrator.model.finding import Code, Repair
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.lease import Holder
from orchestrator.model.run import MoveState, Run, RunState
from orchestrator.model.time import rfc3339, seconds_of
from orchestrator.run.recover import Recovered, recover

#: How long a hierarchy is held at most while one run is settled, in seconds; nobody renews that.
_LASTS_S = 600.0
#: Mends one thing, and returns in one sentence what came of it.
Mend = Callable[[], str]


def repairs(doors: HealthDoors, subject: Subject, holder: Holder) -> Iterator[tuple[Repair, Mend]]:
    """Yield what is wrong and can be mended, and what mends it; nothing is touched before.

    What the next run mends by itself is mended here too: runs that were cut short, temporary
    files of builds. A half copied mirror and a claim whose digest is gone need nothing: the next
    run copies what has no tag, and replaces such a claim.

    Args:
        doors: the outside world.
        subject: what is looked at; without a hierarchy the tags of no run can be moved.
        holder: who mends; holds a hierarchy while its runs are settled.

    Raises:
        StateUnavailable: the database cannot be read or written, and is not damaged.
    """
    try:
        facts = doors.state.facts()
    except StateUnavailable as error:
        if "damaged" not in error.what or "://" in subject.state:
            raise
        yield _damaged(doors, subject, error.what)
        return
    if facts.faults:
        # Whatever else it says is not to be believed.
        yield _damaged(doors, subject, facts.faults[0])
    elif facts.format:
        dead = leftover_runs(doors, facts.running)
        yield from _runs(doors, subject.hierarchy, dead, holder)
        yield from _leftovers(doors, subject)


def _damaged(doors: HealthDoors, subject: Subject, damage: str) -> tuple[Repair, Mend]:
    repair = Repair(
        code=Code.DATABASE_SOUND,
        what=damage
        if subject.state in damage
        else f"database {subject.state} is damaged: {damage}",
        does="it is moved aside, and the next run makes a new one; lost are the list of past runs, "
        "claims, notices that were not sent yet, and when upstreams were first seen; nothing is "
        "built again for it: the registry is the truth",
    )
    return repair, lambda: f"it is at {doors.machine.move_aside(subject.state)} now"


def _runs(
    doors: HealthDoors, hierarchy: Hierarchy | None, dead: tuple[Run, ...], holder: Holder
) -> Iterator[tuple[Repair, Mend]]:
    ours = [run for run in dead if hierarchy and run.hierarchy == hierarchy.name]
    hanging = doors.history.unsettled(hierarchy.name) if hierarchy else ()
    hanging = tuple(run for run in hanging if run.state is not RunState.RUNNING)
    for run in (*reversed(ours), *hanging):
        assert hierarchy is not None  # else it has no runs
        yield _run(doors, hierarchy, run, holder)
    for run in dead:
        if run not in ours:
            yield _foreign_run(doors, run, holder)


def _run(doors: HealthDoors, hierarchy: Hierarchy, run: Run, holder: Holder) -> tuple[Repair, Mend]:
    left = sum(move.state is MoveState.PLANNED for move in doors.history.moves(run.id))
    tags = f"{left} tag{'' if left == 1 else 's'}"
    moved = f"{tags} on their way are moved, unless somebody moved them meanwhile"
    if run.state is RunState.RUNNING:
        what = f"run {run.id} ({run.command}) never ended, and nobody is at it: it was killed"
        marked = "it is marked as interrupted; `orchestrate resume` does what its plan left"
        does = f"{moved}; {marked}" if left else marked
    else:
        what, does = f"run {run.id} left {tags} on their way", moved
    repair = Repair(code=Code.DATABASE_RUNS, what=what, does=does)

    def settle(history: History) -> str:
        found = recover(
            hierarchy,
            registry=doors.registry,
            history=history,
            clock=doors.clock,
            is_dead=lambda each: each.id == run.id,
        )
        return _settled(next((each for each in found if each.run.id == run.id), None))

    return repair, lambda: _alone(doors.history, hierarchy.name, holder, settle)


def _alone(
    history: History, hierarchy: str, holder: Holder, settle: Callable[[History], str]
) -> str:
    """Do something while nobody else is at work for a hierarchy; a run may have begun meanwhile."""
    lease = history.leases.acquire(hierarchy, holder, _LASTS_S)
    if lease is None:
        return "another run is at work by now, and settles it itself"
    # Whose turn they had joined is gone as well.
    undone = "".join(
        f"; what {ask.who} asked for with `{ask.command}` is not done" for ask in lease.joined
    )
    try:
        return settle(history.fenced(lease)) + undone
    except LeaseLost:
        return "another run took over, and settles it itself"
    finally:
        history.leases.release(lease)


def _settled(found: Recovered | None) -> str:
    if found is None:
        return "somebody else has settled it meanwhile, or its registry does not answer"
    moved = sum(move.state.is_success for move in found.moves)
    said = f"{moved} of {len(found.moves)} tags moved; " if found.moves else ""
    return f"{said}{'nothing of it is left' if found.whole else 'it is settled'}"


def _foreign_run(doors: HealthDoors, run: Run, holder: Holder) -> tuple[Repair, Mend]:
    repair = Repair(
        code=Code.DATABASE_RUNS,
        what=f"run {run.id} of hierarchy {run.hierarchy} never ended, and nobody is at it",
        does="it is marked as interrupted; its tags are settled by the next run in that "
        "hierarchy's directory",
    )

    def mark(history: History) -> str:
        now = history.run(run.id)
        if now is None or now.state is not RunState.RUNNING:
            return "somebody else has settled it meanwhile"
        # Never before it began, whatever this clock says.
        ended_s = max(doors.clock.now_s(), seconds_of(run.started_at))
        history.finish_run(run.id, RunState.INTERRUPTED, rfc3339(ended_s))
        return "it is marked as interrupted"

    return repair, lambda: _alone(doors.history, run.hierarchy, holder, mark)


def _leftovers(doors: HealthDoors, subject: Subject) -> Iterator[tuple[Repair, Mend]]:
    logs, spool = subject.logs, doors.machine.spool_dir
    for entry in lost_logs(doors, subject):
        yield _removal(
            doors, Code.LEFTOVER_LOGS, f"{logs}/{entry.name}", "has logs of a run nobody knows"
        )
    for entry in lost_files(doors):
        yield _removal(
            doors,
            Code.LEFTOVER_FILES,
            f"{spool}/{entry.name}",
            "was left by a build that was killed",
        )


def _removal(doors: HealthDoors, code: Code, path: str, why: str) -> tuple[Repair, Mend]:
    def mend() -> str:
        doors.machine.remove(path)
        return "it is gone"

    return Repair(code=code, what=f"{path} {why}", does="it is removed"), mend
