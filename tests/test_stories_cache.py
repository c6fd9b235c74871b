"""Whole runs on twins: build caches that are kept in the registry."""

from __future__ import annotations

from orchestrator import questions
from orchestrator.decide.select import Chosen
from orchestrator.model.run import Outcome
from orchestrator.model.tags import cache_tag, is_cache_tag
from tests.world import PLATFORMS, World

DOCKERFILES = {"base": "FROM scratch\nRUN make\n", "app": "FROM base\nRUN more\n"}
CACHES = {f"cache-base-linux-{cpu}" for cpu in ("amd64", "arm64")}


def test_a_cache_in_the_registry_is_no_image() -> None:
    """A tag for each platform; nothing is decided by it, and no list of images has it."""
    world = World(DOCKERFILES, extra={"base": ", cache: registry"}, others={})
    world.build()
    assert {tag for tag in world.tags("base") if is_cache_tag(tag)} == CACHES
    assert not [tag for tag in world.tags("app") if is_cache_tag(tag)]
    assert world.verdicts() == {}
    chosen = Chosen(images=frozenset(("base",)), terms=("base",))
    (shelf,) = questions.digests(world.hierarchy(), world.doors, chosen, ())
    assert [stored.image for stored in shelf.digests] == ["base"]


def test_an_inline_cache_hides_no_equal_build() -> None:
    """It differs each time; the image is unchanged all the same, and its children are left."""
    world = World(DOCKERFILES, extra={"base": ", cache: inline"}, others={})
    world.build()
    first = world.builder.builds[0].request
    assert first.current is None
    digest = world.tag("base")
    world.edit("base", "# a comment")
    assert world.build() == {"base": Outcome.UNCHANGED, "app": Outcome.CUT_OFF}
    assert world.tag("base") == digest
    again = world.builder.builds[-1].request
    assert again.cache_reference == f"localhost:5000/gold/base@{digest}"
    assert world.verdicts() == {}


def test_tags_of_caches_are_told_from_others() -> None:
    """Only what we write: a tag of somebody's that begins so is somebody's."""
    for platform in (*PLATFORMS, "linux/arm/v7", "windows/amd64"):
        assert is_cache_tag(cache_tag("some.image_1-x", platform))
    for tag in ("cache-2024", "cache-linux-amd64", "cache", "1-cache-app-linux-amd64", "stable"):
        assert not is_cache_tag(tag)
