"""What a mirror tells: since when a content is known, and what stands in for its source."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.errors import Unavailable
from orchestrator.model.manifest import compose_index
from orchestrator.model.mirror import mirror_tag
from orchestrator.model.plan import Cause
from orchestrator.observe.mirror import had_now, look_into
from tests.mirror_world import (
    CHAIN,
    DAY_S,
    MIRROR,
    SOURCE,
    is_away,
    mirrored_world,
    stood_on,
    upstream_goes,
)
from tests.world import PLATFORMS, UPSTREAM, World, put_image


def _switched_on_after(world: World, more: str = "") -> World:
    """Return a world whose upstream is mirrored from now on."""
    world.head = mirrored_world(more).head
    world.write()
    return world


def _repacked(world: World) -> str:
    """Push what the source has once more in another index; return that one's digest."""
    index = world.registry.manifest(SOURCE, "12")
    assert index is not None
    again = compose_index(tuple(e for e in index.entries() if e.platform), {"again": "1"})
    world.registry.put_manifest(SOURCE, "12", again)
    assert again.digest != index.digest
    return again.digest


def _two_in_the_mirror() -> tuple[World, str, str]:
    """Return a world that is built on the second of two contents, both mirrored; and both."""
    world = mirrored_world()
    world.build()
    first = stood_on(world).base_digest
    second = put_image(world.registry, UPSTREAM, "debian 12.2")
    world.build()
    assert stood_on(world).base_digest == second
    return world, first, second


def test_pin_that_is_set_while_the_source_is_away() -> None:
    """Images go back to it: a pin says more than what they stand on."""
    world, first, _ = _two_in_the_mirror()
    world.head = mirrored_world(f', pin: "{first}"').head
    world.write()
    is_away(world)
    assert world.verdicts() == {"base": "retag", "python": "await"}
    world.build()
    assert stood_on(world).base_digest == first
    assert world.verdicts() == {}


def test_reason_of_a_pin_that_is_set_while_the_source_is_away() -> None:
    """The plan says from where to where, as it does when the source is there."""
    world, first, second = _two_in_the_mirror()
    world.head = mirrored_world(f', pin: "{first}"').head
    world.edit("base", "RUN more")
    is_away(world)
    moves = [r for r in world.decision("base").reasons if r.cause is Cause.UPSTREAM_MOVED]
    assert [(r.subject, r.was, r.now) for r in moves] == [("debian:12", second, first)]
    world.build()
    assert stood_on(world).base_digest == first


@pytest.mark.parametrize("away", [False, True])
def test_pin_of_an_image_that_is_only_told(away: bool) -> None:
    """It is no reason for a build; what is built for another one takes it, from a mirror too."""
    world, first, second = _two_in_the_mirror()
    world.extra["base"] = ", on_parent_change: notify"
    world.head = mirrored_world(f', pin: "{first}"').head
    world.write()
    if away:
        is_away(world)
    assert world.verdicts() == {}
    assert stood_on(world).base_digest == second
    world.edit("base", "RUN more")
    world.build()
    assert stood_on(world).base_digest == first


def test_pin_that_the_mirror_lacks_fails_while_the_source_is_away() -> None:
    """Nothing else stands in for what somebody named by its digest."""
    world, _, second = _two_in_the_mirror()
    world.head = mirrored_world(f', pin: "sha256:{"a" * 64}"').head
    world.write()
    upstream_goes(world)
    assert world.verdicts() == {"base": "fail"}
    assert stood_on(world).base_digest == second


def test_build_for_this_machine_keeps_to_the_pin() -> None:
    """Where the source is gone the mirror's newest is not taken instead."""
    world, first, second = _two_in_the_mirror()
    upstream_goes(world)
    upstream = world.hierarchy().upstreams["debian:12"]
    assert had_now(world.registry, upstream, "linux/amd64").digest == second
    pinned = replace(upstream, pin=first)
    assert had_now(world.registry, pinned, "linux/amd64").digest == first
    with pytest.raises(Unavailable):
        had_now(world.registry, replace(upstream, pin="sha256:" + "a" * 64), "linux/amd64")


