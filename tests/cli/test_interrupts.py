"""Ctrl-C once and twice, SIGTERM, and the grace: exit 130 and 143, and the journal complete."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from orchestrator.doors.history import SqliteHistory
from orchestrator.model.run import Outcome, RunState
from tests.cli.processes import TWINS, started
from tests.cli.stage import Stage

SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


@pytest.fixture
def build(stage: Stage, tmp_path: Path) -> tuple[str, ...]:
    """A build of the stage, with a diary in ``state.db``."""
    return (*TWINS, "-C", str(stage.directory), "--state", str(tmp_path / "state.db"), "build")


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_while_looking_a_signal_ends_it_at_once(
    build: tuple[str, ...], tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """Nothing was written, so nobody waits for a registry that hangs."""
    with started(*build, HANGING="1") as process:
        process.wait_for("asked")
        process.send(number)
        ended = process.end()
    assert (ended.code, ended.out) == (code, "")
    assert ended.err.count("stopped\n") == 1, "look-ups that hang may still say that they ask"
    assert ended.took_s < 1
    with SqliteHistory(tmp_path / "state.db") as history:
        assert history.runs() == ()


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_the_first_signal_of_a_run_lets_it_end_by_itself(
    build: tuple[str, ...], tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """Without a grace what runs is cancelled; no tag moves, and history knows all of it."""
    with started(*build, "--grace", "0", SLOW="web") as process:
        process.wait_for("hello: built")
        process.send(number)
        ended = process.end()
    assert ended.code == code
    assert ended.err.count("stopping the running builds") == 1
    assert "interrupted" in ended.out
    with SqliteHistory(tmp_path / "state.db") as history:
        (run,) = history.runs()
        outcomes = {result.image: result.outcome for result in history.results(run.id)}
        assert run.state is RunState.INTERRUPTED
        assert run.finished_at
        assert history.moves(run.id) == ()
    assert outcomes["hello"] is Outcome.BUILT
    assert outcomes["web"] is Outcome.CANCELLED
    assert len(outcomes) == 8


def test_who_is_cancelled_sits_out_no_pause(build: tuple[str, ...]) -> None:
    """A registry that wants to be left alone for a minute does not hold up who wants to go."""
    with started(*build, "--grace", "0", PAUSING="1") as process:
        process.wait_for("pausing")
        process.send(signal.SIGTERM)
        process.wait_for("in a hurry")
        assert process.end().code == 143


def test_the_second_signal_ends_it_within_a_second(build: tuple[str, ...]) -> None:
    """Also where a build does not listen."""
    with started(*build, STUBBORN="web") as process:
        process.wait_for("hello: built")
        process.send(signal.SIGINT)
        process.wait_for("no new builds start; web has 30 s to end")
        process.send(signal.SIGINT)
        ended = process.end()
    assert (ended.code, ended.out) == (130, "")
    assert ended.took_s < 1


def test_a_signal_that_was_ignored_stays_ignored(build: tuple[str, ...]) -> None:
    """`nohup` means that a hang-up does not stop a run."""
    with started(*build, "--slots", "1", ignoring=signal.SIGHUP) as process:
        process.wait_for("base: started")
        process.send(signal.SIGHUP)
        ended = process.end()
    assert ended.code == 0


def test_a_run_that_was_interrupted_quietly_tells_what_it_came_to(
    build: tuple[str, ...], tmp_path: Path
) -> None:
    """`-q` leaves out what went well, not this."""
    with started(*build, "-q", "--grace", "0", SLOW="web") as process:
        _wait_until_built("hello", tmp_path / "state.db")
        process.send(signal.SIGTERM)
        ended = process.end()
    assert ended.code == 143
    assert ended.err.count("stopping the running builds") == 1
    assert "interrupted" in ended.out


def test_what_ends_in_the_grace_is_published(build: tuple[str, ...], tmp_path: Path) -> None:
    """Nothing new starts, and no floating tag moves; `orchestrate resume` is named."""
    gate = tmp_path / "gate"
    with started(*build, GATED="web", GATE=str(gate)) as process:
        process.wait_for("web is at the gate")
        process.send(signal.SIGTERM)
        process.wait_for("no new builds start; ")
        process.wait_for("orchestrate resume")
        gate.touch()
        ended = process.end()
    assert ended.code == 143
    assert "web: built" in ended.err
    with SqliteHistory(tmp_path / "state.db") as history:
        (run,) = history.runs()
        results = {result.image: result for result in history.results(run.id)}
        assert history.moves(run.id) == ()
    assert run.state is RunState.INTERRUPTED
    assert results["web"].outcome is Outcome.BUILT
    assert results["web"].immutable
    assert results["nginx"].outcome is Outcome.CANCELLED


def test_what_does_not_end_in_the_grace_is_cancelled(build: tuple[str, ...]) -> None:
    """When the grace is over the rest is stopped, and named."""
    with started(*build, SLOW="web", ORCHESTRATE_GRACE="1") as process:
        process.wait_for("hello: built")
        process.send(signal.SIGINT)
        process.wait_for("no new builds start; web has 1 s to end")
        process.wait_for("the grace is over: cancelling web")
        ended = process.end()
    assert ended.code == 130
    assert "web: cancelled" in ended.err


def test_run_that_ends_whole_in_the_grace_is_no_interrupted_one(
    build: tuple[str, ...], tmp_path: Path
) -> None:
    """Where nothing was left undone the tags move; the exit code still tells of the signal."""
    gate = tmp_path / "gate"
    with started(*build, "landing", "+landing", GATED="landing", GATE=str(gate)) as process:
        process.wait_for("landing is at the gate")
        process.send(signal.SIGINT)
        process.wait_for("no new builds start; landing has")
        gate.touch()
        ended = process.end()
    assert ended.code == 130
    with SqliteHistory(tmp_path / "state.db") as history:
        (run,) = history.runs()
        assert run.state is RunState.SUCCEEDED
        assert {move.image for move in history.moves(run.id)} >= {"base", "landing"}


def _wait_until_built(image: str, state: Path) -> None:
    until_s = time.monotonic() + 30
    with SqliteHistory(state) as history:
        while time.monotonic() < until_s:
            results = history.results(next((run.id for run in history.runs(1)), ""))
            if any(result.image == image for result in results):
                return
            time.sleep(0.05)
    raise AssertionError(f"{image} was not built in time")


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_night_that_waits_for_a_registry_ends_at_once(
    build: tuple[str, ...], number: signal.Signals, code: int
) -> None:
    """What cron or systemd stops before anything was begun is gone, whoever it waits for."""
    with started(*build[:-1], "patch", HANGING="1") as process:
        process.wait_for("asked")
        process.send(number)
        ended = process.end()
    assert (ended.code, ended.out) == (code, "")
    assert ended.took_s < 1
