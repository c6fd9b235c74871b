"""What protects a digest from being deleted, and what does not."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from orchestrator import questions
from orchestrator.decide.select import Chosen
from orchestrator.model.manifest import compose_index
from orchestrator.model.names import Repository
from orchestrator.model.plan import Plan
from orchestrator.model.protection import Guard, Stored
from orchestrator.observe.stock import RUNS
from tests.world import DOCKERFILES, HEAD, World, put_image

FEW = {image: DOCKERFILES[image] for image in ("base", "python")}


@pytest.fixture
def world() -> World:
    world = World(dockerfiles=dict(FEW))
    world.build()
    return world


def _stored(world: World, image: str, *plans: Plan) -> Mapping[str, Stored]:
    """Return digest → what is known of it, of one image's repository."""
    chosen = Chosen(images=frozenset((image,)), terms=(image,))
    (shelf,) = questions.digests(world.hierarchy(), world.doors, chosen, plans)
    assert shelf.images == (image,)
    return {stored.digest: stored for stored in shelf.digests}


def _guards(stored: Stored) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for protection in stored.protections:
        found.setdefault(str(protection.guard), set()).add(protection.subject)
    return found


def _digest(world: World, image: str) -> str:
    found = world.tag(image)
    assert found is not None
    return found


def test_what_is_current(world: World) -> None:
    """Floating tags, being current, being what the files lead to, and children protect."""
    base = _stored(world, "base")[_digest(world, "base")]
    assert _guards(base) == {
        Guard.FLOATING: {"1", "stable"},
        Guard.CURRENT: {"base"},
        Guard.CANDIDATE: {"base"},
        Guard.DESCENDANT: {"python"},
    }
    assert base.image == "base"
    assert base.age_s is not None
    assert [tag[:2] for tag in base.tags] == ["1", "1-", "st"]
    assert len(base.keys) == 1


def test_rollback_target_is_kept_for_some_runs(world: World) -> None:
    """What one of the last runs would go back to is kept; what an older one would, is not."""
    first = _digest(world, "python")
    world.edit("python", "RUN echo 1")
    run = world.run(world.plan()).run.id
    assert _guards(_stored(world, "python")[first]) == {Guard.ROLLBACK: {run}}
    for number in range(RUNS):
        world.edit("python", f"RUN echo again {number}")
        world.build()
    assert _stored(world, "python")[first].protections == ()
    protected = [stored for stored in _stored(world, "python").values() if stored.protections]
    assert len(protected) == 1 + RUNS


def test_rollback_target_without_a_tag(world: World) -> None:
    """What somebody pushed over, and a rollback would bring back, is listed without any tag."""
    theirs = put_image(world.registry, "localhost:5000/gold/python:stable", "somebody else's")
    world.build()
    stored = _stored(world, "python")[theirs]
    assert (stored.tags, set(_guards(stored))) == ((), {Guard.ROLLBACK})


def test_move_that_did_not_happen_protects_nothing() -> None:
    """A tag that a run could not move is not moved back by undoing that run."""
    world = World(dockerfiles=dict(FEW), head=HEAD.replace('"{version}", "stable"', '"stable"'))
    world.build()
    first = _digest(world, "python")
    world.edit("python", "RUN echo more")
    plan = world.plan()
    put_image(world.registry, "localhost:5000/gold/python:stable", "somebody else's")
    world.run(plan)
    assert _stored(world, "python")[first].protections == ()


def test_run_that_moved_nothing_takes_no_place(world: World) -> None:
    """Runs without tag moves, and other hierarchies', do not push a rollback target out."""
    first = _digest(world, "python")
    world.edit("python", "RUN echo 1")
    world.build()
    for _ in range(RUNS + 1):
        world.registry.fault = None
        world.run(world.plan())
    assert Guard.ROLLBACK in _guards(_stored(world, "python")[first])


def test_parent_that_a_child_was_built_on(world: World) -> None:
    """A digest that a current child stands on is kept, though its own image went on."""
    first = _digest(world, "base")
    world.edit("base", "RUN echo more")
    world.extra["python"] = ", retired: true"
    world.write()
    for number in range(RUNS + 1):
        world.edit("base", f"RUN echo {number}")
        world.build()
    assert _guards(_stored(world, "base")[first]) == {Guard.DESCENDANT: {"python"}}


def test_saved_plan(world: World) -> None:
    """Every digest that a saved plan speaks of is kept as long as the plan is named."""
    first = _digest(world, "base")
    world.edit("python", "RUN echo more")
    plan = world.plan()
    assert Guard.PLAN in _guards(_stored(world, "base", plan)[first])
    assert Guard.PLAN not in _guards(_stored(world, "base")[first])


def test_rolled_back_digest_is_not_protected(world: World) -> None:
    """What was rejected is told as such; only taking the rollback back would need it."""
    world.edit("python", "RUN echo bad")
    finished = world.run(world.plan())
    bad = _digest(world, "python")
    undone = world.rollback(finished.run.id)
    stored = _stored(world, "python")[bad]
    assert stored.rejected
    assert not any(tag.startswith("rejected-") for tag in stored.tags)
    assert _guards(stored) == {Guard.ROLLBACK: {undone.run.id}}


def test_signatures_are_under_what_they_belong_to(world: World) -> None:
    """cosign's tags and the fallback's are no digests of their own, for an index or a platform
    in it; those of something that is gone are told as they are.
    """
    digest = _digest(world, "base")
    repository = Repository("localhost:5000", "gold/base")
    index = world.registry.manifest(repository, digest)
    assert index is not None
    platform = index.platforms()["linux/arm64"]
    artifact = compose_index((), {"signature": "of it"})
    named = [f"{digest.replace(':', '-')}.sig", platform.replace(":", "-")]
    gone = f"sha256-{'0' * 64}.att"
    for tag in (*named, gone):
        world.registry.put_manifest(repository, tag, artifact)
    stored = _stored(world, "base")
    assert set(stored[digest].attached) == set(named)
    assert stored[artifact.digest].tags == (gone,)
    assert stored[artifact.digest].protections == ()


def test_nothing_is_written(world: World) -> None:
    """Looking changes neither the registry nor the history."""
    puts, runs = len(world.registry.puts), len(world.history.runs())
    _stored(world, "base")
    assert (len(world.registry.puts), len(world.history.runs())) == (puts, runs)
