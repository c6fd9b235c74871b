"""Whole runs on twins: tags that are lost, foreign, put right, rolled back or held."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator import flow
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.doors.memory.registry import MemoryRegistry, RegistryCall
from orchestrator.errors import Conflict, RegistryUnavailable
from orchestrator.model.event import StepFinished
from orchestrator.model.names import Repository
from orchestrator.model.plan import Cause
from orchestrator.model.run import MoveState, Outcome, RunState
from orchestrator.model.source import Revision
from orchestrator.run.ends import exit_code
from tests.world import DOCKERFILES, World, failed, put_image

ALL = tuple(DOCKERFILES)
COMMIT = Revision(commit="c" * 40, dirty=False, committed_at_s=1_600_000_000)


@pytest.fixture
def built() -> World:
    """A world where everything was built and promoted once."""
    world = World()
    assert set(world.build().values()) == {Outcome.BUILT}
    return world


def causes(world: World, image: str) -> list[Cause]:
    (decision,) = [d for d in world.plan().decisions if d.image == image]
    return [reason.cause for reason in decision.reasons]


def test_removed_floating_tag_is_put_back_without_a_build(built: World) -> None:
    """A tag that somebody deleted is RETAG: nothing is built."""
    digest = built.tag("hello")
    repository = Repository("localhost:5000", "gold/hello")
    assert built.registry.delete_tag(repository, "stable")
    assert built.verdicts() == {"hello": "retag"}
    assert built.build() == {"hello": Outcome.RETAGGED}
    assert built.tag("hello") == digest
    assert built.verdicts() == {}


def test_changed_tag_templates_are_put_right_without_a_build(built: World) -> None:
    """New floating and immutable templates are tags on old digests."""
    built.head = built.head.replace('"stable"]', '"stable", "prod"]').replace(
        '"{version}-{date}-{key}"', '"v{version}-{key}"'
    )
    built.write()
    assert set(built.verdicts().values()) == {"retag"}
    builds = len(built.builds)
    assert set(built.build().values()) == {Outcome.RETAGGED}
    assert len(built.builds) == builds
    assert built.tag("hello", "prod") == built.tag("hello", "stable")
    assert built.verdicts() == {}


def test_without_floating_tags_a_tag_of_ours_says_what_is_current() -> None:
    """A registry that freezes what people see still converges."""
    world = World()
    world.head = world.head.replace('floating: ["{version}", "stable"]', "floating: []")
    world.write()
    world.build()
    assert world.tag("hello", "current-hello") is not None
    assert world.tag("hello", "stable") is None
    assert world.verdicts() == {}
    world.edit("base", "RUN echo fix")
    world.build()
    assert world.verdicts() == {}


def test_foreign_immutable_tag_is_a_conflict_and_stays() -> None:
    """An immutable tag that is not this key's is never moved; the run says so with exit 4."""
    world = World()
    (step,) = [s for s in world.plan().steps if s.image == "base"]
    foreign = put_image(world.registry, f"localhost:5000/gold/base:{step.immutable}", "foreign")
    finished = world.run(world.plan())
    assert exit_code(finished) == 4
    assert world.tag("base", step.immutable) == foreign
    assert world.tag("base") is None
    assert failed(finished)["python"].blocked_by == "base"


def test_foreign_floating_tag_is_built_over() -> None:
    """A repository that somebody else filled before is taken over, and the plan says so."""
    world = World()
    put_image(world.registry, "localhost:5000/gold/base:stable", "foreign")
    assert causes(world, "base") == [Cause.FOREIGN]
    world.build()
    assert world.verdicts() == {}


def test_floating_tag_moved_by_somebody_else_is_left_alone(built: World) -> None:
    """Tags move by compare-and-set: what the plan did not see is not overwritten; exit 4."""
    built.files.write("hello/app.py", b"print('changed')\n")
    plan = built.plan()
    other = put_image(built.registry, "localhost:5000/gold/hello:stable", "somebody else")
    finished = built.run(plan)
    assert built.tag("hello", "stable") == other
    states = {move.tag: move.state for move in finished.moves}
    assert states == {"1": MoveState.MOVED, "stable": MoveState.CONFLICT}
    assert exit_code(finished) == 4


