"""`orchestrate config show`: what counts, and who said so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.stage import Ran, Stage

HIERARCHY = """\
version: 1
name: gold
registry: localhost:5000/gold
platforms: [linux/amd64]
defaults:
  labels: {team: platform}
tiers:
  low: {packages: apt}
images:
  base:
    context: base
    version: "1"
    tier: low
    args: {API_TOKEN: hunter2hunter2hunter2}
    formerly: [older, old]
    reproducible: false
    tags: {floating: ["{version}", stable]}
"""


@pytest.fixture
def gold(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Path:
    (stage.directory / "hierarchy.yaml").write_text(HIERARCHY)
    monkeypatch.chdir(stage.directory)
    return stage.directory


def origins(ran: Ran) -> dict[str, tuple[object, str]]:
    assert ran.code == 0, ran.err
    return {row["name"]: (row["value"], where(row)) for row in ran.data["values"]}


def where(row: dict[str, object]) -> str:
    assert set(row) == {"name", "value", "source", "file", "line"}
    return f"{row['source']} ({row['file']}:{row['line']})" if row["file"] else str(row["source"])


def test_every_setting_says_where_it_is_from(
    stage: Stage, gold: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An option, a variable, the file with its line, or nobody."""
    monkeypatch.setenv("ORCHESTRATE_COLOR", "never")
    ran = stage.run("config", "show", "--origin", "-o", "json", "--progress", "none", inside=False)
    state = f"{home}/.local/state/gold-orchestrator"
    assert origins(ran) == {
        "directory": (".", "default"),
        "file": ("hierarchy.yaml", "found"),
        "registry": (["localhost:5000/gold"], "hierarchy (hierarchy.yaml:3)"),
        "state": (f"{state}/state.db", "default"),
        "color": ("never", "ORCHESTRATE_COLOR"),
        "progress": ("none", "option"),
        "output": ("json", "option"),
        "quiet": (False, "default"),
        "verbose": (False, "default"),
        "logs": (f"{state}/logs", "beside state"),
        "cache": (f"{home}/.cache/gold-orchestrator", "default"),
    }


def test_options_are_stronger_than_variables_and_variables_than_the_file(
    stage: Stage, gold: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the answer says which it was."""
    asked = ("config", "show", "--origin", "-o", "json")
    monkeypatch.setenv("ORCHESTRATE_REGISTRY", "localhost:5000/variable")
    monkeypatch.setenv("ORCHESTRATE_STATE", "/tmp/else.db")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", "/tmp/cache")
    found = origins(stage.run(*asked, inside=False))
    assert found["registry"] == (["localhost:5000/variable"], "ORCHESTRATE_REGISTRY")
    assert found["state"] == ("/tmp/else.db", "ORCHESTRATE_STATE")
    assert found["logs"] == ("/tmp/logs", "beside state")
    assert found["color"] == ("never", "NO_COLOR")
    assert found["cache"] == ("/tmp/cache/gold-orchestrator", "XDG_CACHE_HOME")
    found = origins(stage.run("--registry", "localhost:5000/option", *asked, inside=False))
    assert found["registry"] == (["localhost:5000/option"], "option")


def test_without_origin_there_are_only_values(stage: Stage, gold: Path) -> None:
    """In text and in JSON."""
    ran = stage.run("config", "show", inside=False)
    assert ran.out.splitlines()[0].split() == ["SETTING", "VALUE"]
    data = stage.run("config", "show", "-o", "json", inside=False).data
    assert set(data["values"][0]) == {"name", "value"}


def test_an_image_says_where_every_field_is_from(stage: Stage, gold: Path) -> None:
    """Itself, its tier, the defaults, the top of the file, or what is built in."""
    found = origins(stage.run("config", "show", "base", "--origin", "-o", "json", inside=False))
    assert found["version"] == ("1", "image (hierarchy.yaml:12)")
    assert found["packages"] == ("apt", "tier low (hierarchy.yaml:8)")
    assert found["labels.team"] == ("platform", "defaults (hierarchy.yaml:6)")
    assert found["platforms"] == (["linux/amd64"], "hierarchy (hierarchy.yaml:4)")
    assert found["reproducible"] == (False, "image (hierarchy.yaml:16)")
    assert found["allow_latest"] == (False, "built in")
    text = stage.run("config", "show", "base", "--origin", inside=False).out
    assert re.search(r"(?m)^platforms +\[linux/amd64\] +hierarchy \(hierarchy.yaml:4\)$", text)
    assert re.search(r"(?m)^reproducible +false +image \(hierarchy.yaml:16\)$", text)


def test_programs_get_values_with_their_types(stage: Stage, gold: Path) -> None:
    """Lists, booleans and texts as such: nobody has to read `[a, b]`; and no number for "3.10"."""
    values = stage.run("config", "show", "base", "-o", "json", inside=False).data["values"]
    found = {row["name"]: row["value"] for row in values}
    assert found["formerly"] == ["older", "old"]
    assert found["tags.floating"] == ["{version}", "stable"]
    assert (found["reproducible"], found["allow_latest"]) == (False, False)
    assert (found["version"], found["dockerfile"]) == ("1", "Dockerfile")
    assert found["args.API_TOKEN"] == "***"


def test_no_secret_is_shown(stage: Stage, gold: Path) -> None:
    """An argument that looks like a credential is masked here as everywhere."""
    for more in ((), ("-o", "json"), ("--origin",)):
        ran = stage.run("config", "show", "base", *more, inside=False)
        assert ran.code == 0
        assert "API_TOKEN" in ran.out
        assert "hunter2" not in ran.out + ran.err


def test_settings_without_a_hierarchy(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That there is none is an answer; of an image it is an error."""
    monkeypatch.chdir(tmp_path)
    found = origins(stage.run("config", "show", "--origin", "-o", "json", inside=False))
    assert found["file"] == (None, "not found")
    ran = stage.run("config", "show", "base", inside=False)
    assert (ran.code, "NO-HIERARCHY" in ran.err) == (3, True)


def test_an_image_that_is_none(stage: Stage, gold: Path) -> None:
    """Exit 2, and the nearest one."""
    ran = stage.run("config", "show", "bsae", inside=False)
    assert ran.code == 2
    assert ran.err == "error: hierarchy.yaml has no image 'bsae'\nhint:  did you mean base?\n"


def test_a_broken_file(stage: Stage, gold: Path) -> None:
    """Settings that need no file are shown; an image's fields are not guessed."""
    (gold / "hierarchy.yaml").write_text("images: [\n")
    assert stage.run("config", "show", inside=False).code == 0
    ran = stage.run("config", "show", "base", inside=False)
    assert (ran.code, ran.out) == (3, "")


@pytest.mark.parametrize("argv", [["config"], ["completion"]])
def test_what_is_missing_is_named(stage: Stage, argv: list[str]) -> None:
    """Exit 2, with the choices."""
    ran = stage.run(*argv, inside=False)
    assert ran.code == 2
    assert ran.err.startswith("error: missing argument")
