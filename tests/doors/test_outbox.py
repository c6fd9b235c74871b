"""What every outbox promises: SQLite, PostgreSQL, and the twin in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.doors.history import DatabaseHistory
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.doors.open_state import open_database
from orchestrator.doors.protocols_history import History
from orchestrator.doors.protocols_outbox import Outbox
from orchestrator.errors import LeaseLost, StateUnavailable
from orchestrator.model.announcement import Announcement, EventType, announcement_id
from orchestrator.model.delivery import Backlog, Delivery, DeliveryState, Queue, ReceiverState
from orchestrator.model.lease import Holder
from orchestrator.model.run import RunState
from tests.doors.test_history import BUILT, RUN

PLACE = "localhost:5000/gold/base"
WAITING, DELIVERED, DEAD, DROPPED = DeliveryState
LATER = replace(RUN, id="20261123T024631Z-3fa9", started_at="2026-11-23T02:46:31Z")
PUBLISHED = Announcement(
    id=announcement_id("gold", EventType.IMAGE_PUBLISHED, PLACE, BUILT.key, BUILT.digest),
    hierarchy="gold",
    run=RUN.id,
    type=EventType.IMAGE_PUBLISHED,
    subject="base",
    at="2026-11-22T02:47:00Z",
    repository=PLACE,
    key=BUILT.key,
    digest=BUILT.digest,
)
EVENT = {"specversion": "1.0", "data": {"why": "„ü“ \udcff\x00", "sizes": [1, 2.5, None, True]}}
FACT = Announcement(
    id="evt_" + "1" * 32,
    hierarchy="gold",
    run=RUN.id,
    type=EventType.IMAGE_FAILED,
    subject="python",
    at="2026-11-22T02:48:00Z",
    event=EVENT,
)
MESSAGE = Delivery(
    id="msg_" + "1" * 32,
    hierarchy="gold",
    team="payments",
    receiver="webhook-1a2b",
    run=RUN.id,
    thread=RUN.id,
    subject="python failed „ü“",
    at="2026-11-22T02:50:00Z",
    images=("base", "python"),
    events=(PUBLISHED.id, FACT.id),
)
ANN = Holder(token="a", command="build", who="ann@ci", pid=1)
BOB = replace(ANN, token="b", who="bob@ci")
TRIED = replace(
    MESSAGE, tries=3, next_at_s=1_795_315_591.25, why="it answered 503", only=("a@b.c", "ü@b.c")
)


@pytest.fixture(params=["sqlite", "postgres", "memory"])
def history(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[History]:
    """Each kind of diary in turn, empty."""
    if request.param == "memory":
        yield MemoryHistory()
        return
    state = str(tmp_path / "state.db")
    if request.param == "postgres":
        state = request.getfixturevalue("postgres_url")
    with DatabaseHistory(open_database(state)) as opened:
        yield opened


@pytest.fixture
def outbox(history: History) -> Outbox:
    """Its outbox."""
    return history.outbox


def claim(history: History, announcement: Announcement = PUBLISHED) -> str:
    it = announcement
    return history.claim(it.repository, it.key, it.digest, it.run, it)


def test_an_empty_outbox_has_nothing_to_tell(outbox: Outbox) -> None:
    """Before the first write every question has an empty answer."""
    assert outbox.pending("gold") == outbox.released("gold") == ()
    assert outbox.untold("gold") == ()
    assert outbox.deliveries("gold", tuple(DeliveryState)) == ()
    assert outbox.events([FACT.id]) == {}
    assert outbox.receivers("gold") == ()
    assert outbox.backlog("gold") == Backlog()


def test_a_claim_that_wins_is_pending_and_one_that_loses_is_not(history: History) -> None:
    """The announcement is there if and only if the claim is; others' hierarchies are theirs."""
    assert claim(history) == PUBLISHED.digest
    other = replace(PUBLISHED, id="evt_" + "2" * 32, digest="sha256:" + "9" * 64, run=LATER.id)
    assert claim(history, other) == PUBLISHED.digest
    assert history.outbox.pending("gold") == (PUBLISHED,)
    assert history.outbox.pending("silver") == history.outbox.released("gold") == ()


