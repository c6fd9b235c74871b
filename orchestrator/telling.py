"""What teams are told: when a run begins, when it is over, and what is left of that."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from math import inf

from orchestrator.errors import UsageError
from orchestrator.flow import Doors
from orchestrator.model.delivery import Delivery, DeliveryState, ReceiverState
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.message import Reception
from orchestrator.model.notified import Later, Notified, Tried, Unreached, Untold
from orchestrator.model.run import Run, RunState
from orchestrator.model.subscription import receiver_of
from orchestrator.model.target import Target
from orchestrator.notify import deliver as delivering
from orchestrator.notify import tell as telling
from orchestrator.notify.deliver import Delivering
from orchestrator.notify.sample import sample_message
from orchestrator.notify.tell import Telling


def sender_of(hierarchy: Hierarchy) -> str:
    """Return the name of the lease that one needs in order to send for a hierarchy.

    No hierarchy can be called that.
    """
    return f"{hierarchy.name}/notices"


def begin(run: Run, hierarchy: Hierarchy, doors: Doors, *, cancelled: threading.Event) -> None:
    """Tell that a run began: what is to be sent is in the outbox then.

    Raises:
        StateUnavailable: the diary cannot be read or written.
    """
    telling.started(run, _telling(hierarchy, doors, cancelled))


def announce(
    hierarchy: Hierarchy, doors: Doors, *, cancelled: threading.Event
) -> tuple[Later, ...]:
    """Tell of everything that has ended and that nobody was told: see :mod:`orchestrator.notify`.

    What is to be sent is in the outbox then; nothing is sent.

    Args:
        hierarchy: whose runs.
        doors: the outside world.
        cancelled: set it to stop; what is not told by then is told later.

    Returns:
        Runs that cannot be told yet.

    Raises:
        StateUnavailable: the diary cannot be read or written.
        LeaseLost: another run took over.
    """
    return telling.announce(_telling(hierarchy, doors, cancelled))


def killed(hierarchy: Hierarchy, doors: Doors) -> tuple[str, ...]:
    """Return the ids of runs that never ended and that nobody is at, the oldest first.

    Nobody is told of them yet: a recovery has to find out first what they have done.

    Raises:
        StateUnavailable: the diary cannot be read.
    """
    history = doors.history
    found = [run.id for run in history.unsettled(hierarchy.name) if run.state is RunState.RUNNING]
    if not found or history.leases.standing(hierarchy.name).active is not None:
        return ()
    # One may have ended, as all should, between the two questions.
    now = {name: history.run(name) for name in found}
    return tuple(name for name, run in now.items() if run and run.state is RunState.RUNNING)


def is_due(hierarchy: Hierarchy, doors: Doors) -> bool:
    """Say whether anything waits to be sent."""
    return doors.history.outbox.backlog(hierarchy.name).waiting > 0


def drain(
    hierarchy: Hierarchy,
    doors: Doors,
    *,
    stopping: threading.Event,
    limit_s: float = inf,
) -> Notified:
    """Send what is due; whoever calls is the only one who does.

    Args:
        hierarchy: knows where receivers are.
        doors: the outside world.
        stopping: nothing more is sent once it is set.
        limit_s: nothing more is sent after so many seconds.

    Raises:
        StateUnavailable: the diary cannot be read or written.
        LeaseLost: another process sends now.
    """
    outbox = doors.history.outbox
    site = Delivering(
        hierarchy=hierarchy,
        outbox=outbox,
        channels=doors.channels,
        clock=doors.clock,
        until_s=doors.clock.monotonic_s() + limit_s,
        stopping=stopping,
        crash=doors.crash,
    )
    done = delivering.deliver(site)
    states = {(each.team, each.receiver): each for each in outbox.receivers(hierarchy.name)}
    waiting = outbox.deliveries(hierarchy.name, [DeliveryState.WAITING])
    return Notified(
        messages=done.delivered,
        teams=done.teams,
        waits=_unreached(waiting, states, "nothing was sent to it yet"),
        dead=_unreached(done.dead, states, "given up"),
    )


def _unreached(
    deliveries: Sequence[Delivery],
    states: Mapping[tuple[str, str], ReceiverState],
    otherwise: str,
) -> tuple[Unreached, ...]:
    """Return the receivers of deliveries, each once, with the last that is known of why."""
    found: dict[tuple[str, str], str] = {}
    for each in deliveries:
        name = each.team, each.receiver
        state = states.get(name)
        found[name] = each.why or (state.why if state else "") or found.get(name, "")
    return tuple(
        Unreached(team=team, receiver=receiver, why=why or otherwise)
        for (team, receiver), why in sorted(found.items())
    )


def try_out(
    hierarchy: Hierarchy, doors: Doors, team: str, kind: str = "", *, unique: str
) -> Iterator[Tried]:
    """Send a test message to every receiver of a team, now and once; nothing is written.

    Args:
        hierarchy: knows where they are.
        doors: the outside world.
        team: whose.
        kind: of channel, e.g. ``webhook``; empty: all.
        unique: 32 hexadecimal digits that no other message has.

    Raises:
        UsageError: there is no such team, or it has no such receiver.
    """
    targets = _targets(hierarchy, team)
    chosen = {name: each for name, each in targets.items() if kind in ("", kind_of(name))}
    if not chosen:
        kinds = ", ".join(dict.fromkeys(map(kind_of, targets)))
        raise UsageError(f"team {team} has no {kind}", hint=f"it has {kinds}")
    message = sample_message(hierarchy, team, doors.clock.now_s(), unique)
    for receiver, target in chosen.items():
        channel = doors.channels.open(target)
        sent = channel.send(message)
        yield Tried(
            team=team,
            receiver=receiver,
            where=channel.where,
            delivered=sent.reception is Reception.DELIVERED,
            why=sent.why,
            later=sent.reception is Reception.RETRY,
        )


def kind_of(receiver: str) -> str:
    """Return what kind of channel a receiver is reached by, e.g. ``webhook``."""
    return receiver.partition("-")[0]


def _targets(hierarchy: Hierarchy, team: str) -> dict[str, Target]:
    require_team(hierarchy, team)
    return {
        receiver_of(target): target
        for subscription in hierarchy.subscriptions
        if subscription.team == team
        for target in subscription.targets
    }


def require_team(hierarchy: Hierarchy, team: str) -> None:
    """Refuse a team that subscribes to nothing.

    Raises:
        UsageError: the hint names those that do.
    """
    teams = tuple(dict.fromkeys(each.team for each in hierarchy.subscriptions))
    if team in teams:
        return
    from difflib import get_close_matches

    near = get_close_matches(team, teams, 1, 0.5)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(teams[:8])}"
    raise UsageError(
        f"no team {team!r} subscribes to anything",
        hint=hint if teams else "`orchestrate subscribe` adds a subscription",
    )


def replay(hierarchy: Hierarchy, doors: Doors, team: str = "", ids: Sequence[str] = ()) -> int:
    """Let messages that were given up wait again; receivers that were gone are asked again.

    Returns:
        How many there were.

    Raises:
        UsageError: one of the ids is of no message that was given up.
        StateUnavailable: the diary cannot be read or written.
    """
    outbox = doors.history.outbox
    if ids:
        dead = {each.id for each in outbox.deliveries(hierarchy.name, [DeliveryState.DEAD])}
        unknown = [each for each in ids if each not in dead]
        if unknown:
            raise UsageError(
                f"no notice that was given up is called {', '.join(unknown)}",
                hint="`orchestrate notify` lists them",
            )
    return delivering.replay(outbox, hierarchy.name, team, ids)


def untold(hierarchy: Hierarchy, doors: Doors, team: str = "", limit: int = 0) -> Untold:
    """Return what is still to be told, or what was given up. Nothing is written.

    Args:
        hierarchy: whose.
        doors: the outside world.
        team: only this one's deliveries; empty: everybody's.
        limit: the newest so many deliveries only; 0: all.
    """
    outbox, name = doors.history.outbox, hierarchy.name
    states = (DeliveryState.WAITING, DeliveryState.DEAD)
    receivers = outbox.receivers(name)
    return Untold(
        backlog=outbox.backlog(name),
        deliveries=outbox.deliveries(name, states, team=team, limit=limit),
        receivers=tuple(each for each in receivers if team in ("", each.team)),
        runs=len(outbox.untold(name)),
    )


def _telling(hierarchy: Hierarchy, doors: Doors, cancelled: threading.Event) -> Telling:
    return Telling(
        hierarchy=hierarchy,
        registry=doors.registry,
        history=doors.history,
        clock=doors.clock,
        scanner=doors.scanner,
        cancelled=cancelled,
        crash=doors.crash,
    )
