"""What time and others do, and no run: told once each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.model.announcement import EventType
from orchestrator.notify.standing import facts_between_runs
from tests.notify.chains import DAY_S, build, chain, soaking
from tests.notify.events import facts, kinds, tell
from tests.world import UPSTREAM, put_image


def test_an_upstream_soaks_then_has_moved() -> None:
    """Each is told once; what was there from the beginning has not moved."""
    world = soaking()
    world.build()
    assert "upstream" not in {kind.partition(".")[0] for kind, _ in kinds(tell(world))}
    put_image(world.registry, UPSTREAM, "debian 12.2")
    assert build(world) == [("upstream.soaking", "debian:12")]
    tell(world)
    assert build(world) == []
    tell(world)
    world.clock.sleep(DAY_S)
    assert ("upstream.moved", "debian:12") in build(world)
    tell(world)
    assert build(world) == []


def test_an_index_that_is_needed_on_more_platforms_has_not_moved() -> None:
    """The ledger has it again by another fingerprint; to its teams it is what it was."""
    world = chain()
    world.build()
    put_image(world.registry, UPSTREAM, "debian 12.2")
    world.clock.sleep(60)
    world.build()
    seen = world.history.sightings("gold")[-1]
    again = replace(seen, fingerprint="sha256:" + "0" * 64, first_seen_s=seen.first_seen_s + 1)
    world.history.see("gold", (again,), world.clock.now_s() + 60)
    world.clock.sleep(60)
    (moved,) = (each for each in facts(world) if each.type is EventType.UPSTREAM_MOVED)
    tell(world)
    assert build(world) == []
    assert moved.subject == "debian:12"


def test_an_upstream_that_goes_back_and_forth_is_told_once() -> None:
    """Contents are told, not tags."""
    world = chain()
    world.build()
    tell(world)
    for content, told in (("12.2", True), ("12.1", False), ("12.2", False)):
        put_image(world.registry, UPSTREAM, f"debian {content}")
        assert (("upstream.moved", "debian:12") in build(world)) is told
        tell(world)


def test_who_asks_not_to_soak_hears_that_it_moved() -> None:
    """Once, though its soak is over later."""
    world = soaking()
    world.build()
    tell(world)
    put_image(world.registry, UPSTREAM, "debian 12.2")
    world.clock.sleep(60)
    world.build(no_soak=("debian:12",))
    assert ("upstream.moved", "debian:12") in kinds(tell(world))
    world.clock.sleep(2 * DAY_S)
    assert build(world) == []


def test_what_a_ledger_had_before_anybody_told_anything() -> None:
    """An outbox that is new tells nothing old."""
    world = chain()
    for content in ("12.1", "12.2", "12.3"):
        put_image(world.registry, UPSTREAM, f"debian {content}")
        build(world)
    assert not [kind for kind in build(world) if kind[0].startswith("upstream.")]


def test_what_soaked_before_anybody_told_anything() -> None:
    """An outbox that is new tells of what moves from now on."""
    world = soaking()
    for content in ("12.1", "12.2"):
        put_image(world.registry, UPSTREAM, f"debian {content}")
        world.clock.sleep(60)
        world.plan(remember=True)
    assert not [kind for kind in build(world) if kind[0].startswith("upstream.")]


@pytest.mark.parametrize("life", ["retired: true", "eol: 2023-11-13"])
def test_an_image_at_its_end_is_told_once(life: str) -> None:
    """By whichever run ends next."""
    world = chain()
    world.build()
    tell(world)
    world.extra["hello"] = f", {life}"
    world.write()
    assert ("image.deprecated", "hello") in build(world)
    tell(world)
    assert ("image.deprecated", "hello") not in build(world)


def test_the_last_supported_day_is_supported() -> None:
    """The image ends when that day is over."""
    world = chain(hello=", eol: 2023-11-14")
    world.build()
    assert ("image.deprecated", "hello") not in kinds(tell(world))
    world.clock.sleep(DAY_S)
    assert build(world) == [("image.deprecated", "hello")]


def test_nights_without_a_run() -> None:
    """Where there was nothing to do, what time and others did is told all the same, and once."""
    world = soaking()
    hierarchy, history = world.hierarchy(), world.history
    assert facts_between_runs(hierarchy, history, world.clock.now_s()) == ()
    world.build()
    tell(world)
    put_image(world.registry, UPSTREAM, "debian 12.2")
    world.clock.sleep(60)
    world.plan(remember=True)
    names = set()
    for kind in ("upstream.soaking", "upstream.moved"):
        found = facts_between_runs(hierarchy, history, world.clock.now_s())
        assert found == facts_between_runs(hierarchy, history, world.clock.now_s())
        assert kinds(found) == [(kind, "debian:12")]
        names.add(found[0].run)
        history.outbox.tell(found, ())
        assert facts_between_runs(hierarchy, history, world.clock.now_s()) == ()
        world.clock.sleep(DAY_S)
    assert len(names) == 2
    assert history.run(names.pop()) is None
