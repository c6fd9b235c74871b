"""Whoever waits or works, and is ended: by a signal, for good, or by the loss of its database."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from orchestrator.doors.crash import VARIABLE
from orchestrator.doors.history import SqliteHistory
from orchestrator.doors.leases import DatabaseLeases
from orchestrator.doors.open_state import open_database
from orchestrator.model.lease import Holder, Lease
from orchestrator.model.run import RunState
from tests.cli.processes import TWINS, started
from tests.cli.rivals import ANN, asked, busy
from tests.cli.stage import Stage


def test_a_signal_leaves_the_queue_in_order(stage: Stage) -> None:
    """What had joined is left to the next run; the place is free though the process goes on."""
    busy(stage, 1e9)
    world = stage.world
    leases = world.history.leases

    def waited(event: threading.Event, seconds: float, *others: threading.Event) -> bool:
        waiting = leases.standing("gold").waiting
        assert waiting is not None
        assert leases.join("gold", waiting.holder, asked(stage, because="joined"))
        os.kill(os.getpid(), signal.SIGTERM)
        return event.wait(60)

    world.clock.wait = waited  # type: ignore[method-assign]
    ran = stage.run("build")
    assert ran.code == 143
    assert "left the queue" in ran.err
    assert leases.standing("gold").waiting is None
    lease = leases.acquire("gold", ANN, 60)
    assert lease is None
    world.clock.sleep(1e9)
    lease = leases.acquire("gold", ANN, 60)
    assert lease is not None
    assert [ask.because for ask in lease.joined] == ["joined"]


@pytest.fixture
def line(stage: Stage, tmp_path: Path) -> tuple[str, ...]:
    """A build of the stage by a process of its own, with a diary in ``state.db``."""
    return (*TWINS, "-C", str(stage.directory), "--state", str(tmp_path / "state.db"), "build")


def test_ctrl_c_leaves_the_queue(line: tuple[str, ...], tmp_path: Path) -> None:
    """Exit 130; the next one can wait."""
    with started(*line, SLOW="base") as first:
        first.wait_for("base: started")
        with started(*line) as second:
            second.wait_for("waiting: ")
            second.send(signal.SIGINT)
            ended = second.end()
        assert ended.code == 130
        assert "left the queue" in ended.err
        with SqliteHistory(tmp_path / "state.db") as history:
            standing = history.leases.standing("gold")
            assert standing.active
            assert standing.waiting is None
            assert len(history.runs()) == 1


def test_nobody_waits_for_one_that_was_killed(line: tuple[str, ...], tmp_path: Path) -> None:
    """Neither for one at work, nor for one that waits; with a lease of a minute."""
    with started(*line, SLOW="base") as first:
        first.wait_for("base: started")
        with started(*line) as second:
            second.wait_for("waiting: ")
            second.send(signal.SIGKILL)
            second.end()
        with started(*line, "--because", "third") as third:
            third.wait_for("waiting: ")
            first.send(signal.SIGKILL)
            assert third.end().code == 0
    with SqliteHistory(tmp_path / "state.db") as history:
        assert history.runs()[0].because == "third"
        assert history.leases.standing("gold").active is None


@pytest.mark.parametrize("point", ["lease-taken", "run-begun"])
def test_a_wish_that_joined_one_that_was_killed_is_not_lost(
    line: tuple[str, ...], tmp_path: Path, point: str
) -> None:
    """Before its run has begun, the next one does it; after that, the run is there to resume."""
    gate = tmp_path / "gate"
    with started(*line, GATED="base", GATE=str(gate)) as first:
        first.wait_for("base is at the gate")
        with started(*line, ignoring=None, **{VARIABLE: point}) as second:
            second.wait_for("waiting: ")
            with started(*line, "--force", "docs", "--because", "CVE-2") as third:
                assert third.end().out.startswith("joined the run that waits")
            gate.touch()
            assert first.end().code == 0
            assert second.end().code == -signal.SIGKILL
    with started(*line) as fourth:
        ended = fourth.end()
    assert ended.code == 0
    assert ("also for " in ended.err) == (point == "lease-taken")
    with SqliteHistory(tmp_path / "state.db") as history:
        (told,) = [run for run in history.runs() if run.because.endswith(": CVE-2")]
    assert told.state is (RunState.SUCCEEDED if point == "lease-taken" else RunState.INTERRUPTED)


def test_run_whose_database_is_removed_stops(line: tuple[str, ...], tmp_path: Path) -> None:
    """Others would begin beside it in a new one: exit 4, and no tag of its own any more."""
    gate = tmp_path / "gate"
    with started(*line, GATED="base", GATE=str(gate)) as first:
        first.wait_for("base is at the gate")
        for name in tmp_path.glob("state.db*"):
            name.unlink()
        with started(*line, "--because", "beside it") as second:
            assert second.end().code == 0
        gate.touch()
        ended = first.end()
    assert (ended.code, ended.out) == (4, "")
    assert "`build` of " in ended.err
    with SqliteHistory(tmp_path / "state.db") as history:
        assert [run.because for run in history.runs()] == ["beside it"]


@pytest.mark.parametrize("when", ["planning", "building"])
def test_who_is_ended_at_once_gives_its_lease_back(
    line: tuple[str, ...], tmp_path: Path, when: str
) -> None:
    """By a signal while it plans, or by the second one: nobody has to find out that it is gone."""
    twin = {"HANGING": "1"} if when == "planning" else {"STUBBORN": "web"}
    with started(*line, ignoring=None, **twin) as process:
        process.wait_for("asked" if when == "planning" else "hello: built")
        process.send(signal.SIGTERM)
        if when == "building":
            process.wait_for("no new builds start; web has 30 s to end")
            process.send(signal.SIGTERM)
        assert process.end().code == 143
    database = open_database(str(tmp_path / "state.db"))
    elsewhere = DatabaseLeases(database, database.clock, is_gone=lambda process: False)
    assert elsewhere.acquire("gold", ANN, 60)
    database.close()


def test_a_signal_that_comes_with_the_turn_counts(stage: Stage) -> None:
    """Whoever waited, and was stopped as its turn came, does not begin."""
    lease = busy(stage, 1e9)
    world = stage.world
    stopping: list[threading.Event] = []

    def waited(event: threading.Event, seconds: float, *others: threading.Event) -> bool:
        stopping.append(event)
        world.history.leases.release(lease)
        return True

    def acquire(hierarchy: str, holder: Holder, lasts_s: float) -> Lease | None:
        got = before(hierarchy, holder, lasts_s)
        if got is not None:
            os.kill(os.getpid(), signal.SIGTERM)
            assert stopping[0].wait(60)
        return got

    before = world.history.leases.acquire
    world.history.leases.acquire = acquire  # type: ignore[method-assign]
    world.clock.wait = waited  # type: ignore[method-assign]
    assert stage.run("build").code == 143
    assert world.history.runs() == ()
    assert world.history.leases.standing("gold").active is None
