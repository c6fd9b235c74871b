"""Teams are told while a run goes on and at its end: never at its cost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from orchestrator.cli.command import Duration
from orchestrator.cli.environment import who
from orchestrator.cli.heart import beating, lasts_s
from orchestrator.cli.session import Session
from orchestrator.cli.streams import write_err
from orchestrator.cli.workplace import Workplace
from orchestrator.errors import OrchestrateError, StateUnavailable
from orchestrator.model.notified import Notified

if TYPE_CHECKING:
    from orchestrator.model.lease import Lease
    from orchestrator.model.run import Run

F = TypeVar("F", bound=Callable[..., Any])

#: Seconds between two looks whether another one has stopped sending, or a signal came.
_LOOK_S = 0.25
#: Telling a run may take so long, in seconds, however little time there is for sending.
_LEAST_S = 10.0
#: Seconds for what is under way when the time is over: most receivers answer by then, or never.
_LAST_S = 20.0
#: Seconds for what is broken off then, to be written down.
_FAREWELL_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """Whether a command tells teams, and for how long.

    Attributes:
        for_s: seconds after a run's end in which messages are sent; what is not sent by then waits.
        off: nobody is told; `notify drain` does it.
    """

    for_s: float = 30.0
    off: bool = False


def notify_options(function: F) -> F:
    """Add the options that say how teams are told; the command gets them as one ``notify``."""

    @wraps(function)
    def notifying(*args: Any, notify_for: float, no_notify: bool, **more: Any) -> Any:
        return function(*args, notify=Notify(for_s=notify_for, off=no_notify), **more)

    wrapped: Any = click.option(
        "--no-notify",
        is_flag=True,
        envvar="ORCHESTRATE_NO_NOTIFY",
        help="Tell no team; `orchestrate notify drain` does it later.",
    )(notifying)
    return cast(
        F,
        click.option(
            "--notify-for",
            metavar="DURATION",
            type=Duration(),
            default="30s",
            show_default=True,
            envvar="ORCHESTRATE_NOTIFY_FOR",
            help="Send notices for at most DURATION at the end; what is left then waits for the "
            "next run or for `orchestrate notify drain`.",
        )(wrapped),
    )


class Notifier:
    """Tells the teams of one hierarchy beside a run, and at its end. Raises nothing.

    Args:
        session: the command's.
        place: where it happens; its diary can be written only as long as the run may.
        notify: whether, and for how long.
    """

    def __init__(self, session: Session, place: Workplace, notify: Notify) -> None:
        self._session = session
        self._place = place
        self._notify = notify
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._let_go: Callable[[], None] = lambda: None

    def began(self, run: Run) -> None:
        """Tell that a run began, and send what is due from before, in a thread beside it."""
        if self._notify.off or not self._place.hierarchy.subscriptions:
            return
        self._thread = threading.Thread(
            target=self._beside, args=(run,), name="notices", daemon=True
        )
        self._thread.start()

    def ended(self) -> Notified:
        """Tell of everything that has ended, and send what is due, for as long as that may take.

        Nothing holds up the end of a run for longer, be it a registry that is slow or a receiver:
        what is under way a little later is left to itself, and to whoever comes next. Where a
        signal came, nothing is begun: the outbox keeps what is in it.
        """
        place, clock = self._place, self._place.doors.clock
        self._stopping.set()
        if self._notify.off:
            return Notified(left="--no-notify") if place.hierarchy.subscriptions else Notified()
        if place.interrupts.number is not None:
            if self._thread is not None:
                place.doors.hurry.set()
                self._thread.join(_FAREWELL_S)
            left = "this run was stopped; the next one sends, or `orchestrate notify drain`"
            return Notified(left=left) if place.hierarchy.subscriptions else Notified()
        # The run is over: what a signal stops from now on is the sending alone.
        place.interrupts.be_gentle(lambda grace_s: self._session.say("no more notices are sent"))
        for_s = self._notify.for_s
        end_s = clock.monotonic_s() + for_s

        def let_go() -> None:
            if self._thread is not None:
                # A receiver that hangs beside the run must not keep theirs from the others. What
                # comes of its message is recorded by nobody then: it gets it again.
                self._thread.join(for_s / 2)
                self._let_go()

        def tell() -> Notified:
            return told_and_sent(
                self._session,
                place,
                lambda: end_s - clock.monotonic_s(),
                place.interrupts.stopping,
                let_go,
            )

        told = in_time(place, tell, max(for_s, _LEAST_S), last_s=_LAST_S)
        return told or Notified(left="there was no answer in time; the next run goes on with it")

    def _beside(self, run: Run) -> None:
        place = self._place
        try:
            from orchestrator import telling

            telling.begin(run, place.hierarchy, place.doors, cancelled=self._stopping)
            if self._notify.for_s <= 0:
                return
            with sending(self._session, place, self._stopping, wait_s=0.0, got=self._got) as alone:
                if alone is not None:
                    # What it has sent is counted by nobody: it is of earlier runs.
                    telling.drain(alone.hierarchy, alone.doors, stopping=self._stopping)
        except OrchestrateError as error:
            self._session.log("notices", problem=error.what)
        except Exception as error:  # noqa: BLE001 - a thread beside a run must not break its output
            self._session.log("notices", problem=f"{type(error).__name__}: {error}")

    def _got(self, let_go: Callable[[], None]) -> None:
        self._let_go = let_go


def told_and_sent(
    session: Session,
    place: Workplace,
    left_s: Callable[[], float],
    stopping: threading.Event,
    let_go: Callable[[], None],
) -> Notified:
    """Tell of every run that has ended, and send what is due. Raises nothing.

    Args:
        session: the command's.
        place: where it happens.
        left_s: how many seconds sending may still take.
        stopping: nothing more is begun once it is set.
        let_go: lets nobody else of this process send.
    """
    told = Notified()
    try:
        from orchestrator import telling

        later = telling.announce(place.hierarchy, place.doors, cancelled=stopping)
        told = replace(told, later=later)
        if not telling.is_due(place.hierarchy, place.doors):
            return told
        let_go()
        began_s = left_s()
        if began_s <= 0:
            return replace(told, left="no time is left for it; the next run sends")
        with sending(session, place, stopping, wait_s=began_s) as alone:
            if alone is None:
                return replace(told, left="another process sends")
            if session.environment.err.terminal:
                session.say("telling the teams; Ctrl-C leaves the rest for the next run")
            sent = telling.drain(
                alone.hierarchy, alone.doors, stopping=stopping, limit_s=max(left_s(), 1.0)
            )
            return replace(sent, later=told.later)
    except OrchestrateError as error:
        return replace(told, problem=error.what)
    except Exception as error:  # noqa: BLE001 - what a run came to must be told all the same
        return replace(told, problem=f"{type(error).__name__}: {error}")


@contextmanager
def sending(
    session: Session,
    place: Workplace,
    stopping: threading.Event,
    *,
    wait_s: float,
    got: Callable[[Callable[[], None]], None] = lambda let_go: None,
) -> Iterator[Workplace | None]:
    """Be the only one who sends for a hierarchy while the context lasts; None: another one does.

    Args:
        session: the command's.
        place: where it happens.
        stopping: who waits gives up once it is set.
        wait_s: how long to wait for another one.
        got: is given what lets another one send, also where this one has not ended.
    """
    lease = _lease(session, place, stopping, wait_s)
    if lease is None:
        yield None
        return
    leases = place.doors.history.leases

    def leave() -> None:
        # Where it cannot be given back it ends by itself.
        with suppress(StateUnavailable):
            leases.release(lease)

    got(leave)
    with beating(leases, lease, lasts_s(session), leave) as heart:
        heart.stop_when_lost(stopping)
        history = place.doors.history.fenced(lease)
        yield replace(place, doors=replace(place.doors, history=history))


def _lease(
    session: Session, place: Workplace, stopping: threading.Event, wait_s: float
) -> Lease | None:
    from orchestrator.cli.holding import holder_of
    from orchestrator.model.lease import Ask
    from orchestrator.telling import sender_of

    clock, leases = place.doors.clock, place.doors.history.leases
    holder = holder_of(Ask(command="notify drain", who=who()))
    end_s = clock.monotonic_s() + wait_s
    while True:
        lease = leases.acquire(sender_of(place.hierarchy), holder, lasts_s(session))
        if lease is not None or stopping.is_set() or clock.monotonic_s() >= end_s:
            return lease
        clock.wait(stopping, _LOOK_S)


def in_time(
    place: Workplace, tell: Callable[[], Notified], limit_s: float, *, last_s: float | None = None
) -> Notified | None:
    """Tell in a thread of its own, which is asked to end when the time is over, or a signal came.

    Args:
        place: where it happens; nothing is begun there any more once the time is over.
        tell: what to do.
        limit_s: seconds until it is asked to end.
        last_s: seconds that it has for that; then it is broken off, and what has not been written
            a little later is as if nobody had begun it. None: as many as it needs.

    Returns:
        What came of it; None: it did not end.
    """
    found: list[Notified] = []
    wrong: list[BaseException] = []
    over = threading.Event()

    def work() -> None:
        try:
            found.append(tell())
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            wrong.append(error)
        finally:
            over.set()

    threading.Thread(target=work, name="telling", daemon=True).start()
    stopping = place.interrupts.stopping
    while limit_s > 0 and not stopping.is_set() and not over.wait(min(limit_s, _LOOK_S)):
        limit_s -= _LOOK_S
    if not over.is_set():
        stopping.set()
        if not over.wait(last_s):
            place.doors.hurry.set()
            over.wait(_FAREWELL_S)
    if wrong:
        raise wrong[0]
    return found[0] if found else None


def complain(session: Session, told: Notified) -> None:
    """Say on standard error, in a line, that telling teams failed; also where quiet is wanted."""
    style = session.err_style
    if told.problem:
        line = f"teams are not told: {told.problem}; the next run tells them"
        write_err(f"{style.warn('warning:')} {style.clean(line)}\n")
    if told.dead:
        names = ", ".join(dict.fromkeys(each.team for each in told.dead))
        line = f"notices were given up: {names}; `orchestrate notify` says which"
        write_err(f"{style.warn('warning:')} {style.clean(line)}\n")
