"""`--state` and ORCHESTRATE_STATE: a file or a server, and passwords that nobody sees."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.cli import main
from orchestrator.cli.doors import real_history
from orchestrator.cli.workplace import Outside, Places
from orchestrator.doctor import HealthDoors
from orchestrator.doors.open_state import open_health
from orchestrator.doors.protocols import Files
from orchestrator.flow import Doors
from orchestrator.model.hierarchy import Hierarchy
from tests.cli.stage import Ran, Stage
from tests.health import Ward
from tests.postgres_server import PostgresServer

PASSWORD = "hunter2%/@:"
WRITTEN = "hunter2%25%2F%40%3A"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a developer's environment says to libpq is not heard."""
    for name in ("PGPASSWORD", "PGPASSFILE", "PGSERVICE", "PGSERVICEFILE", "PGUSER", "PGHOST"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def locked(postgres: PostgresServer) -> Iterator[str]:
    """The address of an empty schema, of a user who needs the password."""
    quoted = PASSWORD.replace("'", "''")
    postgres.run("DROP ROLE IF EXISTS locked")
    postgres.run(f"CREATE ROLE locked LOGIN SUPERUSER PASSWORD '{quoted}'")
    with postgres.schema() as url:
        yield url.replace("postgres@", "locked@")


def real(stage: Stage, *argv: str) -> Ran:
    """Run a command line on twins, but with the real diary and what `doctor` asks of it."""

    @contextmanager
    def doors(hierarchy: Hierarchy, files: Files, places: Places) -> Iterator[Doors]:
        with real_history(places) as history:
            yield replace(stage.world.doors, files=files, history=history)

    @contextmanager
    def health(hierarchy: Hierarchy | None, places: Places) -> Iterator[HealthDoors]:
        state = open_health(places.state, places.state_password)
        with real_history(places) as history:
            yield replace(Ward(world=stage.world).doors, state=state, history=history)

    outside = Outside(doors=doors, history=real_history, logs=stage.outside.logs, health=health)
    code = main(["-C", str(stage.directory), *argv], outside=outside)
    out, err = stage.captured()
    return Ran(code=code, out=out, err=err)


def with_password(url: str) -> str:
    return url.replace("locked@", f"locked:{WRITTEN}@")


def test_a_run_is_kept_on_a_server(
    stage: Stage, home: Path, postgres_url: str, tmp_path: Path
) -> None:
    """`build` writes there, `history` and `show` read it, and no file is made but logs."""
    assert real(stage, "--state", postgres_url, "build").code == 0
    (run,) = real(stage, "--state", postgres_url, "history", "-o", "json").data["runs"]
    assert run["state"] == "succeeded"
    assert real(stage, "--state", postgres_url, "show", run["id"]).code == 0
    assert "Nothing to do" in real(stage, "--state", postgres_url, "build").out
    assert not list(tmp_path.rglob("*.db"))
    (place, *_) = [
        value["value"]
        for value in real(stage, "--state", postgres_url, "config", "show", "-o", "json").data[
            "values"
        ]
        if value["name"] == "logs"
    ]
    assert place == f"{home}/.local/state/gold-orchestrator/logs"


def test_a_password_in_an_option_is_refused(stage: Stage, locked: str) -> None:
    """Every user of the machine sees options: exit 2, with the places where one may be."""
    ran = real(stage, "--state", with_password(locked), "history")
    assert ran.code == 2
    assert "--state has a password in it" in ran.err
    for place in ("ORCHESTRATE_STATE", "PGPASSWORD", ".pgpass", "service"):
        assert place in ran.err
    assert "hunter2" not in ran.out + ran.err


@pytest.mark.parametrize(
    "argv",
    [
        ("build",),
        ("build", "-v"),
        ("history",),
        ("history", "-o", "json"),
        ("config", "show", "--origin"),
        ("config", "show", "--origin", "-o", "json"),
        ("doctor",),
        ("doctor", "-o", "json"),
    ],
)
def test_a_password_in_the_variable_works_and_is_never_shown(
    stage: Stage, locked: str, monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...]
) -> None:
    """Not in output, errors, logs or JSON; the address without it is."""
    monkeypatch.setenv("ORCHESTRATE_STATE", with_password(locked))
    ran = real(stage, *argv)
    assert ran.code == 0, ran.err
    assert "hunter2" not in ran.out + ran.err
    if argv[0] in ("config", "doctor"):
        assert locked in ran.out


