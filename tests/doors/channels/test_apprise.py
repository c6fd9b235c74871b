"""Apprise, through its plugin for JSON over HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from orchestrator.doors.channels.apprise import AppriseChannel
from orchestrator.model.message import DELIVERED, Reception, refused
from orchestrator.model.target import AppriseTarget
from tests.doors.channels.http_receiver import HttpReceiver
from tests.doors.channels.notices import LAYOUTS, PASSWORD, message, needs

# Some of its plugins are older than Python's present.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def channel(url: str, limit_s: float = 30.0) -> AppriseChannel:
    """Return a way to whatever an address of Apprise's means."""
    return AppriseChannel(AppriseTarget(url="env:URL"), needs({"env:URL": url}), limit_s=limit_s)


def test_what_arrives(receiver: HttpReceiver) -> None:
    """The subject and the text, as a person reads them."""
    assert channel(f"json://127.0.0.1:{receiver.port}/x").send(message()) == DELIVERED
    (request,) = receiver.requests
    said = json.loads(request.body)
    assert (said["title"], said["message"]) == (message().subject, LAYOUTS.text(message()).strip())


def test_nobody_is_called(receiver: HttpReceiver) -> None:
    """Text from images calls nobody in a chat; a reference to paste stays as it is."""
    line = "FROM r.example/gold/base:12@sha256:1a2b"
    hostile = replace(message(), subject=f"@everyone <!channel> <@U1> {line}")
    assert channel(f"json://127.0.0.1:{receiver.port}/x").send(hostile) == DELIVERED
    (request,) = receiver.requests
    title = json.loads(request.body)["title"]
    assert title.endswith(line)
    assert title.startswith("@\u2060everyone <\u2060!channel> <\u2060@\u2060U1> ")


def test_a_receiver_that_says_no(receiver: HttpReceiver) -> None:
    """Apprise does not say why, so it is tried again; what it logs shows no address."""
    receiver.status = 500
    sent = channel(f"json://user:{PASSWORD}@127.0.0.1:{receiver.port}/x").send(message())
    assert (sent.reception, sent.why) == (Reception.RETRY, "Apprise could not deliver it")


def test_a_receiver_cannot_hold_us(receiver: HttpReceiver) -> None:
    """A try ends after its time."""
    receiver.slow = True
    sent = channel(f"json://127.0.0.1:{receiver.port}/x", limit_s=1.0).send(message())
    assert (sent.reception, sent.why) == (Reception.RETRY, "no answer within 1 s")


@pytest.mark.parametrize("url", ["nothing", "unknown://x/y", f"unknown://{PASSWORD}@h"])
def test_an_address_that_apprise_does_not_know(url: str) -> None:
    """It is refused without being quoted."""
    assert channel(url).send(message()) == refused("Apprise does not know such an address")


def test_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way out is named, and nothing is lost."""
    monkeypatch.setitem(sys.modules, "apprise", None)
    sent = channel("json://h/").send(message())
    assert sent.reception is Reception.RETRY
    assert sent.why == "Apprise is not installed: pip install 'gold-orchestrator[apprise]'"


def test_it_is_not_imported_before_it_is_needed() -> None:
    """Who does not use it pays nothing for it."""
    script = (
        "import sys; import orchestrator.doors.channels.registry; "
        "print(sorted({'apprise', 'requests'} & set(sys.modules)))"
    )
    ran = subprocess.run((sys.executable, "-c", script), capture_output=True, text=True)
    assert ran.stdout == "[]\n"
