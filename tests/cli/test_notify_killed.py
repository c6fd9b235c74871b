"""Processes that tell a real receiver, and are killed in the middle of it."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

from orchestrator.doors.crash import VARIABLE
from tests.cli.processes import TWINS, Ended, started
from tests.cli.stage import Stage
from tests.doors.channels.http_receiver import HttpReceiver, http_receiver
from tests.doors.channels.notices import SIGNING

EVERY = "image.published, run.started, run.finished"


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with http_receiver() as running:
        yield running


@pytest.fixture
def told(stage: Stage, receiver: HttpReceiver) -> Stage:
    """Return a stage whose one team is told over HTTP."""
    stage.world.head = stage.world.head.replace(
        "images:\n",
        f"subscriptions:\n  - team: ci\n    images: [base]\n    events: [{EVERY}]\n"
        f"    webhook: {{url: '{receiver.url}', secret: 'env:HOOK', allow_internal: true}}\n"
        "images:\n",
    )
    stage.world.write()
    stage.write()
    return stage


def run(directory: Path, *argv: str, **variables: str) -> Ended:
    """Run a command in a process of its own, with real receivers; `said` is both streams."""
    more = {"CHANNELS": "1", "HOOK": SIGNING, **variables}
    with started(*TWINS, "-C", str(directory), *argv, ignoring=None, **more) as process:
        return process.end()


def verified(receiver: HttpReceiver) -> list[tuple[str, tuple[str, ...]]]:
    """Return (message's id, types of its events) of all that came; every signature is good."""
    found = []
    for request in receiver.requests:
        Webhook(SIGNING).verify(request.body, dict(request.headers))
        said = json.loads(request.body)
        events = said if isinstance(said, list) else [said]
        words = tuple(each["type"].split(".", 2)[2].removesuffix(".v1") for each in events)
        found.append((request.headers["webhook-id"], words))
    return found


def test_killed_between_commit_and_send(told: Stage, receiver: HttpReceiver) -> None:
    """The next process sends what the dead one had only written, and a third one nothing."""
    ended = run(told.directory, "build", **{VARIABLE: "told:2"})
    assert ended.code == -signal.SIGKILL
    assert [words for _, words in verified(receiver)] in ([], [("run.started",)])
    drained = run(told.directory, "notify", "drain")
    assert drained.code == 0, drained.err
    messages = verified(receiver)
    assert sorted(words for _, words in messages) == [
        ("image.published", "run.finished"),
        ("run.started",),
    ]
    assert len({name for name, _ in messages}) == 2
    assert run(told.directory, "notify", "drain").out == "Nothing to send.\n"


def test_killed_between_send_and_record(told: Stage, receiver: HttpReceiver) -> None:
    """The receiver has it, we do not know: it is sent again with the same id and body."""
    run(told.directory, "build", "--no-notify")
    ended = run(told.directory, "notify", "drain", **{VARIABLE: "message-sent"})
    assert ended.code == -signal.SIGKILL
    (before,) = verified(receiver)
    body = receiver.requests[0].body
    drained = run(told.directory, "notify", "drain")
    assert drained.code == 0, drained.err
    messages = verified(receiver)
    assert len(messages) == 3
    assert {name for name, _ in messages[1:]} > {before[0]}
    again = next(r for r in receiver.requests[1:] if r.headers["webhook-id"] == before[0])
    assert again.body == body
    assert run(told.directory, "notify", "drain").out == "Nothing to send.\n"


def test_two_drains_at_once(told: Stage, receiver: HttpReceiver) -> None:
    """One sends; the other one says so and ends well. Nothing comes twice."""
    run(told.directory, "build", "--no-notify")
    receiver.slow = True
    argv = (*TWINS, "-C", str(told.directory), "notify", "drain")
    more = {"CHANNELS": "1", "HOOK": SIGNING}
    with started(*argv, ignoring=None, **more) as first:
        while not receiver.requests:
            time.sleep(0.01)
        second = run(told.directory, "notify", "drain")
        assert (second.code, "Another process" in second.out) == (0, True)
        receiver.slow = False
        receiver.stopped.set()
        assert first.end().code == 0
    assert len(verified(receiver)) <= 3


def test_ctrl_c_ends_the_sending_and_loses_nothing(told: Stage, receiver: HttpReceiver) -> None:
    """What was not sent is sent by the next drain."""
    run(told.directory, "build", "--no-notify")
    receiver.slow = True
    argv = (*TWINS, "-C", str(told.directory), "notify", "drain")
    with started(*argv, CHANNELS="1", HOOK=SIGNING) as first:
        while not receiver.requests:
            time.sleep(0.01)
        first.send(signal.SIGINT)
        receiver.slow = False
        receiver.stopped.set()
        assert first.end().code == 130
    drained = run(told.directory, "notify", "drain")
    assert drained.code == 0
    words = {words for _, words in verified(receiver)}
    assert words >= {("image.published", "run.finished"), ("run.started",)}
