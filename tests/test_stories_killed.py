"""Killed at every point that the code names, every time that it is reached.

Whatever was done then, the oracle holds, and the next run or `resume` brings it to its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from orchestrator import afterwards, flow
from orchestrator.doors.memory.crash import Killed, MemoryCrashPoints
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.model.crash import CrashPoint
from orchestrator.model.fingerprint import key_tag
from orchestrator.model.run import MoveState, RunState
from orchestrator.publish.tags import reject
from tests.mirror_world import mirrored_world
from tests.mortal import mortal
from tests.oracle import Oracle
from tests.test_destinations import TwoPlaces
from tests.world import DOCKERFILES, HEAD, PLATFORMS, World, put_image

#: Reached by the command line alone: tests/cli/test_resume.py kills there.
OF_THE_COMMAND_LINE = {CrashPoint.LEASE_TAKEN}
#: tests/notify/test_deliver_killed.py and tests/test_stories_notices.py kill there.
OF_DELIVERY = {CrashPoint.TOLD, CrashPoint.MESSAGE_SENT}

Story = Callable[[World, MemoryCrashPoints], None]


def recover(world: World, crash: MemoryCrashPoints | None = None) -> list[flow.Recovered]:
    return list(flow.recover(world.hierarchy(), mortal(world.doors, crash or MemoryCrashPoints())))


def build(world: World, crash: MemoryCrashPoints, *forced: str) -> None:
    """Do what `orchestrate build` does."""
    recover(world, crash)
    made = world.plan(*forced)
    if not made.is_empty:
        list(flow.run(made, world.hierarchy(), mortal(world.doors, crash), world.intent("build")))


def force(world: World, crash: MemoryCrashPoints) -> None:
    """Do what `orchestrate build --force base` does."""
    build(world, crash, "base")


def resume(world: World, crash: MemoryCrashPoints) -> None:
    """Do what `orchestrate resume` does."""
    recover(world, crash)
    doors = mortal(world.doors, crash)
    left = flow.left_of(None, world.hierarchy(), doors)
    if left is not None:
        world.clock.sleep(1)
        run, plan = left
        flow.verify(plan, world.hierarchy(), doors)
        intent = replace(world.intent("resume"), resumes=run.id)
        list(flow.run(plan, world.hierarchy(), doors, intent))


def roll_back(world: World, crash: MemoryCrashPoints) -> None:
    """Do what `orchestrate rollback` of the last run does."""
    run = next(r for r in world.history.runs() if r.command == "build")
    intent = world.intent("rollback")
    world.clock.sleep(1)
    list(
        afterwards.rollback(
            run.id, frozenset(), world.hierarchy(), mortal(world.doors, crash), intent
        )
    )


def promote(world: World, crash: MemoryCrashPoints) -> None:
    """Do what `orchestrate promote` of the last build does."""
    run = next(r for r in world.history.runs() if r.command == "build")
    hierarchy, doors = world.hierarchy(), mortal(world.doors, crash)
    intent = world.intent("promote")
    world.clock.sleep(1)
    held = afterwards.held_of(run.id, hierarchy, doors)
    list(afterwards.promote(held, frozenset(), hierarchy, doors, intent))


#: One platform is enough here, and quicker.
ONE = HEAD.replace(", ".join(PLATFORMS), PLATFORMS[0])


def cold() -> World:
    images = ("base", "python", "web")
    return World(dockerfiles={i: DOCKERFILES[i] for i in images}, head=ONE, others={})


def changed() -> World:
    world = cold()
    world.build()
    world.edit("base", "RUN echo fix")
    return world


def commented() -> World:
    """Everything gives what it gave, under other keys."""
    world = cold()
    world.build()
    world.edit("base", "# only a comment")
    world.edit("web", "# only a comment")
    return world


def bad() -> World:
    """A run to take back."""
    world = changed()
    world.build()
    return world


def waiting() -> World:
    """A run whose images wait for somebody who promotes them."""
    world = changed()
    world.head = ONE.replace("images:\n", "promote: manual\nimages:\n")
    world.write()
    world.build()
    return world


def half_moved() -> World:
    """A run that was killed with a tag moved and others on their way."""
    world = changed()
    with pytest.raises(Killed):
        build(world, MemoryCrashPoints(CrashPoint.TAG_MOVED, 2))
    return world


def in_two_places() -> World:
    """Something to do in two registries, whose tags move one after another."""
    images = ("base", "python")
    world = TwoPlaces(dockerfiles={i: DOCKERFILES[i] for i in images}, head=ONE, others={})
    world.build()
    world.edit("base", "RUN echo fix")
    return world


SCENES: dict[str, tuple[Callable[[], World], Story]] = {
    "cold": (cold, build),
    "changed": (changed, build),
    "commented": (commented, build),
    "forced": (commented, force),
    "mirrored": (mirrored_world, build),
    "two places": (in_two_places, build),
    "taken back": (bad, roll_back),
    "half moved": (half_moved, resume),
    "promoted": (waiting, promote),
    "rejected": (waiting, roll_back),
}
WAYS_ON: dict[str, Story] = {"resume": resume, "build": build}


Case = tuple[str, CrashPoint, int, str]


def cases() -> Iterator[tuple[Case, ...]]:
    """Yield the cases of each point of each scene: both ways on from each time it is reached."""
    for name, (scene, story) in SCENES.items():
        crash = MemoryCrashPoints()
        story(scene(), crash)
        for point, times in sorted(crash.reached_at.items()):
            yield tuple((name, point, n + 1, way) for n in range(times) for way in WAYS_ON)


CASES = tuple(cases())
#: One of each point of each scene: here the first time, there the last one, or one in between.
FEW = [alike[number * 5 % len(alike)] for number, alike in enumerate(CASES)]
REST = [case for alike in CASES for case in alike if case not in FEW]


def test_every_point_is_reached_in_some_scene() -> None:
    """None of the points that the code names is dead."""
    reached = {point for _, point, _, _ in FEW}
    assert reached | OF_THE_COMMAND_LINE | OF_DELIVERY == set(CrashPoint)


@pytest.mark.parametrize("case", FEW, ids=str)
def test_killed_run_is_brought_to_its_end(case: Case) -> None:
    """Tags are all-old or all-new, nothing is lost or built twice, and one more run is a no-op."""
    require_end(*case)


# Needs no engine, but time.
@pytest.mark.engine
@pytest.mark.parametrize("case", REST, ids=str)
def test_killed_run_is_brought_to_its_end_wherever_it_was(case: Case) -> None:
    """Also every other time that a point is reached, and the other way on."""
    require_end(*case)


def require_end(scene: str, point: CrashPoint, occurrence: int, way_on: str) -> None:
    """Kill a scene's story, go on, and ask the oracle after every step."""
    make, story = SCENES[scene]
    world = make()
    oracle = Oracle(world.registry, world.history, world.hierarchy())
    before = oracle.look()
    crash = MemoryCrashPoints(point, occurrence)
    with pytest.raises(Killed):
        story(world, crash)
    oracle.look()
    published, builds = oracle.published(), len(world.builder.builds)

    recover(world)
    oracle.require_settled(before)
    oracle.require_announced()
    WAYS_ON[way_on](world, MemoryCrashPoints())
    oracle.require_settled(before)
    oracle.require_announced()

    again = {
        (build.request.image.repository, key_tag(result.key))
        for build in world.builder.builds[builds:]
        for run in world.history.runs(1)
        for result in world.history.results(run.id)
        if result.image == build.image
    }
    assert again & published == set(), "what was published was built again"
    if scene != "taken back":
        build(world, MemoryCrashPoints())
        oracle.look()
        oracle.require_converged(world.plan())
        oracle.require_announced()
    runs = len(world.history.runs(1000))
    resume(world, MemoryCrashPoints())
    assert flow.left_of(None, world.hierarchy(), world.doors) is None
    assert len(world.history.runs(1000)) <= runs + 1


