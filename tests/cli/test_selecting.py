"""Selectors on the command line: plan, build and status of some images."""

from __future__ import annotations

import copy

import pytest

from orchestrator.errors import BuildFailed
from tests.cli.stage import Stage

#: Command line → what the user reads: what is wrong, and a way out.
BAD = {
    "plan pyhton+ tier:x": (
        "no image is called 'pyhton'; no image has tier 'x'",
        "did you mean python? there are no tiers here",
    ),
    "build --exclude nobody": (
        "--exclude: no image is called 'nobody'",
        "images: base, python, web, gunicorn, nginx, hello, landing, docs",
    ),
    "status teir:base": ("'teir:base' is no selector", "did you mean tier:base?"),
    "plan hello": (
        "gunicorn was never published and is left out, so hello cannot be built on it",
        "select what it stands on too: +hello",
    ),
    "plan base --force hello": (
        "hello is to be forced and is not selected",
        "add hello to the selectors, or leave out --force",
    ),
    "plan --since mian": (
        "git knows no commit 'mian'",
        "--since takes a branch, a tag or a commit; a remote's branch is origin/NAME, fetched",
    ),
}


@pytest.mark.parametrize("line", BAD)
def test_a_selection_that_cannot_be_is_told(stage: Stage, line: str) -> None:
    """Exit 2 with `error:` and `hint:`, and nothing on standard output."""
    what, hint = BAD[line]
    ran = stage.run(*line.split())
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"error: {what}\nhint:  {hint}\n"


@pytest.fixture
def built(stage: Stage) -> Stage:
    """A hierarchy of eight images that was published."""
    assert stage.run("build", "-q").code == 0
    return stage


def change(stage: Stage, *images: str) -> None:
    for image in images:
        stage.world.edit(image, "RUN more")
    stage.write()


def test_a_plan_of_some_images_has_steps_for_these(built: Stage) -> None:
    """The JSON has every decision, the steps that were asked for, and what was asked for."""
    change(built, "base", "landing")
    data = built.run("plan", "python+", "landing", "--exclude", "docs", "-o", "json").data
    assert [step["image"] for step in data["steps"]] == ["landing"]
    assert data["selection"] == ["python+", "landing", "--exclude docs"]
    causes = {d["image"]: [r["cause"] for r in d["reasons"]] for d in data["decisions"]}
    assert causes["base"] == causes["docs"] == ["not-selected"]


def test_a_plan_of_some_says_how_many_it_left_out(built: Stage) -> None:
    """Nobody takes a partial plan for the whole one."""
    change(built, "landing")
    assert "left out" in built.run("plan", "landing").out


def test_how_to_go_on_repeats_the_selectors(built: Stage) -> None:
    """The line to copy does what was planned, and a shell takes it as it is."""
    change(built, "landing")
    ran = built.run("plan", "land*", "--exclude", "docs")
    assert "orchestrate build 'land*' --exclude docs" in ran.out


def test_a_saved_partial_plan_is_applied(built: Stage) -> None:
    """`apply` minds only what is in the plan."""
    change(built, "landing")
    assert built.run("plan", "landing", "--out", "plan.json").code == 0
    change(built, "web")
    ran = built.run("apply", "plan.json", "-o", "json")
    assert ran.code == 0
    assert {r["image"]: r["outcome"] for r in ran.data["results"]} == {"landing": "built"}


def test_a_build_of_some_images_builds_these(built: Stage) -> None:
    """What is left out is built upon as it is published."""
    change(built, "base", "hello")
    ran = built.run("build", "hello", "-o", "json")
    assert {r["image"]: r["outcome"] for r in ran.data["results"]} == {"hello": "built"}


def test_what_failed_is_asked_for_by_its_state(built: Stage) -> None:
    """`build state:failed` after a failure, and again with nothing to do."""
    change(built, "python")
    built.world.builder.fail("python", BuildFailed("no", cause="command"), times=1)
    assert built.run("build").code == 1
    ran = built.run("build", "state:failed", "-o", "json")
    assert {r["image"] for r in ran.data["results"]} == {"python", "gunicorn", "hello", "docs"}
    assert built.run("build", "state:failed", "-q").code == 0
    assert built.run("plan", "state:failed", "--detailed-exitcode").code == 0


def test_status_of_some_images_shows_these(built: Stage) -> None:
    """A row for each that was selected, and no other."""
    data = built.run("status", "+gunicorn", "-o", "json").data
    assert [image["image"] for image in data["images"]] == ["base", "python", "gunicorn"]
    assert "landing" not in built.run("status", "+gunicorn").out


def test_since_takes_a_reference(built: Stage) -> None:
    """`--since main` is what a pull request shows; its warning is read on standard error."""
    built.world.git.past["main"] = copy.deepcopy(built.world.files)
    change(built, "web")
    data = built.run("plan", "--since", "main", "-o", "json").data
    assert {step["image"] for step in data["steps"]} == {"web", "nginx", "landing", "docs"}
    assert built.run("plan", "--since", "main", "--exclude", "docs", "-o", "json").code == 0
    built.world.files.write("hierarchy.yaml", b"nonsense")
    built.world.git.past["main"] = copy.deepcopy(built.world.files)
    ran = built.run("plan", "--since", "main")
    assert ran.code == 0
    assert "warning: --since main: everything counts as changed" in " ".join(ran.err.split())


def test_a_selector_that_looks_like_an_option(stage: Stage) -> None:
    """After `--` everything is a selector."""
    ran = stage.run("plan", "--", "--exclude")
    assert ran.code == 2
    assert "no image is called '--exclude'" in ran.err
