"""A message to one receiver on its way: what the outbox knows of it.

Source: docs/adr/0025-outbox.md
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class DeliveryState(StrEnum):
    """How far a delivery is.

    WAITING: to be sent, for the first time or again. DELIVERED: the receiver has it. DEAD: it was
    given up, and somebody should look; it can be replayed. DROPPED: nobody wants it any more: the
    subscription is gone, or muted since.
    """

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message to one receiver, and what came of it so far.

    Attributes:
        id: ``msg_`` and 32 hexadecimal digits, made of who is told what: the same if it is made
            again.
        hierarchy: its name.
        team: who is told.
        receiver: which of the team's, see :func:`orchestrator.model.subscription.receiver_of`.
        run: id of the run that it is about.
        thread: image id or run's id: what belongs together for somebody who reads many.
        subject: one line.
        at: when it was made, RFC 3339 UTC.
        images: ids of the images that it is about, sorted; may be empty.
        events: ids of announcements, in the order they are told; at least one.
        state: how far it is.
        tries: how often it was sent.
        next_at_s: when it is due, in seconds since 1970; 0: at once.
        why: how the last try ended, one sentence; empty: well, or there was none.
        only: of several recipients those who are still to be told; empty: all.
    """

    id: str
    hierarchy: str
    team: str
    receiver: str
    run: str
    thread: str
    subject: str
    at: str
    images: tuple[str, ...]
    events: tuple[str, ...]
    state: DeliveryState = DeliveryState.WAITING
    tries: int = 0
    next_at_s: float = 0.0
    why: str = ""
    only: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverState:
    """What is known of one receiver beside its deliveries.

    Attributes:
        team: whose.
        receiver: which of the team's.
        disabled_at: RFC 3339 UTC time since which nothing is sent to it, because it said that it
            is gone; empty: it is not.
        paused_until_s: nothing is sent to it before, in seconds since 1970: it asked for that, or
            does not answer; 0: it is not.
        why: what it said, one sentence.
    """

    team: str
    receiver: str
    disabled_at: str = ""
    paused_until_s: float = 0.0
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What waits for one receiver, counted.

    Attributes:
        team: whose.
        receiver: which of the team's.
        messages: how many wait.
        tries: how often the one of them was sent that was sent most often.
    """

    team: str
    receiver: str
    messages: int
    tries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """How much of a hierarchy is still to be told, for people.

    Attributes:
        waiting: deliveries that are to be sent.
        dead: deliveries that were given up.
        oldest_at: RFC 3339 UTC of the oldest that waits; empty: none does.
    """

    waiting: int = 0
    dead: int = 0
    oldest_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What came of one drain of the outbox.

    Attributes:
        delivered: messages that their receivers have now.
        teams: that got at least one of them, sorted.
        later: messages that were tried and not taken, and will be tried again; each as it is
            after the last try.
        dead: messages that were given up.
        dropped: messages that nobody wants any more.
        paused: receivers that are left alone for a while from now on.
        gone: receivers that want nothing any more from now on.
        cut_short: whether time was over, or somebody stopped it.
    """

    delivered: int = 0
    teams: tuple[str, ...] = ()
    later: tuple[Delivery, ...] = ()
    dead: tuple[Delivery, ...] = ()
    dropped: tuple[Delivery, ...] = ()
    paused: tuple[ReceiverState, ...] = ()
    gone: tuple[ReceiverState, ...] = ()
    cut_short: bool = False