def test_a_claim_without_an_announcement_announces_nothing(history: History) -> None:
    """What came out equal to what is there is published by nobody."""
    history.claim(PLACE, "k1-b", BUILT.digest, RUN.id)
    assert history.outbox.pending("gold") == ()


def test_the_claim_is_not_there_without_its_announcement(state: str) -> None:
    """They are one transaction: what cannot be announced is not claimed either."""
    with DatabaseHistory(open_database(state)) as history:
        with pytest.raises(StateUnavailable):
            claim(history, replace(PUBLISHED, event={"no JSON": object()}))
        assert history.claimed(PLACE, BUILT.key) is None


def test_a_claim_made_again_takes_over_what_is_pending(history: History) -> None:
    """Who goes on with what a dead run had claimed expects it from now on, and may retract it."""
    claim(history)
    again = replace(PUBLISHED, run=LATER.id, at="2026-11-23T02:47:00Z")
    assert claim(history, again) == PUBLISHED.digest
    assert history.outbox.pending("gold") == (again,)
    history.outbox.retract(PUBLISHED.id, RUN.id)
    assert history.outbox.pending("gold") == (again,)
    history.outbox.retract(PUBLISHED.id, LATER.id)
    assert history.outbox.pending("gold") == ()


def test_what_is_a_fact_stays_one(history: History) -> None:
    """Released or told, it is not pending again, cannot be retracted, and keeps its run."""
    history.begin_run(RUN)
    history.finish_run(RUN.id, RunState.SUCCEEDED, "2026-11-22T02:50:00Z")
    claim(history)
    history.outbox.release(PUBLISHED.id, RUN.id, "2026-11-22T02:49:00Z")
    fact = replace(PUBLISHED, at="2026-11-22T02:49:00Z")
    for told in (False, True):
        if told:
            history.outbox.tell([replace(fact, event=EVENT)], [])
        claim(history, replace(PUBLISHED, run=LATER.id))
        history.outbox.retract(PUBLISHED.id, RUN.id)
        history.outbox.retract(PUBLISHED.id, LATER.id)
        history.outbox.release(PUBLISHED.id, LATER.id, "2026-11-23T00:00:00Z")
        assert history.outbox.pending("gold") == ()
        assert history.outbox.released("gold") == (() if told else (fact,))
    assert history.outbox.events([PUBLISHED.id]) == {PUBLISHED.id: EVENT}


def test_a_claim_that_is_replaced_takes_its_announcement_along(history: History) -> None:
    """What was lost is not expected any more; what replaces it is, in the same transaction."""
    claim(history)
    mine = replace(
        PUBLISHED, id="evt_" + "3" * 32, digest="sha256:" + "9" * 64, run=LATER.id, at="later"
    )

    def replaced(announcement: Announcement | None) -> bool:
        return history.replace_claim(
            PLACE,
            BUILT.key,
            lost=PUBLISHED.digest,
            digest=mine.digest,
            run_id=LATER.id,
            announcement=announcement,
        )

    assert replaced(mine)
    assert history.outbox.pending("gold") == (mine,)
    # The claim says something else by now: nothing happens.
    assert not replaced(replace(mine, id="evt_" + "4" * 32))
    assert history.outbox.pending("gold") == (mine,)


def test_a_fact_outlives_the_claim_it_came_from(history: History) -> None:
    """What was published and is gone from the registry was published all the same."""
    claim(history)
    history.outbox.release(PUBLISHED.id, RUN.id, PUBLISHED.at)
    history.replace_claim(PLACE, BUILT.key, lost=BUILT.digest, digest="sha256:2", run_id="r2")
    assert [each.id for each in history.outbox.released("gold")] == [PUBLISHED.id]


