"""An upstream really moves, something below comes out byte-equal, and the cascade stops there."""

from __future__ import annotations

import pytest

from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.model.plan import Cause
from orchestrator.model.run import Outcome
from tests.world import HEAD, World, put_image

COMPILER = "localhost:5000/upstream/compiler:1"

#: `tool` is compiled by an upstream that its result does not stand on. Above it a chain, a diamond
#: with both arms on it, and `mixed`, whose other arm is compiled too and comes out anew.
DOCKERFILES = {
    "base": "FROM debian:12\nRUN first\n",
    "tool": "FROM compiler:1 AS make\nRUN compile\nFROM base\nCOPY --from=make /out /srv\n",
    "one": "FROM tool\nRUN one\n",
    "two": "FROM one\nRUN two\n",
    "three": "FROM two\nRUN three\n",
    "left": "FROM tool\nRUN left\n",
    "right": "FROM tool\nRUN right\n",
    "top": "FROM right AS r\nRUN r\nFROM left\nCOPY --from=r /out /srv\n",
    "fresh": "FROM compiler:1 AS make\nRUN date\nFROM base\nCOPY --from=make /out /srv\n",
    "mixed": "FROM fresh AS f\nRUN f\nFROM left\nCOPY --from=f /out /srv\n",
    "above": "FROM mixed\nRUN above\n",
}
ON_TOOL = {"one", "two", "three", "left", "right", "top"}
ON_FRESH = {"mixed", "above"}


@pytest.fixture
def built() -> World:
    """Everything is published once."""
    declared = f'  compiler:1: {{source: "{COMPILER}"}}\nimages:\n'
    world = World(dict(DOCKERFILES), others={}, head=HEAD.replace("images:\n", declared))
    world.builder.steady = {"tool"}
    move(world, 0)
    assert set(world.build().values()) == {Outcome.BUILT}
    return world


def move(world: World, version: int) -> None:
    """Let somebody publish another compiler."""
    put_image(world.registry, COMPILER, f"compiler {version}")


def digests(world: World, images: set[str]) -> dict[str, str | None]:
    return {image: world.tag(image) for image in images}


def builds(world: World) -> list[str]:
    return [build.image for build in world.builds]


def require_empty(world: World) -> None:
    """Nothing is to be done, and the database is not what says so."""
    assert world.verdicts() == {}
    world.history = MemoryHistory()
    assert world.verdicts() == {}


def test_a_cascade_stops_at_the_first_image_that_comes_out_equal(built: World) -> None:
    """Three levels and a diamond above it are planned, and none of them is built."""
    before = digests(built, ON_TOOL | {"tool"})
    verdicts = built.verdicts()
    assert verdicts == {}
    move(built, 1)
    assert built.verdicts() == {
        **dict.fromkeys(("tool", "fresh"), "build"),
        **dict.fromkeys(ON_TOOL | ON_FRESH, "await"),
    }
    assert [reason.cause for reason in built.decision("tool").reasons] == [Cause.UPSTREAM_MOVED]
    count = len(builds(built))
    outcomes = built.build()
    assert outcomes["tool"] is Outcome.UNCHANGED
    assert {outcomes[image] for image in ON_TOOL} == {Outcome.CUT_OFF}
    assert sorted(builds(built)[count:]) == ["above", "fresh", "mixed", "tool"]
    assert digests(built, ON_TOOL | {"tool"}) == before
    require_empty(built)


def test_a_diamond_with_one_changed_arm_is_built_on_both(built: World) -> None:
    """On the new digest of the arm that changed, and on the old one of the arm that did not."""
    left = built.tag("left")
    move(built, 1)
    outcomes = built.build()
    assert {outcomes[image] for image in ON_FRESH | {"fresh"}} == {Outcome.BUILT}
    (mixed,) = [b for b in built.builds[len(DOCKERFILES) :] if b.image == "mixed"]
    pins = {name: pin.partition("@")[2] for name, pin in mixed.request.pins}
    assert pins == {"left": left, "fresh": built.tag("fresh")}
    require_empty(built)


