"""A program as a channel."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from orchestrator.doors.channels.command import CommandChannel
from orchestrator.model.message import DELIVERED, Reception, Sent, refused, try_later
from orchestrator.model.target import CommandTarget
from tests.doors.channels.notices import EVENT, PASSWORD, message, needs


def send(script: str, *arguments: str, limit_s: float = 30.0) -> Sent:
    target = CommandTarget(
        command=(sys.executable, "-c", script, *arguments),
        environment={"TOKEN": "env:TOKEN"},
        limit_s=limit_s,
    )
    return CommandChannel(target, needs({"env:TOKEN": PASSWORD})).send(message())


REPORT = """
import json, os, sys
report = {"in": json.load(sys.stdin), "env": dict(os.environ), "argv": sys.argv[2:]}
open(sys.argv[1], "w").write(json.dumps(report))
"""


def test_what_the_program_gets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event on its standard input, arguments as they are, and only secrets that were named."""
    monkeypatch.setenv("REGISTRY_PASSWORD", "not for it")
    out = tmp_path / "report"
    assert send(REPORT, str(out), "$HOME; `id`") == DELIVERED
    report = json.loads(out.read_text())
    assert report["in"] == EVENT
    assert report["argv"] == ["$HOME; `id`"]
    environment = report["env"]
    assert environment["ORCHESTRATE_MESSAGE_ID"] == "msg_00000001"
    assert environment["ORCHESTRATE_TEAM"] == "payments"
    assert environment["ORCHESTRATE_MEDIA_TYPE"] == "application/cloudevents+json"
    assert environment["TOKEN"] == PASSWORD
    assert environment["PATH"] == os.environ["PATH"]
    assert "REGISTRY_PASSWORD" not in environment


def test_it_runs_where_its_settings_say(tmp_path: Path) -> None:
    """A program of the hierarchy's own is named from there, wherever the user stands."""
    program = tmp_path / "tell.sh"
    program.write_text("#!/bin/sh\npwd > where\n")
    program.chmod(0o755)
    target = CommandTarget(command=("./tell.sh",), directory=str(tmp_path))
    assert CommandChannel(target, needs({})).send(message()) == DELIVERED
    assert (tmp_path / "where").read_text() == f"{tmp_path}\n"


@pytest.mark.parametrize(
    ("script", "sent"),
    [
        ("pass", DELIVERED),
        ("import sys; sys.exit('not now')", try_later("exit 1: not now")),
        ("import sys; sys.exit(75)", try_later("exit 75")),
        ("import sys; sys.stderr.write('bad\\n'); sys.exit(65)", refused("exit 65: bad")),
        ("import os; os.kill(os.getpid(), 9)", try_later("signal 9")),
    ],
)
def test_what_the_exit_code_means(script: str, sent: Sent) -> None:
    """0 is told, 65 never, and anything else later; whether it reads its input or not."""
    assert send(script) == sent


def test_a_program_cannot_hold_us() -> None:
    """It is stopped after its time, with what it started."""
    sent = send("import time; time.sleep(600)", limit_s=0.5)
    assert sent == try_later("it did not answer within 0.5 s")


def test_a_program_cannot_fill_us() -> None:
    """It is stopped when it says too much."""
    sent = send("while True: print('x' * 65536)")
    assert sent == try_later("it says more than can be read")


def test_what_it_says_hides_the_secret() -> None:
    """A program that prints what it was given does not give it away."""
    sent = send("import os, sys; sys.exit('no: ' + os.environ['TOKEN'] + ' https://u:p@h/?t=1')")
    assert sent == try_later("exit 1: no: *** https://***@h/?***")


def test_a_program_that_is_not_there() -> None:
    """It may be installed later."""
    target = CommandTarget(command=("/nowhere/notify",))
    sent = CommandChannel(target, needs()).send(message())
    assert sent == try_later("cannot run /nowhere/notify: No such file or directory")


def test_a_secret_that_is_not_there() -> None:
    """The program is not run without it."""
    target = CommandTarget(command=("true",), environment={"TOKEN": "env:TOKEN"})
    sent = CommandChannel(target, needs()).send(message())
    assert (sent.reception, sent.why) == (Reception.RETRY, "no secret env:TOKEN")
