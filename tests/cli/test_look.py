"""`orchestrate check`, `status`, `why`, `schema` and `version`."""

from __future__ import annotations

import json
import platform
import shlex
from pathlib import Path

import pytest

from orchestrator import __version__
from tests.cli.stage import Stage
from tests.world import PLATFORMS


def test_check_says_what_it_found(stage: Stage) -> None:
    """One line with counts; nobody is asked for anything."""
    stage.world.registry.counts.clear()
    ran = stage.run("check")
    file = stage.directory / "hierarchy.yaml"
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"OK {file}: 8 images, 1 upstream, 2 platforms\n"
    assert stage.world.registry.counts.total() == 0
    assert stage.opened == []


def test_check_is_the_same_with_and_without_a_parser(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`orchestrate check` alone takes a shorter way; variables count on it as well."""
    monkeypatch.chdir(stage.directory / "hello")
    assert stage.run("check", inside=False) == stage.run("check", "-o", "text", inside=False)
    monkeypatch.setenv("ORCHESTRATE_FILE", "nowhere.yaml")
    ran = stage.run("check", inside=False)
    assert ran.code == 3
    assert ran == stage.run("check", "-o", "text", inside=False)
    monkeypatch.setenv("ORCHESTRATE_COLOR", "blue")
    assert stage.run("check", inside=False).code == 2


def test_check_tells_everything_at_once(stage: Stage) -> None:
    """Exit 3; every problem, in every file, on standard error."""
    stage.world.dockerfiles["hello"] = "FROM gunicron\n"
    stage.world.extra["web"] = ", tierr: runtime"
    stage.world.write()
    stage.write()
    ran = stage.run("check")
    assert (ran.code, ran.out) == (3, "")
    assert "gunicron" in ran.err
    assert "tierr" in ran.err
    assert "did you mean" in ran.err


def test_check_as_json_lists_the_problems(stage: Stage) -> None:
    """An editor gets file, line and column."""
    stage.world.dockerfiles["hello"] = "FROM gunicron\n"
    stage.world.write()
    stage.write()
    ran = stage.run("check", "-o", "json")
    assert (ran.code, ran.data["kind"]) == (3, "problems")
    assert [problem["line"] for problem in ran.data["problems"]] == [1]


def test_check_as_json_of_good_files(stage: Stage) -> None:
    """The same object, without problems."""
    assert stage.run("check", "-o", "json").data == {
        "format": 1,
        "kind": "problems",
        "problems": [],
        "summary": {"errors": 0, "warnings": 0},
        "warnings": [],
    }


def test_a_warning_is_on_standard_error(stage: Stage) -> None:
    """What is legal and probably not meant is told, and is no failure."""
    stage.world.head = stage.world.head.replace(
        "upstreams:\n", 'upstreams:\n  alpine:3: {source: "localhost:5000/upstream/alpine:3"}\n'
    )
    stage.world.write()
    stage.write()
    ran = stage.run("check")
    assert ran.code == 0
    assert ran.err.startswith(f"warning: {stage.directory}/hierarchy.yaml:")
    assert "alpine:3" in ran.err


@pytest.mark.parametrize("command", ["check", "plan", "build", "status"])
def test_without_a_hierarchy_file_there_is_a_hint(
    stage: Stage, tmp_path: Path, command: str
) -> None:
    """Exit 3, and how to name it."""
    empty = tmp_path / "empty"
    empty.mkdir()
    ran = stage.run("-C", str(empty), command, inside=False)
    assert (ran.code, ran.out) == (3, "")
    assert f"neither in {empty} nor in any directory above it" in ran.err
    assert "-C DIR, --file FILE or ORCHESTRATE_FILE" in ran.err


def test_the_file_is_searched_upwards(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """From inside an image's directory the hierarchy above is meant, and named as seen there."""
    monkeypatch.chdir(stage.directory / "hello")
    ran = stage.run("check", inside=False)
    assert ran.out == "OK ../hierarchy.yaml: 8 images, 1 upstream, 2 platforms\n"


def test_a_file_that_is_named_is_seen_from_the_directory(stage: Stage) -> None:
    """`-C DIR -f FILE` is DIR/FILE."""
    (stage.directory / "hierarchy.yaml").rename(stage.directory / "gold.yaml")
    assert stage.run("check", "-f", "gold.yaml").code == 0


def test_a_variable_names_the_file_and_an_option_outweighs_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Options over variables over the file."""
    monkeypatch.setenv("ORCHESTRATE_FILE", "nowhere.yaml")
    assert stage.run("check").code == 3
    assert stage.run("check", "--file", "hierarchy.yaml").code == 0
    assert stage.run("--file", "hierarchy.yaml", "check").code == 0


def test_the_registry_can_be_overridden(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """--registry over ORCHESTRATE_REGISTRY over the file's."""
    monkeypatch.setenv("ORCHESTRATE_REGISTRY", "localhost:5000/variable")
    images = stage.run("status", "-o", "json").data["images"]
    assert images[0]["repository"] == "localhost:5000/variable/base"
    images = stage.run("status", "--registry", "localhost:5000/option", "-o", "json").data["images"]
    assert images[0]["repository"] == "localhost:5000/option/base"


def test_status_is_a_table_or_json(stage: Stage) -> None:
    """Every image, current or not."""
    stage.run("build")
    assert "8 images: 8 up to date." in stage.run("status").out
    data = stage.run("status", "-o", "json").data
    assert (data["format"], data["kind"], len(data["images"])) == (1, "status", 8)


def test_why_explains_one_image(stage: Stage) -> None:
    """Part by part, as text and as JSON."""
    assert "never published" in stage.run("why", "hello").out
    data = stage.run("why", "hello", "-o", "json").data
    assert (data["format"], data["kind"], data["status"]["image"]) == (1, "why", "hello")


def test_why_of_a_mistyped_image(stage: Stage) -> None:
    """Exit 2 with the nearest."""
    ran = stage.run("why", "helo")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "error: no image is called 'helo'\nhint:  did you mean hello?\n"


def test_why_command_prints_a_line_for_each_platform_that_a_shell_takes(stage: Stage) -> None:
    """The exact commands are all there is on standard output; what they read is told beside it."""
    stage.run("build")
    ran = stage.run("why", "hello", "--command")
    for text, wanted in zip(ran.out.splitlines(), PLATFORMS, strict=True):
        line = shlex.split(text)
        assert line[:3] == ["docker", "buildx", "build"]
        assert line[-1] == "-"
        assert f"--platform={wanted}" in line
    assert ran.err.startswith("# each reads the context from standard input")


def test_why_command_as_json_is_a_list(stage: Stage) -> None:
    """A script needs no shell's quoting."""
    stage.run("build")
    data = stage.run("why", "hello", "--command", "-o", "json").data
    assert list(data["commands"]) == list(PLATFORMS)
    for line in data["commands"].values():
        assert line[:3] == ["docker", "buildx", "build"]
    assert (data["format"], data["kind"], data["image"]) == (1, "command", "hello")


def test_why_command_of_an_image_whose_parent_is_not_there(stage: Stage) -> None:
    """Exit 2: there is no such command before the parent was published."""
    ran = stage.run("why", "hello", "--command")
    assert (ran.code, ran.out) == (2, "")
    assert "never published" in ran.err


@pytest.mark.parametrize("argv", [[], ["hierarchy"], ["include"], ["plan"]])
def test_schemas_are_json_schemas(stage: Stage, argv: list[str]) -> None:
    """They ship with the package and need no hierarchy."""
    ran = stage.run("schema", *argv, inside=False)
    assert ran.code == 0
    assert json.loads(ran.out)["$schema"].startswith("https://json-schema.org/")


def test_version_names_the_program_and_python(stage: Stage) -> None:
    """Two lines, or an object."""
    ran = stage.run("version", inside=False)
    assert ran.out == f"orchestrate {__version__}\npython {platform.python_version()}\n"
    data = stage.run("version", "-o", "json", inside=False).data
    assert (data["format"], data["orchestrate"]) == (1, __version__)


def test_verbose_version_never_fails_without_docker(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A machine without Docker gets an answer too."""
    monkeypatch.setenv("PATH", str(tmp_path))
    ran = stage.run("version", "-v", inside=False)
    assert ran.code == 0
    assert "docker not installed\nengine not installed\nbuildx not installed\n" in ran.out


@pytest.mark.parametrize("argv", [["check"], ["plan"]])
def test_an_end_of_support_is_compared_with_today(stage: Stage, argv: list[str]) -> None:
    """The machine's clock says which day it is."""
    stage.world.extra["hello"] = ", eol: 2001-01-01"
    stage.world.write()
    stage.write()
    ran = stage.run(*argv)
    assert ran.code == 0
    assert "support on 2001-01-01" in " ".join(ran.err.split())
