"""The outbox, emptied: on twins, with a clock that tests own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from orchestrator.doors.memory.channels import MemoryReceiver
from orchestrator.doors.protocols_outbox import Outbox
from orchestrator.errors import StateUnavailable
from orchestrator.model.delivery import Delivered, Delivery, DeliveryState
from orchestrator.model.message import Message, Sent, gone, refused, try_later
from orchestrator.model.target import EmailTarget, MailServer, Target
from orchestrator.notify.deliver import replay
from tests.notify.place import Place
from tests.notify.teams import delivery, follows, hierarchy, tell

WAITING, DELIVERED, DEAD, DROPPED = DeliveryState
TEAMS = ("web", "pay", "ops")


@pytest.fixture
def place() -> Place:
    return Place()


def taken(receiver: MemoryReceiver) -> list[int]:
    return [int(each.id[4:]) for each in receiver.taken]


def test_everything_that_is_due_is_sent_in_order(place: Place) -> None:
    """Whole messages, with their events as they were stored; each is written as delivered."""
    all_of_them = [delivery(n, "base", team=team) for n, team in enumerate(TEAMS * 3, 1)]
    tell(place.outbox, *all_of_them)
    done = place.drain(threads=3)
    assert done == Delivered(delivered=9, teams=("ops", "pay", "web"))
    assert [taken(place.of(team)) for team in TEAMS] == [[1, 4, 7], [2, 5, 8], [3, 6, 9]]
    first = place.of().taken[0]
    expected = all_of_them[0]
    assert first == Message(
        id=expected.id,
        team="web",
        at=expected.at,
        subject=expected.subject,
        thread="base",
        images=("base",),
        events=(place.outbox.events(expected.events)[expected.events[0]],),
    )
    assert set(place.states().values()) == {DELIVERED}
    assert place.drain() == Delivered()


def test_there_is_nothing_to_do_where_nothing_waits(place: Place) -> None:
    """Neither a thread is begun nor anything written."""
    assert place.drain() == Delivered()


def test_order_is_kept_for_each_image(place: Place) -> None:
    """While one message is not taken, the next ones about its image wait; the others do not."""
    tell(place.outbox, *(delivery(n, each) for n, each in enumerate(("base", "java", "base"), 1)))
    receiver = place.of()
    take = receiver.take

    def all_but_the_first(message: Message) -> Sent:
        return try_later("busy") if message.id.endswith("1") else take(message)

    receiver.take = all_but_the_first  # type: ignore[method-assign]
    done = place.drain()
    assert (done.delivered, [each.id[-1] for each in done.later]) == (1, ["1"])
    assert taken(receiver) == [2]
    receiver.take = take  # type: ignore[method-assign]
    place.later()
    place.drain()
    assert taken(receiver) == [2, 1, 3]


def test_a_dead_receiver_is_tried_three_times_then_once_a_pause(place: Place) -> None:
    """Once more with one that was never tried; after three days all are dead, and that is said."""
    tell(place.outbox, *(delivery(n) for n in range(1, 10)))
    place.of().answer = try_later("no answer")
    done = place.drain()
    assert len(place.of().tries) == 3
    assert [each.why for each in done.paused] == ["no answer"]
    assert place.drain() == Delivered()
    dead: list[Delivery] = []
    for _ in range(9):
        place.later()
        tried = len(place.of().tries)
        dead += place.drain().dead
        assert len(place.of().tries) - tried <= 2
    assert len(dead) == 9
    assert set(place.states().values()) == {DEAD}


def test_messages_that_are_not_taken_do_not_keep_back_the_others(place: Place) -> None:
    """A receiver that fails with some gets the rest the next time, and long before three days."""
    tell(place.outbox, *(delivery(n) for n in range(1, 9)))
    receiver = place.of()
    take = receiver.take
    receiver.take = (  # type: ignore[method-assign]
        lambda message: try_later("500") if int(message.id[4:]) <= 5 else take(message)
    )
    place.drain()
    delivered = []
    for _ in range(3):
        place.later()
        delivered.append(place.drain().delivered)
    assert delivered == [0, 0, 3]


def test_a_receiver_that_comes_back_gets_everything(place: Place) -> None:
    """In order, each once, and nothing is known of it any more."""
    tell(place.outbox, *(delivery(n) for n in range(1, 6)))
    place.of().dead = True
    place.drain()
    assert place.outbox.receivers("gold") != ()
    place.of().dead = False
    place.later()
    assert place.drain().delivered == 5
    assert taken(place.of()) == [1, 2, 3, 4, 5]
    assert place.outbox.receivers("gold") == ()


def test_what_is_asked_for_is_waited_for(place: Place) -> None:
    """A receiver that takes one message a second gets all of them in one drain, in order."""
    tell(place.outbox, *(delivery(n, "base") for n in range(1, 6)))
    receiver, at_s = place.of(), [-9.0]
    take = receiver.take

    def limited(message: Message) -> Sent:
        if place.clock.monotonic_s() - at_s[-1] < 1:
            return try_later("429", 1.0)
        at_s.append(place.clock.monotonic_s())
        return take(message)

    receiver.take = limited  # type: ignore[method-assign]
    done = place.drain()
    assert (done.delivered, done.later) == (5, ())
    assert taken(receiver) == [1, 2, 3, 4, 5]


def test_a_long_pause_that_is_asked_for_is_kept_by_later_drains(place: Place) -> None:
    """Nothing is sent to it before, whichever message; others get theirs."""
    tell(place.outbox, delivery(1), delivery(2), delivery(3, team="pay"))
    place.of().answer = try_later("429", 7200.0)
    assert place.drain().delivered == 1
    place.clock.sleep(7199.0)
    place.drain()
    assert len(place.of().tries) == 1
    place.clock.sleep(2 * 7200.0)
    place.of().answer = Sent(reception=place.of("pay").answer.reception)
    assert place.drain().delivered == 2


def test_who_is_gone_gets_nothing_and_that_is_said(place: Place) -> None:
    """What waits dies in the same drain, what comes in the next one; a replay asks again."""
    tell(place.outbox, *(delivery(n) for n in range(1, 4)))
    place.of().answer = gone("410")
    done = place.drain()
    assert [each.id[-1] for each in done.dead] == ["1", "2", "3"]
    assert [(each.team, each.why) for each in done.gone] == [("web", "410")]
    assert len(place.of().tries) == 1
    tell(place.outbox, delivery(4))
    assert [each.id[-1] for each in place.drain().dead] == ["4"]
    assert len(place.of().tries) == 1
    place.of().answer = Sent(reception=place.of("pay").answer.reception)
    assert replay(place.outbox, "gold") == 4
    assert place.drain().delivered == 4
    assert taken(place.of()) == [1, 2, 3, 4]


def test_a_refused_message_is_dead_and_the_next_is_sent(place: Place) -> None:
    """The same bytes would be refused again."""
    tell(place.outbox, delivery(1, "base"), delivery(2, "base"))
    receiver = place.of()
    take = receiver.take
    receiver.take = (  # type: ignore[method-assign]
        lambda message: refused("422") if message.id.endswith("1") else take(message)
    )
    done = place.drain()
    assert [(each.id[-1], each.why, each.tries) for each in done.dead] == [("1", "422", 1)]
    assert done.delivered == 1


def test_of_several_people_only_those_who_were_left_are_told_again(place: Place) -> None:
    """Nobody is told twice because of somebody else."""
    server = MailServer(host="mail.example", port=25, sender="gold@platform.example")
    mail = EmailTarget(to=("a@x.example", "b@x.example"), server=server, list_name="gold")
    place.gold = hierarchy(follows("*", targets=(mail,)))
    tell(place.outbox, delivery(1, target=mail))
    receiver = place.channels.receiver(mail)
    receiver.answer = replace(try_later("b is full"), left=("b@x.example",))
    place.drain()
    place.later()
    receiver.answer = Sent(reception=place.of().answer.reception)
    place.drain()
    assert [each.only for each in receiver.tries] == [(), ("b@x.example",)]


@pytest.mark.parametrize(
    ("until", "why"),
    [("gone", "no subscription names its receiver now"), ("2026-02-01", "muted until 2026-02-01")],
)
def test_what_nobody_wants_any_more_is_dropped(place: Place, until: str, why: str) -> None:
    """A subscription that left the file, or was muted since; and it is said."""
    tell(place.outbox, delivery(1), delivery(2, team="pay"))
    still = follows("*", team="pay")
    place.gold = hierarchy(still, *([] if until == "gone" else [follows("*", mute_until=until)]))
    done = place.drain()
    assert [(each.id[-1], each.why) for each in done.dropped] == [("1", why)]
    assert place.states() == {"1": DROPPED, "2": DELIVERED}


def test_one_of_two_subscriptions_is_enough(place: Place) -> None:
    """The same receiver by another subscription that is not muted still gets what waits."""
    place.gold = hierarchy(follows("*", mute_until="2026-02-01"), follows("base"))
    tell(place.outbox, delivery(1))
    assert place.drain().delivered == 1


class Slips:
    """Channels with a fault of our own."""

    def open(self, _: Target) -> Slips:
        return self

    where = "nowhere"

    def send(self, _: Message) -> Sent:
        raise KeyError("hunter2")


def test_a_fault_of_our_own_costs_one_message_and_quotes_nothing(place: Place) -> None:
    """It waits like others and is dead in the end; what it says may hold a secret."""
    tell(place.outbox, delivery(1))
    (later,) = place.drain(channels=Slips()).later
    assert later.why == "orchestrate has a fault of its own here: KeyError"


def test_a_message_without_its_events_is_dead(place: Place) -> None:
    """Somebody deleted them; that is said instead of sending half of it."""
    message = replace(delivery(1), events=("evt_gone",))
    place.outbox.tell([], [message])
    (dead,) = place.drain().dead
    assert dead.why == "its events are not in the database any more"


def test_a_message_that_cannot_be_one_is_dead(place: Place) -> None:
    """What somebody wrote into the database stops nobody else's messages."""
    tell(place.outbox, delivery(1, subject="two\nlines"), delivery(2))
    done = place.drain()
    assert (done.delivered, len(done.dead)) == (1, 1)


