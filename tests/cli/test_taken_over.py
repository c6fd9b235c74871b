"""A run that was away for so long that another one took over."""

from __future__ import annotations

import threading

import pytest

from orchestrator.doors.memory.builder import MemoryBuilder
from orchestrator.doors.memory.registry import RegistryCall
from orchestrator.errors import StateUnavailable
from orchestrator.model.lease import Lease
from orchestrator.model.run import MoveState
from tests.cli.rivals import ROBOT
from tests.cli.stage import Stage


def test_a_run_that_was_taken_over_stops_and_says_by_whom(stage: Stage) -> None:
    """Exit 4; what it did not yet write is never written, and no tag moves."""
    world = stage.world
    leases = world.history.leases

    def taken_over(image: str) -> float:
        if image == "python":
            world.clock.sleep(61)
            assert leases.acquire("gold", ROBOT, 60)
        return 0.0

    world.builder = MemoryBuilder(world.registry, delay=taken_over)
    ran = stage.run("build")
    assert (ran.code, ran.out) == (4, "")
    assert "error: `patch` of robot@builder (pid 4711) took over gold at 20" in ran.err
    assert "hint:  this run has stopped and writes nothing more" in ran.err
    (run,) = world.history.runs()
    assert run.finished_at == ""
    assert {r.image for r in world.history.results(run.id)} <= {"base", "web", "nginx"}
    assert not any("stable" in world.tags(image) for image in world.dockerfiles)
    assert world.tags("python") == ()


def test_a_run_says_all_the_time_that_it_is_there(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For as long as it lasts, also after the database did not answer once."""
    monkeypatch.setenv("_ORCHESTRATE_LEASE_S", "0.2")
    world = stage.world
    leases, enough = world.history.leases, threading.Event()
    before, said = leases.renew, []

    def renew(lease: Lease, lasts_s: float) -> None:
        said.append(lasts_s)
        if len(said) == 1:
            raise StateUnavailable("the state database is away")
        before(lease, lasts_s)
        if len(said) == 3:
            enough.set()

    def delay(image: str) -> float:
        assert enough.wait(60)
        return 0.0

    leases.renew = renew  # type: ignore[method-assign]
    world.builder = MemoryBuilder(world.registry, delay=delay)
    assert stage.run("build", "-q").code == 0
    assert set(said) == {0.2}


def test_a_run_that_was_taken_over_stops_its_builds(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not wait for their ends, nor for the next thing that it would write."""
    monkeypatch.setenv("_ORCHESTRATE_LEASE_S", "0.2")
    world = stage.world

    def taken_over(image: str) -> float:
        world.clock.sleep(61)
        world.history.leases.acquire("gold", ROBOT, 1e9)
        return 30.0

    world.builder = MemoryBuilder(world.registry, delay=taken_over)
    ran = stage.run("build")
    assert (ran.code, ran.out) == (4, "")
    assert "took over gold at 20" in ran.err
    assert {build.succeeded for build in world.builder.builds} == {False}


def test_a_tag_is_not_moved_by_a_run_that_was_taken_over_just_before(stage: Stage) -> None:
    """Between the journal and the first tag, too."""
    world = stage.world
    leases = world.history.leases

    def take_over(call: RegistryCall) -> None:
        runs = world.history.runs()
        if runs and world.history.moves(runs[0].id) and call.reference == "1":
            world.clock.sleep(61)
            leases.acquire("gold", ROBOT, 1e9)

    world.registry.fault = take_over
    assert stage.run("build").code == 4
    world.registry.fault = None
    (run,) = world.history.runs()
    assert {move.state for move in world.history.moves(run.id)} == {MoveState.PLANNED}
    assert not any({"1", "stable"} & set(world.tags(image)) for image in world.dockerfiles)


def test_a_tag_that_a_sleeper_moves_back_is_named_and_put_right(stage: Stage) -> None:
    """Registries know no fencing: a request that was on its way is done, whoever is at work now.

    Exit 4 and which tag; one more build moves it to where it belongs, and the next has nothing to
    do.
    """
    world = stage.world
    leases = world.history.leases
    assert stage.run("build", "-q").code == 0
    world.edit("base", "RUN more")
    stage.write()
    right: list[str | None] = []

    def sleep(call: RegistryCall) -> None:
        is_last_step = (call.method, call.reference, call.done) == ("put_manifest", "stable", False)
        if right or not is_last_step:
            return
        right.append("")
        world.clock.sleep(61)
        other = leases.acquire("gold", ROBOT, 60)
        assert other is not None
        world.edit("base", "RUN even more")
        stage.write()
        world.build()
        right[0] = world.tag("base")
        leases.release(other)

    world.registry.fault = sleep
    ran = stage.run("build")
    assert (ran.code, ran.out) == (4, "")
    assert "localhost:5000/gold/base:stable was put on " in ran.err
    assert "the next `orchestrate build` puts right" in ran.err
    assert world.tag("base") != right[0]
    assert stage.run("build", "-q").code == 0
    assert world.tag("base") == right[0]
    assert stage.run("build").out.startswith("Nothing to do")