def test_floating_tag_whose_answer_was_lost_has_moved(built: World) -> None:
    """The registry did it and could not say so: it is asked where the tag is, and has the word."""
    built.files.write("hello/app.py", b"print('changed')\n")

    def lose(call: RegistryCall) -> None:
        if call.method == "put_manifest" and call.reference == "stable" and call.done:
            raise RegistryUnavailable("no answer", transient=True)

    built.registry.fault = lose
    finished = built.run(built.plan())
    (result,) = finished.results
    assert built.tag("hello", "stable") == result.digest
    assert {move.tag: move.state for move in finished.moves} == {
        "1": MoveState.MOVED,
        "stable": MoveState.MOVED,
    }
    assert finished.run.state is RunState.SUCCEEDED


def test_interrupted_promotion_is_finished_without_a_build(built: World) -> None:
    """A run that died before its tags moved is finished by the next one."""
    built.edit("base", "RUN echo fix")
    plan = built.plan()
    intent = built.intent("build")
    for event in flow.run(plan, built.hierarchy(), built.doors, intent):
        if isinstance(event, StepFinished) and event.result.image == "base":
            intent.cancelled.set()
    builds = len(built.builds)
    assert built.verdicts()["base"] == "retag"
    outcomes = built.build()
    assert outcomes["base"] is Outcome.RETAGGED
    assert len(built.builds) <= builds + len(ALL) - 1
    assert built.verdicts() == {}


def test_rollback_moves_tags_back_and_holds(built: World) -> None:
    """A digest rolled back is not promoted again, nor built upon, until somebody asks."""
    good = {image: built.tag(image) for image in ALL}
    built.edit("python", "RUN echo bad idea")
    bad = built.run(built.plan())
    finished = built.rollback(bad.run.id)
    assert finished.run.state is RunState.SUCCEEDED
    assert {image: built.tag(image) for image in ALL} == good
    assert causes(built, "python") == [Cause.REJECTED]
    assert built.verdicts() == {}
    built.history = MemoryHistory()
    assert built.verdicts() == {}


def test_rollback_is_lifted_by_force(built: World) -> None:
    """`--force` asks for what was rolled back: it is built and promoted."""
    built.edit("python", "RUN echo bad idea")
    bad = built.run(built.plan())
    built.rollback(bad.run.id)
    outcomes = built.build("python")
    assert outcomes["python"] is Outcome.BUILT
    assert built.verdicts() == {}


def test_rollback_can_be_rolled_back(built: World) -> None:
    """Rolling a rollback back promotes its digests again and takes the marks off."""
    built.edit("python", "RUN echo fine after all")
    run = built.run(built.plan())
    after = {image: built.tag(image) for image in ALL}
    undone = built.rollback(run.run.id)
    built.rollback(undone.run.id)
    assert {image: built.tag(image) for image in ALL} == after
    assert built.verdicts() == {}


def test_rollback_holds_where_tags_cannot_be_deleted() -> None:
    """A new version's tag that had to stay is not taken for what is current."""
    world = World(registry=MemoryRegistry(deletes_tags=False))
    world.build()
    good = world.tag("hello")
    text = world.files.hierarchy_text()
    world.files.write(
        "hierarchy.yaml",
        text.replace(b'context: hello, version: "1"', b'context: hello, version: "2"'),
    )
    bad = world.run(world.plan())
    finished = world.rollback(bad.run.id)
    assert {move.tag: move.state for move in finished.moves} == {
        "2": MoveState.LEFT,
        "stable": MoveState.MOVED,
    }
    (decision,) = [d for d in world.plan().decisions if d.image == "hello"]
    assert decision.current == good
    assert world.verdicts() == {}


def test_first_publication_cannot_be_rolled_back(built: World) -> None:
    """Nobody is left without any digest."""
    (first,) = built.history.runs()
    with pytest.raises(Conflict, match="nothing to roll back"):
        built.rollback(first.id)


def test_dirty_tree_publishes_and_promotes_nothing(built: World) -> None:
    """Dirty builds are candidates; running again does nothing, and a commit promotes them."""
    before = built.tag("hello")
    built.git.current = replace(COMMIT, dirty=True)
    built.files.write("hello/app.py", b"print('draft')\n")
    assert built.build() == {"hello": Outcome.BUILT}
    assert built.tag("hello") == before
    assert built.verdicts() == {}
    assert causes(built, "hello") == [Cause.DIRTY]
    built.git.current = COMMIT
    assert built.verdicts() == {"hello": "retag"}
    built.build()
    assert built.tag("hello") != before
    assert built.verdicts() == {}


def test_dirty_tree_promotes_when_asked(built: World) -> None:
    """`--allow-dirty` moves the floating tags."""
    before = built.tag("hello")
    built.git.current = replace(COMMIT, dirty=True)
    built.files.write("hello/app.py", b"print('draft')\n")
    built.build(allow_dirty=True)
    assert built.tag("hello") != before
