"""What every channel promises, each with a receiver of its own and the twin with memory's."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.doors.channels.registry import CHANNELS
from orchestrator.model.message import Reception, Sent
from tests.doors.channels.notices import PASSWORD, SIGNING, TOKEN, message
from tests.doors.channels.stands import (
    DEAD,
    DELIVERS,
    EVERYTHING,
    LATER,
    NEVER,
    NO_MORE,
    SLOW,
    STANDS,
    Stand,
)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:apprise.*")

EXPECTED = {
    DELIVERS: Reception.DELIVERED,
    LATER: Reception.RETRY,
    NO_MORE: Reception.GONE,
    NEVER: Reception.REFUSED,
    SLOW: Reception.RETRY,
    DEAD: Reception.RETRY,
}
#: What no outcome, name, representation or log may show.
SECRETS = (PASSWORD, TOKEN, SIGNING, SIGNING.removeprefix("whsec_"))


@pytest.fixture
def stand(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stand]:
    """The kind of channel that the test names."""
    with STANDS[request.param][0](tmp_path) as made:
        yield made


def cases(*behaviours: str) -> list[object]:
    """Return each kind of channel with each of these behaviours that its receivers can have."""
    return [
        pytest.param(kind, how, id=f"{kind}-{how}")
        for kind, (_, able) in STANDS.items()
        for how in behaviours
        if how in able
    ]


def sent_to(stand: Stand, how: str, number: int = 1) -> Sent:
    """Tell the receiver how to be, and send it a message."""
    if how == DEAD:
        return stand.dead.send(message(number))
    stand.behave(how)
    return (stand.hurried if how == SLOW else stand.channel).send(message(number))


@pytest.mark.parametrize(("stand", "how"), cases(*EVERYTHING), indirect=["stand"])
def test_the_outcome_says_what_the_receiver_did(stand: Stand, how: str) -> None:
    """Delivered, later, gone, refused, too slow, not there: never an exception."""
    sent = sent_to(stand, how)
    assert sent.reception is EXPECTED[how]
    assert (sent.why == "") is (how == DELIVERS)
    assert stand.taken() == ([1] if how == DELIVERS else [])


@pytest.mark.parametrize(("stand", "how"), cases(LATER, NEVER, SLOW), indirect=["stand"])
def test_what_failed_can_be_sent_again(stand: Stand, how: str) -> None:
    """The same message is delivered when the receiver is well again."""
    sent_to(stand, how)
    assert sent_to(stand, DELIVERS).reception is Reception.DELIVERED
    assert stand.taken()[-1] == 1


@pytest.mark.parametrize("stand", STANDS, indirect=True)
def test_messages_arrive_in_order(stand: Stand) -> None:
    """One after another, none missing."""
    for number in (1, 2, 3):
        assert sent_to(stand, DELIVERS, number).reception is Reception.DELIVERED
    assert stand.taken() == [1, 2, 3]


@pytest.mark.parametrize("stand", STANDS, indirect=True)
def test_several_threads_may_send(stand: Stand) -> None:
    """Every message arrives once, whoever sends it."""
    stand.behave(DELIVERS)
    outcomes: list[Sent] = []

    def send(number: int) -> None:
        outcomes.append(stand.channel.send(message(number)))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(1, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {sent.reception for sent in outcomes} == {Reception.DELIVERED}
    assert sorted(stand.taken()) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "stand", ["memory", "webhook", "slack webhook", "slack bot"], indirect=True
)
def test_a_receiver_asks_for_a_pause(stand: Stand) -> None:
    """Where a receiver can say how long, that is passed on."""
    assert sent_to(stand, LATER).retry_after_s == 7.0


@pytest.mark.parametrize(("stand", "how"), cases(*EVERYTHING), indirect=["stand"])
def test_nothing_shows_a_secret(
    stand: Stand, how: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """No password, token, signing key or secret address in outcomes, names, logs or output."""
    caplog.set_level(logging.DEBUG)
    sent = sent_to(stand, how)
    shown = [repr(sent), stand.channel.where, repr(stand.channel), *capfd.readouterr()]
    shown += [record.getMessage() for record in caplog.records]
    shown += [repr(vars(each).get("_target")) for each in (stand.channel, stand.dead)]
    assert [text for text in shown if any(secret in text for secret in SECRETS)] == []


@pytest.mark.parametrize(("stand", "how"), cases(DEAD), indirect=["stand"])
def test_a_channel_has_a_name(stand: Stand, how: str) -> None:
    """People are told which receiver it is, in one line."""
    assert how == DEAD
    assert stand.channel.where.isprintable()
    assert stand.channel.where


def test_every_kind_is_tested() -> None:
    """A channel that is added comes with a receiver."""
    kinds = {"slack webhook": "slack", "slack bot": "slack"}
    tested = {kinds.get(kind, kind) for kind in STANDS} - {"memory"}
    assert {made.__name__.removesuffix("Target").lower() for made in CHANNELS} == tested


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"id": "msg_1.2345678"}, "is not msg_"),
        ({"id": "1"}, "is not msg_"),
        ({"subject": "two\nlines"}, "is not one line"),
        ({"subject": ""}, "is not one line"),
        ({"events": ()}, "tells nothing"),
    ],
)
def test_a_message_is_valid(changes: dict[str, object], why: str) -> None:
    """What would break a signature, a header or a body cannot be made."""
    with pytest.raises(ValueError, match=why):
        message(**changes)  # type: ignore[arg-type]
    assert message(subject="ä 日本\u3000😀 \U0001fae9").subject