def test_run_killed_between_tag_and_diary_is_found_moved() -> None:
    """What the registry says counts: the tag is there, so the move is done."""
    world = changed()
    with pytest.raises(Killed):
        build(world, MemoryCrashPoints(CrashPoint.TAG_MOVED, 1))
    (found,) = recover(world)
    assert found.run.state is RunState.RUNNING
    assert {move.state for move in found.moves} == {MoveState.MOVED}
    assert world.history.runs(1)[0].state is RunState.SUCCEEDED
    assert recover(world) == []


def test_tag_that_somebody_moved_meanwhile_is_left_alone() -> None:
    """Recovery moves by compare-and-set too."""
    world = changed()
    with pytest.raises(Killed):
        build(world, MemoryCrashPoints(CrashPoint.JOURNAL_WRITTEN))
    repository = world.hierarchy().images["web"].repository
    other = put_image(world.registry, f"{repository}:stable", "somebody else's")
    (found,) = recover(world)
    states = {(move.image, move.tag): move.state for move in found.moves}
    assert states.pop(("web", "stable")) is MoveState.CONFLICT
    assert set(states.values()) == {MoveState.MOVED}
    assert world.tag("web") == other


@pytest.mark.parametrize("way_on", WAYS_ON)
def test_build_that_came_out_equal_is_not_repeated(way_on: str) -> None:
    """The claim says that the key leads to what is current; only the key tag is put."""
    world = commented()
    with pytest.raises(Killed):
        build(world, MemoryCrashPoints(CrashPoint.UNCHANGED_CLAIMED, 1))
    builds = len(world.builder.builds)
    WAYS_ON[way_on](world, MemoryCrashPoints())
    assert {build.image for build in world.builder.builds[builds:]} == {"web"}
    assert world.plan().is_empty


