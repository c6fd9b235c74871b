"""Two runs of one hierarchy: one at work, one that waits, and whoever comes later joins that."""

from __future__ import annotations

import json
import os
import signal
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.doors.history import SqliteHistory
from orchestrator.doors.leases import DatabaseLeases
from orchestrator.doors.memory.builder import MemoryBuilder
from orchestrator.doors.memory.registry import RegistryCall
from orchestrator.doors.open_state import open_database
from orchestrator.doors.process import this_machine
from orchestrator.errors import RegistryUnavailable, StateUnavailable
from orchestrator.model.lease import Ask, Holder, Lease
from orchestrator.model.run import MoveState, StepResult
from tests.cli.processes import TWINS, started
from tests.cli.stage import Stage

ROBOT = Holder(token="robot", command="patch", who="robot@builder", pid=4711)
ANN = Holder(token="ann", command="build", who="ann@laptop", pid=4712)
#: What a build without options has in common with others.
ALIKE = json.dumps({"allow_dirty": False, "command": "build", "fail_fast": False, "registry": None})


def busy(stage: Stage, lasts_s: float) -> Lease:
    """Let somebody else be at work, who is gone after so many seconds."""
    lease = stage.world.history.leases.acquire("gold", ROBOT, lasts_s)
    assert lease is not None
    return lease


def asked(stage: Stage, alike: str = ALIKE, **more: object) -> Ask:
    """Return what a build in the stage's directory asks for."""
    tree = f"{this_machine()} {os.path.realpath(stage.directory / 'hierarchy.yaml')}"
    ask = Ask(command="build", who="ann@laptop", alike=alike, trees=(tree,))
    return replace(ask, **more)  # type: ignore[arg-type]


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