def test_an_upstream_that_moves_again_and_back_builds_each_state_once(built: World) -> None:
    """A key that was answered once is answered for ever, also by an equal result."""
    before = digests(built, ON_TOOL | {"tool"})
    for version in (1, 2):
        move(built, version)
        assert built.build()["tool"] is Outcome.UNCHANGED
        require_empty(built)
    count = len(builds(built))
    for version in (1, 0, 2):
        move(built, version)
        outcomes = built.build()
        assert set(outcomes.values()) <= {Outcome.REUSED, Outcome.CUT_OFF, Outcome.RETAGGED}
        require_empty(built)
    assert builds(built)[count:] == []
    assert digests(built, ON_TOOL | {"tool"}) == before


def test_a_real_change_after_an_equal_one_goes_all_the_way(built: World) -> None:
    """What was cut off has not lost its place in the cascade."""
    move(built, 1)
    built.build()
    built.edit("tool", "RUN something else")
    assert built.verdicts() == {"tool": "build", **dict.fromkeys(ON_TOOL | ON_FRESH, "await")}
    assert set(built.build().values()) == {Outcome.BUILT}
    require_empty(built)


def test_an_edit_above_is_not_lost_by_the_cut_off(built: World) -> None:
    """An image that changed by itself is built, on the old digest of what came out equal."""
    built.edit("two", "RUN edited")
    move(built, 1)
    outcomes = built.build()
    assert outcomes["one"] is Outcome.CUT_OFF
    assert {outcomes[image] for image in ("two", "three")} == {Outcome.BUILT}
    require_empty(built)


def test_an_image_that_opts_out_is_published_and_goes_on(built: World) -> None:
    """With `reproducible: false` a build counts as a change, and what stands on it is built."""
    built.extra["tool"] = ", reproducible: false"
    built.builder.drifting = {"tool"}
    built.write()
    require_empty(built)
    before = built.tag("tool")
    move(built, 1)
    outcomes = built.build()
    assert {outcomes[image] for image in ON_TOOL | {"tool"}} == {Outcome.BUILT}
    assert built.tag("tool") != before
    require_empty(built)


def test_an_image_that_opts_out_and_comes_out_equal_is_published_all_the_same(
    built: World,
) -> None:
    """Its index is new; what stands on it has the same bytes below, and is not built."""
    built.extra["tool"] = ", reproducible: false"
    built.write()
    before = built.tag("tool"), digests(built, ON_TOOL)
    move(built, 1)
    outcomes = built.build()
    assert outcomes["tool"] is Outcome.BUILT
    assert {outcomes[image] for image in ON_TOOL} == {Outcome.CUT_OFF}
    assert built.tag("tool") != before[0]
    assert digests(built, ON_TOOL) == before[1]
    require_empty(built)


def test_a_failure_elsewhere_does_not_undo_the_cut_off(built: World) -> None:
    """What was found equal stays so; only the branch that failed is built later."""
    move(built, 1)
    built.edit("fresh", "RUN false")
    outcomes = built.build()
    assert outcomes["tool"] is Outcome.UNCHANGED
    assert outcomes["fresh"] is Outcome.FAILED
    built.edit("fresh", "RUN mended")
    built.dockerfiles["fresh"] = built.dockerfiles["fresh"].replace("RUN false\n", "")
    built.write()
    count = len(builds(built))
    built.build()
    assert sorted(builds(built)[count:]) == ["above", "fresh", "mixed"]
    require_empty(built)


def test_a_saved_plan_is_carried_out_twice_without_a_second_build(built: World) -> None:
    """What came out equal counts as done, by its key."""
    move(built, 1)
    plan = built.plan()
    built.run(plan)
    count = len(builds(built))
    again = {result.image: result.outcome for result in built.run(plan).results}
    assert builds(built)[count:] == []
    assert {again[image] for image in ON_TOOL | {"tool"}} == {Outcome.CUT_OFF}
    require_empty(built)
