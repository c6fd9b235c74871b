"""A plan that binds: what `apply` verifies, and what it says when it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from orchestrator import flow
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.errors import StalePlan
from orchestrator.model.names import Repository, short_digest
from orchestrator.model.plan import Plan
from orchestrator.model.run import Outcome
from orchestrator.model.source import Revision
from orchestrator.plan.file import plan_json, read_plan
from tests.world import HEAD, UPSTREAM, World, put_image

DAY_S = 86400.0


@pytest.fixture
def world() -> World:
    """A world that was built once at a commit, and in which gunicorn changed since."""
    world = World()
    world.git.current = Revision(commit="a" * 40, dirty=False, committed_at_s=1_600_000_000)
    world.build()
    world.edit("gunicorn", "RUN echo more")
    return world


def refusal(world: World, plan: Plan, max_age_s: float | None = None) -> StalePlan:
    """Return how `apply` refuses a plan."""
    with pytest.raises(StalePlan) as raised:
        flow.verify(plan, world.hierarchy(), world.doors, max_age_s)
    return raised.value


def tag_elsewhere(world: World) -> None:
    put_image(world.registry, "localhost:5000/gold/gunicorn:stable", "somebody else")


def commit(world: World) -> None:
    world.git.current = Revision(commit="b" * 40, dirty=False, committed_at_s=1_600_000_001)


@pytest.mark.parametrize(
    ("move", "said"),
    [
        (commit, "it was made at aaaaaaaaaaaa, the tree is at bbbbbbbbbbbb"),
        (lambda world: world.edit("gunicorn", "RUN echo again"), "gunicorn: dockerfile changed"),
        (tag_elsewhere, "gunicorn: tag stable moved"),
    ],
)
def test_what_moved_is_named(world: World, move: Callable[[World], None], said: str) -> None:
    """`apply` refuses, names what moved, and offers the command that plans again."""
    plan = world.plan()
    move(world)
    error = refusal(world, plan)
    assert any(line.startswith(said) for line in error.moved), error.moved
    assert "`orchestrate plan --out FILE`" in error.hint


def test_everything_that_moved_is_named_at_once(world: World) -> None:
    """Nobody has to apply twice to learn of the second thing."""
    world.edit("base", "RUN echo more")
    plan = world.plan()
    put_image(world.registry, UPSTREAM, "debian 12.2")
    commit(world)
    moved = refusal(world, plan).moved
    assert len(moved) == 2
    assert moved[1].startswith("base: upstream debian:12 moved")


def test_partial_plan_is_made_again_as_it_was_asked_for(world: World) -> None:
    """The command in the hint has the selectors."""
    plan = world.plan(only="gunicorn+")
    commit(world)
    assert "`orchestrate plan gunicorn+ --out FILE`" in refusal(world, plan).hint


def test_age_limit_of_who_applies(world: World) -> None:
    """`apply --max-age` refuses what is older, and nothing else."""
    plan = world.plan()
    world.clock.sleep(DAY_S - 1)
    flow.verify(plan, world.hierarchy(), world.doors, DAY_S)
    world.clock.sleep(2)
    (said,) = refusal(world, plan, DAY_S).moved
    assert "longer ago than --max-age allows" in said


def test_age_limit_of_who_planned(world: World) -> None:
    """`plan --max-age` is kept by `apply`, whatever it is asked for."""
    wish = flow.Wish(max_age_s=DAY_S)
    plan = flow.plan(world.hierarchy(), world.doors, wish)
    world.clock.sleep(DAY_S + 1)
    (said,) = refusal(world, plan, 30 * DAY_S).moved
    assert said.startswith("it could be applied until")


def test_plan_is_applied_on_another_machine(world: World) -> None:
    """Nothing but the file, the commit and the registry is needed, and it can be repeated."""
    saved = json.dumps(plan_json(world.plan())).encode()
    world.history = MemoryHistory()
    plan = read_plan(saved, "plan.json")
    flow.verify(plan, world.hierarchy(), world.doors)
    outcomes = {r.image: r.outcome for r in world.run(plan).results}
    assert outcomes == {"gunicorn": Outcome.BUILT, "hello": Outcome.BUILT}
    flow.verify(plan, world.hierarchy(), world.doors)
    again = {r.image: r.outcome for r in world.run(plan).results}
    assert set(again.values()) == {Outcome.REUSED}


def test_plan_that_is_applied_on_another_day_keeps_its_tags(world: World) -> None:
    """What was built after midnight has the tag that was planned; the next plan is empty."""
    plan = world.plan()
    world.clock.sleep(DAY_S)
    flow.verify(plan, world.hierarchy(), world.doors)
    tags = {r.image: r.immutable for r in world.run(plan).results}
    assert f"-{plan.date}-" in tags["gunicorn"]
    assert f"-{plan.date}-" in tags["hello"]
    assert world.verdicts() == {}


def test_other_floating_tags_are_not_moved_unseen(world: World) -> None:
    """The tags of the plan are those that the file has, or it is refused."""
    plan = world.plan()
    world.head = world.head.replace('"stable"', '"newest"')
    world.write()
    assert refusal(world, plan).moved == (
        "gunicorn has other floating tags",
        "hello has other floating tags",
    )


def test_a_plan_of_a_dirty_tree_moves_no_tags_and_needs_none(world: World) -> None:
    """It has none to compare, so those of the file are no other ones."""
    world.git.current = Revision(commit="a" * 40, dirty=True, committed_at_s=1_600_000_000)
    flow.verify(world.plan(), world.hierarchy(), world.doors)


def test_an_upstream_that_became_an_image_is_another_parent() -> None:
    """And the other way round: named like the rest that moved."""
    outside = HEAD.replace("debian:12:", "debian:")
    own = {"debian": "FROM debian:12\nRUN own\n", "base": "FROM debian\nRUN more\n"}
    world = World({"base": own["base"]}, head=outside, others={})
    world.build()
    world.edit("base", "RUN echo more")
    plan = world.plan()
    world.head, world.dockerfiles = HEAD, {**own, **world.dockerfiles}
    world.write()
    assert refusal(world, plan).moved == ("base has other parents",)
    world.build()
    world.edit("base", "RUN echo more")
    plan = world.plan()
    world.head, world.dockerfiles = outside, {"base": world.dockerfiles["base"]}
    world.write()
    assert refusal(world, plan).moved == ("base has other parents",)


def test_a_held_parent_that_is_gone_is_named() -> None:
    """What is to be built on is not there any more, though its digest is the same."""
    hold = "{hold: {until: 2099-12-31, because: audit}}"
    world = World(extra={"gunicorn": f", on_parent_change: {hold}"})
    world.build()
    before = world.tag("python") or ""
    world.edit("python", "RUN echo more")
    world.build()
    world.edit("gunicorn", "RUN echo more")
    plan = world.plan()
    flow.verify(plan, world.hierarchy(), world.doors)
    world.registry.delete_manifest(Repository("localhost:5000", "gold/python"), before)
    (said,) = refusal(world, plan).moved
    assert said == f"gunicorn: image python moved: {short_digest(before)} → absent"


def test_what_was_asked_for_is_asked_for_again(world: World) -> None:
    """What is forced, does not soak, or is dirty, is so in the hint's command too."""
    world.git.current = Revision(commit="a" * 40, dirty=True, committed_at_s=1_600_000_000)
    plan = world.plan("web", only="web gunicorn", no_soak=("debian:12",), allow_dirty=True)
    commit(world)
    asked = "web gunicorn --force web --no-soak debian:12 --allow-dirty"
    assert f"`orchestrate plan {asked} --out FILE`" in refusal(world, plan).hint
    clean = world.plan()
    world.git.current = Revision(commit="c" * 40, dirty=True, committed_at_s=1_600_000_000)
    assert "`orchestrate plan --out FILE`" in refusal(world, clean).hint


def test_changes_that_git_does_not_know_are_named(world: World) -> None:
    """The commit is the same one: what differs is that the tree is dirty now."""
    commit(world)
    plan = world.plan()
    made = world.git.current
    assert made is not None
    world.git.current = replace(made, dirty=True)
    (said,) = refusal(world, plan).moved
    assert said == f"it was made at {made.commit[:12]}, the tree is at {made.commit[:12]}-dirty"


def test_what_cannot_be_had_any_more_is_named(world: World) -> None:
    """A plan that was made while it could is refused, and does not crash."""
    world.edit("base", "RUN echo more")
    plan = world.plan()
    world.registry.delete_tag(Repository("localhost:5000", "upstream/debian"), "12")
    (said,) = refusal(world, plan).moved
    assert said.startswith("base: debian:12 cannot be had: ")
