"""The doors of `doctor` where what they ask is broken, silent, hostile or damaged."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.doors.engine import DockerEngine
from orchestrator.doors.history import SqliteHistory
from orchestrator.doors.machine import RealMachine
from orchestrator.doors.memory.clock import MemoryClock
from orchestrator.doors.registry import Deadlines
from orchestrator.doors.registry.credentials import credentials_source
from orchestrator.doors.registry.health import HttpRegistryHealth
from orchestrator.doors.state_health import SqliteHealth
from orchestrator.doors.tiny_program import exit_program
from orchestrator.errors import (
    AccessDenied,
    BuilderUnavailable,
    BuildFailed,
    RegistryUnavailable,
    StateUnavailable,
)
from tests.doors.registry.misbehaviour import answers, stalls
from tests.doors.registry.server import RegistryServer
from tests.doors.test_health_contract import RUN

EMULATORS = {
    "386": "i386", "amd64": "x86_64", "arm": "arm", "arm64": "aarch64",
    "ppc64le": "ppc64le", "riscv64": "riscv64", "s390x": "s390x",
}  # fmt: skip


def client(where: Path, script: str, *, limit_s: float = 5.0) -> DockerEngine:
    """Return the door on a docker client that is this shell script."""
    (where / "docker").write_text(f"#!/bin/sh\n{script}\n")
    (where / "docker").chmod(0o755)
    environment = {"PATH": f"{where}:{os.environ['PATH']}"}
    return DockerEngine(environment, ask_s=limit_s, build_s=limit_s)


def test_an_engine_that_hangs_is_given_up(tmp_path: Path) -> None:
    """And nothing of the client is left behind, its plugins included."""
    engine = client(tmp_path, f"sleep 60 & echo $! >{tmp_path}/child; wait", limit_s=0.5)
    started_s = time.monotonic()
    with pytest.raises(BuilderUnavailable, match=r"did not answer within 0\.5 s"):
        engine.facts()
    assert time.monotonic() - started_s < 10
    child = int((tmp_path / "child").read_text())
    for _ in range(100):
        state = Path(f"/proc/{child}/stat")
        if not state.exists() or state.read_text().split()[2] == "Z":
            return
        time.sleep(0.05)
    raise AssertionError("the plugin still runs")


def test_an_engine_that_this_user_may_not_ask(tmp_path: Path) -> None:
    """It need not be started; and the command is named without its template."""
    engine = client(tmp_path, "echo 'permission denied: unix:///var/run/docker.sock' >&2; exit 1")
    with pytest.raises(BuilderUnavailable, match="`docker info` failed: permission") as failed:
        engine.facts()
    assert "group docker" in failed.value.hint
    assert "start" not in failed.value.hint


@pytest.mark.parametrize("said", ["", "not json", "[]", '{"ServerVersion": "1"}', "{}{"])
def test_a_client_that_says_something_else(tmp_path: Path, said: str) -> None:
    """Podman's, or one of the future: an error that says so, never a traceback."""
    engine = client(tmp_path, f"echo '{said}'")
    with pytest.raises(BuilderUnavailable):
        engine.facts()
    if said:
        with pytest.raises(BuilderUnavailable):
            engine.builders()


def test_a_container_that_goes_while_the_engine_counts(tmp_path: Path) -> None:
    """The engine refuses as a whole then: it is asked again, three times in all."""
    went = "echo 'rw layer snapshot not found for container 6299' >&2; exit 1"
    counted = """echo '{"Type":"Images","Size":"1GB","Reclaimable":"0B","TotalCount":"1"}'"""
    script = (
        f"echo x >> '{tmp_path}/asked'; [ $(wc -l < '{tmp_path}/asked') -gt %d ] || {{ {went}; }}"
    )
    (use,) = client(tmp_path, f"{script % 2}; {counted}").use()
    assert use.size_bytes == 10**9
    (tmp_path / "asked").unlink()
    with pytest.raises(BuilderUnavailable, match="not found for container"):
        client(tmp_path, f"{script % 3}; {counted}").use()
    assert len((tmp_path / "asked").read_text()) == 2 * 3