@pytest.mark.parametrize(
    "change",
    [
        ("locked:", "locked:x"),
        ("/postgres?", "/absent?"),
        ("127.0.0.1:", "127.0.0.1:1,no-such-host.invalid:"),
        ("postgresql://", "mysql://"),
        ("%2F", "/"),
        ("options=", "colour="),
        ("search_path", "what_is_this"),
        ("@127.0.0.1:", ""),
    ],
)
@pytest.mark.parametrize("argv", [("history",), ("doctor", "-o", "json"), ("build", "-v")])
def test_a_password_is_not_shown_by_errors(
    stage: Stage,
    locked: str,
    monkeypatch: pytest.MonkeyPatch,
    change: tuple[str, str],
    argv: tuple[str, ...],
) -> None:
    """Whatever is wrong with the address; without a host a password looks like a port."""
    wrong = with_password(locked).replace(*change)
    assert wrong != with_password(locked)
    monkeypatch.setenv("ORCHESTRATE_STATE", wrong)
    ran = real(stage, *argv)
    assert ran.code != 0, ran.out
    for secret in ("hunter2", WRITTEN, PASSWORD):
        assert secret not in ran.out + ran.err


def test_passwords_are_found_where_libpq_finds_them(
    stage: Stage, home: Path, locked: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """PGPASSWORD, a password file, a service file."""
    assert real(stage, "--state", locked, "history").code == 5
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert real(stage, "--state", locked, "history").code == 0
    monkeypatch.delenv("PGPASSWORD")
    escaped = PASSWORD.replace(":", "\\:")
    (home / ".pgpass").write_text(f"127.0.0.1:*:*:locked:{escaped}\n")
    (home / ".pgpass").chmod(0o600)
    assert real(stage, "--state", locked, "history").code == 0
    (home / ".pgpass").unlink()
    services = tmp_path / "services"
    port = locked.partition("127.0.0.1:")[2].partition("/")[0]
    services.write_text(
        f"[gold]\nhost=127.0.0.1\nport={port}\ndbname=postgres\nuser=locked\npassword={PASSWORD}\n"
    )
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    ran = real(stage, "--state", "postgresql://?service=gold", "doctor", "-o", "json")
    assert ran.code == 0, ran.out
    assert "hunter2" not in ran.out + ran.err


def test_doctor_looks_at_the_server(stage: Stage, postgres_url: str) -> None:
    """Its version, its size, the room for connections, whether it can be written."""
    asked = ("--state", postgres_url, "doctor", "-o", "json")

    def said() -> dict[str, dict[str, object]]:
        ran = real(stage, *asked)
        return {found["code"]: found for found in ran.data["findings"]}

    before = said()
    assert "the first run makes its tables" in str(before["database-open"]["what"])
    assert real(stage, "--state", postgres_url, "build").code == 0
    after = said()
    assert "PostgreSQL" in str(after["database-open"]["what"])
    assert "connections left" in str(after["database-connections"]["what"])
    for code in ("open", "connections", "write", "runs"):
        assert after[f"database-{code}"]["level"] == "ok"
    assert "database-sound" not in after


def test_a_server_that_is_down_is_a_finding(stage: Stage) -> None:
    """With a way out, and without a command that would move a file."""
    ran = real(stage, "--state", "postgresql://127.0.0.1:1/gold", "doctor", "-o", "json")
    (found,) = [f for f in ran.data["findings"] if f["code"] == "database-open"]
    assert found["level"] == "error"
    assert "cannot be reached" in found["what"]
    assert found["hint"]
    assert not found["command"]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("mysql://db/gold", "cannot be kept in mysql://"),
        ("postgresql://a@b@c/gold", "an @ too many"),
        ("postgresql://db/gold?sslpassword=x", "password of a key"),
    ],
)
def test_addresses_that_are_none(stage: Stage, said: str, message: str) -> None:
    """The command line is wrong: exit 2, with a hint."""
    ran = real(stage, "--state", said, "history")
    assert ran.code == 2
    assert message in ran.err
    assert "hint:" in ran.err


def test_without_a_home_directory_logs_have_no_place(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """History on a server leaves the machine nothing but logs, and they need one."""
    monkeypatch.setenv("HOME", "nowhere")
    ran = real(stage, "--state", "postgresql://db/gold", "history")
    assert ran.code == 5
    assert "keep logs in" in ran.err
    assert "XDG_STATE_HOME" in ran.err