def test_facts_of_a_run_that_goes_on_wait_for_its_end(history: History) -> None:
    """Released are those of runs that have ended, or that nobody knows, the oldest first."""
    history.begin_run(RUN)
    claim(history)
    older = replace(PUBLISHED, id="evt_" + "2" * 32, key="k1-b", run="unknown")
    claim(history, older)
    for each, at in ((PUBLISHED, "2026-11-22T02:49:00Z"), (older, "2026-11-22T02:48:00Z")):
        history.outbox.release(each.id, each.run, at)
    assert [each.id for each in history.outbox.released("gold")] == [older.id]
    history.finish_run(RUN.id, RunState.INTERRUPTED, "2026-11-22T02:50:00Z")
    assert [each.id for each in history.outbox.released("gold")] == [older.id, PUBLISHED.id]


def test_who_releases_says_for_which_run_and_when(history: History) -> None:
    """What one run began and another one brought to its end is a fact of the latter."""
    claim(history)
    history.outbox.release(PUBLISHED.id, LATER.id, "2026-11-23T02:47:00Z")
    (found,) = history.outbox.released("gold")
    assert found == replace(PUBLISHED, run=LATER.id, at="2026-11-23T02:47:00Z")


def test_releasing_what_is_not_there_makes_nothing(outbox: Outbox) -> None:
    """What was retracted, or never expected, does not become a fact."""
    outbox.release(PUBLISHED.id, RUN.id, PUBLISHED.at)
    outbox.retract(PUBLISHED.id, RUN.id)
    assert outbox.released("gold") == outbox.pending("gold") == ()


def test_untold_are_runs_that_have_ended_until_they_are_told(history: History) -> None:
    """The oldest first; one that goes on, another hierarchy's, and one that was told are not."""
    for run in (LATER, RUN, replace(RUN, id="foreign", hierarchy="silver")):
        history.begin_run(run)
    assert history.outbox.untold("gold") == ()
    for run in (LATER, RUN):
        history.finish_run(run.id, RunState.FAILED, "2026-11-23T02:50:00Z")
    assert [run.id for run in history.outbox.untold("gold")] == [RUN.id, LATER.id]
    assert history.outbox.untold("gold")[0] == history.run(RUN.id)
    history.outbox.tell([], [], RUN.id)
    assert [run.id for run in history.outbox.untold("gold")] == [LATER.id]


def test_what_is_told_is_read_as_it_was_written(history: History) -> None:
    """Announcements are told with their events, deliveries are as they were made, the run too."""
    history.begin_run(RUN)
    history.finish_run(RUN.id, RunState.FAILED, "2026-11-22T02:50:00Z")
    claim(history)
    history.outbox.release(PUBLISHED.id, RUN.id, PUBLISHED.at)
    history.outbox.tell([replace(PUBLISHED, event=EVENT), FACT], [MESSAGE, _next(2)], RUN.id)
    assert history.outbox.released("gold") == ()
    assert history.outbox.untold("gold") == ()
    assert history.outbox.events([FACT.id, PUBLISHED.id, "evt_unknown"]) == {
        FACT.id: EVENT,
        PUBLISHED.id: EVENT,
    }
    assert history.outbox.deliveries("gold", [WAITING]) == (MESSAGE, _next(2))


def test_telling_twice_changes_nothing(history: History) -> None:
    """Whoever tells again does not tell more, and does not send again what has arrived."""
    history.begin_run(RUN)
    history.finish_run(RUN.id, RunState.FAILED, "2026-11-22T02:50:00Z")
    history.outbox.tell([FACT], [MESSAGE], RUN.id)
    done = replace(TRIED, state=DELIVERED)
    history.outbox.record([done])
    other = replace(FACT, event={"other": 1}, run=LATER.id)
    history.outbox.tell([other], [replace(MESSAGE, subject="other"), _next(2)], RUN.id)
    assert history.outbox.events([FACT.id]) == {FACT.id: EVENT}
    assert history.outbox.deliveries("gold", tuple(DeliveryState)) == (done, _next(2))
    assert history.outbox.untold("gold") == ()