def test_credentials_in_an_address_are_not_shown(tmp_path: Path) -> None:
    """DOCKER_HOST may have some."""
    engine = client(tmp_path, "echo 'cannot reach tcp://me:hunter2@far:2375' >&2; exit 1")
    for ask in (engine.facts, engine.builders, lambda: engine.try_build(None, "linux/amd64")):
        with pytest.raises((BuilderUnavailable, BuildFailed)) as raised:
            ask()
        assert "hunter2" not in str(raised.value)
        assert "tcp://***@far:2375" in str(raised.value)


def test_a_build_that_gives_nothing_is_no_success(tmp_path: Path) -> None:
    """Exit code 0 alone proves nothing: a run needs the layout."""
    with pytest.raises(BuildFailed):
        client(tmp_path, "cat >/dev/null").try_build(None, "linux/amd64")


@pytest.mark.parametrize("architecture", EMULATORS)
def test_the_smallest_programs_run(tmp_path: Path, architecture: str) -> None:
    """Each ends with exit code 0, by itself or under its emulator."""
    program = tmp_path / "exit"
    program.write_bytes(exit_program(architecture))
    program.chmod(0o755)
    emulator = f"/usr/bin/qemu-{EMULATORS[architecture]}-static"
    if not os.path.exists(emulator):
        pytest.skip(f"{emulator} is not installed")
    assert subprocess.run([emulator, str(program)]).returncode == 0


def test_no_program_for_an_unknown_architecture() -> None:
    """Then nothing is claimed to have run."""
    assert exit_program("vax") == b""


def test_processes_of_this_program_are_told_from_others(tmp_path: Path) -> None:
    """By script and by module; ourselves and who has the word in an argument do not count."""
    lines = {
        os.getpid(): ["python", "/venv/bin/orchestrate", "doctor"],
        101: ["/venv/bin/python3", "/venv/bin/orchestrate", "build"],
        102: ["python3", "-m", "orchestrator", "build"],
        103: ["vim", "-R", "orchestrate"],
        104: ["grep", "-rn", "orchestrate"],
        105: [],
    }
    (tmp_path / "self").mkdir()
    for number, words in lines.items():
        (tmp_path / str(number)).mkdir()
        line = "".join(f"{word}\0" for word in words)
        (tmp_path / str(number) / "cmdline").write_text(line)
    assert RealMachine(tmp_path).other_orchestrators() == 2
    assert RealMachine(tmp_path / "nowhere").other_orchestrators() is None


def test_a_disk_of_what_is_not_there_yet(tmp_path: Path) -> None:
    """The nearest directory above says which."""
    disk = RealMachine().disk(str(tmp_path / "a" / "b"))
    assert disk.path == str(tmp_path)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "state.db"
    with SqliteHistory(path) as history:
        history.begin_run(RUN)
    return path


def test_a_damaged_database(database: Path) -> None:
    """Whether by the check or while reading: a finding, or the error that explains."""
    content = bytearray(database.read_bytes())
    content[4096 : 4096 * 3] = b"\xff" * 4096 * 2
    database.write_bytes(content)
    try:
        faults: object = SqliteHealth(database).facts().faults
    except StateUnavailable as error:
        faults = "is damaged" in error.what
    assert faults


def test_looking_writes_nothing(database: Path) -> None:
    """Not even where the lock of a writer is tried."""
    before = database.read_bytes()
    SqliteHealth(database).facts()
    assert database.read_bytes() == before


def test_a_locked_database(database: Path) -> None:
    """It can be read, and says that it cannot be written now."""
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        facts = SqliteHealth(database, busy_timeout_s=0.1).facts()
    finally:
        other.close()
    assert "is locked" in facts.refusal
    assert facts.running == (RUN,)


