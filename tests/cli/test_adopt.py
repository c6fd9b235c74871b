"""`orchestrate adopt`, `digests` and the orphans of `status`, as a user meets them."""

from __future__ import annotations

import json

import pytest

from orchestrator.model.source import Revision
from tests.brownfield import Brownfield
from tests.cli.stage import Stage


@pytest.fixture
def brown(stage: Stage) -> Stage:
    """A stage whose images somebody else pushed; gunicorn stands on an older python."""
    world = Brownfield()
    world.edit("python", "RUN echo newer")
    world.push("python")
    stage.world = world
    stage.write()
    return stage


def _drop(stage: Stage, image: str) -> None:
    del stage.world.dockerfiles[image]
    stage.world.write()
    stage.write()


def test_dry_run_writes_nothing(brown: Stage) -> None:
    """It says what could be adopted and what not, and how to go on."""
    puts = len(brown.world.registry.puts)
    ran = brown.run("adopt", "--dry-run")
    assert ran.code == 1
    assert "8 images: 6 can be adopted, 2 refused." in ran.out
    assert "built on another python: other layers on linux/amd64" in ran.out
    assert "without --dry-run does it" in ran.out
    assert len(brown.world.registry.puts) == puts
    assert {run.command for run in brown.world.history.runs()} == {"build"}


def test_adoption_is_a_run_that_can_be_undone(brown: Stage) -> None:
    """What passed is adopted, what did not is left; history has the run, and rollback undoes it."""
    ran = brown.run("adopt", "--because", "day one")
    assert ran.code == 1
    assert "8 images: 6 adopted, 2 refused." in ran.out
    run = brown.world.history.runs()[0]
    assert (run.command, run.because) == ("adopt", "day one")
    assert f"orchestrate rollback {run.id}" in " ".join(ran.out.split())
    assert all(len(line) <= 80 for line in ran.out.splitlines())
    assert brown.run("rollback", run.id).code == 0
    world = brown.world
    assert isinstance(world, Brownfield)
    assert {image: world.old(image) for image in world.dockerfiles} == world.pushed


def test_adopting_what_is_whole_exits_0(brown: Stage) -> None:
    """Selectors narrow it down; with nothing refused the exit code is 0, and again it is 0."""
    ran = brown.run("adopt", "+docs")
    assert ran.code == 0
    assert "5 images: 5 adopted." in ran.out
    again = brown.run("adopt", "+docs", "-q")
    assert (again.code, again.out, again.err) == (0, "", "")


def test_adoption_as_json(brown: Stage) -> None:
    """Machines get every image with its state, the run and the moves."""
    ran = brown.run("adopt", "-o", "json")
    assert ran.code == 1
    found = {image["image"]: image for image in ran.data["images"]}
    assert found["base"]["state"] == "adopted"
    assert found["base"]["digest"] != found["base"]["found"]
    assert found["hello"]["why"] == "its parent gunicorn cannot be adopted"
    assert ran.data["run"] == brown.world.history.runs()[0].id
    assert ran.data["summary"] == {"adopted": 6, "refused": 2}
    assert {move["state"] for move in ran.data["moves"]} == {"moved"}


def test_adoption_writes_events_and_junit(brown: Stage) -> None:
    """A pipeline gets every event of an adoption, and its JUnit report."""
    ran = brown.run("adopt", "+docs", "--events", "adopt.ndjson", "--junit", "adopt.xml")
    assert ran.code == 0
    lines = (brown.directory / "adopt.ndjson").read_text().splitlines()
    types = [json.loads(line)["type"] for line in lines]
    assert (types[0], types[-1]) == ("run.started", "run.finished")
    assert "5 images: 5 adopted." in ran.out
    assert 'tests="5"' in (brown.directory / "adopt.xml").read_text()


def test_digests_and_what_protects_them(stage: Stage) -> None:
    """Every digest with its tags, and every reason to keep it in words."""
    stage.run("build")
    ran = stage.run("digests", "base")
    assert ran.code == 0
    said = " ".join(ran.out.split())
    assert "base: localhost:5000/gold/base" in said
    assert "kept: tag 1 and stable; current of base; what the files of base lead to" in said
    assert "below python and web" in said
    assert "1 digest, all protected." in said
    assert "key-k1" not in ran.out
    assert "key-k1" in stage.run("digests", "base", "-v").out
    data = stage.run("digests", "base", "-o", "json").data
    (shelf,) = data["repositories"]
    assert shelf["images"] == ["base"]
    assert {p["guard"] for p in shelf["digests"][0]["protected_by"]} >= {"floating", "descendant"}


def test_digests_of_a_saved_plan(stage: Stage) -> None:
    """A plan in a file protects what it speaks of; a file that is none is refused."""
    stage.run("build")
    path = stage.directory / "saved.plan"
    stage.run("plan", "--out", str(path))
    assert "plan 2" in stage.run("digests", "base", "--plan", str(path)).out
    path.write_text("nonsense")
    ran = stage.run("digests", "base", "--plan", str(path))
    assert ran.code == 3
    assert "BAD-PLAN" in ran.err


def test_status_shows_orphans(stage: Stage) -> None:
    """A published image that is in no file is shown with ways out, in text and JSON."""
    stage.run("build")
    _drop(stage, "landing")
    ran = stage.run("status")
    assert "Published, and in no file:" in ran.out
    assert "localhost:5000/gold/landing" in ran.out
    assert "`formerly:`" in ran.out
    assert stage.run("status", "-o", "json").data["orphans"] == [
        {"repository": "localhost:5000/gold/landing", "image": "landing"}
    ]
    assert "in no file" not in stage.run("status", "base").out
    assert stage.run("status", "base", "-o", "json").data["orphans"] is None


def test_status_without_orphans_says_nothing(stage: Stage) -> None:
    """Nothing is said where nothing is wrong; a registry without a list is named."""
    stage.run("build")
    assert "in no file" not in stage.run("status").out
    stage.world.registry.lists_repositories = False
    said = " ".join(stage.run("status").out.split())
    assert "localhost:5000/gold gives no list of repositories" in said


def test_dirty_tree_is_refused_with_a_way_out(brown: Stage) -> None:
    """Changes that git does not know would be recorded as the source: it takes a word to do so."""
    brown.world.git.current = Revision(commit="c" * 40, dirty=True, committed_at_s=1, source="")
    ran = brown.run("adopt")
    assert ran.code == 2
    assert "--allow-dirty" in ran.err
    assert brown.run("adopt", "base", "--allow-dirty").code == 0
