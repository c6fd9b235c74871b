"""Whole runs whose time is up before everything is built."""

from __future__ import annotations

from dataclasses import replace

from orchestrator import flow
from orchestrator.doors.memory.builder import MemoryBuilder
from orchestrator.doors.memory.registry import RegistryCall
from orchestrator.errors import RegistryUnavailable
from orchestrator.model.event import Event, RunFinished, StepStarted
from orchestrator.model.packages import Update
from orchestrator.model.plan import Plan
from orchestrator.model.run import RunState
from orchestrator.observe.rank import rank
from orchestrator.run.ends import exit_code
from tests.world import UPSTREAM, World, put_image

#: Images without anything between them.
LONE = {name: f"FROM debian:12\nRUN make {name}\n" for name in ("one", "two", "three")}
HOUR_S = 3600.0
FIX = Update(package="openssl", was="3.0.17-1", now="3.0.18-1", security=True)


def events(world: World, plan: Plan, hours: float) -> list[Event]:
    """Build one after another for so long; every build takes an hour."""

    def delay(_: str) -> float:
        world.clock.sleep(HOUR_S)
        return 0.0

    world.builder = MemoryBuilder(world.registry, delay=delay)
    until_s = world.clock.monotonic_s() + hours * HOUR_S
    intent = replace(world.intent("patch", slots=1), until_s=until_s)
    return list(flow.run(plan, world.hierarchy(), world.doors, intent))


def night(world: World, hours: float, *forced: str) -> RunFinished:
    """Plan, and build for so long."""
    last = events(world, world.plan(*forced), hours)[-1]
    assert isinstance(last, RunFinished)
    return last


def outcomes(finished: RunFinished) -> dict[str, str]:
    return {result.image: str(result.outcome) for result in finished.results}


def three_of_different_age() -> World:
    """Three images, of which ``two`` was published first and ``one`` last; all are behind."""
    world = World(dockerfiles=dict(LONE))
    for name in ("two", "three", "one"):
        world.build(only=name)
        world.clock.sleep(86400)
    put_image(world.registry, UPSTREAM, "debian 12.2")
    return world


def test_the_oldest_are_built_first() -> None:
    """What is left over in one night is older than the rest in the next one."""
    world = three_of_different_age()
    first = outcomes(night(world, 0.5))
    assert first == {"one": "skipped", "two": "built", "three": "skipped"}
    second = outcomes(night(world, 0.5))
    assert second == {"one": "skipped", "three": "built"}
    assert outcomes(night(world, 0.5)) == {"one": "built"}
    assert world.verdicts() == {}


def test_security_updates_come_before_age() -> None:
    """A fix in the youngest image goes before the oldest image."""
    world = three_of_different_age()
    plan = world.plan()
    steps = tuple(
        replace(step, updates=(FIX,)) if step.image == "one" else step for step in plan.steps
    )
    seen = events(world, replace(plan, steps=steps), 0.5)
    assert [event.image for event in seen if isinstance(event, StepStarted)] == ["one"]


def test_a_fix_is_as_urgent_in_what_stands_on_it() -> None:
    """It has not arrived before they have it."""
    files = {"base": "FROM debian:12\nRUN make\n", "app": "FROM base\nRUN go\n", **LONE}
    world = World(dockerfiles=files)
    for names in ("one two three", "base app"):
        world.build(only=names)
        world.clock.sleep(86400)
    put_image(world.registry, UPSTREAM, "debian 12.2")
    plan = world.plan()
    steps = tuple(
        replace(step, updates=(FIX,)) if step.image == "base" else step for step in plan.steps
    )
    seen = events(world, replace(plan, steps=steps), 1.5)
    assert [event.image for event in seen if isinstance(event, StepStarted)] == ["base", "app"]


def test_a_run_with_leftovers_alone_has_not_failed() -> None:
    """Its tags moved; what is left is at the next plan's beginning."""
    world = three_of_different_age()
    finished = night(world, 0.5)
    assert finished.run.state is RunState.SUCCEEDED
    assert exit_code(finished) == 0
    assert {move.image for move in finished.moves} == {"two"}
    assert world.verdicts() == {"one": "build", "three": "build"}


def test_a_child_whose_parent_came_out_equal_is_not_left() -> None:
    """It needs no build, so the time that is up is none of its business."""
    world = World(dockerfiles={"base": "FROM debian:12\nRUN make\n", "app": "FROM base\nRUN go\n"})
    world.build()
    finished = night(world, 0.5, "base")
    assert outcomes(finished) == {"base": "unchanged", "app": "cut-off"}


def test_a_child_whose_parent_changed_is_left() -> None:
    """It is looked at, and not built."""
    world = World(dockerfiles={"base": "FROM debian:12\nRUN make\n", "app": "FROM base\nRUN go\n"})
    world.build()
    put_image(world.registry, UPSTREAM, "debian 12.2")
    finished = night(world, 0.5)
    assert outcomes(finished) == {"base": "built", "app": "skipped"}
    assert outcomes(night(world, 9)) == {"app": "built"}


def test_a_registry_that_does_not_say_how_old_images_are_costs_the_order_alone() -> None:
    """Nobody fails because the order is not known."""
    world = three_of_different_age()
    plan = world.plan()

    def down(call: RegistryCall) -> None:
        raise RegistryUnavailable("localhost:5000 does not answer")

    assert len(set(rank(plan, world.hierarchy(), world.registry).values())) == 3
    world.registry.fault = down
    assert len(set(rank(plan, world.hierarchy(), world.registry).values())) == 1
