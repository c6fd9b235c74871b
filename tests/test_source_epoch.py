"""SOURCE_DATE_EPOCH when clocks are wrong: times of the future clamp nothing, so none is taken."""

from __future__ import annotations

from orchestrator.model.source import Revision
from tests.world import World

YEAR_S = 365 * 86400.0
#: What stands on a parent that was published by the wrong clock.
ABOVE = ("python", "gunicorn", "hello", "docs")


def epochs(world: World) -> dict[str, int]:
    """Return image → SOURCE_DATE_EPOCH of its last build."""
    return {build.image: build.request.source_epoch_s for build in world.builds}


def test_a_clock_that_was_ahead_does_not_end_the_cut_off() -> None:
    """What it published says next year; what is built again is clamped all the same."""
    world = World()
    right_s = world.clock.now_s()
    world.clock.set_now(right_s + YEAR_S)
    world.build()
    assert min(epochs(world).values()) > right_s + YEAR_S - 60
    world.clock.set_now(right_s)
    world.edit("python", "RUN echo more")
    world.build(only="python+")
    first = epochs(world)
    assert first["base"] > right_s + YEAR_S - 60
    assert all(right_s <= first[image] <= world.clock.now_s() for image in ABOVE)
    world.clock.sleep(86400)
    world.build(*ABOVE)
    assert epochs(world) == first


def test_a_commit_of_the_future_is_not_believed() -> None:
    """A first build takes the clock's time, and keeps it."""
    world = World()
    ahead_s = int(world.clock.now_s() + YEAR_S)
    world.git.current = Revision(commit="a" * 40, dirty=False, committed_at_s=ahead_s)
    world.build()
    first = epochs(world)
    assert max(first.values()) <= world.clock.now_s()
    world.clock.sleep(86400)
    world.build("base")
    assert epochs(world)["base"] == first["base"]
