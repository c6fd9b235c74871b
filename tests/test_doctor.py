"""What `doctor` makes of what engine, registries, disks, database and files say."""

from __future__ import annotations

import ast
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import orchestrator
from orchestrator.doors.memory.health import MemoryEngine, MemoryRegistryHealth
from orchestrator.errors import InvalidInput, Problem, StateUnavailable
from orchestrator.model.finding import Area, Code, Level
from orchestrator.model.health import EngineFacts, EngineUse, Entry, Reached, StateFacts
from orchestrator.model.lease import Holder
from orchestrator.model.source import Revision
from tests.health import Ward
from tests.sick_ward import DAY_S, a_run, ward

__all__ = ["ward"]  # a fixture


def test_nothing_is_found_where_all_is_well(ward: Ward) -> None:
    """Every area is looked at, and in the order of the report."""
    findings = ward.look()
    assert {f.level for f in findings} == {Level.OK}
    assert list(dict.fromkeys(f.area for f in findings)) == list(Area)
    assert all(not f.hint and not f.command for f in findings)


def test_without_docker_there_is_one_finding_and_the_rest_is_looked_at(ward: Ward) -> None:
    """Whoever reads it is to install one thing, not to read six lines about it."""
    ward.engine.missing = True
    assert ward.levels() == {"engine-client": "error"}
    codes = {f.code for f in ward.look()}
    assert {Code.REGISTRY_PUSH, Code.DISK_SPACE, Code.FILES_GIT} <= codes


def test_an_engine_that_is_silent(ward: Ward) -> None:
    """It is told once, with the command that starts it."""
    ward.engine.silent = True
    assert ward.levels() == {"engine-answer": "error"}
    assert ward.found(Code.ENGINE_ANSWER).command == "sudo systemctl start docker"
    ward.world.head = ward.world.head.replace("images:", "builders: [{name: farm}]\nimages:")
    ward.world.write()
    node = replace(ward.engine.made[0].nodes[0], endpoint="tcp://farm:1234")
    farm = replace(ward.engine.made[0], name="farm", driver="remote", nodes=(node,))
    ward.engine.made = (*ward.engine.made, farm)
    assert ward.found(Code.BUILDX_BUILD).level is Level.ERROR, "that one needs no engine"


@pytest.mark.parametrize(
    ("said", "command"),
    [
        ("permission denied while trying to connect at unix:///var/run/docker.sock", "usermod"),
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock", "systemctl start"),
        ("Cannot connect to the Docker daemon at tcp://farm:2375", "docker context ls"),
        ('unable to resolve docker endpoint: context "x": not found', "docker context ls"),
    ],
)
def test_what_mends_an_engine_depends_on_what_is_wrong(ward: Ward, said: str, command: str) -> None:
    """Starting this machine's engine helps neither who may not ask it, nor who asks another."""
    ward.engine.silent = True
    ward.engine.says = said
    assert command in ward.found(Code.ENGINE_ANSWER).command
    broken = replace(ward.engine.made[0], driver="", nodes=(), error=said)
    ward.engine.made = (broken,)
    assert command in ward.found(Code.BUILDX_BUILDER).command


def test_the_classic_image_store(ward: Ward) -> None:
    """A builder of another kind would do, so it is a warning."""
    ward.engine.engine = replace(ward.engine.engine, containerd_store=False)
    assert ward.levels() == {"engine-store": "warning"}


def test_a_platform_that_is_listed_and_does_not_run(ward: Ward) -> None:
    """What really runs counts; the emulator's package is named, or how to register it."""
    ward.engine.runs = frozenset({"linux/amd64"})
    found = [f for f in ward.look() if f.code is Code.PLATFORM_RUNS]
    assert [(f.facts["platform"], f.level) for f in found] == [
        ("linux/amd64", Level.OK),
        ("linux/arm64", Level.ERROR),
    ]
    assert "apt-get install qemu-user-static" in found[1].command
    ward.machine.emulators = frozenset({"arm64"})
    (_, missing) = [f for f in ward.look() if f.code is Code.PLATFORM_RUNS]
    assert missing.command == "register arm64"


def test_a_native_platform_whose_programs_do_not_run(ward: Ward) -> None:
    """The builder builds all the same: a platform is to blame, and the others are tried."""
    ward.engine.runs = frozenset({"linux/arm64"})
    assert ward.levels() == {"platform-runs": "error"}
    assert ward.found(Code.BUILDX_BUILD).level is Level.OK


def test_platforms_that_are_emulated_are_told_from_those_that_are_native(ward: Ward) -> None:
    """Emulated builds are slow: people want to know."""
    found = [f for f in ward.look() if f.code is Code.PLATFORM_RUNS]
    assert [f.facts["native"] for f in found] == [True, False]
    assert "(emulated)" in found[1].what


def test_a_builder_that_does_not_build(ward: Ward) -> None:
    """One error, and no platform is blamed for it."""
    ward.engine.broken = "failed to solve: no space left on device"
    assert ward.levels() == {"buildx-build": "error"}
    found = ward.found(Code.BUILDX_BUILD)
    assert "no space left" in found.what
    assert not found.hint, "it lacks nothing"
    ward.engine.broken = "unknown flag: --progress=rawjson"
    assert "buildx 0.13 or later" in ward.found(Code.BUILDX_BUILD).hint


