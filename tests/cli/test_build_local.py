"""`orchestrate build --no-publish`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.cli import main
from orchestrator.doors.memory.local import MemoryLoader
from orchestrator.errors import BuildFailed
from orchestrator.model.names import Repository
from orchestrator.model.run import FailureCause
from tests.cli.stage import Ran, Stage


class Laptop:
    """A stage whose engine is a twin."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.engine = MemoryLoader(stage.world.registry)

    def build(self, *argv: str) -> Ran:
        """Run `build --no-publish` with more arguments."""
        outside = replace(self.stage.outside, local=lambda _: self.engine)
        where = ("-C", str(self.stage.directory))
        code = main([*where, "build", "--no-publish", *argv], outside=outside)
        out, err = self.stage.captured()
        return Ran(code=code, out=out, err=err)


@pytest.fixture
def laptop(stage: Stage) -> Laptop:
    """Everything is published once."""
    stage.run("build")
    return Laptop(stage)


def test_it_says_how_to_run_what_it_built(laptop: Laptop) -> None:
    """A line to copy for each, and that nothing was published."""
    ran = laptop.build("base", "python")
    assert ran.code == 0
    assert "docker run --rm -it local.invalid/gold/base:1 sh\n" in ran.out
    assert "docker run --rm -it local.invalid/gold/python:1 sh\n" in ran.out
    assert "nothing was published" in ran.out
    assert "succeeded in" in ran.out
    assert "python: built local.invalid/gold/python:1" in ran.err


def test_no_history_is_written(laptop: Laptop) -> None:
    """No run, no claim, no tag."""
    before = laptop.stage.world.history.runs(), list(laptop.stage.world.registry.puts)
    laptop.build("hello")
    assert (laptop.stage.world.history.runs(), list(laptop.stage.world.registry.puts)) == before


def test_selectors_choose(laptop: Laptop) -> None:
    """And what is built beside them is named."""
    ran = laptop.build("web+1", "--exclude", "nginx")
    assert list(laptop.engine.images) == ["local.invalid/gold/web:1"]
    ran = laptop.build("base", "nginx")
    assert "built as well, because others stand on it: web\n" in ran.err


def test_without_a_selector_it_builds_what_a_build_would(laptop: Laptop) -> None:
    """The changed image and what stands on it; nothing where nothing changed."""
    ran = laptop.build()
    assert ran.code == 0
    assert ran.out == "Nothing would be built; name an image to build it here all the same.\n"
    laptop.stage.world.edit("gunicorn", "RUN true")
    laptop.stage.write()
    assert laptop.build().code == 0
    assert sorted(laptop.engine.images) == [
        "local.invalid/gold/gunicorn:1",
        "local.invalid/gold/hello:1",
    ]


def test_what_only_lacks_a_tag_is_not_built(laptop: Laptop) -> None:
    """A build would put the tag back and build nothing."""
    world = laptop.stage.world
    world.registry.delete_tag(Repository("localhost:5000", "gold/hello"), "1")
    assert laptop.stage.run("plan", "-o", "json").data["summary"]["retag"] == 1
    assert laptop.build().code == 0
    assert laptop.engine.images == {}


def test_a_failure_is_told_as_that_of_a_run(laptop: Laptop) -> None:
    """With the end of its log, where the log is, what it blocks, and exit 1."""
    failure = BuildFailed("RUN x", cause=FailureCause.COMMAND, log_tail=("oh no",))
    laptop.engine.builder.fail("python", failure)
    ran = laptop.build("python", "gunicorn", "web")
    assert ran.code == 1
    assert "error: python: RUN x" in ran.out
    assert "oh no" in ran.out
    assert "/python.log" in ran.out
    assert "Blocked by python: gunicorn" in ran.out
    assert "docker run --rm -it local.invalid/gold/web:1 sh" in ran.out
    assert "goes on from here" not in ran.out


def test_json(laptop: Laptop) -> None:
    """Every image, and the command that runs it as a list."""
    data = laptop.build("hello", "-o", "json").data
    assert (data["format"], data["kind"], data["platform"]) == (1, "local-build", "linux/amd64")
    (image,) = data["images"]
    assert image["run"] == ["docker", "run", "--rm", "-it", "local.invalid/gold/hello:1", "sh"]


def test_another_platform(laptop: Laptop) -> None:
    """The command says so to docker."""
    ran = laptop.build("hello", "--platform", "linux/arm64")
    assert "--platform=linux/arm64 local.invalid/gold/hello:1-linux-arm64 sh" in ran.out


def test_quiet_says_nothing_of_what_went_well(laptop: Laptop) -> None:
    """As for any build."""
    ran = laptop.build("base", "gunicorn", "-q")
    assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_no_docker(laptop: Laptop) -> None:
    """Exit 5, one error."""
    laptop.engine.missing = True
    ran = laptop.build("hello")
    assert (ran.code, ran.out) == (5, "")
    assert ran.err.startswith("error: docker is not installed\n")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (("--because", "x"), "--because and --no-publish do not go together"),
        (("--trigger", "x"), "--trigger and --no-publish do not go together"),
        (("--force", "base"), "--force and --no-publish do not go together"),
        (("--allow-dirty",), "--allow-dirty and --no-publish do not go together"),
        (("--events", "-"), "--events and --no-publish do not go together"),
        (("--junit", "x"), "--junit and --no-publish do not go together"),
        (("--code-quality", "x"), "--code-quality and --no-publish do not go together"),
        (("--platform", "amd64"), "--platform: 'amd64' is no platform"),
    ],
)
def test_what_makes_no_sense_is_refused(
    laptop: Laptop, options: tuple[str, ...], error: str
) -> None:
    """Before anything is built."""
    ran = laptop.build("hello", *options)
    assert (ran.code, ran.out) == (2, "")
    assert f"error: {error}\n" in ran.err
    assert laptop.engine.images == {}


def test_variables_of_a_pipeline_are_no_contradiction(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They speak of the runs that publish."""
    monkeypatch.setenv("ORCHESTRATE_BECAUSE", "nightly")
    monkeypatch.setenv("ORCHESTRATE_TRIGGER", "schedule")
    assert laptop.build("hello").code == 0


def test_platform_without_no_publish_is_refused(stage: Stage) -> None:
    """What is published is for every platform."""
    ran = stage.run("build", "--platform", "linux/amd64")
    assert ran.code == 2
    assert "--platform goes with --no-publish" in ran.err
