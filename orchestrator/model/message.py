"""A finished notice on its way to one team, and what a channel says came of it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

#: A block of Slack's Block Kit, as its JSON has it.
Block: TypeAlias = Mapping[str, object]

#: Unicode's categories of what ends a line, drives a terminal or is no text at all. Not all that
#: is not printable: that is also what a newer Unicode has and Python does not know yet.
CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})

# A dot would end the id in what a webhook signs.
_ID = re.compile(r"msg_[A-Za-z0-9]{8,64}")
_LONGEST_SUBJECT = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What one team is told at once.

    Attributes:
        id: ``msg_`` and 8 to 64 letters and digits; the same on every try, so that a receiver can
            tell what it has.
        team: who is told.
        at: when it was made, RFC 3339; the same on every try.
        subject: one line, without control characters.
        thread: what belongs together for somebody who reads many: an image id or a run's id.
        images: ids of the images it is about, for feeds; may be empty.
        events: CloudEvents 1.0 as JSON objects, at least one; opaque to channels.
        only: receivers that are still to be told, after some of several were; empty: all.
    """

    id: str
    team: str
    at: str
    subject: str
    thread: str
    events: tuple[Mapping[str, object], ...]
    images: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise ValueError(f"{self.id!r} is not msg_ and 8 to 64 letters and digits")
        controls = any(unicodedata.category(each) in CONTROLS for each in self.subject)
        if controls or not 0 < len(self.subject) <= _LONGEST_SUBJECT:
            raise ValueError(f"{self.subject!r} is not one line of 1 to {_LONGEST_SUBJECT}")
        if not self.events:
            raise ValueError(f"{self.id} tells nothing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layouts:
    """How a message looks to people: pure functions of it, called when it is sent.

    Channels are given these and know no layout themselves. What they return is safe where it is
    shown: text from images is escaped by whoever made the layout.

    Attributes:
        text: plain text of several lines.
        html: a fragment, without ``html`` and ``body``.
        blocks: for Slack.
    """

    text: Callable[[Message], str]
    html: Callable[[Message], str]
    blocks: Callable[[Message], tuple[Block, ...]]


class Reception(StrEnum):
    """What came of one try to send a message.

    DELIVERED: the receiver has it. RETRY: the same may work later. GONE: the receiver wants
    nothing any more, for ever. REFUSED: the same message will never be taken.
    """

    DELIVERED = "delivered"
    RETRY = "retry"
    GONE = "gone"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """How one try ended.

    Attributes:
        reception: what came of it.
        why: one sentence without a full stop, without secrets; also of a delivery that was not as
            intended; may hold words of the receiver, so it is shown like any text from outside.
        retry_after_s: seconds for which the receiver asked to be left alone; None: it did not.
        left: of several receivers those who do not have it: ``Message.only`` of the next try;
            empty: the next try is as this one was.
    """

    reception: Reception
    why: str = ""
    retry_after_s: float | None = None
    left: tuple[str, ...] = ()


DELIVERED = Sent(reception=Reception.DELIVERED)


def try_later(why: str, retry_after_s: float | None = None) -> Sent:
    """Return that the same may work after a while."""
    return Sent(reception=Reception.RETRY, why=why, retry_after_s=retry_after_s)


def gone(why: str) -> Sent:
    """Return that the receiver is no more."""
    return Sent(reception=Reception.GONE, why=why)


def refused(why: str) -> Sent:
    """Return that this message is never taken."""
    return Sent(reception=Reception.REFUSED, why=why)
