"""What protects a digest in a mirror, and what does not."""

from __future__ import annotations

from orchestrator import questions
from orchestrator.decide.select import Chosen
from orchestrator.model.protection import Guard, Shelf
from orchestrator.observe.stock import RUNS
from tests.mirror_world import DAY_S, MIRROR, mirrored_world, stood_on
from tests.world import UPSTREAM, World, put_image


def _mirror(world: World, *images: str) -> Shelf:
    """Return the mirror as it is listed with some images, after their repositories."""
    chosen = Chosen(images=frozenset(images or ("base",)), terms=())
    *others, shelf = questions.digests(world.hierarchy(), world.doors, chosen, ())
    assert all(not other.upstreams for other in others)
    assert (shelf.repository, shelf.upstreams) == (str(MIRROR), ("debian:12",))
    return shelf


def _guards(world: World, digest: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for stored in _mirror(world).digests:
        for protection in stored.protections:
            if stored.digest == digest:
                found.setdefault(str(protection.guard), set()).add(protection.subject)
    return found


def _moves(world: World, content: str) -> str:
    """Move the upstream on, and build; return the digest that is built on then."""
    put_image(world.registry, UPSTREAM, content)
    world.build()
    return stood_on(world).base_digest


def test_what_published_images_stand_on() -> None:
    """The newest digest is protected by being it, and by the image that was built on it."""
    world = mirrored_world()
    world.build()
    assert _guards(world, stood_on(world).base_digest) == {
        Guard.NEWEST: {"debian:12"},
        Guard.DESCENDANT: {"base"},
    }


def test_mirror_of_nothing_that_was_asked_for_is_not_listed() -> None:
    """With images that stand on no upstream themselves, their repositories are all."""
    world = mirrored_world()
    world.build()
    chosen = Chosen(images=frozenset(("python",)), terms=())
    (shelf,) = questions.digests(world.hierarchy(), world.doors, chosen, ())
    assert shelf.images == ("python",)


def test_rollback_target_keeps_what_it_stands_on() -> None:
    """As long as a run can be taken back, what its images were built on before is kept."""
    world = mirrored_world()
    world.build()
    first = stood_on(world).base_digest
    _moves(world, "debian 12.2")
    assert _guards(world, first) == {Guard.DESCENDANT: {"base"}}
    for number in range(RUNS):
        _moves(world, f"debian 12.3.{number}")
    assert _guards(world, first) == {}
    assert first in {stored.digest for stored in _mirror(world).digests}


def test_what_soaks() -> None:
    """A digest on which nothing stands yet is the newest; its age counts from first sight."""
    world = mirrored_world(", soak: 7d")
    world.build()
    second = put_image(world.registry, UPSTREAM, "debian 12.2")
    world.run(world.plan(remember=True))
    world.clock.sleep(DAY_S)
    assert _guards(world, second) == {Guard.NEWEST: {"debian:12"}}
    newest, oldest = _mirror(world).digests
    assert (newest.digest, round((newest.age_s or 0) / DAY_S)) == (second, 1)
    assert (oldest.digest, oldest.created[:4]) == (stood_on(world).base_digest, "2023")


def test_saved_plan_keeps_what_it_copies() -> None:
    """A plan that somebody may still apply speaks of the digest it copies."""
    world = mirrored_world(", soak: 7d")
    world.build()
    second = put_image(world.registry, UPSTREAM, "debian 12.2")
    plan = world.plan()
    world.run(plan)
    chosen = Chosen(images=frozenset(("base",)), terms=())
    *_, shelf = questions.digests(world.hierarchy(), world.doors, chosen, (plan,))
    (stored,) = [stored for stored in shelf.digests if stored.digest == second]
    assert Guard.PLAN in {protection.guard for protection in stored.protections}
