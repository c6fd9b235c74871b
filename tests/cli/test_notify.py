"""`orchestrate notify`: what waits, trying a receiver, what does not go together."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.model.message import DELIVERED, gone, refused, try_later
from tests.cli.stage import Stage
from tests.telling import kind, receiver, subscription, told_stage


@pytest.fixture
def told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Stage:
    """Return a stage on which payments has a webhook, and web one too."""
    return told_stage(
        tmp_path / "gold",
        capsys.readouterr,
        subscription("payments", '"+gunicorn"'),
        subscription("web", "web"),
    )


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("test",), "error: notify test: whose receivers?\nhint:  `orchestrate notify test TEAM`"),
        (("test", "paymets"), "hint:  did you mean payments?"),
        (("test", "payments", "--channel", "slack"), "error: team payments has no slack"),
        (("drain", "payments"), "error: notify drain takes no payments"),
        (("drain", "--channel", "slack"), "error: --channel is for notify test"),
        (("list", "web", "msg_1"), "error: notify list takes no msg_1"),
        (("test", "web", "--for", "1m"), "error: --for is for notify drain and replay"),
        (("replay", "nobody"), "error: no team 'nobody' subscribes to anything"),
        (("replay", "msg_1"), "error: no notice that was given up is called msg_1"),
        (("tset", "web"), "hint:  did you mean test?"),
    ],
)
def test_what_does_not_go_together_is_exit_2(told: Stage, argv: tuple[str, ...], said: str) -> None:
    """With a way out; nothing is sent."""
    ran = told.run("notify", *argv)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_test_message_says_so_and_is_not_kept(told: Stage) -> None:
    """It looks like a real one, comes once, and leaves no trace."""
    ran = told.run("notify", "test", "payments")
    assert ran.code == 0
    assert ran.out.endswith("  delivered\n")
    (message,) = receiver(told, "payments").taken
    (event,) = message.events
    assert kind(event) == "image.published"
    assert event["data"]["test"] is True  # type: ignore[index]
    assert event["subject"] == "base"
    assert receiver(told, "web").tries == ()
    assert told.run("notify").out == "0 waiting, 0 dead.\n"
    told.run("notify", "test", "payments")
    assert len({each.id for each in receiver(told, "payments").taken}) == 2


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (DELIVERED, 0),
        (try_later("no whole answer within 15 s"), 5),
        (refused("413"), 1),
        (gone("410"), 1),
    ],
)
def test_exit_code_of_a_test_says_what_came_of_it(told: Stage, answer: object, code: int) -> None:
    """0: it has it; 5: it did not answer; 1: it did not want it. The reason is shown."""
    receiver(told, "web").answer = answer  # type: ignore[assignment]
    ran = told.run("notify", "test", "web", "-o", "json")
    assert ran.code == code
    (said,) = ran.data["receivers"]
    assert (said["delivered"], said["later"]) == (code == 0, code == 5)
    assert told.run("notify", "test", "web", "-q").out == ("" if code == 0 else said_text(told))


def said_text(stage: Stage) -> str:
    """Return what a test says now."""
    return stage.run("notify", "test", "web").out


def test_drain_gives_up_is_1_and_only_once(told: Stage) -> None:
    """A timer reports it when it happens, not for ever."""
    receiver(told, "web").answer = refused("400: what is this?")
    told.run("build", "--no-notify")
    ran = told.run("notify", "drain")
    assert ran.code == 1
    assert "dead: web (webhook: 400: what is this?)" in ran.out
    assert told.run("notify", "drain").code == 0
    listed = told.run("notify", "-o", "json").data
    assert [(each["team"], each["state"]) for each in listed["deliveries"]] == [("web", "dead")]
    assert told.run("notify", "list", "payments", "-o", "json").data["deliveries"] == []


def test_receiver_that_is_away_is_no_failure_of_a_drain(told: Stage) -> None:
    """It is asked again; a timer that fails whenever somebody restarts is soon ignored."""
    receiver(told, "web").dead = True
    told.run("build", "--no-notify")
    ran = told.run("notify", "drain", "-q")
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    status = told.run("status", "-o", "json").data["notices"]
    assert (status["waiting"], status["dead"], status["disabled"]) == (1, 0, [])


def test_plan_tells_nobody(told: Stage) -> None:
    """Neither does `build --no-publish`, nor any question."""
    told.run("plan")
    told.run("status")
    told.run("check")
    assert receiver(told, "payments").tries == receiver(told, "web").tries == ()
