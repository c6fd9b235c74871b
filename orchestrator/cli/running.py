"""What `build`, `apply` and `rollback` share: their options, and following a run to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TextIO, TypeVar, cast

import click

from orchestrator.cli.command import WholeNumber
from orchestrator.cli.environment import who
from orchestrator.cli.notifying import Notifier, Notify, complain
from orchestrator.cli.planning import suffix
from orchestrator.cli.session import Session
from orchestrator.cli.streams import ForgivingStderr, write_err
from orchestrator.cli.workplace import Workplace
from orchestrator.errors import OrchestrateError
from orchestrator.model.event import (
    Event,
    Notice,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
)
from orchestrator.model.notified import Notified

if TYPE_CHECKING:
    from orchestrator.cli.reports import Reporter
    from orchestrator.flow import Intent
    from orchestrator.model.run import Run
    from orchestrator.model.source import Revision

F = TypeVar("F", bound=Callable[..., Any])


def intent_options(function: F) -> F:
    """Add the options that say who starts a run, and why."""
    function = click.option(
        "--trigger",
        metavar="WORD",
        envvar="ORCHESTRATE_TRIGGER",
        help="What starts the run: manual, ci, schedule…",
    )(function)
    return click.option(
        "--because",
        metavar="TEXT",
        default="",
        envvar="ORCHESTRATE_BECAUSE",
        help="Why, for the history and for those who get the images.",
    )(function)


def slots_option(function: F) -> F:
    """Add the option that bounds how many builds run at once."""
    return click.option(
        "--slots",
        metavar="N",
        type=WholeNumber(1000),
        envvar="ORCHESTRATE_SLOTS",
        help="At most N builds at once, each of one platform; else what the builders have.",
    )(function)


def fail_fast_option(function: F) -> F:
    """Add the option that says how far a failure reaches."""
    return click.option(
        "--fail-fast/--keep-going",
        envvar="ORCHESTRATE_FAIL_FAST",
        help="Stop at the first failure and cancel what is running, or (the usual) go on with "
        "what does not stand on it. What passed is published and promoted either way.",
    )(function)


def grace_option(function: F) -> F:
    """Add the option that says how long builds may go on after the first signal."""
    return click.option(
        "--grace",
        metavar="SECONDS",
        type=WholeNumber(86400, least=0),
        default="30",
        show_default=True,
        envvar="ORCHESTRATE_GRACE",
        help="After Ctrl-C or SIGTERM running builds have SECONDS to end; what ends is published.",
    )(function)


def intent(
    session: Session,
    place: Workplace,
    command: str,
    *,
    because: str,
    trigger: str | None,
    slots: int | None = None,
    fail_fast: bool = False,
    resumes: str = "",
) -> Intent:
    """Return who starts a run, and why."""
    from orchestrator.flow import Intent

    return Intent(
        command=command,
        who=who(),
        trigger=trigger or session.environment.trigger,
        because=because,
        suffix=suffix(),
        slots=slots,
        log_dir=place.places.logs,
        stopping=place.interrupts.stopping,
        cancelled=place.interrupts.cancelled,
        fail_fast=fail_fast,
        resumes=resumes,
    )


def local_run(place: Workplace, command: str, revision: Revision | None) -> Run:
    """Return a run that starts now, of which nothing is kept.

    Args:
        place: where it happens.
        command: what people asked for.
        revision: where the tree stands in git; None outside.
    """
    from orchestrator.decide.wish import run_of
    from orchestrator.flow import Intent

    intent = Intent(command=command, who=who(), suffix=suffix(), log_dir=place.places.logs)
    started = run_of(intent, place.hierarchy, place.doors.clock.now_s(), str(revision or ""))
    return replace(started, id=f"local-{started.id}")


def follow(
    session: Session,
    place: Workplace,
    events: Iterator[Event],
    reporter: Reporter | None = None,
    *,
    grace_s: float = 0.0,
    notify: Notify,
) -> int:
    """Show a run while it happens, tell the teams, show its end, and return the exit code.

    The first signal from now on only stops what does not end within the grace; the journal gets
    complete.

    Args:
        session: says how to show it.
        place: where it happens.
        events: the run.
        reporter: writes what machines want of it; None: nothing.
        grace_s: how long what is at work may go on after a signal, in seconds.
        notify: whether teams are told, and for how long.
    """
    ended = watch(session, place, events, reporter, grace_s=grace_s, notify=notify)
    code = _end(session, ended)
    return report(session, place, ended.finished, reporter, code) if reporter else code


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run ended that was watched.

    Attributes:
        finished: its last event.
        told: what came of telling the teams.
        number: of the signal that stopped it; None: it was not stopped. One that came while teams
            were told has stopped that alone.
    """

    finished: RunFinished
    told: Notified
    number: int | None = None

    @property
    def code(self) -> int:
        """The exit code."""
        return code_of(self.finished, self.number)


