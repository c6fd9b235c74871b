"""What nobody foresaw."""

from __future__ import annotations

import pytest

from orchestrator.doors.memory.registry import RegistryCall
from tests.cli.stage import Stage


@pytest.fixture
def broken(stage: Stage) -> Stage:
    """A stage on which a door has a bug."""

    def bug(call: RegistryCall) -> None:
        raise ZeroDivisionError("seven by nothing")

    stage.world.registry.fault = bug
    return stage


def test_a_bug_is_one_line_that_says_so(broken: Stage) -> None:
    """No traceback in a user's face, and how to get it."""
    ran = broken.run("status")
    assert (ran.code, ran.out) == (1, "")
    first, second = ran.err.splitlines()
    assert first.startswith("error: this is a bug: ZeroDivisionError: seven by nothing (")
    assert first.endswith(")")
    assert second == "hint:  report it with the traceback, which ORCHESTRATE_DEBUG=1 shows"


def test_a_bug_shows_its_traceback_to_whoever_wants_it(
    broken: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ORCHESTRATE_DEBUG=1 is for reports."""
    monkeypatch.setenv("ORCHESTRATE_DEBUG", "1")
    ran = broken.run("status")
    assert ran.code == 1
    assert "Traceback (most recent call last):" in ran.err
    assert "this is a bug" in ran.err
