"""`orchestrate notify`: what teams are still to be told: list it, send it, try a receiver."""

from __future__ import annotations

from dataclasses import replace
from secrets import token_hex

import click

from orchestrator.cli.command import Duration, command
from orchestrator.cli.notifying import in_time, sending
from orchestrator.cli.session import Session
from orchestrator.cli.workplace import Workplace, workplace
from orchestrator.errors import UsageError
from orchestrator.model.notified import Notified

ACTIONS = ("list", "test", "drain", "replay")
KINDS = ("webhook", "slack", "email", "feed", "command", "apprise")
#: How long `drain` and `replay` send if nobody says.
_USUAL_S = 600.0
#: Deliveries that are listed.
_MOST_LISTED = 200


@command(
    "notify",
    about="""Send notices that wait, list them, or try a team's receivers.

    Without an action, or with `list`: what waits to be sent and what was given up, of TEAM or of
    all. `test TEAM`: send every receiver of TEAM a message that says it is a test, now and
    without keeping it. `drain`: tell of every run that has ended and that nobody was told of, and
    send what is due; for a timer, where runs have no time to do it. It moves no tag: a run that was
    killed is named, and told once `resume` or the next run has ended it. `replay [TEAM] [ID]...`:
    send again what was given up, with the ids that it had; receivers that were gone are asked
    again.

    Exit codes: `test` 0 if every receiver has the message, 5 if one did not answer, else 1.
    `drain` and `replay` 0 if what was due was sent, waits for another try, or another process is
    at it; 1 if something was given up; 5 if a run cannot be told yet.
    """,
    examples=(
        ("orchestrate notify", "what waits, and what was given up, and why"),
        ("orchestrate notify test payments", "does the team hear us?"),
        ("orchestrate notify test payments --channel webhook", "only there"),
        ("orchestrate notify drain --for 10m", "what a timer runs"),
        ("orchestrate notify replay payments", "once its receiver is mended"),
        ("orchestrate notify -o json", "for a dashboard"),
    ),
)
@click.argument("action", required=False, type=click.Choice(ACTIONS), metavar="[ACTION]")
@click.argument("team", required=False)
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option(
    "--channel",
    metavar="KIND",
    type=click.Choice(KINDS),
    help=f"With test: only receivers of this kind: {', '.join(KINDS)}.",
)
@click.option(
    "--for",
    "limit",
    metavar="DURATION",
    type=Duration(),
    help="With drain and replay: stop after DURATION; 10m if not said.",
)
def notify(
    session: Session,
    action: str | None,
    team: str | None,
    ids: tuple[str, ...],
    channel: str | None,
    limit: float | None,
) -> int:
    """List, test, drain or replay."""
    action = action or "list"
    _require_sense(action, team, ids, channel, limit)
    limit_s = _USUAL_S if limit is None else limit
    with workplace(session, fetch=False) as place:
        if action == "test":
            return _test(session, place, team or "", channel or "")
        if action == "drain":
            return _drain(session, place, limit_s)
        if action == "replay":
            return _replay(session, place, team or "", ids, limit_s)
        return _list(session, place, team or "")


def _require_sense(
    action: str, team: str | None, ids: tuple[str, ...], channel: str | None, limit: float | None
) -> None:
    """Refuse what does not go together.

    Raises:
        UsageError: it does not.
    """
    if action == "test" and not team:
        raise UsageError("notify test: whose receivers?", hint="`orchestrate notify test TEAM`")
    if action == "drain" and team:
        raise UsageError(
            f"notify drain takes no {team}", hint="it sends everybody's; replay takes a team"
        )
    if ids and action != "replay":
        raise UsageError(f"notify {action} takes no {ids[0]}", hint="ids are for replay")
    if channel and action != "test":
        raise UsageError("--channel is for notify test", hint="leave it out")
    if limit is not None and action not in ("drain", "replay"):
        raise UsageError("--for is for notify drain and replay", hint="leave it out")


def _list(session: Session, place: Workplace, team: str) -> int:
    from orchestrator import telling
    from orchestrator.render.deliveries import untold_json, untold_text

    found = telling.untold(place.hierarchy, place.doors, team, _MOST_LISTED)
    return session.answer(lambda style: untold_text(found, style), lambda: untold_json(found))


def _test(session: Session, place: Workplace, team: str, kind: str) -> int:
    from orchestrator import telling
    from orchestrator.render.deliveries import tried_json, tried_text

    unique = token_hex(16)
    tried = tuple(telling.try_out(place.hierarchy, place.doors, team, kind, unique=unique))
    code = 0
    if any(each.later and not each.delivered for each in tried):
        code = 5
    elif not all(each.delivered for each in tried):
        code = 1
    if code == 0 and session.settings.quiet and not session.json:
        return 0
    unwritten = session.answer(lambda style: tried_text(tried, style), lambda: tried_json(tried))
    return code or unwritten


def _drain(session: Session, place: Workplace, limit_s: float) -> int:
    from orchestrator import telling

    end_s = place.doors.clock.monotonic_s() + limit_s
    place.interrupts.be_gentle(lambda grace_s: None)
    stopping = place.interrupts.stopping
    with sending(session, place, stopping, wait_s=0.0) as alone:
        if alone is None:
            return _busy(session)

        def tell() -> Notified:
            killed = telling.killed(alone.hierarchy, alone.doors)
            later = telling.announce(alone.hierarchy, alone.doors, cancelled=stopping)
            return replace(_sent(alone, end_s), later=later, killed=killed)

        told = in_time(place, tell, limit_s)
    assert told is not None  # there is no end to how long it may take to stop
    return _answer(session, place, told)


def _replay(
    session: Session, place: Workplace, team: str, ids: tuple[str, ...], limit_s: float
) -> int:
    from orchestrator import telling

    if team.startswith("msg_"):
        team, ids = "", (team, *ids)
    if team:
        telling.require_team(place.hierarchy, team)
    end_s = place.doors.clock.monotonic_s() + limit_s
    place.interrupts.be_gentle(lambda grace_s: None)
    # Who sends now may be giving up the same messages: they are replayed once it is done.
    with sending(session, place, place.interrupts.stopping, wait_s=limit_s) as alone:
        if alone is None:
            return _busy(session)
        again = telling.replay(alone.hierarchy, alone.doors, team, ids)
        session.say(f"{again} to be sent again")
        told = _sent(alone, end_s) if again else Notified()
    return _answer(session, place, told)


def _sent(place: Workplace, end_s: float) -> Notified:
    from orchestrator import telling

    return telling.drain(
        place.hierarchy,
        place.doors,
        stopping=place.interrupts.stopping,
        limit_s=end_s - place.doors.clock.monotonic_s(),
    )


def _busy(session: Session) -> int:
    from orchestrator.render.deliveries import drained_json

    told = Notified(left="another process sends")
    if session.settings.quiet and not session.json:
        return 0
    line = "Another process is sending; nothing is left for this one."
    return session.answer(lambda style: style.note(line) + "\n", lambda: drained_json(told))


def _answer(session: Session, place: Workplace, told: Notified) -> int:
    from orchestrator.render.deliveries import drained_json, drained_text

    number = place.interrupts.number
    code = 128 + number if number else 1 if told.dead else 5 if told.later else 0
    if code == 0 and session.settings.quiet and not session.json:
        return 0
    unwritten = session.answer(lambda style: drained_text(told, style), lambda: drained_json(told))
    return code or unwritten
