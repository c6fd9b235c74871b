"""What the process was started with, and what options make of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.cli.environment import Environment, Stream, read_environment, who
from orchestrator.cli.settings import settle
from orchestrator.errors import Unavailable
from tests.cli.stage import Stage

PIPE = Stream(terminal=False, width=0, unicode=True)
TERMINAL = Stream(terminal=True, width=80, unicode=True)


def environment(err: Stream = TERMINAL, **variables: str) -> Environment:
    return Environment(variables=variables, directory="/", out=PIPE, err=err)


def test_the_database_is_in_the_users_state_directory(home: Path) -> None:
    """XDG's directory, or its default below the home directory."""
    assert environment().state_path() == f"{home}/.local/state/gold-orchestrator/state.db"
    assert environment(XDG_STATE_HOME="/var/state").state_path() == (
        "/var/state/gold-orchestrator/state.db"
    )


def test_a_relative_xdg_directory_is_ignored(home: Path) -> None:
    """As the XDG specification says."""
    found = environment(XDG_STATE_HOME="state", XDG_CACHE_HOME="cache")
    assert found.state_path().startswith(str(home))
    assert found.cache_dir() == f"{home}/.cache/gold-orchestrator"


def test_without_a_home_history_has_no_place_and_the_cache_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """History is worth an error with a way out, a cache is not."""
    monkeypatch.setenv("HOME", "nowhere")
    with pytest.raises(Unavailable, match="no home directory") as caught:
        environment().state_path()
    assert "--state PATH" in caught.value.hint
    assert environment().cache_dir() is None


def test_check_needs_no_home(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what keeps something asks where."""
    monkeypatch.setenv("HOME", "nowhere")
    assert stage.run("check").code == 0
    assert stage.run("status").code == 5
    assert stage.run("status", "--state", str(stage.directory / "state.db")).code == 0


def test_a_directory_that_is_gone_is_an_error(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 5 in our words."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    ran = stage.run("check", inside=False)
    assert ran.code == 5
    assert ran.err.startswith("error: the directory you are in no longer exists\nhint:  ")


@pytest.mark.parametrize("value", ["", "0", "false", "False"])
def test_a_variable_that_means_no(value: str) -> None:
    """CI=false is no CI."""
    assert environment(CI=value).trigger == "manual"
    assert environment(CI="1").trigger == "ci"


@pytest.mark.parametrize(
    ("given", "found", "progress"),
    [
        ({}, environment(TERM="xterm"), "live"),
        ({}, environment(), "plain"),
        ({}, environment(PIPE, TERM="xterm"), "plain"),
        ({"progress": "live"}, environment(PIPE, TERM="xterm"), "plain"),
        ({"quiet": True, "progress": "live"}, environment(TERM="xterm"), "none"),
        ({"progress": "none"}, environment(TERM="xterm"), "none"),
    ],
)
def test_how_a_run_is_shown(given: dict[str, object], found: Environment, progress: str) -> None:
    """Live needs a terminal whose cursor moves, whoever asks for it."""
    assert settle(given, found).progress == progress


def test_paths_are_seen_from_the_directory(tmp_path: Path) -> None:
    """-C counts for every path; the database's is absolute, as it outlives this process."""
    settings = settle({"directory": str(tmp_path), "state": "gold.db"}, environment())
    assert settings.path("plan.json") == str(tmp_path / "plan.json")
    assert settings.path("/plan.json") == "/plan.json"
    assert settings.state == str(tmp_path / "gold.db")


def test_who_is_a_user_at_a_host() -> None:
    """History names both."""
    user, at, host = who().partition("@")
    assert user
    assert at
    assert host


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers run as users that no file knows."""
    import getpass

    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert who().startswith("uid ")


def test_the_environment_is_read_once() -> None:
    """What is read is what the process has."""
    found = read_environment()
    assert found.directory == str(Path.cwd())
    assert found.variables["HOME"]
