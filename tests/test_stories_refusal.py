"""A plan that is refused: how to make it again, who would hear of it, clocks that are wrong."""

from __future__ import annotations

import pytest

from orchestrator import flow
from orchestrator.decide.select import Selection
from orchestrator.errors import StalePlan
from orchestrator.model.plan import Plan
from orchestrator.model.source import Revision
from tests.world import World

HOUR_S = 3600.0
TEAMS = """\
subscriptions:
  - {team: payments, images: [hello], events: [image.published], apprise: env:A}
  - {team: shop, images: [landing], events: [image.published], apprise: env:A}
images:
"""


@pytest.fixture
def world() -> World:
    """A world that was built once, and in which gunicorn changed since."""
    world = World()
    world.build()
    world.edit("gunicorn", "RUN echo more")
    return world


def refusal(world: World, plan: Plan, max_age_s: float | None = None) -> StalePlan:
    """Return how `apply` refuses a plan."""
    with pytest.raises(StalePlan) as raised:
        flow.verify(plan, world.hierarchy(), world.doors, max_age_s)
    return raised.value


def test_the_command_that_plans_again_asks_for_the_same(world: World) -> None:
    """Whoever copies it gets what was wished: selectors, options, and the age limit."""
    world.git.current = Revision(commit="a" * 40, dirty=True, committed_at_s=1_600_000_000)
    selection = Selection(wanted=("gunicorn+", "python"), exclude=("docs",))
    wish = flow.Wish(
        forced=frozenset(("python", "gunicorn")),
        allow_dirty=True,
        chosen=flow.choose(world.hierarchy(), world.doors, selection),
        max_age_s=1.5 * HOUR_S,
        unsoaked=frozenset(("debian:12",)),
    )
    plan = flow.plan(world.hierarchy(), world.doors, wish)
    world.edit("gunicorn", "RUN echo again")
    assert refusal(world, plan).hint == (
        "make a new one: `orchestrate plan gunicorn+ python --exclude docs --force python "
        "--force gunicorn --no-soak debian:12 --allow-dirty --max-age 90m --out FILE`"
    )


@pytest.mark.parametrize(
    ("limit_s", "said"),
    [(45.0, "45s"), (120.0, "2m"), (HOUR_S, "1h"), (7 * 24 * HOUR_S, "168h")],
)
def test_an_age_limit_is_told_as_it_is_typed(world: World, limit_s: float, said: str) -> None:
    """In the largest unit that loses nothing, up to hours; also of a plan that is too old."""
    plan = flow.plan(world.hierarchy(), world.doors, flow.Wish(max_age_s=limit_s))
    world.clock.sleep(limit_s + 1)
    assert refusal(world, plan).hint == (
        f"make a new one: `orchestrate plan --max-age {said} --out FILE`"
    )


def test_other_subscribers_are_named(world: World) -> None:
    """Whoever reviewed the plan read who would hear of it, so `apply` tells nobody else."""
    world.head = world.head.replace("images:\n", TEAMS)
    world.edit("nginx", "RUN echo more")
    plan = world.plan()
    assert [team.team for team in plan.told] == ["payments", "shop"]
    flow.verify(plan, world.hierarchy(), world.doors)
    world.head = world.head.replace("payments", "billing").replace("[landing]", '["*"]')
    world.write()
    assert refusal(world, plan).moved == (
        "team billing would hear of hello too",
        "team payments would not hear of hello any more",
        "team shop would hear of gunicorn, nginx, hello, docs too",
    )


@pytest.mark.parametrize("whose", ["who plans", "who applies"])
def test_a_plan_from_the_future_has_no_age(world: World, whose: str) -> None:
    """A clock was wrong, so nobody knows whether it is too old; without a limit nobody asks."""
    right_s = world.clock.now_s()
    world.clock.set_now(right_s + 24 * HOUR_S)
    limits = (HOUR_S, None) if whose == "who plans" else (None, HOUR_S)
    plan = flow.plan(world.hierarchy(), world.doors, flow.Wish(max_age_s=limits[0]))
    world.clock.set_now(right_s)
    (said,) = refusal(world, plan, limits[1]).moved
    assert said == f"it was made at {plan.created}, which is still to come: a clock is wrong"
    unlimited = flow.plan(world.hierarchy(), world.doors, flow.Wish())
    flow.verify(unlimited, world.hierarchy(), world.doors)


def test_clocks_of_two_machines_may_differ_a_little(world: World) -> None:
    """Who plans may be a minute ahead of who applies."""
    plan = flow.plan(world.hierarchy(), world.doors, flow.Wish(max_age_s=HOUR_S))
    world.clock.set_now(world.clock.now_s() - 60)
    flow.verify(plan, world.hierarchy(), world.doors)


def test_other_registries_make_a_plan_stale(world: World) -> None:
    """A reviewer has seen where images go; the list of registries is part of it."""
    plan = world.plan()
    world.head = world.head.replace(
        "registry: localhost:5000/gold", "registry: [localhost:5000/gold, mirror.example/gold]"
    )
    world.write()
    assert refusal(world, plan).moved == (
        "gunicorn is copied to mirror.example/gold/gunicorn now, not to nowhere",
        "hello is copied to mirror.example/gold/hello now, not to nowhere",
    )