def test_telling_is_all_or_nothing(history: History) -> None:
    """A run that the diary does not know is told to nobody, and neither is anything with it."""
    with pytest.raises(StateUnavailable, match="unknown"):
        history.outbox.tell([FACT], [MESSAGE], "unknown")
    assert history.outbox.events([FACT.id]) == {}
    assert history.outbox.deliveries("gold", [WAITING]) == ()


def test_a_fact_that_nobody_wants_is_told_without_an_event(history: History) -> None:
    """It is not released any more, and there is nothing to read of it."""
    claim(history)
    history.outbox.release(PUBLISHED.id, RUN.id, PUBLISHED.at)
    history.outbox.tell([PUBLISHED], [])
    assert history.outbox.released("gold") == ()
    assert history.outbox.events([PUBLISHED.id]) == {}


def test_what_was_told_is_known_whether_anybody_wanted_it_or_not(history: History) -> None:
    """What is pending, released, or not known at all was not."""
    claim(history)
    unwanted = replace(FACT, id="evt_" + "2" * 32, event={})
    history.outbox.tell([FACT, unwanted], [])
    ids = [FACT.id, unwanted.id, PUBLISHED.id, "evt_unknown"]
    assert history.outbox.told(ids) == {FACT.id, unwanted.id}
    history.outbox.release(PUBLISHED.id, RUN.id, PUBLISHED.at)
    assert history.outbox.told(ids) == {FACT.id, unwanted.id}
    history.outbox.tell([PUBLISHED], [])
    assert history.outbox.told(ids) == {FACT.id, unwanted.id, PUBLISHED.id}
    assert history.outbox.told([]) == frozenset()


def test_deliveries_are_in_the_order_they_were_made(outbox: Outbox) -> None:
    """Whatever the clock said then; by state and team, and the newest so many."""
    third = replace(_next(3), team="web", at="2026-11-21T00:00:00Z")
    outbox.tell([], [_next(9), _next(2)])
    outbox.tell([], [third, replace(_next(4), hierarchy="silver")])
    assert outbox.deliveries("gold", [WAITING]) == (_next(9), _next(2), third)
    assert outbox.deliveries("gold", [WAITING], limit=2) == (_next(2), third)
    assert outbox.deliveries("gold", [WAITING], team="web") == (third,)
    assert outbox.deliveries("gold", [WAITING], team="payments", limit=1) == (_next(2),)
    assert outbox.deliveries("gold", [DELIVERED, DEAD, DROPPED]) == ()
    assert outbox.deliveries("gold", []) == ()
    outbox.record([replace(_next(2), state=DEAD)])
    assert outbox.deliveries("gold", [DEAD, WAITING])[1] == replace(_next(2), state=DEAD)


def test_queues_are_of_receivers_for_whom_something_waits(outbox: Outbox) -> None:
    """Counted, whose first message was made first before the others; each can be read alone."""
    slack = replace(_next(4), receiver="slack-1a2b", tries=2)
    others = [
        replace(_next(5), team="web", state=DEAD),
        replace(_next(6), hierarchy="silver"),
        replace(_next(7), team="web", receiver="slack-1a2b"),
    ]
    outbox.tell([], [_next(9), slack, *others, replace(_next(2), tries=1)])
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
    outbox.tell([], [MESSAGE, _next(2)])
    outbox.record([replace(TRIED, subject="other", events=()), _next(3)])
    assert outbox.deliveries("gold", [WAITING]) == (TRIED, _next(2))
    gone = replace(TRIED, state=DROPPED, only=(), why="")
    outbox.record([gone])
    assert outbox.deliveries("gold", [DROPPED]) == (gone,)


