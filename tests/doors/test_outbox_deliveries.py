"""What every outbox promises of messages on their way, and what it forgets."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.doors.history import DatabaseHistory
from orchestrator.doors.open_state import open_database
from orchestrator.doors.protocols_history import History
from orchestrator.doors.protocols_outbox import Outbox
from orchestrator.doors.sqlite import SqliteDatabase
from orchestrator.errors import StateUnavailable
from orchestrator.model.delivery import Backlog, Delivery, DeliveryState, Queue, ReceiverState
from tests.doors.outbox_scene import (
    DEAD,
    DELIVERED,
    DROPPED,
    EVENT,
    FACT,
    MESSAGE,
    PUBLISHED,
    TRIED,
    WAITING,
    claim,
    history,
    message,
    outbox,
)
from tests.doors.test_history import RUN

__all__ = ["history", "outbox"]  # fixtures


def test_deliveries_are_in_the_order_they_were_made(outbox: Outbox) -> None:
    """Whatever the clock said then; by state and team, and the newest so many."""
    third = replace(message(3), team="web", at="2026-11-21T00:00:00Z")
    outbox.tell([], [message(9), message(2)])
    outbox.tell([], [third, replace(message(4), hierarchy="silver")])
    assert outbox.deliveries("gold", [WAITING]) == (message(9), message(2), third)
    assert outbox.deliveries("gold", [WAITING], limit=2) == (message(2), third)
    assert outbox.deliveries("gold", [WAITING], team="web") == (third,)
    assert outbox.deliveries("gold", [WAITING], team="payments", limit=1) == (message(2),)
    assert outbox.deliveries("gold", [DELIVERED, DEAD, DROPPED]) == ()
    assert outbox.deliveries("gold", []) == ()
    outbox.record([replace(message(2), state=DEAD)])
    assert outbox.deliveries("gold", [DEAD, WAITING])[1] == replace(message(2), state=DEAD)


def test_queues_are_of_receivers_for_whom_something_waits(outbox: Outbox) -> None:
    """Counted, whose first message was made first before the others; each can be read alone."""
    slack = replace(message(4), receiver="slack-1a2b", tries=2)
    others = [
        replace(message(5), team="web", state=DEAD),
        replace(message(6), hierarchy="silver"),
        replace(message(7), team="web", receiver="slack-1a2b"),
    ]
    outbox.tell([], [message(9), slack, *others, replace(message(2), tries=1)])
    assert outbox.queues("gold") == (
        Queue(team=MESSAGE.team, receiver=MESSAGE.receiver, messages=2, tries=1),
        Queue(team=MESSAGE.team, receiver="slack-1a2b", messages=1, tries=2),
        Queue(team="web", receiver="slack-1a2b", messages=1),
    )
    of_one = outbox.deliveries("gold", [WAITING], team=MESSAGE.team, receiver="slack-1a2b")
    assert of_one == (slack,)
    assert outbox.queues("bronze") == ()


def test_what_became_of_deliveries_is_recorded(outbox: Outbox) -> None:
    """State, tries, time, reason and recipients change, and nothing else; the unknown stay so."""
    outbox.tell([], [MESSAGE, message(2)])
    outbox.record([replace(TRIED, subject="other", events=()), message(3)])
    assert outbox.deliveries("gold", [WAITING]) == (TRIED, message(2))
    gone = replace(TRIED, state=DROPPED, only=(), why="")
    outbox.record([gone])
    assert outbox.deliveries("gold", [DROPPED]) == (gone,)


def test_backlog_counts_what_waits_and_what_is_dead(outbox: Outbox) -> None:
    """Of one hierarchy; what arrived or nobody wants does not count."""
    older = replace(message(2), at="2026-11-20T00:00:00Z")
    foreign = replace(message(6), hierarchy="silver", at="2026-11-19T00:00:00Z")
    outbox.tell([], [MESSAGE, older, message(3), message(4), message(5), foreign])
    ended = zip((3, 4, 5), (DEAD, DELIVERED, DROPPED), strict=True)
    outbox.record([replace(message(n), state=state) for n, state in ended])
    assert outbox.backlog("gold") == Backlog(waiting=2, dead=1, oldest_at=older.at)
    assert outbox.backlog("bronze") == Backlog()


def test_what_is_known_of_receivers_is_replaced_and_forgotten(outbox: Outbox) -> None:
    """One entry each, sorted; an empty one is none."""
    gone = ReceiverState(team="web", receiver="b", disabled_at="2026-11-22T03:00:00Z", why="410")
    paused = ReceiverState(team="web", receiver="a", paused_until_s=12.5)
    other = ReceiverState(team="ops", receiver="z", why="strange")
    for each in (gone, paused, other):
        outbox.note_receiver("gold", each)
    outbox.note_receiver("silver", gone)
    assert outbox.receivers("gold") == (other, paused, gone)
    outbox.note_receiver("gold", replace(paused, paused_until_s=99.0))
    outbox.note_receiver("gold", ReceiverState(team="web", receiver="b"))
    outbox.note_receiver("gold", ReceiverState(team="web", receiver="c"))
    assert outbox.receivers("gold") == (other, replace(paused, paused_until_s=99.0))
    assert outbox.receivers("silver") == (gone,)


def test_what_arrived_long_ago_is_forgotten_and_not_told_again(outbox: Outbox) -> None:
    """What waits or is dead stays, with its events; an announcement stays without its event."""
    facts = [replace(FACT, id=f"evt_{n}") for n in range(6)]
    new = replace(facts[5], at="2026-11-24T00:00:00Z")
    messages = [replace(message(n), events=(f"evt_{n}",)) for n in range(5)]
    late = replace(message(7), events=("evt_0",), at="2026-11-25T00:00:00Z")
    outbox.tell([*facts[:5], new], [*messages, late])
    states = (DELIVERED, DROPPED, DEAD, WAITING, DELIVERED)
    ended = [replace(m, state=s) for m, s in zip(messages, states, strict=True)]
    outbox.record([*ended, replace(late, state=DELIVERED)])
    outbox.forget("silver", "2026-11-24T00:00:00Z")
    assert len(outbox.deliveries("gold", tuple(DeliveryState))) == 6
    outbox.forget("gold", "2026-11-24T00:00:00Z")
    left = outbox.deliveries("gold", tuple(DeliveryState))
    assert left == (ended[2], ended[3], replace(late, state=DELIVERED))
    assert outbox.events([f"evt_{n}" for n in range(6)]).keys() == {
        "evt_0",
        "evt_2",
        "evt_3",
        "evt_5",
    }
    outbox.tell([facts[1]], [])
    assert outbox.events(["evt_1"]) == {}


def test_what_is_not_told_yet_is_not_forgotten(history: History) -> None:
    """What is pending or released may be as old as it likes."""
    claim(history)
    other = replace(PUBLISHED, id="evt_" + "2" * 32, key="k1-b")
    claim(history, other)
    history.outbox.release(other.id, RUN.id, other.at)
    history.outbox.forget("gold", "2027-01-01T00:00:00Z")
    assert history.outbox.pending("gold") == (PUBLISHED,)
    assert history.outbox.released("gold") == (other,)


def test_a_thousand_deliveries_of_five_hundred_events(outbox: Outbox) -> None:
    """That many come back whole, in one transaction each."""
    facts = [replace(FACT, id=f"evt_{n:032}") for n in range(500)]
    events = tuple(each.id for each in facts)
    messages = [replace(message(n), events=events) for n in range(1000)]
    outbox.tell(facts, messages)
    assert outbox.deliveries("gold", [WAITING]) == tuple(messages)
    assert outbox.events([*events, *events]) == dict.fromkeys(events, EVENT)
    done = [replace(each, state=DELIVERED, tries=1) for each in messages]
    outbox.record(done)
    assert outbox.deliveries("gold", [DELIVERED]) == tuple(done)
    outbox.forget("gold", "2027-01-01T00:00:00Z")
    assert outbox.deliveries("gold", tuple(DeliveryState)) == ()
    assert outbox.events(events) == {}


def test_threads_share_one_outbox(outbox: Outbox) -> None:
    """What eight threads record at once is all recorded."""
    messages = [message(n) for n in range(8)]
    outbox.tell([], messages)

    def work(mine: Delivery) -> None:
        for tries in range(20):
            outbox.record([replace(mine, tries=tries + 1)])

    threads = [threading.Thread(target=work, args=(each,)) for each in messages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.tries for each in outbox.deliveries("gold", [WAITING])] == [20] * 8


class Noting(SqliteDatabase):
    """A database that knows what it was asked."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.asked: list[str] = []

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the one transaction that may write."""
        with super().writing() as connection:
            connection.set_trace_callback(self.asked.append)
            yield connection
            connection.set_trace_callback(None)


def test_what_was_told_long_ago_slows_nobody(tmp_path: Path) -> None:
    """Its rows stay for ever: what forgets looks only at those that still have an event."""
    database = Noting(tmp_path / "state.db")
    with DatabaseHistory(database) as history:
        history.outbox.tell([FACT], [replace(MESSAGE, events=(PUBLISHED.id,))])
        database.asked.clear()
        history.outbox.forget("gold", "2027-01-01T00:00:00Z")
        assert history.outbox.events([FACT.id]) == {}
    looked = [each for each in database.asked if each.startswith("SELECT id FROM announcements")]
    assert len(looked) == 1
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {looked[0]}")]
    assert len(plan) == 1
    assert "announcements_with_event (hierarchy=? AND at<?)" in plan[0]


def test_a_damaged_row_is_told(state: str) -> None:
    """What is no event, and no list of events, is not taken for one."""
    database = open_database(state)
    with DatabaseHistory(database) as history:
        history.outbox.tell([FACT], [MESSAGE])
        for statement in (
            "UPDATE announcements SET event = '[]'",
            "UPDATE deliveries SET events = '{}'",
        ):
            with database.writing() as connection:
                connection.execute(statement)
        with pytest.raises(StateUnavailable, match="not ours"):
            history.outbox.events([FACT.id])
        with pytest.raises(StateUnavailable, match="not ours"):
            history.outbox.deliveries("gold", [WAITING])
