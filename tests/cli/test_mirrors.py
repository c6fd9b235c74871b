"""Mirrors on the command line: a copy alone is something to do."""

from __future__ import annotations

import json

import pytest

from tests.cli.stage import Stage
from tests.mirror_world import MIRROR, mirrored_world
from tests.world import UPSTREAM, put_image


@pytest.fixture
def soaking(stage: Stage) -> Stage:
    """Everything is built, and a new digest of the upstream soaks."""
    stage.world = mirrored_world(", soak: 7d")
    stage.write()
    assert stage.run("build").code == 0
    put_image(stage.world.registry, UPSTREAM, "debian 12.2")
    return stage


def _copies(stage: Stage) -> int:
    return len(stage.world.registry.tags(MIRROR))


@pytest.mark.parametrize("command", ["build", "patch"])
def test_copy_without_a_build(soaking: Stage, command: str) -> None:
    """It is made, the history has the run, and the next one has nothing to do."""
    builds = len(soaking.world.builds)
    assert soaking.run(command).code == 0
    assert (_copies(soaking), len(soaking.world.builds)) == (2, builds)
    runs = len(soaking.world.history.runs())
    assert soaking.run(command).code == 0
    assert len(soaking.world.history.runs()) == runs


def test_plan_says_so(soaking: Stage) -> None:
    """There is something to do, and nothing is copied yet."""
    ran = soaking.run("plan", "--detailed-exitcode")
    assert ran.code == 10
    assert "mirror debian:12 sha256:" in ran.out
    assert "Plan: 1 to mirror" in ran.out
    (copy,) = soaking.run("plan", "-o", "json").data["mirrors"]
    assert copy["repository"] == str(MIRROR)
    assert _copies(soaking) == 1


def test_saved_plan_is_applied(soaking: Stage) -> None:
    """A plan that only copies is carried out, and may be again."""
    soaking.run("plan", "--out", "plan.json")
    saved = json.loads((soaking.directory / "plan.json").read_text())
    assert (len(saved["mirrors"]), saved["steps"]) == (1, [])
    for _ in range(2):
        ran = soaking.run("apply", "plan.json", "-o", "json")
        assert ran.code == 0
        (mirror,) = ran.data["mirrors"]
        assert mirror["failure"] is None
    assert _copies(soaking) == 2


def test_mirror_is_listed(soaking: Stage) -> None:
    """`digests` has it after the images, as people and as machines read it."""
    said = soaking.run("digests", "base").out
    assert f"mirror of debian:12: {MIRROR}" in said
    assert "newest of debian:12" not in said.partition(f"{MIRROR}")[0]
    *_, shelf = soaking.run("digests", "base", "-o", "json").data["repositories"]
    assert (shelf["upstreams"], shelf["images"]) == (["debian:12"], [])
