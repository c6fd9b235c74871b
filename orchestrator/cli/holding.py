"""One run at a time for each hierarchy: a command's turn, and waiting for it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from secrets import token_hex
from typing import TYPE_CHECKING, Any, TypeVar

import click

from orchestrator.cli.environment import who
from orchestrator.cli.heart import beating, lasts_s
from orchestrator.cli.queue import Queue
from orchestrator.cli.recovering import recovered
from orchestrator.cli.selecting import choose
from orchestrator.cli.session import Session
from orchestrator.cli.workplace import Workplace, workplace
from orchestrator.errors import (
    Conflict,
    Interrupted,
    LeaseLost,
    OrchestrateError,
    StateUnavailable,
    UsageError,
)
from orchestrator.model.lease import Ask, Holder, Lease, Place

if TYPE_CHECKING:
    from orchestrator.cli.interrupts import Interrupts
    from orchestrator.decide.select import Selection

F = TypeVar("F", bound=Callable[..., Any])


def no_wait_option(function: F) -> F:
    """Add the option that ends a command which would have to wait for another one."""
    return click.option(
        "--no-wait",
        is_flag=True,
        envvar="ORCHESTRATE_NO_WAIT",
        help="End with exit code 4 where another run of the hierarchy is at work.",
    )(function)


def asked(
    session: Session,
    command: str,
    selection: Selection,
    *,
    trigger: str,
    because: str,
    force: tuple[str, ...] = (),
    no_soak: tuple[str, ...] = (),
    how: Mapping[str, object],
) -> Ask:
    """Return what a command line asks for, such that others can join it.

    Args:
        session: its registry counts.
        command: build or patch.
        selection: the images.
        trigger: what started it.
        because: why.
        force: images to build whatever is there.
        no_soak: upstreams that are not to soak.
        how: the options that all who join must have the same.
    """
    alike = {"command": command, "registry": session.settings.registry, **how}
    return Ask(
        command=command,
        who=who(),
        trigger=trigger,
        because=because,
        alike=json.dumps(alike, sort_keys=True),
        wanted=selection.wanted,
        exclude=selection.exclude,
        since=selection.since,
        forced=force,
        unsoaked=no_soak,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What came of asking for a turn.

    Attributes:
        place: where to work; its diary and its tags can be written only as long as the turn lasts.
        ask: what to do: what the command asked for, and what others added to it.
        joined: the run that will do it instead; None: this one.
        waited_s: seconds that the command waited.
    """

    place: Workplace
    ask: Ask
    joined: Place | None = None
    waited_s: float = 0.0

    @property
    def selection(self) -> Selection:
        """The images it is about."""
        from orchestrator.decide.select import Selection

        return Selection(wanted=self.ask.wanted, exclude=self.ask.exclude, since=self.ask.since)


@contextmanager
def holding(
    session: Session, command: str, *, no_wait: bool, fetch: bool = True
) -> Iterator[Workplace]:
    """Open a workplace in which nobody else is at work while the context lasts.

    Waits until those before have ended. For a command that no other one can do along with its own.

    Args:
        session: says which hierarchy.
        command: build, apply, rollback…
        no_wait: end where somebody is at work.
        fetch: as :func:`orchestrator.cli.workplace.workplace` takes it.

    Raises:
        Conflict: somebody is at work, and this one is not to wait, or somebody else does already.
        LeaseLost: another one took over, because this one was away for too long.
        Interrupted: a signal came while it waited.
        OrchestrateError: as :func:`orchestrator.cli.workplace.workplace` raises.
    """
    ask = Ask(command=command, who=who())
    with taking_turns(session, ask, no_wait=no_wait, fetch=fetch) as turn:
        yield turn.place


