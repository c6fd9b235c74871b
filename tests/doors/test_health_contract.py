"""What every door of `doctor` promises: the real one, and its twin."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.doors.engine import DockerEngine
from orchestrator.doors.history import DatabaseHistory
from orchestrator.doors.machine import RealMachine
from orchestrator.doors.memory.health import (
    MemoryEngine,
    MemoryMachine,
    MemoryRegistryHealth,
    MemoryStateHealth,
)
from orchestrator.doors.open_state import open_database, open_health
from orchestrator.doors.protocols_health import Engine, Machine, RegistryHealth, StateHealth
from orchestrator.doors.registry import Credential
from orchestrator.doors.registry.health import HttpRegistryHealth
from orchestrator.errors import AccessDenied, BuilderUnavailable, BuildFailed, RegistryUnavailable
from orchestrator.model.health import Entry
from orchestrator.model.names import Repository, is_platform
from orchestrator.model.run import FailureCause, Run, RunState
from tests.doors.registry.server import RegistryServer

RUN = Run(
    id="20260101T000000Z-0000",
    hierarchy="gold",
    command="build",
    who="me@here",
    trigger="manual",
    because="",
    revision="",
    started_at="2026-01-01T00:00:00Z",
)


@pytest.fixture(params=["memory", pytest.param("docker", marks=pytest.mark.engine)])
def engine(request: pytest.FixtureRequest) -> Engine:
    """An engine that answers."""
    if request.param == "memory":
        return MemoryEngine()
    return DockerEngine()


def test_an_engine_says_what_it_is(engine: Engine) -> None:
    """Versions are words, its platform is one, its current builder is one of all."""
    assert " " not in engine.client_version()
    assert " " not in engine.buildx_version()
    facts = engine.facts()
    assert is_platform(facts.platform)
    assert facts.version
    assert facts.root_dir.startswith("/")
    known = {builder.name: builder for builder in engine.builders()}
    current = known[engine.current_builder()]
    assert [node.status for node in current.nodes]
    assert {use.kind for use in engine.use()} >= {"Build Cache"}


def test_an_engine_runs_programs_of_its_own_platform(engine: Engine) -> None:
    """It says that one ran, and not only that something was built."""
    assert engine.try_build(None, engine.facts().platform) is True


def test_a_builder_that_nobody_made(engine: Engine) -> None:
    """It is no question of a program."""
    with pytest.raises(BuildFailed, match="no-such-builder") as raised:
        engine.try_build("no-such-builder", "linux/amd64")
    assert raised.value.cause == FailureCause.BUILDER


@pytest.mark.parametrize("kind", ["memory", "docker"])
def test_where_no_docker_is(kind: str) -> None:
    """Every question is answered by the same error, with a way out."""
    engine: Engine = MemoryEngine(missing=True)
    if kind == "docker":
        engine = DockerEngine({"PATH": "/no-such"})
    asked = (
        engine.client_version,
        engine.facts,
        engine.buildx_version,
        engine.builders,
        engine.current_builder,
        engine.use,
        lambda: engine.try_build(None, "linux/amd64"),
    )
    for ask in asked:
        with pytest.raises(BuilderUnavailable, match="docker is not installed") as raised:
            ask()
        assert raised.value.hint


@pytest.fixture(params=["memory", "real"])
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Machine:
    """A machine with a directory that holds a file and a directory."""
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "more").write_bytes(b"678")
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    for name in ("file", "folder"):
        os.utime(tmp_path / name, (1000, 1000))
    if request.param == "real":
        return RealMachine()
    link_s = (tmp_path / "link").lstat().st_mtime
    entries = (
        Entry(name="link", is_dir=False, modified_s=link_s),
        Entry(name="folder", is_dir=True, modified_s=1000.0),
        Entry(name="file", is_dir=False, modified_s=1000.0),
    )
    return MemoryMachine(folders={str(tmp_path): entries}, sizes={str(tmp_path): 8})


def test_a_machine_says_what_is_in_a_directory(machine: Machine, tmp_path: Path) -> None:
    """By name; a symlink to a directory is none, and is not followed; what is absent is empty."""
    found = machine.entries(str(tmp_path))
    assert [(e.name, e.is_dir) for e in found] == [
        ("file", False),
        ("folder", True),
        ("link", False),
    ]
    assert [entry.modified_s for entry in found[:2]] == [1000.0, 1000.0]
    assert machine.size_bytes(str(tmp_path)) == 5 + 3
    assert machine.entries(str(tmp_path / "absent")) == ()
    assert machine.size_bytes(str(tmp_path / "absent")) == 0


def test_a_machine_says_what_else_there_is(machine: Machine, tmp_path: Path) -> None:
    """Room on a disk, its own name, and nothing of what cannot be."""
    disk = machine.disk(str(tmp_path))
    assert disk.path == str(tmp_path)
    assert 0 < disk.free_bytes <= disk.total_bytes
    assert machine.host
    assert machine.spool_dir
    assert machine.emulator_command("no-such-architecture") == ""
    assert (machine.other_orchestrators() or 0) >= 0


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with RegistryServer().running() as server:
        yield server


@pytest.fixture(params=["memory", "http"])
def health(request: pytest.FixtureRequest, server: RegistryServer) -> Iterator[RegistryHealth]:
    """A registry that lets us in, reached by its address; another address is down."""
    if request.param == "memory":
        yield MemoryRegistryHealth(down=frozenset({"localhost:1"}), source="a file")
        return
    server.login, server.users = "bearer", {"me": "pass"}
    with HttpRegistryHealth(
        credentials=lambda registry: Credential("me", "pass"), source=lambda registry: "a file"
    ) as door:
        yield door


def test_a_registry_that_lets_us_in(health: RegistryHealth, server: RegistryServer) -> None:
    """It answers, tells the time, takes our credentials and an upload, of which nothing stays."""
    reached = health.reach(server.address)
    assert reached.plain_http
    assert reached.skew_s is not None
    assert abs(reached.skew_s) < 5
    assert health.login(server.address).source == "a file"
    health.try_push(server.repository())
    assert server.uploads == {}
    assert health.deletes_tags(server.repository()) in (True, False)


def test_a_registry_that_is_down(health: RegistryHealth) -> None:
    """Every question fails, each after one try."""
    repository = Repository("localhost:1", "gold/base")
    asked = (
        lambda: health.reach("localhost:1"),
        lambda: health.login("localhost:1"),
        lambda: health.try_push(repository),
        lambda: health.deletes_tags(repository),
    )
    for ask in asked:
        with pytest.raises(RegistryUnavailable, match="refuses the connection"):
            ask()


@pytest.mark.parametrize("kind", ["memory", "http"])
def test_credentials_that_are_wrong(kind: str, server: RegistryServer) -> None:
    """To log in is denied, and what was tried is not told."""
    server.login, server.users = "bearer", {"me": "pass"}
    with HttpRegistryHealth(credentials=lambda registry: Credential("me", "hunter2")) as real:
        door = real if kind == "http" else MemoryRegistryHealth(refuses_login=True)
        with pytest.raises(AccessDenied) as raised:
            door.login(server.address)
    assert "hunter2" not in str(raised.value)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> StateHealth:
    """A database with one run that ended and one that did not."""
    if request.param == "memory":
        twin = MemoryStateHealth()
        twin.holds([RUN])
        return twin
    state = str(tmp_path / "state.db")
    if request.param == "postgres":
        state = request.getfixturevalue("postgres_url")
    with DatabaseHistory(open_database(state)) as history:
        ended = Run(**{name: getattr(RUN, name) for name in RUN.__slots__} | {"id": "ended"})
        for run in (RUN, ended):
            history.begin_run(run)
        history.finish_run("ended", RunState.SUCCEEDED, RUN.started_at)
    return open_health(state)


def test_a_database_says_how_it_is(kept: StateHealth) -> None:
    """Its format, its size, nothing wrong, and the run that never ended."""
    facts = kept.facts()
    assert (facts.format, facts.faults, facts.refusal) == (facts.newest_format, (), "")
    assert facts.size_bytes > 0
    assert facts.running == (RUN,)


@pytest.mark.parametrize("kind", ["memory", "sqlite", "postgres"])
def test_no_database_yet(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """That is no fault, and none is made by looking."""
    door: StateHealth = MemoryStateHealth()
    if kind == "sqlite":
        door = open_health(str(tmp_path / "deep" / "state.db"))
    elif kind == "postgres":
        door = open_health(request.getfixturevalue("postgres_url"))
    facts = door.facts()
    assert (facts.format, facts.size_bytes, facts.running, facts.refusal) == (0, 0, (), "")
    assert list(tmp_path.iterdir()) == []