def watch(
    session: Session,
    place: Workplace,
    events: Iterator[Event],
    reporter: Reporter | None = None,
    *,
    grace_s: float = 0.0,
    notify: Notify | None = None,
) -> Ended:
    """Show a run while it happens and return its end, which is not shown; see :func:`follow`.

    Without ``notify`` it is a run that no team hears of: of one for this machine alone.
    """
    from orchestrator.render.json_events import event_data, event_type
    from orchestrator.render.recovery import late_words, stopping_words

    finished: RunFinished | None = None
    at_work: dict[str, None] = {}
    notifier = Notifier(session, place, notify) if notify else None
    with _display(session) as show, closing(_closable(events)) as stream:

        def told(grace_s: float) -> None:
            for line in stopping_words(tuple(at_work), grace_s):
                show(Notice(text=line))

        place.interrupts.be_gentle(
            told, grace_s=grace_s, late=lambda: show(Notice(text=late_words(tuple(at_work))))
        )
        for event in stream:
            if isinstance(event, RunStarted) and notifier:
                notifier.began(event.run)
            elif isinstance(event, StepStarted):
                at_work[event.image] = None
            elif isinstance(event, StepFinished):
                at_work.pop(event.result.image, None)
            show(event)
            if reporter and (lost := reporter.take(event, place.doors.clock.now_s())):
                show(Notice(text=lost))
            if session.settings.verbose:
                session.log(event_type(event), **event_data(event))
            if isinstance(event, RunFinished):
                finished = event
    assert finished is not None  # every run ends with it, or raises
    number = place.interrupts.number
    notified = notifier.ended() if notifier else Notified()
    complain(session, notified)
    return Ended(finished=finished, told=notified, number=number)


def code_of(finished: RunFinished, number: int | None) -> int:
    """Return the exit code of a run that ended, or was stopped by a signal of that number."""
    from orchestrator.run.ends import exit_code

    return exit_code(finished) if number is None else 128 + number


def report(
    session: Session, place: Workplace, finished: RunFinished, reporter: Reporter, code: int
) -> int:
    """Write the reports; what the run came to outweighs that one of them cannot be written."""
    try:
        reporter.finished(finished, place)
    except OrchestrateError as error:
        from orchestrator.render.text import error_text

        write_err(error_text(error, session.err_style))
        return code or error.exit_code
    return code


def _closable(events: Iterator[Event]) -> Any:
    """Return the generator itself; an iterator that cannot be closed gets a close."""
    return events if hasattr(events, "close") else (event for event in events)


def _end(session: Session, ended: Ended) -> int:
    from orchestrator.render.deliveries import notified_json, notified_text
    from orchestrator.render.json import finished_json
    from orchestrator.render.text import finished_text

    finished, code = ended.finished, ended.code
    if code == 0 and session.settings.quiet and not session.json:
        return 0
    unwritten = session.answer(
        lambda style: finished_text(finished, style) + notified_text(ended.told, style),
        lambda: {**finished_json(finished), "notices": notified_json(ended.told)},
    )
    return code or unwritten


@contextmanager
def _display(session: Session) -> Iterator[Callable[[Event], None]]:
    """Give a function that shows an event; it may be called from any thread."""
    from orchestrator.render.lines import event_line

    style, progress = session.err_style, session.settings.progress
    if progress == "live":
        from time import monotonic

        from orchestrator.render.live import Live

        with Live(cast(TextIO, ForgivingStderr()), style, monotonic) as live:
            yield live.show
        return

    def show(event: Event) -> None:
        line = event_line(event, style)
        # A notice is worth a line in any case: somebody has just pressed Ctrl-C.
        if line is not None and (progress == "plain" or isinstance(event, Notice)):
            write_err(f"{line}\n")

    yield show
