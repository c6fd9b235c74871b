"""What people are told when a run is stopped, and of runs that were cut short before."""

from __future__ import annotations

from collections import Counter

from orchestrator.model.run import JournalledMove, MoveState, Run, RunState
from orchestrator.render.style import terminal_text
from orchestrator.render.words import counted, listed_up_to

#: Images named; a line has room for no more.
_MOST = 3


def stopping_words(at_work: tuple[str, ...], grace_s: float) -> tuple[str, ...]:
    """Return the lines that answer the first signal of a run.

    Args:
        at_work: images whose steps are under way.
        grace_s: how long they may go on, in seconds; 0: not at all.
    """
    if grace_s <= 0:
        return ("stopping the running builds; Ctrl-C again leaves at once",)
    if not at_work:
        return ("no new builds start, and none is running", *_HOW)
    verb = "has" if len(at_work) == 1 else "have"
    names = terminal_text(listed_up_to(at_work, _MOST))
    return (f"no new builds start; {names} {verb} {grace_s:.0f} s to end", *_HOW)


_HOW = ("Ctrl-C again leaves at once; `orchestrate resume` goes on later",)


def late_words(at_work: tuple[str, ...]) -> str:
    """Return the line that says whose grace is over."""
    names = terminal_text(listed_up_to(at_work, _MOST))
    return f"the grace is over: cancelling {names}" if at_work else "the grace is over"


def recovered_words(run: Run, moves: tuple[JournalledMove, ...], *, whole: bool = False) -> str:
    """Return one line about a run that was cut short before, and is settled now.

    Args:
        run: as it was found.
        moves: those of its moves that had not ended, as they are now.
        whole: nothing of it is left.
    """
    name = f"run {terminal_text(run.id)}"
    said = f"{name} left tags on their way"
    if run.state is RunState.RUNNING:
        said = f"{name} never ended: " + ("all of it is done" if whole else "marked as interrupted")
    return f"{said}{moves_words(moves)}"


def moves_words(moves: tuple[JournalledMove, ...]) -> str:
    """Return how the moves of a journal ended that nobody had ended, after a semicolon."""
    states = Counter(move.state for move in moves)
    told = []
    if done := states[MoveState.MOVED] + states[MoveState.LEFT]:
        told.append(f"{counted(done, 'tag')} moved")
    if states[MoveState.CONFLICT]:
        told.append(f"{counted(states[MoveState.CONFLICT], 'tag')} left where somebody put it")
    if states[MoveState.PLANNED]:
        told.append(f"{counted(states[MoveState.PLANNED], 'tag')} of a registry that is away")
    return f"; {', '.join(told)}" if told else ""