def test_content_without_a_platform_that_is_needed_now() -> None:
    """It stands in for nothing; for those that need less it does."""
    world = mirrored_world()
    world.build()
    upstream = world.hierarchy().upstreams["debian:12"]
    more = (*PLATFORMS, "linux/s390x")
    assert look_into(world.registry, upstream, more, ()).sightings == ()
    (found,) = look_into(world.registry, upstream, PLATFORMS[:1], ()).sightings
    assert found.digest == stood_on(world).base_digest


@pytest.mark.parametrize("later_s", [-5 * DAY_S, 5 * DAY_S])
def test_ledger_knows_better_than_a_tag(later_s: float) -> None:
    """Another digest of a content that was seen counts from then, whatever its tag says."""
    world = mirrored_world()
    world.run(world.plan(remember=True))
    (seen,) = world.history.sightings("gold")
    again = _repacked(world)
    index = world.registry.manifest(SOURCE, again)
    assert index is not None
    for digest in (*index.platforms().values(), seen.digest):
        assert world.registry.resolve(MIRROR, digest) == digest
    world.registry.put_manifest(MIRROR, mirror_tag(seen.first_seen_s + later_s, again, "12"), index)
    for tag in world.registry.tags(MIRROR):
        if world.registry.resolve(MIRROR, tag) == seen.digest:
            world.registry.delete_tag(MIRROR, tag)
    upstream = world.hierarchy().upstreams["debian:12"]
    (found,) = look_into(world.registry, upstream, PLATFORMS, (seen,)).sightings
    assert (found.digest, found.first_seen_s) == (again, seen.first_seen_s)


@pytest.mark.parametrize("repacked", [False, True])
def test_copy_made_later_says_when_it_was_first_seen(repacked: bool) -> None:
    """A mirror that is switched on late makes nothing younger, under another digest neither."""
    world = World(dockerfiles=dict(CHAIN))
    world.build()
    (seen,) = world.history.sightings("gold")
    world.clock.sleep(DAY_S)
    digest = _repacked(world) if repacked else seen.digest
    (copy,) = _switched_on_after(world).plan().mirrors
    assert copy.tag == mirror_tag(seen.first_seen_s, digest, "12")


def test_copy_is_not_from_the_future() -> None:
    """What was seen by a clock that was wrong then counts from now on."""
    world = World(dockerfiles=dict(CHAIN))
    world.build()
    (seen,) = world.history.sightings("gold")
    world.clock.set_now(seen.first_seen_s - DAY_S)
    (copy,) = _switched_on_after(world).plan().mirrors
    assert copy.tag == mirror_tag(world.clock.now_s(), seen.digest, "12")


def test_copy_of_what_an_image_stays_on_is_not_from_the_future() -> None:
    """As little as that of the newest, which hides it while it soaks."""
    world = World(dockerfiles=dict(CHAIN))
    world.build()
    (seen,) = world.history.sightings("gold")
    put_image(world.registry, UPSTREAM, "debian 12.2")
    world.clock.set_now(seen.first_seen_s - DAY_S)
    copies = _switched_on_after(world, ", soak: 7d").plan().mirrors
    tags = {copy.digest: copy.tag for copy in copies}
    assert len(tags) == 2
    assert tags[seen.digest] == mirror_tag(world.clock.now_s(), seen.digest, "12")


def test_what_an_image_is_only_told_of_is_not_kept_for_it() -> None:
    """It is built on the newest, so what it stands on is not copied."""
    world = World(dockerfiles=dict(CHAIN), extra={"base": ", on_parent_change: notify"})
    world.build()
    second = put_image(world.registry, UPSTREAM, "debian 12.2")
    plan = _switched_on_after(world).plan()
    assert ([copy.digest for copy in plan.mirrors], plan.steps) == ([second], ())


def test_what_is_gone_is_not_copied() -> None:
    """An image that stays on it while the newest soaks fails no run by that."""
    world = World(dockerfiles=dict(CHAIN))
    world.build()
    first = stood_on(world).base_digest
    second = put_image(world.registry, UPSTREAM, "debian 12.2")
    world.registry.delete_manifest(SOURCE, first)
    plan = _switched_on_after(world, ", soak: 7d").plan()
    assert [copy.digest for copy in plan.mirrors] == [second]
