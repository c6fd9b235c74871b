"""Two runs of one hierarchy: one at work, one that waits, and whoever comes later joins that."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from orchestrator.doors.memory.registry import RegistryCall
from orchestrator.errors import RegistryUnavailable, StateUnavailable
from orchestrator.model.run import StepResult
from tests.cli.rivals import ANN, asked, busy
from tests.cli.stage import Stage


def test_a_second_one_waits_for_its_turn(stage: Stage) -> None:
    """It says for whom, and that it is next; then it reads the files, and does its work."""
    busy(stage, 30)
    ran = stage.run("build")
    assert ran.code == 0
    who, how = ran.err.splitlines()[:2]
    assert who.startswith("waiting: `patch` of robot@builder (pid 4711) is at work since 20")
    assert how == "this run is next; Ctrl-C leaves the queue"
    assert len(stage.opened) == 2
    assert len(stage.world.history.runs()) == 1
    assert stage.world.clock.slept_s[:30] == (1.0,) * 30


def test_a_file_that_was_changed_meanwhile_is_read_as_it_is_now(stage: Stage) -> None:
    """What was wrong before the turn came, and is right then, does no harm; nor vice versa."""
    busy(stage, 30)
    world = stage.world
    clock = world.clock
    before = clock.wait

    def waited(event: threading.Event, seconds: float, *others: threading.Event) -> bool:
        world.dockerfiles.pop("hello", None)
        world.write()
        stage.write()
        return before(event, seconds, *others)

    clock.wait = waited  # type: ignore[method-assign]
    assert stage.run("build", "-q").code == 0
    (run,) = world.history.runs()
    assert {result.image for result in world.history.results(run.id)} == set(world.dockerfiles)


def test_who_is_not_to_wait_ends_at_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 4 with who is at work; by an option or a variable."""
    busy(stage, 30)
    ran = stage.run("build", "--no-wait")
    assert (ran.code, ran.out) == (4, "")
    assert "error: gold: `patch` of robot@builder (pid 4711) is at work since" in ran.err
    assert "hint:  leave --no-wait out to wait for it" in ran.err
    monkeypatch.setenv("ORCHESTRATE_NO_WAIT", "1")
    assert stage.run("build").code == 4
    assert stage.world.history.leases.standing("gold").waiting is None
    assert stage.world.history.leases.wait("gold", ANN, asked(stage), 1e9)
    assert "hint:  leave --no-wait out to join the one that waits" in stage.run("build").err
    # Nobody could wait for it: no command can be joined to the one that waits but a build.
    assert "hint:  one run can wait; run this again when they" in stage.run("adopt").err


@pytest.mark.parametrize("line", [("plan",), ("status",), ("why", "hello"), ("history",)])
def test_who_only_looks_never_waits(stage: Stage, line: tuple[str, ...]) -> None:
    """Whatever is at work."""
    busy(stage, 1e9)
    assert stage.run(*line).code == 0
    assert len(stage.world.clock.slept_s) == 1


def test_a_third_one_leaves_its_wish_to_the_second(stage: Stage) -> None:
    """Exit 0 at once; text and JSON say which run will do it, and that one has it whole."""
    busy(stage, 1e9)
    leases = stage.world.history.leases
    assert leases.wait("gold", ANN, asked(stage), 1e9)
    ran = stage.run("build", "hello", "--force", "base+", "--because", "CVE-1")
    assert ran.code == 2, "nobody is told to force what is not there"
    ran = stage.run("build", "hello", "--force", "hello", "--because", "CVE-1", "--trigger", "ci")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("joined the run that waits: `build` of ann@laptop (pid 4712), since")
    ran = stage.run("build", "-o", "json")
    assert ran.data["run"] is None
    assert ran.data["joined"]["who"] == "ann@laptop"
    waiting = leases.standing("gold").waiting
    assert waiting is not None
    (_, third, fourth) = waiting.asks
    assert (third.wanted, third.forced, third.because) == (("hello",), ("hello",), "CVE-1")
    assert (fourth.wanted, fourth.forced, fourth.because) == ((), (), "")
    assert stage.world.history.runs() == ()


