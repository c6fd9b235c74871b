"""What every outbox promises of facts: SQLite, PostgreSQL, and the twin in memory."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.doors.history import DatabaseHistory
from orchestrator.doors.open_state import open_database
from orchestrator.doors.protocols_history import History
from orchestrator.doors.protocols_outbox import Outbox
from orchestrator.errors import StateUnavailable
from orchestrator.model.announcement import Announcement
from orchestrator.model.delivery import Backlog, DeliveryState
from orchestrator.model.run import RunState
from tests.doors.outbox_scene import (
    DELIVERED,
    EVENT,
    FACT,
    LATER,
    MESSAGE,
    PLACE,
    PUBLISHED,
    TRIED,
    WAITING,
    claim,
    history,
    message,
    outbox,
)
from tests.doors.test_history import BUILT, RUN

__all__ = ["history", "outbox"]  # fixtures


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
    history.outbox.tell([replace(PUBLISHED, event=EVENT), FACT], [MESSAGE, message(2)], RUN.id)
    assert history.outbox.released("gold") == ()
    assert history.outbox.untold("gold") == ()
    assert history.outbox.events([FACT.id, PUBLISHED.id, "evt_unknown"]) == {
        FACT.id: EVENT,
        PUBLISHED.id: EVENT,
    }
    assert history.outbox.deliveries("gold", [WAITING]) == (MESSAGE, message(2))


def test_telling_twice_changes_nothing(history: History) -> None:
    """Whoever tells again does not tell more, and does not send again what has arrived."""
    history.begin_run(RUN)
    history.finish_run(RUN.id, RunState.FAILED, "2026-11-22T02:50:00Z")
    history.outbox.tell([FACT], [MESSAGE], RUN.id)
    done = replace(TRIED, state=DELIVERED)
    history.outbox.record([done])
    other = replace(FACT, event={"other": 1}, run=LATER.id)
    history.outbox.tell([other], [replace(MESSAGE, subject="other"), message(2)], RUN.id)
    assert history.outbox.events([FACT.id]) == {FACT.id: EVENT}
    assert history.outbox.deliveries("gold", tuple(DeliveryState)) == (done, message(2))
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
