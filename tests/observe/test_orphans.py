"""Published repositories that are in no file: found, and told from everybody else's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator import questions
from orchestrator.doors.memory.registry import MemoryRegistry, RegistryCall
from orchestrator.errors import AccessDenied, RegistryUnavailable
from orchestrator.model.names import Repository
from orchestrator.model.orphan import Orphan, Orphans
from orchestrator.publish.transfer import Transfer, copy_index
from tests.world import DOCKERFILES, World, put_image

FEW = {image: DOCKERFILES[image] for image in ("base", "python")}
HELD = Orphan(repository="localhost:5000/gold/python", image="python")


@pytest.fixture
def left() -> World:
    """A world that built base and python, whose file has only base now."""
    world = World(dockerfiles=dict(FEW))
    world.build()
    del world.dockerfiles["python"]
    world.write()
    return world


def _orphans(world: World) -> Orphans:
    return questions.orphans(world.hierarchy(), world.doors)


def test_removed_image_is_an_orphan(left: World) -> None:
    """What this hierarchy published and no file names any more is found, and whose it was."""
    assert _orphans(left) == Orphans(found=(HELD,))


def test_former_places_of_a_renamed_image_are_none(left: World) -> None:
    """Neither where it was published before, nor where its copies were."""
    copy = "localhost:5000/mirror"
    images = left.hierarchy().images
    base = replace(
        images["base"],
        formerly=("python",),
        former_repositories=(Repository("localhost:5000", "gold/python"),),
    )
    digest = left.tag("python")
    here, there = (
        Repository("localhost:5000", "gold/python"),
        Repository("localhost:5000", "mirror/python"),
    )
    assert digest is not None
    copy_index(digest, Transfer(registry=left.registry, source=here, target=there))
    manifest = left.registry.manifest(there, digest)
    assert manifest is not None
    left.registry.put_manifest(there, "1", manifest)
    hierarchy = replace(left.hierarchy(), registries=("localhost:5000/gold", copy))
    assert [o.repository for o in questions.orphans(hierarchy, left.doors).found] == [
        "localhost:5000/gold/python",
        f"{copy}/python",
    ]
    renamed = replace(hierarchy, images={"base": base})
    assert questions.orphans(renamed, left.doors) == Orphans()


def test_everything_in_the_file_is_none() -> None:
    """Images that are in the file are no orphans."""
    world = World(dockerfiles=dict(FEW))
    world.build()
    assert _orphans(world) == Orphans()


def test_others_are_left_alone(left: World) -> None:
    """What somebody else published below the same path, or another hierarchy, is none of ours."""
    put_image(left.registry, "localhost:5000/gold/tools:1", "somebody else's")
    other = World(
        dockerfiles={"lamp": "FROM debian:12\n"},
        head=left.head.replace("name: gold", "name: silver"),
        registry=left.registry,
    )
    other.build()
    assert _orphans(left) == Orphans(found=(HELD,))


def test_history_helps_where_no_list_is_kept(left: World) -> None:
    """Where a registry keeps no list, what past runs moved tags in is looked at, and it is said
    that this may not be all.
    """
    left.registry.lists_repositories = False
    assert _orphans(left) == Orphans(found=(HELD,), unlisted=("localhost:5000/gold",))


def test_former_names_are_known(left: World) -> None:
    """Where a renamed image was before is no orphan, nor is an alias."""
    hierarchy = left.hierarchy()
    former = Repository("localhost:5000", "gold/python")
    base = hierarchy.images["base"]
    for image in (
        replace(base, former_repositories=(former,)),
        replace(base, aliases=(former,)),
        replace(base, copies=(former,)),
    ):
        changed = replace(hierarchy, images={"base": image})
        assert questions.orphans(changed, left.doors) == Orphans()


@pytest.mark.parametrize("error", [RegistryUnavailable("down", transient=True), AccessDenied("no")])
@pytest.mark.parametrize("method", ["repositories", "tags"])
def test_trouble_hides_nothing_else(left: World, method: str, error: RegistryUnavailable) -> None:
    """A registry whose list fails is named; a repository that cannot be read is passed over."""

    def fault(call: RegistryCall) -> None:
        if call.method == method:
            raise error

    left.registry.fault = fault
    found = _orphans(left)
    if method == "repositories":
        assert found == Orphans(found=(HELD,), unlisted=("localhost:5000/gold",))
    else:
        assert found == Orphans()


def test_trial_in_another_registry_is_forgotten() -> None:
    """What was once built with another registry is not listed for ever."""
    registry = MemoryRegistry()
    trial = World(dockerfiles=dict(FEW), registry=registry)
    trial.head = trial.head.replace("localhost:5000/gold", "trial.example/me")
    trial.write()
    trial.build()
    later = World(dockerfiles=dict(FEW), registry=registry, history=trial.history)
    assert _orphans(later) == Orphans()
