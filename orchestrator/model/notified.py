"""What came of telling the teams, for people: of a run, of a drain, of a test message."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.model.delivery import Backlog, Delivery, ReceiverState


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreached:
    """A receiver that does not have what it should.

    Attributes:
        team: whose.
        receiver: which of the team's.
        why: one sentence; may hold words of the receiver.
    """

    team: str
    receiver: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """A run of which nobody could be told yet.

    Attributes:
        run: its id.
        why: one sentence.
    """

    run: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notified:
    """What came of telling teams.

    Attributes:
        messages: how many arrived.
        teams: who got one, sorted.
        waits: receivers that get theirs later, one entry each.
        dead: receivers that a message was given up for, one entry each.
        later: runs of which nobody was told yet.
        killed: ids of runs that never ended; nobody is told before somebody has ended them.
        left: nothing was sent, and why: words that go on ``not sent: …``; empty: it was tried.
        problem: what went wrong with telling itself; empty: nothing.
    """

    messages: int = 0
    teams: tuple[str, ...] = ()
    waits: tuple[Unreached, ...] = ()
    dead: tuple[Unreached, ...] = ()
    later: tuple[Later, ...] = ()
    killed: tuple[str, ...] = ()
    left: str = ""
    problem: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to say."""
        return self == Notified()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of a test message to one receiver.

    Attributes:
        team: whose.
        receiver: which of the team's.
        where: for people; no secret is in it.
        delivered: whether it has the message.
        why: one sentence; also where it was not delivered as intended.
        later: it did not answer, or asked to come again: the same may work later.
    """

    team: str
    receiver: str
    where: str
    delivered: bool
    why: str = ""
    later: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Untold:
    """What is still to be told.

    Attributes:
        backlog: how much.
        deliveries: those that wait or are dead, the oldest first.
        receivers: those of which anything is known.
        runs: how many have ended of which nobody was told.
    """

    backlog: Backlog
    deliveries: tuple[Delivery, ...]
    receivers: tuple[ReceiverState, ...]
    runs: int = 0