@pytest.mark.parametrize(
    ("line", "waits"),
    [
        (("build", "--allow-dirty"), {}),
        (("build", "--exclude", "docs", "hello"), {"wanted": ("python",)}),
        (("build",), {"trees": ("another machine /srv/gold/hierarchy.yaml",)}),
        (("build",), {"alike": ""}),
        (("patch",), {}),
        (("adopt",), {}),
    ],
)
def test_what_cannot_be_joined_is_refused(
    stage: Stage, line: tuple[str, ...], waits: dict[str, object]
) -> None:
    """One waits, no more: exit 4, and who is at work and who waits."""
    busy(stage, 1e9)
    assert stage.world.history.leases.wait("gold", ANN, asked(stage, **waits), 1e9)  # type: ignore[arg-type]
    ran = stage.run(*line)
    assert (ran.code, ran.out) == (4, "")
    assert "robot@builder (pid 4711) is at work since" in ran.err
    assert "and `build` of ann@laptop (pid 4712) waits since" in ran.err


def test_what_joined_is_done_and_in_the_history(stage: Stage) -> None:
    """Of one that died as it waited, too: its own wish is gone, those of others are not."""
    assert stage.run("build", "-q").code == 0
    dead = replace(ANN, process="dead")
    leases = stage.world.history.leases
    assert leases.wait("gold", dead, asked(stage), 60)
    more = asked(stage, who="bob@ci", trigger="ci", because="CVE-2", forced=("hello",))
    assert leases.join("gold", dead, replace(more, wanted=("hello",)))
    assert leases.join("gold", dead, replace(more, who="cat@ci", forced=("gone",)))
    assert leases.join("gold", dead, replace(more, who="dan@ci", alike="other"))
    leases.gone.add("dead")
    ran = stage.run("build", "python", "--because", "mine")
    assert ran.code == 0
    assert "also for bob@ci: CVE-2" in ran.err
    assert "warning: left out what cat@ci asked for: no image is called 'gone'" in ran.err
    assert "warning: what dan@ci asked for with `build` is not done" in ran.err
    run = stage.world.history.runs()[0]
    assert run.because == "mine; joined by bob@ci (ci): CVE-2"
    assert [r.image for r in stage.world.history.results(run.id)] == ["hello"]


@pytest.mark.parametrize("how", ["invalid", "unplanned", "nothing", "begun"])
def test_what_joined_one_that_never_began_is_left_to_the_next(stage: Stage, how: str) -> None:
    """Whoever joined was told that it is done; so it is, though not by the first it was left to.

    The files became wrong meanwhile, or nothing could be planned. A run with nothing to do did it,
    and one that began has it in the history, and is resumed.
    """
    world = stage.world
    assert stage.run("build", "-q").code == 0
    leases, clock = world.history.leases, world.clock
    busy(stage, 30)
    before, runs = clock.wait, len(world.history.runs())
    right = (stage.directory / "hierarchy.yaml").read_bytes()
    more = asked(stage, who="bob@ci", because="CVE-2")
    if how != "nothing":
        more = replace(more, forced=("hello",))

    def waited(event: threading.Event, seconds: float, *others: threading.Event) -> bool:
        waiting = leases.standing("gold").waiting
        assert waiting is not None
        if len(waiting.asks) == 1:
            assert leases.join("gold", waiting.holder, more)
            if how == "invalid":
                (stage.directory / "hierarchy.yaml").write_text("version: x")
            if how == "unplanned":
                world.registry.fault = _away
            if how == "begun":
                world.history.record_step = _lose  # type: ignore[method-assign]
        return before(event, seconds, *others)

    clock.wait = waited  # type: ignore[method-assign]
    assert stage.run("build").code == {"invalid": 3, "nothing": 0}.get(how, 5)
    (stage.directory / "hierarchy.yaml").write_bytes(right)
    world.registry.fault = None
    world.history.__dict__.pop("record_step", None)
    assert len(world.history.runs()) == runs + (how == "begun")
    ran = stage.run("build")
    assert ran.code == 0
    assert ("also for bob@ci: CVE-2" in ran.err) == (how in ("invalid", "unplanned"))


def _lose(run_id: str, result: StepResult) -> None:
    raise StateUnavailable("the state database is away")


def _away(call: RegistryCall) -> None:
    raise RegistryUnavailable(f"{call.repository} does not answer")


def test_status_says_who_is_at_work_and_who_waits(stage: Stage) -> None:
    """So does its JSON; with nobody there neither says anything."""
    quiet = stage.run("status")
    assert "at work" not in quiet.out
    assert stage.run("status", "-o", "json").data["active"] is None
    busy(stage, 1e9)
    assert stage.world.history.leases.wait("gold", ANN, asked(stage), 1e9)
    out = stage.run("status").out
    assert "at work: `patch` of robot@builder (pid 4711), since 20" in out
    assert "waiting: `build` of ann@laptop (pid 4712), since 20" in out
    data = stage.run("status", "-o", "json").data
    assert data["active"]["who"] == "robot@builder"
    assert data["waiting"]["command"] == "build"