def test_backlog_counts_what_waits_and_what_is_dead(outbox: Outbox) -> None:
    """Of one hierarchy; what arrived or nobody wants does not count."""
    older = replace(_next(2), at="2026-11-20T00:00:00Z")
    foreign = replace(_next(6), hierarchy="silver", at="2026-11-19T00:00:00Z")
    outbox.tell([], [MESSAGE, older, _next(3), _next(4), _next(5), foreign])
    ended = zip((3, 4, 5), (DEAD, DELIVERED, DROPPED), strict=True)
    outbox.record([replace(_next(n), state=state) for n, state in ended])
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
    messages = [replace(_next(n), events=(f"evt_{n}",)) for n in range(5)]
    late = replace(_next(7), events=("evt_0",), at="2026-11-25T00:00:00Z")
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
    messages = [replace(_next(n), events=events) for n in range(1000)]
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
    messages = [_next(n) for n in range(8)]
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


#: Everything that writes to an outbox, or to a diary and so to its outbox.
WRITES: dict[str, Callable[[History], object]] = {
    "release": lambda history: history.outbox.release(PUBLISHED.id, RUN.id, "later"),
    "retract": lambda history: history.outbox.retract(PUBLISHED.id, RUN.id),
    "tell": lambda history: history.outbox.tell([FACT], [_next(2)], RUN.id),
    "record": lambda history: history.outbox.record([replace(MESSAGE, state=DEAD)]),
    "note_receiver": lambda history: history.outbox.note_receiver(
        "gold", ReceiverState(team="web", receiver="a", why="410")
    ),
    "forget": lambda history: history.outbox.forget("gold", "2027-01-01T00:00:00Z"),
    "claim": lambda history: claim(history, replace(PUBLISHED, id="evt_x", key="k1-x")),
    "replace_claim": lambda history: history.replace_claim(
        PLACE, BUILT.key, lost=BUILT.digest, digest="sha256:9", run_id=RUN.id, announcement=FACT
    ),
}


def _all_of(history: History) -> object:
    outbox = history.outbox
    return (
        *(outbox.pending("gold"), outbox.released("gold"), outbox.untold("gold")),
        *(outbox.deliveries("gold", tuple(DeliveryState)), outbox.receivers("gold")),
        outbox.events([FACT.id, "evt_old"]),
    )


@pytest.mark.parametrize("write", WRITES)
def test_who_has_lost_its_lease_writes_nothing_to_the_outbox(history: History, write: str) -> None:
    """The outbox of a fenced diary is fenced: each write asks, in its own transaction."""
    history.begin_run(RUN)
    history.finish_run(RUN.id, RunState.FAILED, "2026-11-22T02:50:00Z")
    claim(history)
    history.outbox.tell([replace(FACT, id="evt_old")], [MESSAGE])
    lease = history.leases.acquire("gold", ANN, 60)
    assert lease is not None
    fenced = history.fenced(lease)
    history.leases.release(lease)
    assert history.leases.acquire("gold", BOB, 60)
    before = _all_of(history)
    with pytest.raises(LeaseLost, match="bob@ci"):
        WRITES[write](fenced)
    assert _all_of(history) == _all_of(fenced) == before


@pytest.mark.parametrize("write", WRITES)
def test_who_has_the_lease_writes_to_the_outbox(history: History, write: str) -> None:
    """What a fenced diary writes, everybody reads."""
    history.begin_run(RUN)
    history.finish_run(RUN.id, RunState.FAILED, "2026-11-22T02:50:00Z")
    claim(history)
    history.outbox.tell([replace(FACT, id="evt_old")], [MESSAGE])
    lease = history.leases.acquire("gold", ANN, 60)
    assert lease is not None
    before = _all_of(history)
    WRITES[write](history.fenced(lease))
    assert _all_of(history) != before


def test_no_write_of_an_outbox_is_forgotten() -> None:
    """Whatever is added to the outbox and writes is in the list above."""
    import inspect

    from orchestrator.doors.outbox import DatabaseOutbox

    methods = inspect.getsource(DatabaseOutbox).split("\n    def ")[1:]
    writing = {each.partition("(")[0] for each in methods if "writing()" in each}
    assert writing == WRITES.keys() - {"claim", "replace_claim"}


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


def _next(number: int) -> Delivery:
    return replace(MESSAGE, id=f"msg_{number:032}")
