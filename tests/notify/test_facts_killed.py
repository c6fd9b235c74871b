"""What runs that were killed, resumed or done twice have to tell: nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from orchestrator import flow
from orchestrator.doors.memory.crash import Killed, MemoryCrashPoints
from orchestrator.doors.memory.registry import RegistryCall
from orchestrator.errors import BuildFailed, RegistryUnavailable
from orchestrator.model.announcement import Announcement, EventType
from orchestrator.model.crash import CrashPoint
from orchestrator.model.run import MoveState, RunState
from orchestrator.notify.facts import is_settled
from tests.mortal import mortal
from tests.notify.chains import CHAIN, chain
from tests.notify.events import facts, kinds, last_run, tell
from tests.world import World


def killed(world: World, point: CrashPoint, times: int = 1) -> None:
    crash = MemoryCrashPoints(point, times)
    with pytest.raises(Killed):
        list(
            flow.run(
                world.plan(), world.hierarchy(), mortal(world.doors, crash), world.intent("build")
            )
        )


def resume(world: World) -> Iterator[Announcement]:
    """Recover and resume, and yield what is told of both runs."""
    list(flow.recover(world.hierarchy(), world.doors))
    left = flow.left_of(None, world.hierarchy(), world.doors)
    yield from tell(world)
    if left is None:
        return
    run, plan = left
    world.clock.sleep(1)
    intent = replace(world.intent("resume"), resumes=run.id)
    list(flow.run(plan, world.hierarchy(), world.doors, intent))
    yield from facts(world)


@pytest.mark.parametrize(
    ("point", "times"),
    [
        (CrashPoint.KEY_TAG_PUT, 1),
        (CrashPoint.STEP_RECORDED, 2),
        (CrashPoint.STEPS_DONE, 1),
        (CrashPoint.TAG_MOVED, 1),
        (CrashPoint.MOVE_SETTLED, 4),
    ],
)
def test_a_run_that_was_killed_is_told_with_the_one_that_ends_it(
    point: CrashPoint, times: int
) -> None:
    """Nothing twice: tags that the first run moved are not told by the one that resumes it."""
    world = chain()
    killed(world, point, times)
    assert not is_settled(last_run(world), world.hierarchy(), world.history)
    found = [each for each in resume(world) if each.type is EventType.TAG_MOVED]
    moved = [(each.subject, each.repository, each.id) for each in found]
    assert len(moved) == len(set(moved)) == 2 * len(CHAIN)


def test_what_a_resumed_run_had_moved_has_not_moved_again() -> None:
    """The plan says of every tag where it was before the first run; the journal says more."""
    world = chain()
    world.builder.fail("python", BuildFailed("full", cause="disk-full"), times=1)
    world.build()
    assert kinds(facts(world))[-1] == ("tag.moved", "base")
    moved = [each.subject for each in resume(world) if each.type is EventType.TAG_MOVED]
    assert {move.image for move in world.history.moves(last_run(world).id)} == {*CHAIN}
    assert sorted(moved) == sorted([*CHAIN, *CHAIN])


def test_a_try_that_was_killed_is_no_failure() -> None:
    """What would have been tried again has not failed: the run that resumes it says how it went."""
    world = chain()
    away = BuildFailed("away", cause="registry", transient=True)
    world.builder.fail("base", away, times=1)
    killed(world, CrashPoint.STEP_RECORDED)
    list(flow.recover(world.hierarchy(), world.doors))
    assert last_run(world).state is RunState.INTERRUPTED
    assert kinds(facts(world)) == []


def test_a_run_whose_tags_nobody_knows_of_yet_is_told_later() -> None:
    """A registry that was away during the recovery may come back, and then all is known."""
    world = chain()
    killed(world, CrashPoint.JOURNAL_WRITTEN)

    def away(call: RegistryCall) -> None:
        raise RegistryUnavailable("away", transient=True)

    world.registry.fault = away
    list(flow.recover(world.hierarchy(), world.doors))
    world.registry.fault = None
    run = last_run(world)
    assert run.state is RunState.INTERRUPTED
    assert not is_settled(run, world.hierarchy(), world.history)
    list(flow.recover(world.hierarchy(), world.doors))
    run = last_run(world)
    assert is_settled(run, world.hierarchy(), world.history)
    moves = world.history.moves(run.id)
    assert {move.state for move in moves} == {MoveState.MOVED}


@pytest.mark.parametrize(
    ("repository", "settled"), [("localhost:5000/gold/base", False), ("two.example/base", True)]
)
def test_only_an_images_own_tags_are_waited_for(repository: str, *, settled: bool) -> None:
    """A registry of copies, or one that is in no file any more, may be away for ever."""
    world = chain()
    world.build()
    first, *_ = world.history.moves(last_run(world).id)
    run = replace(last_run(world), id="20300101T000000Z-0001")
    world.history.begin_run(run)
    move = replace(first, repository=repository, state=MoveState.PLANNED)
    world.history.journal(run.id, (move,))
    assert is_settled(run, world.hierarchy(), world.history) is settled


def test_a_plan_that_is_applied_twice_moves_its_tags_once() -> None:
    """The second run finds them where they are to go."""
    world = chain()
    plan = world.plan()
    hierarchy = world.hierarchy()
    list(flow.run(plan, hierarchy, world.doors, world.intent("apply")))
    assert ("tag.moved", "base") in kinds(tell(world))
    world.clock.sleep(1)
    list(flow.run(plan, hierarchy, world.doors, world.intent("apply")))
    assert "tag.moved" not in {kind for kind, _ in kinds(facts(world))}
