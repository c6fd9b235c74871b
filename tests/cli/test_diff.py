"""`orchestrate diff`, as a user meets it."""

from __future__ import annotations

import json
from importlib.resources import files

import jsonschema
import pytest

from tests.cli.stage import Stage

FIELDS = "format kind image was now platforms"


@pytest.fixture
def moved(stage: Stage) -> Stage:
    """`base` was promoted twice: the second time with a newer openssl."""
    world = stage.world
    world.dockerfiles = {"base": "FROM debian:12\nRUN apt-get install openssl\n"}
    world.others = {}
    world.extra = {"base": ", sbom: syft"}
    world.packages.archive = {"openssl": "3.0.17"}
    world.write()
    stage.write()
    assert stage.run("build").code == 0
    world.packages.archive["openssl"] = "3.0.18"
    world.edit("base", "RUN apt-get upgrade")
    stage.write()
    world.clock.sleep(60)
    assert stage.run("build").code == 0
    return stage


def test_what_the_last_promotion_changed(moved: Stage) -> None:
    """Both platforms in one paragraph: they are alike."""
    ran = moved.run("diff", "base")
    assert (ran.code, ran.err) == (0, "")
    assert "linux/amd64 and linux/arm64" in ran.out
    assert ran.out.count("openssl") == 1
    assert "upgraded  openssl  deb  3.0.17 → 3.0.18" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80


def test_json_is_as_its_schema_says(moved: Stage) -> None:
    """With sizes in bytes, and files where they were asked for."""
    schema = json.loads(files("orchestrator").joinpath("schema", "diff.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    for argv in (("diff", "base"), ("diff", "base", "--files"), ("diff", "base", "stable", "1")):
        data = moved.run(*argv, "-o", "json").data
        validator.validate(data)
        assert list(data) == FIELDS.split()
    data = moved.run("diff", "base", "--files", "-o", "json").data
    (change, _) = data["platforms"].values()
    assert [p["now"] for p in change["packages"]] == ["3.0.18"]
    assert change["files"]


def test_markdown_is_for_a_pull_request(moved: Stage) -> None:
    """A table, and the same words."""
    ran = moved.run("diff", "base", "-o", "markdown")
    assert (ran.code, ran.err) == (0, "")
    assert "| upgraded | openssl | deb | 3.0.17 → 3.0.18 |" in ran.out


def test_equal_sides_are_the_same(moved: Stage) -> None:
    """Whatever they are called."""
    ran = moved.run("diff", "base", "stable", "1")
    assert ran.code == 0
    assert ran.out.endswith("the same\n")


@pytest.mark.parametrize(
    ("argv", "code", "err"),
    [
        (("diff",), 2, "hint:"),
        (("diff", "bse"), 2, "did you mean base?"),
        (("diff", "base", "nope"), 2, "`orchestrate digests base` lists digests and tags"),
        (("diff", "base", "stable", "nope"), 2, "base has no digest, tag or run 'nope'"),
        (("diff", "base", "\x1b[31mx"), 2, "base has no digest, tag or run"),
        (("diff", "base", "a", "b", "c"), 2, "unexpected"),
    ],
)
def test_bad_input_has_a_way_out(moved: Stage, argv: tuple[str, ...], code: int, err: str) -> None:
    """Nothing on standard output, and no escape on a terminal."""
    ran = moved.run(*argv)
    assert (ran.code, ran.out) == (code, "")
    assert err in ran.err
    assert "\x1b" not in ran.err


def test_packages_that_nobody_knows_are_said(moved: Stage) -> None:
    """The rest is told, exit 0."""
    moved.world.sboms.problem, moved.world.sboms.hint = "syft is not installed", "install syft"
    moved.world.edit("base", "RUN mkdir /srv")
    moved.write()
    ran = moved.run("build", "--progress", "plain")
    assert ran.code == 0
    assert "base: linux/amd64 has no SBOM: syft is not installed" in ran.out + ran.err
    ran = moved.run("diff", "base")
    assert ran.code == 0
    assert "nobody knows what became of the packages: syft is not installed; install syft" in (
        " ".join(ran.out.split())
    )


def test_nothing_is_written(moved: Stage) -> None:
    """Neither in the registry nor in the history."""
    puts, runs = list(moved.world.registry.puts), moved.world.history.runs()
    moved.run("diff", "base", "--files")
    assert moved.world.registry.puts == puts
    assert moved.world.history.runs() == runs
