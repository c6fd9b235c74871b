"""What an HTTP answer means for the message that was sent."""

from __future__ import annotations

from http import HTTPStatus

from orchestrator.doors.channels.safe_http import Reply
from orchestrator.doors.registry.retry import retry_after_s
from orchestrator.model.message import DELIVERED, Sent, gone, refused, try_later

#: The same bytes get the same answer: they are too many, or not what is expected there.
_NEVER = frozenset({400, 405, 411, 413, 414, 415, 422, 431, 501})
_LONGEST_PAUSE_S = 24 * 3600.0


def outcome_of(reply: Reply, now_s: float) -> Sent:
    """Return what an answer's status says.

    As in Standard Webhooks, 410 is the end, and everything that is no success is tried again: a
    receiver that was put up wrongly answers 401, 403 or 404 for a while. Not where the same
    request can only get the same answer; redirects are among those, since none is followed.
    """
    if 200 <= reply.status < 300:
        return DELIVERED
    said = f"it answers {_status(reply.status)}"
    if 300 <= reply.status < 400:
        return refused(f"{said}, and redirects are not followed")
    if reply.status == 410:
        return gone(f"{said}: it wants no more messages")
    if reply.status in _NEVER:
        return refused(said)
    return try_later(said, pause_of(reply, now_s))


def pause_of(reply: Reply, now_s: float) -> float | None:
    """Return for how many seconds an answer asks to be left alone, at most a day."""
    asked = retry_after_s(reply.headers.get("retry-after"), now_s)
    return None if asked is None else min(asked, _LONGEST_PAUSE_S)


def _status(number: int) -> str:
    try:
        return f"{number} {HTTPStatus(number).phrase}"
    except ValueError:
        return str(number)