def test_a_registry_that_falls_silent_is_given_up() -> None:
    """After one try."""
    deadlines = Deadlines(connect_s=0.5, idle_s=0.3, total_s=1.0)
    with RegistryServer().running() as server:
        server.fault("GET", "/v2/", stalls, times=9)
        with (
            HttpRegistryHealth(credentials=lambda _: None, deadlines=deadlines) as door,
            pytest.raises(RegistryUnavailable, match="fell silent"),
        ):
            door.reach(server.address)
        assert server.count("GET") == 1


def test_a_clock_that_is_behind() -> None:
    """The skew is ours minus the registry's."""
    with RegistryServer().running() as server:
        clock = MemoryClock(time.time() - 60)
        with HttpRegistryHealth(credentials=lambda _: None, clock=clock) as door:
            skew_s = door.reach(server.address).skew_s
    assert skew_s is not None
    assert -62 < skew_s < -58


def test_who_may_not_push_is_told() -> None:
    """And no upload stays behind."""
    with RegistryServer().running() as server:
        server.fault("POST", "/blobs/uploads/", answers(403))
        with (
            HttpRegistryHealth(credentials=lambda _: None) as door,
            pytest.raises(AccessDenied),
        ):
            door.try_push(server.repository())
        assert server.uploads == {}


@pytest.mark.parametrize(("status", "can"), [(202, True), (404, True), (405, False), (403, False)])
def test_whether_tags_can_be_deleted(status: int, *, can: bool) -> None:
    """By asking to delete one that does not exist."""
    with RegistryServer().running() as server:
        server.fault("DELETE", "/manifests/", answers(status))
        with HttpRegistryHealth(credentials=lambda _: None) as door:
            assert door.deletes_tags(server.repository()) is can


@pytest.mark.parametrize(
    ("config", "registry", "source"),
    [
        ({}, "r.example", ""),
        ({"auths": {"r.example": {"auth": "eDp5"}}}, "r.example", "config.json"),
        ({"auths": {"https://r.example/v1/": {"auth": "eDp5"}}}, "r.example", "config.json"),
        ({"auths": {"other.example": {"auth": "eDp5"}}}, "r.example", ""),
        ({"credsStore": "pass"}, "r.example", "docker-credential-pass"),
        ({"credHelpers": {"r.example": "ecr"}}, "r.example", "docker-credential-ecr"),
        ({"credHelpers": {"r.example": "ecr"}}, "docker.io", ""),
        ({"auths": {"https://index.docker.io/v1/": {}}}, "docker.io", "config.json"),
    ],
)
def test_where_credentials_come_from(
    tmp_path: Path, config: dict[str, object], registry: str, source: str
) -> None:
    """A file or a helper, never what is in it."""
    (tmp_path / "config.json").write_text(json.dumps(config))
    found = credentials_source(registry, tmp_path)
    assert found.endswith(source) if source else found == ""


def test_this_python_is_not_taken_for_a_run() -> None:
    """The tests themselves are no orchestrator."""
    assert "orchestrate" not in os.path.basename(sys.executable)


def test_database_is_moved_aside_with_its_logs(tmp_path: Path) -> None:
    """A new one never finds the log of the old one; an earlier damaged one stays where it is."""
    path = tmp_path / "state.db"
    for name in ("state.db", "state.db-wal", "state.db-shm", "state.db.damaged-1"):
        (tmp_path / name).write_text(name)
    aside = RealMachine().move_aside(str(path))
    assert aside == f"{path}.damaged-2"
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "state.db.damaged-1", "state.db.damaged-2", "state.db.damaged-2-shm",
        "state.db.damaged-2-wal",
    ]  # fmt: skip


def test_leftover_is_removed_whatever_it_is(tmp_path: Path) -> None:
    """A directory with all that is in it, a file, a symlink and not what it names; or nothing."""
    kept = tmp_path / "kept"
    kept.mkdir()
    (tmp_path / "folder" / "below").mkdir(parents=True)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(kept)
    for name in ("folder", "file", "link", "absent"):
        RealMachine().remove(str(tmp_path / name))
    assert list(tmp_path.iterdir()) == [kept]