@contextmanager
def taking_turns(
    session: Session, ask: Ask, *, no_wait: bool, fetch: bool = True
) -> Iterator[Turn]:
    """Open a workplace in which nobody else is at work, or let another command do what is asked.

    See :func:`holding`. The files are read when the turn has come, not when it was asked for.

    Args:
        session: says which hierarchy.
        ask: what is to be done; its ``trees`` are added here.
        no_wait: end where somebody is at work.
        fetch: as :func:`orchestrator.cli.workplace.workplace` takes it.
    """
    lasting_s = lasts_s(session)
    with ExitStack() as stack:
        place = stack.enter_context(workplace(session, fetch=fetch))
        began_s = place.doors.clock.monotonic_s()
        if ask.alike:
            ask = replace(ask, trees=_trees(place))
        queue = Queue(
            hierarchy=place.hierarchy.name,
            leases=place.doors.history.leases,
            holder=holder_of(ask),
            ask=ask,
            lasts_s=lasting_s,
            check=lambda more: check(session, place, more),
        )
        got = queue.enter(session, place, no_wait=no_wait)
        if isinstance(got, Place):
            yield Turn(place=place, ask=ask, joined=got)
            return
        session.log("lease", hierarchy=got.hierarchy, epoch=got.epoch, holder=str(got.holder))
        leases = place.doors.history.leases
        done = False
        at_work: Interrupts | None = None

        def leave() -> None:
            undone = not done and not (at_work is not None and at_work.is_gentle)
            # Where it cannot be given back it ends by itself.
            with suppress(StateUnavailable):
                leases.release(got, undone=undone)

        heart = stack.enter_context(beating(leases, got, lasting_s, leave))
        place.interrupts.take_leave(leave)
        if queue.waited:
            # Whoever changed the files meanwhile wants what they say now.
            before = place.interrupts
            place = stack.enter_context(workplace(session, fetch=fetch, leave=leave))
            if before.number is not None:
                # It came just as the turn did.
                raise Interrupted(before.number)
            _require_same(place, got)
        at_work = place.interrupts
        heart.stop_when_lost(place.interrupts.stopping, place.interrupts.cancelled)
        waited_s = place.doors.clock.monotonic_s() - began_s if queue.waited else 0.0
        mine = fenced(place, got)
        _reached_lease(mine)
        recovered(session, mine)
        whole = _whole(session, mine, ask, got.joined)
        try:
            yield Turn(place=mine, ask=whole, waited_s=waited_s)
            done = True
        except OrchestrateError as error:
            if heart.lost is not None and not isinstance(error, LeaseLost):
                raise heart.lost from error
            raise


def joined_answer(session: Session, turn: Turn) -> int:
    """Answer a command whose work another one will do; returns the exit code."""
    from orchestrator.render.json import no_run_json

    other = turn.joined
    assert other is not None  # else there is a turn of one's own
    holder = other.holder
    who = {"command": holder.command, "who": holder.who, "since": other.since}
    if session.settings.quiet and not session.json:
        return 0
    line = f"joined the run that waits: {holder}, since {other.since}"
    return session.answer(
        lambda style: style.clean(line) + "\n", lambda: {**no_run_json(), "joined": who}
    )


def check(session: Session, place: Workplace, ask: Ask) -> None:
    """Refuse what no run could do, before another run is told to do it.

    Raises:
        UsageError: an image or an upstream does not exist.
    """
    from orchestrator.decide.refuse import require_forcible, require_upstreams

    chosen = choose(session, place, Turn(place=place, ask=ask).selection)
    require_forcible(frozenset(ask.forced), place.hierarchy, chosen.only)
    require_upstreams(frozenset(ask.unsoaked), place.hierarchy)


def _whole(session: Session, place: Workplace, ask: Ask, others: tuple[Ask, ...]) -> Ask:
    """Return what is to be done, with what others asked for meanwhile; say so."""
    from orchestrator.decide.joined import joined

    fit = []
    for other in others:
        try:
            check(session, place, other)
            fit.append(other)
        except UsageError as error:
            session.warn(f"left out what {other.who} asked for: {error.what}")
    whole, left = joined(ask, tuple(fit))
    for other in left:
        session.warn(
            f"what {other.who} asked for with `{other.command}` is not done: the run that it "
            "joined ended before its turn"
        )
    for other in fit:
        if other not in left:
            why = f": {other.because}" if other.because else ""
            session.say(session.err_style.clean(f"also for {other.who}{why}"))
    return whole


def _trees(place: Workplace) -> tuple[str, ...]:
    """Return names of the files as they are: where they are, and which commit they are of."""
    import hashlib

    from orchestrator.doors.process import this_machine

    text = place.doors.files.hierarchy_text()
    name = os.path.join(place.places.hierarchy_dir, os.path.basename(place.doors.files.name))
    trees = [f"{this_machine()} {os.path.realpath(name)}"]
    revision = place.doors.git.revision()
    if revision is not None and not revision.dirty:
        trees.append(f"{revision.commit} {hashlib.sha256(text).hexdigest()}")
    return tuple(trees)


def holder_of(ask: Ask) -> Holder:
    """Return this process, as others are told who is at work."""
    from orchestrator.doors.process import this_process

    return Holder(
        token=token_hex(8),
        command=ask.command,
        who=ask.who,
        pid=os.getpid(),
        process=this_process(),
    )


def fenced(place: Workplace, lease: Lease) -> Workplace:
    """Return a place whose diary and registry can be written only as long as a lease is good."""
    from orchestrator.doors.fenced_registry import FencedRegistry

    doors = place.doors
    leases = doors.history.leases
    return replace(
        place,
        doors=replace(
            doors,
            history=doors.history.fenced(lease),
            registry=FencedRegistry(doors.registry, lambda: leases.require(lease)),
        ),
    )


def _require_same(place: Workplace, lease: Lease) -> None:
    if place.hierarchy.name != lease.hierarchy:
        raise Conflict(
            f"while this command waited, hierarchy {lease.hierarchy} became {place.hierarchy.name}",
            hint="run it again",
        )


def _reached_lease(place: Workplace) -> None:
    from orchestrator.model.crash import CrashPoint

    place.doors.crash.reached(CrashPoint.LEASE_TAKEN)
