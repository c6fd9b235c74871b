"""`orchestrate reproduce`."""

from __future__ import annotations

from orchestrator.errors import BuildFailed
from orchestrator.model.run import FailureCause
from tests.build.odd_builders import Drifting
from tests.cli.stage import Stage
from tests.outputs import Blob, layer_of


def test_equal_builds_exit_0(stage: Stage) -> None:
    """One line says so; quiet says nothing."""
    stage.run("build")
    ran = stage.run("reproduce", "hello")
    assert (ran.code, ran.out.splitlines()[0]) == (0, "hello comes out the same on 2 platforms.")
    assert stage.run("reproduce", "hello", "--platform", "linux/amd64", "-q").out == ""


def test_no_run_is_remembered(stage: Stage) -> None:
    """Nothing is published, so history has nothing to say."""
    stage.run("build")
    before = stage.world.history.runs(), list(stage.world.registry.puts)
    stage.run("reproduce", "hello")
    assert (stage.world.history.runs(), list(stage.world.registry.puts)) == before


def test_different_builds_exit_1(stage: Stage) -> None:
    """The layer and the file are named, for people and for machines."""
    stage.world.dockerfiles = {"tool": "FROM scratch\nRUN make\n"}
    stage.world.others = {}
    stage.world.write()
    stage.write()
    drifting = Drifting(lambda n: (Blob(layer_of(f"build {n}", 0)),))
    stage.world.builder = drifting  # type: ignore[assignment]
    ran = stage.run("reproduce", "tool")
    assert ran.code == 1
    assert "tool comes out differently each time." in ran.out
    assert "/file  content" in ran.out
    drifting.requests.clear()
    ran = stage.run("reproduce", "tool", "-o", "json")
    assert ran.code == 1
    assert ran.data["platforms"][0]["layers"][0]["files"][0]["path"] == "/file"


def test_a_failed_build_says_why(stage: Stage) -> None:
    """As `build` does; and its JSON says that nothing was compared."""
    stage.run("build")
    stage.world.builder.fail("hello", BuildFailed("no such thing", cause=FailureCause.COMMAND))
    ran = stage.run("reproduce", "hello")
    assert ran.code == 1
    assert "error: hello: no such thing" in ran.out
    ran = stage.run("reproduce", "hello", "-o", "json")
    assert (ran.code, ran.data["equal"], ran.data["failure"]["cause"]) == (1, None, "command")


def test_what_cannot_be_reproduced_is_refused(stage: Stage) -> None:
    """An image that is none, a parent that is not there, a platform that is none or not its own."""
    assert stage.run("reproduce", "helo").code == 2
    assert "never published" in stage.run("reproduce", "hello").err
    stage.run("build")
    assert "is no platform" in stage.run("reproduce", "hello", "--platform", "arm").err
    assert "not for linux/s390x" in stage.run("reproduce", "hello", "--platform", "linux/s390x").err