class Full:
    """An outbox whose disk is full from the first writing on."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def record(self, _: object) -> None:
        raise StateUnavailable("the disk is full", hint="free some room on its disk")

    def __getattr__(self, name: str) -> Callable[..., object]:
        return getattr(self._outbox, name)  # type: ignore[no-any-return]


def test_an_outbox_that_cannot_be_written_ends_the_drain(place: Place) -> None:
    """What was sent is sent again, with the same ids; nothing is lost."""
    tell(place.outbox, *(delivery(n) for n in range(1, 4)))
    with pytest.raises(StateUnavailable):
        place.drain(outbox=Full(place.outbox))
    place.drain()
    assert taken(place.of())[-3:] == [1, 2, 3]


def test_whoever_watches_sees_what_was_written(place: Place) -> None:
    """One call for each message, with its fate."""
    tell(place.outbox, delivery(1), delivery(2, team="pay"))
    place.of("pay").answer = refused("422")
    seen: list[Delivery] = []
    place.drain(seen=seen.append)
    assert sorted((each.id[-1], each.state) for each in seen) == [("1", DELIVERED), ("2", DEAD)]


def test_a_replay_is_of_whom_it_is_asked_for(place: Place) -> None:
    """By team and by id; with no tries, and the same id."""
    dead = [delivery(n, team=team, state=DEAD, tries=9, why="no") for n, team in enumerate(TEAMS)]
    tell(place.outbox, *dead)
    assert replay(place.outbox, "gold", "web", ["msg_00000001"]) == 0
    assert replay(place.outbox, "gold", "pay") == 1
    assert replay(place.outbox, "gold", "", ["msg_00000002"]) == 1
    waiting = place.outbox.deliveries("gold", [WAITING])
    assert [(each.id[-1], each.tries, each.why) for each in waiting] == [("1", 0, ""), ("2", 0, "")]
