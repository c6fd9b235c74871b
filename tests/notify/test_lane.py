"""What one receiver is sent next, and when a message is given up."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from orchestrator.model.delivery import Delivery, DeliveryState, ReceiverState
from orchestrator.model.message import DELIVERED, Sent, gone, refused, try_later
from orchestrator.notify.lane import (
    FIRST_PAUSE_S,
    LASTS_S,
    LONGEST_ASKED_S,
    LONGEST_PAUSE_S,
    Answered,
    Lane,
    is_due,
    pause_s,
)
from tests.notify.teams import NOW_S, delivery, hook

NO = try_later("busy")
CLEAR = ReceiverState(team="web", receiver=delivery(1).receiver)
PAUSED = replace(CLEAR, paused_until_s=NOW_S - 1, why="busy")


def lane(*waiting: Delivery, state: ReceiverState = CLEAR) -> Lane:
    return Lane(hook(), state, max(each.tries for each in waiting), lambda: waiting)


def one(
    it: Lane, sent: Sent, now_s: float = NOW_S, left_s: float = inf
) -> tuple[str, Answered] | None:
    """Try the next message; return which, and what came of it."""
    found = it.next(now_s)
    if found is None:
        return None
    return found.id, it.answered(found, sent, now_s=now_s, left_s=left_s)


def fate(it: Lane, sent: Sent, now_s: float = NOW_S, left_s: float = inf) -> Answered:
    tried = one(it, sent, now_s, left_s)
    assert tried is not None
    return tried[1]


def rest(it: Lane, now_s: float = NOW_S) -> list[int]:
    """Return the numbers of what is taken next, if all of it is."""
    found = []
    while tried := one(it, DELIVERED, now_s):
        found.append(int(tried[0][4:]))
    return found


@pytest.mark.parametrize("tries", range(1, 40))
def test_pauses_grow_from_half_a_minute_to_six_hours(tries: int) -> None:
    """Twice as long each time, and up to a quarter more at random."""
    least_s = min(30.0 * 2 ** (tries - 1), 6 * 3600.0)
    found = {pause_s(tries) for _ in range(20)}
    assert all(least_s <= each <= least_s * 1.25 for each in found)
    assert len(found) > 1


def test_the_order_of_an_image_is_kept() -> None:
    """A message waits while an earlier one that shares an image waits, also by way of a third."""
    it = lane(
        delivery(1, "base"),
        delivery(2, "base", "python"),
        delivery(3, "python"),
        delivery(4, "java"),
        delivery(5),
    )
    fate(it, NO)
    assert rest(it) == [4, 5]


def test_what_is_given_up_holds_nothing_up() -> None:
    """After a refusal the next message about that image goes out."""
    it = lane(delivery(1, "base"), delivery(2, "base"))
    fate(it, refused("never"))
    assert rest(it) == [2]


def test_what_is_not_due_holds_up_what_shares_its_image() -> None:
    """Also a message that was tried by an earlier run."""
    it = lane(delivery(1, "base", next_at_s=NOW_S + 9), delivery(2, "base"), delivery(3, "java"))
    assert rest(it) == [3]
    it = lane(delivery(1, "base", next_at_s=NOW_S), delivery(2, "base"))
    assert rest(it) == [1, 2]


def test_a_clock_that_went_wrong_does_not_hold_a_message_for_years() -> None:
    """A moment that no pause of ours leads to is now."""
    assert not is_due(NOW_S + LONGEST_ASKED_S, NOW_S)
    assert is_due(NOW_S + 365 * 86400.0, NOW_S)


def test_what_is_not_taken_waits() -> None:
    """With a count, a reason, and a moment."""
    (tried,) = fate(lane(delivery(1)), NO).deliveries
    assert (tried.state, tried.tries, tried.why) == (DeliveryState.WAITING, 1, "busy")
    assert NOW_S + FIRST_PAUSE_S <= tried.next_at_s <= NOW_S + FIRST_PAUSE_S * 1.25


def test_three_tries_in_a_row_and_it_is_left_alone() -> None:
    """With other messages each time; one that is taken begins the count anew."""
    it = lane(*(delivery(n) for n in range(1, 9)))
    for sent in (NO, NO, DELIVERED, NO, NO):
        answered = fate(it, sent)
        assert (answered.wait_s, answered.state) == (0.0, None)
    last = fate(it, NO)
    assert last.wait_s is None
    assert last.state is not None
    assert last.state.why == "busy"
    assert NOW_S + 30 <= last.state.paused_until_s <= NOW_S + 37.5


def test_who_did_not_answer_last_time_gets_one_try() -> None:
    """Its next pause is as long as the most tries that one of its messages has had."""
    it = lane(delivery(1), delivery(2, tries=5), state=PAUSED)
    assert it.is_suspect
    answered = fate(it, NO)
    assert answered.wait_s is None
    assert answered.state is not None
    assert NOW_S + 480 <= answered.state.paused_until_s <= NOW_S + 600


def test_who_did_not_take_a_message_is_a_suspect() -> None:
    """Also where it was asked too seldom to be left alone."""
    assert lane(delivery(1), delivery(2, tries=1)).is_suspect
    assert not lane(delivery(1)).is_suspect


def test_who_answers_again_is_like_everybody() -> None:
    """What was known of it is forgotten, once."""
    it = lane(delivery(1), delivery(2), delivery(3), state=PAUSED)
    assert fate(it, DELIVERED).state == CLEAR
    assert not it.is_suspect
    assert fate(it, DELIVERED).state is None
    assert fate(it, NO).wait_s == 0.0


def test_three_days_and_it_is_given_up() -> None:
    """The last try is at the end of the three days, however long the pauses are by then."""
    it, now_s, tries = lane(delivery(1)), NOW_S, 0
    while True:
        (tried,) = fate(it, NO, now_s).deliveries
        tries += 1
        if tried.state is DeliveryState.DEAD:
            break
        assert tried.next_at_s - now_s <= LONGEST_PAUSE_S * 1.25
        now_s, it = tried.next_at_s, lane(tried)
    assert now_s == NOW_S + LASTS_S
    assert (tried.why, tried.tries, tries > 15) == ("busy", tries, True)


def test_nothing_is_given_up_before_it_was_tried_three_times() -> None:
    """Nobody may have sent anything for a week, and a replayed message is as old."""
    now_s = NOW_S + 7 * 86400
    it = delivery(1)
    states = []
    for _ in range(3):
        (it,) = fate(lane(it), NO, now_s).deliveries
        now_s = it.next_at_s
        states.append(it.state)
    assert states == [DeliveryState.WAITING, DeliveryState.WAITING, DeliveryState.DEAD]


def test_what_waits_behind_a_dead_message_does_not_wait_for_three_days_more() -> None:
    """Its receiver was tried often enough, by another message; what is younger waits on."""
    old = NOW_S + LASTS_S
    it = lane(
        delivery(1, "base", tries=8),
        delivery(2, "base"),
        delivery(3, "base"),
        delivery(4, "base", at="2026-01-02T00:00:00Z"),
        state=PAUSED,
    )
    assert fate(it, NO, old).wait_s == 0.0
    answered = fate(it, NO, old)
    assert [(each.id[-1], each.state, each.why) for each in answered.deliveries] == [
        ("2", DeliveryState.DEAD, "busy"),
        ("3", DeliveryState.DEAD, "its receiver takes nothing: busy"),
    ]


def test_it_may_be_the_message_that_is_not_taken() -> None:
    """Who was left alone gets another one, never tried, and with that everything it takes."""
    waiting = (
        *(delivery(n, tries=1) for n in (1, 2, 3)),
        *(delivery(4, "base", tries=1), delivery(5, "base"), delivery(6, "java"), delivery(7)),
    )
    it = lane(*waiting, state=PAUSED)
    assert fate(it, NO).wait_s == 0.0
    assert fate(it, DELIVERED).deliveries[0].id[-1] == "6"
    assert rest(it) == [7, 2, 3, 4, 5]
    it = lane(*waiting, state=PAUSED)
    assert [fate(it, NO).wait_s for _ in range(2)] == [0.0, None]


@pytest.mark.parametrize(
    "waiting",
    [
        pytest.param((delivery(1), delivery(2)), id="it was never tried itself"),
        pytest.param((delivery(1, "base", tries=1), delivery(2, "base")), id="that one waits"),
        pytest.param((delivery(1, tries=1), delivery(2, tries=1)), id="all were tried"),
    ],
)
def test_who_was_left_alone_gets_another_only_if_that_tells_more(
    waiting: tuple[Delivery, ...],
) -> None:
    """Else a receiver that takes nothing would cost twice the time."""
    assert fate(lane(*waiting, state=PAUSED), NO).wait_s is None


def test_what_died_before_the_receiver_answered_counts_no_more() -> None:
    """Messages that were tried once are not given up because of one that was tried often."""
    it = lane(delivery(1, tries=8), *(delivery(n) for n in range(2, 6)), state=PAUSED)
    old = NOW_S + LASTS_S
    assert fate(it, NO, old).deliveries[0].state is DeliveryState.DEAD
    fate(it, DELIVERED, old)
    answered = [fate(it, NO, old) for _ in range(3)]
    assert {each.state for one in answered for each in one.deliveries} == {DeliveryState.WAITING}
    assert answered[-1].wait_s is None


def test_who_was_left_alone_and_takes_again_gets_everything_in_order() -> None:
    """What was never tried goes before the rest only where something is not taken."""
    assert rest(lane(delivery(1, tries=2), delivery(2, tries=1), delivery(3), state=PAUSED)) == [
        *(1, 2, 3)
    ]


def test_who_takes_nothing_is_left_alone_for_longer_each_time() -> None:
    """However many messages wait that were never tried."""
    it = lane(delivery(1, tries=5), *(delivery(n) for n in range(2, 9)), state=PAUSED)
    fate(it, NO)
    state = fate(it, NO).state
    assert state is not None
    assert state.paused_until_s >= NOW_S + 32 * FIRST_PAUSE_S


def test_what_was_tried_last_dies_with_the_others() -> None:
    """Three tries of another message are as good as its own."""
    it = lane(delivery(1), delivery(2, tries=3, next_at_s=NOW_S + LASTS_S + 9), state=PAUSED)
    answered = fate(it, NO, NOW_S + LASTS_S)
    assert [(each.id[-1], each.state, each.why) for each in answered.deliveries] == [
        ("1", DeliveryState.DEAD, "busy"),
        ("2", DeliveryState.DEAD, "its receiver takes nothing: busy"),
    ]


def test_a_receiver_that_is_away_when_all_are_back_from_a_week_off_loses_nothing() -> None:
    """Messages of a week ago that nobody has sent yet are not given up with the first tries."""
    it = lane(*(delivery(n) for n in range(5)))
    tries = [fate(it, NO, NOW_S + 7 * 86400) for _ in range(3)]
    assert [each.state for answered in tries for each in answered.deliveries] == [
        DeliveryState.WAITING
    ] * 3
    assert tries[-1].state is not None


def test_who_is_gone_gets_nothing_any_more() -> None:
    """Everything that waits for it is given up, due or not."""
    it = lane(
        delivery(1, "base"), delivery(2, "base"), delivery(3, next_at_s=NOW_S + 9), delivery(4)
    )
    fate(it, NO)
    answered = fate(it, gone("410"))
    assert answered.state == replace(CLEAR, disabled_at="2026-01-01T00:00:00Z", why="410")
    assert answered.wait_s is None
    assert sorted((each.id[-1], each.state.value, each.why) for each in answered.deliveries) == [
        ("1", "dead", "the receiver is gone since 2026-01-01T00:00:00Z: 410"),
        ("2", "dead", "the receiver is gone since 2026-01-01T00:00:00Z: 410"),
        ("3", "dead", "the receiver is gone since 2026-01-01T00:00:00Z: 410"),
        ("4", "dead", "410"),
    ]


def test_a_refusal_is_the_end_of_one_message() -> None:
    """The receiver answered, so it is no suspect."""
    it = lane(delivery(1), delivery(2), state=PAUSED)
    answered = fate(it, refused("422"))
    assert [(each.state, each.why) for each in answered.deliveries] == [(DeliveryState.DEAD, "422")]
    assert answered.state == CLEAR
    assert rest(it) == [2]


def test_a_short_pause_that_is_asked_for_is_waited_for() -> None:
    """Then the same message is the next, and the count goes on."""
    it = lane(delivery(1, "base"), delivery(2, "base"))
    answered = fate(it, try_later("429", 5.0))
    assert answered.state is None
    assert answered.wait_s is not None
    assert 5 <= answered.wait_s <= 6
    assert rest(it, NOW_S + answered.wait_s) == [1, 2]


def test_a_clock_that_is_set_back_does_not_lengthen_a_pause_that_is_waited_for() -> None:
    """Its end is known by the clock that never goes back; the message is the next then."""
    it = lane(delivery(1, "base"), delivery(2, "base"))
    assert fate(it, try_later("429", 5.0)).wait_s is not None
    assert rest(it, NOW_S - 3600.0) == [1, 2]


@pytest.mark.parametrize(("asked_s", "left_s"), [(3600.0, inf), (30.0, 20.0)])
def test_a_long_pause_is_kept_for_the_next_time(asked_s: float, left_s: float) -> None:
    """Also one that ends after the drain does; the message waits as long, no shorter."""
    answered = fate(lane(delivery(1), delivery(2)), try_later("429", asked_s), left_s=left_s)
    assert answered.wait_s is None
    assert answered.state is not None
    assert answered.state.paused_until_s >= NOW_S + asked_s
    (tried,) = answered.deliveries
    assert NOW_S + asked_s <= tried.next_at_s <= NOW_S + asked_s + 1


def test_nobody_can_ask_for_a_year() -> None:
    """A day at most: else three days would be over before the second try."""
    (tried,) = fate(lane(delivery(1)), try_later("429", 1e9)).deliveries
    assert tried.next_at_s <= NOW_S + LONGEST_ASKED_S + 1


def test_who_asks_to_come_back_at_once_for_ever_is_left_alone() -> None:
    """Three tries with the pauses that it asked for, then our own."""
    it, now_s = lane(delivery(1)), NOW_S
    for _ in range(2):
        answered = fate(it, try_later("429", 0.0), now_s)
        assert answered.wait_s is not None
        now_s += answered.wait_s
    answered = fate(it, try_later("429", 0.0), now_s)
    assert answered.state is not None
    assert answered.state.paused_until_s >= now_s + 4 * FIRST_PAUSE_S
    assert answered.deliveries[0].next_at_s >= now_s + 4 * FIRST_PAUSE_S


def test_of_several_people_those_who_are_left_are_told_next() -> None:
    """And stay so while the next try says nothing of them; nobody is left once it is over."""
    it = lane(delivery(1))
    (tried,) = fate(it, replace(NO, left=("ann@a.example",))).deliveries
    assert tried.only == ("ann@a.example",)
    (again,) = fate(lane(tried), NO, tried.next_at_s).deliveries
    assert again.only == ("ann@a.example",)
    (over,) = fate(lane(again), DELIVERED, again.next_at_s).deliveries
    assert (over.state, over.only, over.next_at_s) == (DeliveryState.DELIVERED, (), 0.0)
    (dead,) = fate(lane(again), replace(refused("no"), left=("ann@a.example",)), 2e9).deliveries
    assert dead.only == ("ann@a.example",)
    (dead,) = fate(lane(again), refused("its events are gone"), 2e9).deliveries
    assert dead.only == ("ann@a.example",)
