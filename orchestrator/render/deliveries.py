"""What teams were told, and what is still to be told: lines for people, objects for machines."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.model.delivery import Backlog, Delivery, DeliveryState, ReceiverState
from orchestrator.model.notified import Notified, Tried, Unreached, Untold
from orchestrator.render.json import FORMAT, Object
from orchestrator.render.style import Style
from orchestrator.render.table import Cell, Row, table
from orchestrator.render.words import counted, minute_words

#: Receivers that are named in a line.
_MOST_NAMED = 4


def notified_text(told: Notified, style: Style) -> str:
    """Return what came of telling teams in one line, and one for each run that waits."""
    words = []
    if told.teams:
        words.append(f"told: {_named(told.teams)}")
    if told.waits:
        words.append(f"waits: {_unreached(told.waits)}")
    if told.dead:
        words.append(f"dead: {_unreached(told.dead)}")
    if told.left:
        words.append(f"not sent: {told.left}")
    paint = style.bad if told.dead else style.warn if told.waits else style.plain
    lines = [paint(line) for line in style.wrap("; ".join(words))] if words else []
    for each in told.later:
        text = f"nobody is told of run {each.run} yet: {each.why}"
        lines += map(style.warn, style.wrap(text))
    for run in told.killed:
        text = f"run {run} was killed: `orchestrate resume` or the next run ends it and tells of it"
        lines += map(style.warn, style.wrap(text))
    if told.dead:
        text = "`orchestrate notify` shows what was given up, `orchestrate notify replay` tries "
        lines += map(style.note, style.wrap(text + "it again."))
    return "\n".join(lines) + "\n" if lines else ""


def notified_json(told: Notified) -> Object:
    """Return what came of telling teams."""
    return {
        "messages": told.messages,
        "teams": list(told.teams),
        "waits": [_unreached_object(each) for each in told.waits],
        "dead": [_unreached_object(each) for each in told.dead],
        "later": [{"run": each.run, "why": each.why} for each in told.later],
        "killed": list(told.killed),
        "left": told.left,
        "problem": told.problem,
    }


def drained_text(told: Notified, style: Style) -> str:
    """Return what a drain came to."""
    if told.is_empty:
        return style.good("Nothing to send.") + "\n"
    sent = f"{counted(told.messages, 'message')} sent" if told.messages else ""
    lines = [style.bold(f"{sent}.")] if sent else []
    rest = notified_text(told, style)
    return "".join(f"{line}\n" for line in lines) + rest


def drained_json(told: Notified) -> Object:
    """Return what a drain came to."""
    return {"format": FORMAT, "kind": "drain", **notified_json(told)}


def backlog_text(backlog: Backlog, receivers: Iterable[ReceiverState], style: Style) -> str:
    """Return a line on what is still to be told; empty where that is nothing."""
    words = []
    if backlog.waiting:
        since = f", the oldest since {minute_words(backlog.oldest_at)}" if backlog.oldest_at else ""
        words.append(f"{backlog.waiting} waiting{since}")
    if backlog.dead:
        words.append(f"{backlog.dead} dead")
    disabled = sum(bool(each.disabled_at) for each in receivers)
    if disabled:
        words.append(f"{counted(disabled, 'receiver')} disabled")
    if not words:
        return ""
    paint = style.bad if backlog.dead or disabled else style.note
    text = f"notices: {', '.join(words)}; `orchestrate notify` lists them"
    return "".join(paint(line) + "\n" for line in style.wrap(text))


def backlog_json(backlog: Backlog, receivers: Iterable[ReceiverState]) -> Object:
    """Return the key that a status gets."""
    return {
        "notices": {
            "waiting": backlog.waiting,
            "oldest_at": backlog.oldest_at or None,
            "dead": backlog.dead,
            "disabled": [_receiver_object(each) for each in receivers if each.disabled_at],
        }
    }


def untold_text(untold: Untold, style: Style) -> str:
    """Return a table of what waits and what was given up, and who is left alone."""
    lines = []
    if untold.deliveries:
        rows = [_row(each, style) for each in untold.deliveries]
        header = ("TEAM", "RECEIVER", "TRIES", "SINCE (UTC)", "STATE")
        lines += table(header, rows, style, right=frozenset({2}), whole=frozenset({1, 3, 4}))
        lines.append("")
    for each in untold.receivers:
        if each.disabled_at:
            text = f"{each.team}: {each.receiver} is disabled since "
            text += f"{minute_words(each.disabled_at)}: {each.why or 'it is gone'}"
            lines += map(style.bad, style.wrap(text))
    counts = f"{untold.backlog.waiting} waiting, {untold.backlog.dead} dead"
    lines += map(style.bold, style.wrap(f"{counts}."))
    if untold.runs:
        text = f"Of {counted(untold.runs, 'run')} nobody was told yet: `orchestrate notify drain`."
        lines += map(style.note, style.wrap(text))
    if untold.backlog.waiting:
        text = "`orchestrate notify drain` sends what is due."
        lines += map(style.note, style.wrap(text))
    if untold.backlog.dead or any(each.disabled_at for each in untold.receivers):
        text = "`orchestrate notify replay [TEAM] [ID]...` tries again what was given up."
        lines += map(style.note, style.wrap(text))
    return "\n".join(lines) + "\n"


def _row(each: Delivery, style: Style) -> Row:
    dead = each.state is DeliveryState.DEAD
    said = f"{each.subject}: {each.why}" if each.why else each.subject
    return Row(
        cells=(
            Cell(text=each.team, paint=style.bold),
            Cell(text=each.receiver),
            Cell(text=str(each.tries)),
            Cell(text=minute_words(each.at), paint=style.dim),
            Cell(text=str(each.state), paint=style.bad if dead else style.warn),
        ),
        below=(Cell(text=said), Cell(text=each.id, paint=style.dim)),
    )


def untold_json(untold: Untold) -> Object:
    """Return what waits and what was given up, and what is known of receivers."""
    return {
        "format": FORMAT,
        "kind": "deliveries",
        "waiting": untold.backlog.waiting,
        "dead": untold.backlog.dead,
        "untold_runs": untold.runs,
        "deliveries": [
            {
                "id": each.id,
                "team": each.team,
                "receiver": each.receiver,
                "run": each.run,
                "subject": each.subject,
                "images": list(each.images),
                "state": str(each.state),
                "tries": each.tries,
                "at": each.at,
                "next_at_s": each.next_at_s,
                "why": each.why,
            }
            for each in untold.deliveries
        ],
        "receivers": [_receiver_object(each) for each in untold.receivers],
    }


def tried_text(tried: Iterable[Tried], style: Style) -> str:
    """Return a line for each receiver that got a test message, or did not."""
    lines = []
    for each in tried:
        state = "delivered" if each.delivered else "not delivered"
        why = f": {each.why}" if each.why else ""
        text = f"{each.team}  {each.receiver}  {each.where}  {state}{why}"
        paint = style.good if each.delivered else style.warn if each.later else style.bad
        lines += [paint(line) for line in style.wrap(text, then="    ")]
    return "".join(f"{line}\n" for line in lines)


def tried_json(tried: Iterable[Tried]) -> Object:
    """Return what came of test messages."""
    return {
        "format": FORMAT,
        "kind": "notice-test",
        "receivers": [
            {
                "team": each.team,
                "receiver": each.receiver,
                "where": each.where,
                "delivered": each.delivered,
                "later": each.later,
                "why": each.why,
            }
            for each in tried
        ],
    }


def _receiver_object(each: ReceiverState) -> Object:
    return {
        "team": each.team,
        "receiver": each.receiver,
        "disabled_at": each.disabled_at or None,
        "paused_until_s": each.paused_until_s or None,
        "why": each.why,
    }


def _unreached_object(each: Unreached) -> Object:
    return {"team": each.team, "receiver": each.receiver, "why": each.why}


def _named(teams: tuple[str, ...]) -> str:
    more = len(teams) - _MOST_NAMED
    return ", ".join(teams[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _unreached(receivers: tuple[Unreached, ...]) -> str:
    said = [
        f"{each.team} ({each.receiver.partition('-')[0]}: {each.why})"
        for each in receivers[:_MOST_NAMED]
    ]
    more = len(receivers) - _MOST_NAMED
    return ", ".join(said) + (f" and {more} more" if more > 0 else "")