def test_forced_build_that_came_out_equal_is_not_repeated_without_the_diary() -> None:
    """What nobody forces is looked for by the key that gets its tag first."""
    world = commented()
    with pytest.raises(Killed):
        force(world, MemoryCrashPoints(CrashPoint.UNCHANGED_TAGGED, 1))
    world.history = MemoryHistory()
    assert "base" not in world.build()


def test_claim_of_a_build_that_is_gone_is_replaced() -> None:
    """Nobody can go on with it, so the image is built again, and gets its tags."""
    world = cold()
    with pytest.raises(Killed):
        build(world, MemoryCrashPoints(CrashPoint.CLAIMED, 1))
    base = world.hierarchy().images["base"].repository
    key = next(step.key for step in world.plan().steps if step.image == "base") or ""
    lost = world.history.claimed(str(base), key) or ""
    assert world.registry.delete_manifest(base, lost)
    world.clock.sleep(3600)
    resume(world, MemoryCrashPoints())
    assert world.registry.resolve(base, key_tag(key)) == world.history.claimed(str(base), key)
    assert world.history.claimed(str(base), key) != lost
    assert world.plan().is_empty


def test_what_was_claimed_keeps_the_tag_that_it_was_to_get() -> None:
    """Also on another day: it has the date of its own plan, and one immutable tag."""
    world = cold()
    with pytest.raises(Killed):
        build(world, MemoryCrashPoints(CrashPoint.IMMUTABLE_TAG_PUT, 1))
    before = {tag for tag in world.tags("base") if tag.startswith("1-")}
    world.clock.sleep(2 * 86_400)
    build(world, MemoryCrashPoints())
    assert {tag for tag in world.tags("base") if tag.startswith("1-")} == before
    assert len(before) == 1


def test_claimed_build_that_was_rolled_back_is_not_published() -> None:
    """A mark in the registry outweighs a claim."""
    world = cold()
    with pytest.raises(Killed):
        build(world, MemoryCrashPoints(CrashPoint.CLAIMED, 1))
    base = world.hierarchy().images["base"].repository
    key = next(step.key for step in world.plan().steps if step.image == "base") or ""
    reject(world.registry, base, world.history.claimed(str(base), key) or "")
    resume(world, MemoryCrashPoints())
    results = {r.image: r for r in world.history.results(world.history.runs(1)[0].id)}
    assert results["base"].failure is not None
    assert "was rolled back" in results["base"].failure.what
    assert world.registry.resolve(base, key_tag(key)) is None
