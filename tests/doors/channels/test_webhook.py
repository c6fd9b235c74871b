"""Signed webhooks, verified by somebody else's implementation."""

from __future__ import annotations

import base64
import json

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from orchestrator.doors.channels.webhook import WebhookChannel, signatures, signing_key
from orchestrator.errors import Unavailable
from orchestrator.model.message import Message, Reception, Sent
from orchestrator.model.target import WebhookTarget
from tests.doors.channels.http_receiver import HttpReceiver
from tests.doors.channels.notices import EVENT, SIGNING, message, needs

OTHER = "whsec_" + base64.b64encode(b"another secret, of 32 bytes, say").decode()
SECRETS = {"env:NEW": SIGNING, "env:OLD": OTHER, "env:RAW": "just words", "env:BAD": "whsec_?"}


def send(receiver: HttpReceiver, *secrets: str, sent: Message | None = None) -> Sent:
    target = WebhookTarget(url=receiver.url, secrets=secrets, allow_internal=True)
    return WebhookChannel(target, needs(SECRETS)).send(sent or message())


def test_an_independent_receiver_verifies_it(receiver: HttpReceiver) -> None:
    """The reference implementation takes the signature, and nothing that was altered."""
    assert send(receiver, "env:NEW").reception is Reception.DELIVERED
    (request,) = receiver.requests
    headers = dict(request.headers)
    assert Webhook(SIGNING).verify(request.body, headers) == EVENT
    assert headers["content-type"] == "application/cloudevents+json"
    assert headers["webhook-id"] == "msg_00000001"
    with pytest.raises(WebhookVerificationError):
        Webhook(SIGNING).verify(request.body + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SIGNING).verify(request.body, {**headers, "webhook-id": "msg_00000002"})
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(request.body, headers)


def test_both_secrets_sign_while_one_is_replaced(receiver: HttpReceiver) -> None:
    """A receiver that has the old or the new secret takes the same message."""
    send(receiver, "env:NEW", "env:OLD")
    (request,) = receiver.requests
    assert len(request.headers["webhook-signature"].split(" ")) == 2
    for secret in (SIGNING, OTHER):
        Webhook(secret).verify(request.body, dict(request.headers))


def test_a_secret_may_be_plain_words(receiver: HttpReceiver) -> None:
    """Without `whsec_` the characters themselves are the key."""
    send(receiver, "env:RAW")
    (request,) = receiver.requests
    Webhook(b"just words").verify(request.body, dict(request.headers))


def test_several_events_are_a_batch(receiver: HttpReceiver) -> None:
    """The receiver learns from the media type that it gets an array."""
    events = (EVENT, {**EVENT, "id": "evt_2"})
    send(receiver, "env:NEW", sent=message(events=events))
    (request,) = receiver.requests
    assert request.headers["content-type"] == "application/cloudevents-batch+json"
    assert json.loads(request.body) == list(events)
    Webhook(SIGNING).verify(request.body, dict(request.headers))


def test_the_same_message_has_the_same_id_and_bytes_on_every_try(receiver: HttpReceiver) -> None:
    """A receiver can tell a second delivery from a second message."""
    receiver.status = 503
    for _ in range(2):
        assert send(receiver, "env:NEW").reception is Reception.RETRY
    first, second = receiver.requests
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


@pytest.mark.parametrize(
    ("status", "reception", "why"),
    [
        (200, Reception.DELIVERED, ""),
        (202, Reception.DELIVERED, ""),
        (204, Reception.DELIVERED, ""),
        (410, Reception.GONE, "it answers 410 Gone: it wants no more messages"),
        (302, Reception.REFUSED, "it answers 302 Found, and redirects are not followed"),
        (400, Reception.REFUSED, "it answers 400 Bad Request"),
        (413, Reception.REFUSED, "it answers 413 Request Entity Too Large"),
        (401, Reception.RETRY, "it answers 401 Unauthorized"),
        (404, Reception.RETRY, "it answers 404 Not Found"),
        (429, Reception.RETRY, "it answers 429 Too Many Requests"),
        (500, Reception.RETRY, "it answers 500 Internal Server Error"),
        (503, Reception.RETRY, "it answers 503 Service Unavailable"),
        (599, Reception.RETRY, "it answers 599"),
    ],
)
def test_what_an_answer_means(
    receiver: HttpReceiver, status: int, reception: Reception, why: str
) -> None:
    """What may pass is tried again, what cannot is not, and 410 is the end."""
    receiver.status = status
    assert send(receiver, "env:NEW") == Sent(reception=reception, why=why)


@pytest.mark.parametrize(
    ("value", "pause_s"), [("7", 7.0), ("0", 0.0), ("99999999", 86400.0), ("soon", None)]
)
def test_a_receiver_may_ask_for_a_pause(
    receiver: HttpReceiver, value: str, pause_s: float | None
) -> None:
    """Retry-After is passed on, at most a day."""
    receiver.status, receiver.headers = 429, {"Retry-After": value}
    assert send(receiver, "env:NEW").retry_after_s == pause_s


def test_nothing_goes_inside_unless_it_may(receiver: HttpReceiver) -> None:
    """An internal address is refused for good, with the way out; nothing arrives there."""
    target = WebhookTarget(url=receiver.url, secrets=("env:NEW",))
    sent = WebhookChannel(target, needs(SECRETS)).send(message())
    assert sent.reception is Reception.REFUSED
    assert sent.why.endswith("this machine; an internal receiver needs allow_internal: true")
    assert receiver.requests == []


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("env:MISSING", "no secret env:MISSING"),
        ("env:BAD", "a signing secret is not base64 behind whsec_"),
    ],
)
def test_a_secret_that_is_not_there(receiver: HttpReceiver, reference: str, why: str) -> None:
    """Nothing is sent unsigned: the message waits until somebody has put the secret there."""
    sent = send(receiver, "env:NEW", reference)
    assert (sent.reception, sent.why) == (Reception.RETRY, why)
    assert receiver.requests == []


def test_the_address_may_be_a_secret(receiver: HttpReceiver) -> None:
    """A reference in place of the address is looked up when it is sent."""
    target = WebhookTarget(url="env:URL", secrets=("env:NEW",), allow_internal=True)
    channel = WebhookChannel(target, needs({**SECRETS, "env:URL": receiver.url}))
    assert channel.send(message()).reception is Reception.DELIVERED
    assert channel.where == "env:URL"


def test_a_webhook_without_a_secret_is_none() -> None:
    """A receiver could not tell our messages from anybody's."""
    with pytest.raises(ValueError, match="needs a secret"):
        WebhookTarget(url="https://ci.example/", secrets=())


def test_keys_and_signatures_agree_with_the_example_of_the_specification() -> None:
    """The example of Standard Webhooks gives the signature that stands there."""
    key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    assert signatures([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_a_key_that_is_no_base64_shows_nothing_of_itself() -> None:
    """The error and its causes quote no part of the secret."""
    with pytest.raises(Unavailable) as refusal:
        signing_key("whsec_not base64!")
    assert "not base64!" not in repr(refusal.value)
    assert refusal.value.__cause__ is None
    assert refusal.value.__context__ is None