def test_a_builder_that_the_hierarchy_names_and_nobody_made(ward: Ward) -> None:
    """The command makes it."""
    ward.world.head = ward.world.head.replace("images:", "builders: [{name: farm}]\nimages:")
    ward.world.write()
    found = ward.found(Code.BUILDX_NAMED)
    assert found.level is Level.ERROR
    assert "docker buildx create --name farm " in found.command
    assert ward.found(Code.BUILDX_BUILD).level is Level.ERROR


def test_only_the_builder_in_use_is_an_error(ward: Ward) -> None:
    """Another one that is broken may be anybody's."""
    broken = replace(ward.engine.made[0], name="old", error="Cannot connect")
    ward.engine.made = (*ward.engine.made, broken)
    assert ward.levels() == {"buildx-builder": "warning"}


def test_a_registry_that_is_down(ward: Ward) -> None:
    """Only that is said of it, with a command that starts one wherever the user is."""
    ward.registries.down = frozenset({"localhost:5000"})
    assert ward.levels() == {"registry-reach": "error"}
    command = ward.found(Code.REGISTRY_REACH).command
    assert command == "docker run --detach --publish 5000:5000 registry:2"


def test_no_message_sends_to_a_file_that_only_a_checkout_has() -> None:
    """Who installed the package has no `scripts/` beside the hierarchy."""
    sources = Path(orchestrator.__file__).parent.rglob("*.py")
    texts = (
        node.value
        for source in sources
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    assert [text for text in texts if "scripts/" in text] == []


def test_credentials_that_are_refused(ward: Ward) -> None:
    """The command logs in; where from the credentials came is told where they are taken."""
    ward.registries.refuses_login = True
    found = ward.found(Code.REGISTRY_LOGIN)
    assert (found.level, found.command) == (Level.ERROR, "docker login localhost:5000")
    ward.registries = MemoryRegistryHealth(source="docker-credential-pass")
    assert "docker-credential-pass" in ward.found(Code.REGISTRY_LOGIN).what


def test_no_right_to_push(ward: Ward) -> None:
    """A build would fail at its end: an error."""
    ward.registries.refuses_push = True
    assert ward.levels() == {"registry-push": "error"}


def test_the_upload_is_tried_in_the_repository_of_an_image(ward: Ward) -> None:
    """Rights are often given by repository."""
    ward.look()
    assert [str(repository) for repository in ward.registries.uploads] == [
        "localhost:5000/gold/base"
    ]


def test_an_upstream_that_is_gone(ward: Ward) -> None:
    """Nothing can be planned without it."""
    ward.world.head = ward.world.head.replace("upstream/debian:12", "upstream/debian:13")
    ward.world.write()
    found = ward.found(Code.UPSTREAM_THERE)
    assert found.level is Level.ERROR
    assert "upstream/debian:13 is not there" in found.what


@pytest.mark.parametrize(("skew_s", "level"), [(5.0, "ok"), (-5.4, "warning"), (3600.0, "warning")])
def test_a_clock_that_differs(ward: Ward, skew_s: float, level: str) -> None:
    """More than five seconds are worth a warning, ahead or behind."""
    ward.registries.skew_s = skew_s
    assert ward.found(Code.CLOCK_SKEW).level == level


@pytest.mark.parametrize(
    ("free_mib", "level"), [(100_000, "ok"), (3_000, "warning"), (500, "error")]
)
def test_a_disk_that_is_nearly_full(ward: Ward, free_mib: int, level: str) -> None:
    """One line for all that is on one disk."""
    ward.machine.free_bytes = free_mib << 20
    found = ward.found(Code.DISK_SPACE)
    assert found.level == level
    assert found.facts["uses"] == ("spool", "history", "logs", "cache", "engine")


def test_build_cache_that_nothing_uses(ward: Ward) -> None:
    """A lot of it is worth a word, and the command takes only what is old."""
    use = EngineUse(kind="Build Cache", size_bytes=80 * 10**9, reclaimable_bytes=60 * 10**9)
    ward.engine.uses = (use,)
    found = ward.found(Code.DISK_ENGINE)
    assert (found.level, found.command) == (
        Level.WARNING,
        "docker buildx prune --filter until=24h",
    )


def test_a_database_that_is_damaged(ward: Ward) -> None:
    """It is moved away, not deleted."""
    ward.state.said = replace(ward.state.said, format=1, faults=("row 3 missing from index",))
    found = ward.found(Code.DATABASE_SOUND)
    assert (found.level, found.command) == (
        Level.ERROR,
        "mv /state/state.db /state/state.db.aside",
    )


def test_a_database_that_cannot_be_opened(ward: Ward) -> None:
    """The error of the door is the finding."""

    @dataclass
    class Newer:
        def facts(self) -> StateFacts:
            raise StateUnavailable("written by a newer orchestrate", hint="use that")

    ward.state = Newer()  # type: ignore[assignment]
    assert ward.found(Code.DATABASE_OPEN).what == "written by a newer orchestrate"


def test_a_database_that_cannot_be_written(ward: Ward) -> None:
    """A lock passes, rights do not."""
    ward.state.said = replace(ward.state.said, refusal="this user cannot write in /state")
    assert ward.levels() == {"database-write": "error"}
    ward.state.said = replace(ward.state.said, refusal="the database is locked")
    assert ward.levels() == {"database-write": "warning"}


def test_runs_that_nobody_carries_out(ward: Ward) -> None:
    """Those of hierarchies for which nobody is at work, on whichever machine they began."""
    now_s = ward.world.clock.now_s()
    ward.state.holds([a_run("a", now_s), a_run("b", now_s, "you@there")])
    assert ward.found(Code.DATABASE_RUNS).facts["runs"] == ("a", "b")
    holder = Holder(token="t", command="build", who="you@there", pid=1)
    assert ward.world.history.leases.acquire("gold", holder, 60.0)
    assert ward.found(Code.DATABASE_RUNS).facts == {"running": 2}


def test_logs_without_a_run(ward: Ward) -> None:
    """Only directories that are older than a day, and those of local builds after a week."""
    now_s = ward.world.clock.now_s()
    ward.world.history.begin_run(a_run("known", now_s))
    ages = {"known": 9, "lost": 2, "new": 0, "local-new": 2, "local-old": 9}
    ward.machine.folders["/state/logs"] = tuple(
        Entry(name=name, is_dir=True, modified_s=now_s - days * DAY_S)
        for name, days in ages.items()
    )
    found = ward.found(Code.LEFTOVER_LOGS)
    assert found.command == "rm -r -- /state/logs/local-old /state/logs/lost"


def test_a_name_in_a_command_is_quoted(ward: Ward) -> None:
    """A directory may be called anything."""
    entry = Entry(name="x; rm -rf ~", is_dir=True, modified_s=0)
    ward.machine.folders["/state/logs"] = (entry,)
    assert ward.found(Code.LEFTOVER_LOGS).command == "rm -r -- '/state/logs/x; rm -rf ~'"


def test_a_large_cache(ward: Ward) -> None:
    """It may go at any time."""
    ward.machine.sizes["/cache"] = 2 << 30
    assert ward.found(Code.LEFTOVER_CACHE).command == "rm -r -- /cache"


def test_a_tree_with_changes(ward: Ward) -> None:
    """Floating tags would not move: a warning."""
    ward.world.git.current = Revision(commit="c" * 40, dirty=True, committed_at_s=1)
    assert ward.levels() == {"files-git": "warning"}


def test_files_that_are_wrong(ward: Ward) -> None:
    """How many problems; `check` shows them; what needs no hierarchy is still looked at."""
    problem = Problem(file="h.yaml", line=1, column=1, code="X", what="is wrong")
    ward.problem = InvalidInput((problem, problem))
    found = ward.found(Code.FILES_HIERARCHY)
    assert found.what.startswith("2 problems in h.yaml")
    assert (found.level, found.command) == (Level.ERROR, "orchestrate check")
    assert ward.found(Code.PLATFORM_RUNS).facts["platform"] == "linux/amd64"


def test_no_hierarchy_is_only_a_warning(ward: Ward) -> None:
    """Who sets a machine up has none yet."""
    problem = Problem(file="hierarchy.yaml", line=0, column=0, code="NO-HIERARCHY", what="nowhere")
    ward.problem = InvalidInput((problem,))
    assert ward.levels() == {"files-hierarchy": "warning"}


def test_offline_asks_no_registry(ward: Ward) -> None:
    """Neither registries nor upstreams nor, by them, the clock."""
    ward.offline = True
    ward.world.registry.counts.clear()
    areas = {f.area for f in ward.look()}
    assert areas == set(Area) - {Area.REGISTRY, Area.CLOCK}
    assert ward.world.registry.counts.total() == 0


def test_a_check_that_breaks_is_a_finding(ward: Ward) -> None:
    """Whatever it raises, and the others go on."""

    class Broken(MemoryEngine):
        def facts(self) -> EngineFacts:
            raise ZeroDivisionError("oh")

    ward.engine = Broken()
    levels = ward.levels()
    assert levels["engine-answer"] == "unknown"
    assert levels.get("registry-push") is None
    assert "ZeroDivisionError: oh" in ward.found(Code.ENGINE_ANSWER).what


def test_a_check_that_hangs_is_a_finding(ward: Ward) -> None:
    """The rest is not held up longer than the limit."""
    released = threading.Event()

    class Hanging(MemoryRegistryHealth):
        def reach(self, registry: str) -> Reached:
            released.wait(20)
            return super().reach(registry)

    ward.registries = Hanging()
    findings = ward.look(limit_s=0.5)
    released.set()
    (late,) = [f for f in findings if f.level is Level.UNKNOWN]
    assert late.code is Code.REGISTRY_REACH
    assert "was not answered in time" in late.what
    assert Area.FILES in {f.area for f in findings}
