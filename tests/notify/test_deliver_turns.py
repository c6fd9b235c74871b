"""Whose turn it is, and when it ends: on twins, with a clock that tests own."""

from __future__ import annotations

import threading
from math import inf

import pytest

from orchestrator.doors.memory.channels import MemoryReceiver
from orchestrator.model.delivery import DeliveryState, ReceiverState
from orchestrator.model.message import Message, Sent, try_later
from orchestrator.model.subscription import receiver_of
from tests.notify.place import Place
from tests.notify.teams import delivery, follows, hierarchy, hook, tell


@pytest.fixture
def place() -> Place:
    return Place()


def taken(receiver: MemoryReceiver) -> list[int]:
    return [int(each.id[4:]) for each in receiver.taken]


def test_no_message_is_begun_after_the_end(place: Place) -> None:
    """What is left is left for the next drain, and that is said."""
    tell(place.outbox, *(delivery(n) for n in range(1, 9)))
    receiver = place.of()
    take = receiver.take

    def in_a_second(message: Message) -> Sent:
        place.clock.sleep(1.0)
        return take(message)

    receiver.take = in_a_second  # type: ignore[method-assign]
    done = place.drain(until_s=3.0)
    assert (done.delivered, done.cut_short) == (3, True)
    assert taken(receiver) == [1, 2, 3]
    done = place.drain(until_s=inf)
    assert (done.delivered, done.cut_short) == (5, False)


def test_who_stops_it_gets_what_was_sent_written(place: Place) -> None:
    """The rest waits."""
    tell(place.outbox, *(delivery(n) for n in range(1, 9)))
    receiver = place.of()
    take = receiver.take

    def then_stop(message: Message) -> Sent:
        if message.id.endswith("3"):
            place.stopping.set()
        return take(message)

    receiver.take = then_stop  # type: ignore[method-assign]
    done = place.drain()
    assert (done.delivered, done.cut_short) == (3, True)
    assert sum(each is DeliveryState.DELIVERED for each in place.states().values()) == 3


def test_a_stop_ends_a_wait(place: Place) -> None:
    """A receiver that asked for a pause is not waited for by somebody who wants to go."""
    tell(place.outbox, delivery(1))
    place.of().answer = try_later("429", 30.0)
    place.clock.alarm(10.0, place.stopping.set)
    assert place.drain().cut_short
    assert place.clock.monotonic_s() == 10.0


def test_a_slow_receiver_does_not_keep_the_others_waiting(place: Place) -> None:
    """With one thread only, the others have theirs after its first turn."""
    tell(place.outbox, *(delivery(n) for n in range(1, 9)))
    tell(place.outbox, *(delivery(n, team="pay") for n in range(11, 14)))
    receiver, others_s = place.of(), []
    take, take_other = receiver.take, place.of("pay").take

    def slowly(message: Message) -> Sent:
        place.clock.sleep(2.0)
        return take(message)

    def other(message: Message) -> Sent:
        others_s.append(place.clock.monotonic_s())
        return take_other(message)

    receiver.take = slowly  # type: ignore[method-assign]
    place.of("pay").take = other  # type: ignore[method-assign]
    assert place.drain().delivered == 11
    assert max(others_s) <= 6.0


def test_those_who_do_not_answer_come_last(place: Place) -> None:
    """After its first try a dead receiver waits until the others have theirs."""
    tell(place.outbox, *(delivery(n) for n in range(1, 4)))
    tell(place.outbox, *(delivery(n, team="pay") for n in range(11, 14)))
    order: list[str] = []

    def watch(team: str, answer: Sent) -> None:
        def take(_: Message) -> Sent:
            order.append(team)
            return answer

        place.of(team).take = take  # type: ignore[method-assign, assignment]

    watch("web", try_later("no"))
    watch("pay", place.of("pay").answer)
    place.drain()
    assert order == ["web", "pay", "pay", "pay", "web", "web"]


def test_suspects_never_have_all_threads() -> None:
    """Of four threads two at most are with receivers that did not answer last time."""
    dead = [f"dead{n}" for n in range(8)]
    place = Place(gold=hierarchy(*(follows("*", team=team) for team in ("web", *dead))))
    at_once, most, lock = [0], [0], threading.Lock()
    released = threading.Event()
    for number, team in enumerate(dead, 1):
        tell(place.outbox, delivery(number, team=team))
        state = ReceiverState(team=team, receiver=receiver_of(hook(team)), paused_until_s=1.0)
        place.outbox.note_receiver("gold", state)

        def take(_: Message) -> Sent:
            with lock:
                at_once[0] += 1
                most[0] = max(most[0], at_once[0])
            released.wait(0.05)
            with lock:
                at_once[0] -= 1
            return try_later("no")

        place.of(team).take = take  # type: ignore[method-assign, assignment]
    assert len(place.drain(threads=4).later) == 8
    assert most[0] == 2


def test_teams_that_share_an_address_keep_its_pauses_together() -> None:
    """One that takes a message a second gets those of four teams in one drain, in order.

    Each by itself, they would take the second from one another until one is left alone.
    """
    shared, teams = hook("shared"), ("web", "pay", "ops", "lab")
    place = Place(gold=hierarchy(*(follows("*", team=team, targets=(shared,)) for team in teams)))
    sent = [
        delivery(10 * number + n, team=team, target=shared)
        for n in range(5)
        for number, team in enumerate(teams)
    ]
    tell(place.outbox, *sent)
    receiver, last_s = place.channels.receiver(shared), [-9.0]
    take = receiver.take

    def limited(message: Message) -> Sent:
        if place.clock.monotonic_s() - last_s[0] < 1:
            return try_later("429", 1.0)
        last_s[0] = place.clock.monotonic_s()
        return take(message)

    receiver.take = limited  # type: ignore[method-assign]
    done = place.drain()
    assert (done.delivered, done.paused) == (20, ())
    for number in range(4):
        assert [n % 10 for n in taken(receiver) if n // 10 == number] == [0, 1, 2, 3, 4]
