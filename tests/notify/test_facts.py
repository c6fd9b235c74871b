"""What a run's diary has that teams may hear of: once, with ids that never change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.errors import BuildFailed
from orchestrator.model.announcement import EventType
from orchestrator.model.run import RunState
from orchestrator.notify.facts import artifacts_of, facts_of, started_of
from tests.notify.chains import CHAIN, DAY_S, MANUAL, NO, build, chain
from tests.notify.events import facts, kinds, last_run, tell
from tests.test_stories_checks import Careless
from tests.world import PLATFORMS, World


def test_a_run_that_publishes() -> None:
    """Every image is published, in another form too, and every floating tag has moved."""
    world = chain()
    world.build()
    found = facts(world)
    run = last_run(world)
    assert kinds(found) == [
        (kind, image) for kind in ("image.published", "tag.moved") for image in CHAIN
    ]
    types = [each.type for each in found]
    assert (types[0], types[-1]) == (EventType.RUN_STARTED, EventType.RUN_FINISHED)
    assert types.count(EventType.TAG_MOVED) == 2 * len(CHAIN)
    assert types.count(EventType.ARTIFACT_PUBLISHED) == len(CHAIN)
    assert {(each.run, each.hierarchy) for each in found} == {(run.id, "gold")}
    assert len({each.id for each in found}) == len(found)
    assert (found[0].at, found[-1].at) == (run.started_at, run.finished_at)


def test_whoever_asks_hears_the_same() -> None:
    """The ids are those of the facts: later, or asked by somebody else, nothing is new."""
    world = chain()
    world.builder.fail("python", NO)
    world.build()
    before = facts(world)
    world.clock.sleep(DAY_S)
    assert facts(world) == before
    tell(world)
    assert [each.type for each in facts(world)] == [EventType.RUN_STARTED]


def test_what_fails_and_what_that_blocks() -> None:
    """The last try counts; what was never published has not regressed."""
    world = chain()
    away = BuildFailed("away", cause="registry", transient=True)
    world.builder.fail("base", away, times=1)
    world.builder.fail("python", NO)
    world.build()
    assert kinds(facts(world)) == [
        ("image.published", "base"),
        ("image.failed", "python"),
        ("image.blocked", "hello"),
        ("tag.moved", "base"),
    ]


@pytest.mark.parametrize("published", [True, False])
def test_a_check_regresses_where_something_was_published(*, published: bool) -> None:
    """What passed once and does not any more is told beside the failure."""
    world = World()
    if published:
        world.build()
        world.edit("gunicorn", "RUN echo more")
    else:
        world.build(only="base python web nginx")
    world.builder = Careless(
        world.registry, lambda request: replace(request, platform=PLATFORMS[0])
    )
    world.run(world.plan(only="gunicorn+"))
    told = kinds(facts(world))
    assert ("image.failed", "gunicorn") in told
    assert (("check.regressed", "gunicorn") in told) is published


def test_what_comes_out_as_it_was() -> None:
    """It is told as unchanged, and so is what only waited for it; no tag has moved."""
    world = chain()
    world.build()
    world.edit("base", "# nothing")
    assert build(world) == [("image.unchanged", image) for image in CHAIN]


def test_what_is_held_is_told_once() -> None:
    """Each image once in the run that held it, and no more as long as nothing is new."""
    world = chain(MANUAL)
    world.build()
    assert kinds(facts(world)) == [
        (kind, image) for kind in ("image.published", "image.held") for image in CHAIN
    ]
    held = [each for each in tell(world) if each.type is EventType.IMAGE_HELD]
    moves = world.history.moves(last_run(world).id)
    again = replace(last_run(world), id="20300101T000000Z-0001", started_at="2030-01-01T00:00:00Z")
    world.history.begin_run(again)
    world.history.journal(again.id, moves)
    world.history.finish_run(again.id, RunState.SUCCEEDED, "2030-01-01T00:01:00Z")
    assert kinds(facts(world, again)) == []
    assert len(held) == len(CHAIN)


def test_what_is_promoted_has_moved_its_tags() -> None:
    """Promotion publishes nothing: it moves what was held."""
    world = chain(MANUAL)
    world.build()
    tell(world)
    world.promote(last_run(world).id)
    assert kinds(facts(world)) == [("tag.moved", image) for image in CHAIN]


def test_what_is_rolled_back() -> None:
    """Tags that went back; those that the run made, and which are taken away, too."""
    world = chain()
    world.build()
    world.edit("base", "RUN more")
    world.build()
    tell(world)
    world.clock.sleep(1)
    world.rollback(last_run(world).id)
    assert kinds(facts(world)) == [("tag.rolled-back", image) for image in CHAIN]


def test_a_rollback_of_what_was_held_moves_no_tag() -> None:
    """It is rejected, which moves nothing; taken back again, it waits again, and that is told."""
    world = chain(MANUAL)
    world.build()
    world.promote(last_run(world).id)
    world.edit("base", "RUN more")
    world.build()
    tell(world)
    for expected in ([], [("image.held", image) for image in CHAIN]):
        world.clock.sleep(1)
        world.rollback(last_run(world).id)
        assert kinds(facts(world)) == expected


def test_copies_follow_and_are_not_told() -> None:
    """An image has one place that its teams know it by."""
    world = chain()
    said = "registry: localhost:5000/gold\n"
    world.head = world.head.replace(said, "registry: [localhost:5000/gold, two.example/gold]\n")
    world.write()
    world.build()
    places = {each.repository for each in facts(world) if each.type is EventType.TAG_MOVED}
    assert places == {f"localhost:5000/gold/{image}" for image in CHAIN}


def test_what_is_no_image_any_more_is_told_to_nobody() -> None:
    """Whoever takes an image out of the file knows."""
    world = chain()
    world.build()
    run = last_run(world)
    del world.dockerfiles["hello"]
    world.write()
    found = facts_of(run, world.hierarchy(), world.history, world.clock.now_s())
    assert "hello" not in {each.subject for each in found}


def test_an_image_has_the_name_it_has_now() -> None:
    """What happened under its former id is told of it, with the same id of the fact."""
    world = chain()
    world.build()
    run, before = last_run(world), facts(world)
    world.dockerfiles["hi"] = world.dockerfiles.pop("hello")
    world.extra["hi"] = ", formerly: [hello]"
    world.write()
    found = facts_of(run, world.hierarchy(), world.history, world.clock.now_s())
    assert {"hi"} == {each.subject for each in found} - {*CHAIN, run.id}
    assert {each.id for each in found} <= {each.id for each in before}


def test_ids_that_are_kept_in_databases() -> None:
    """They are frozen: another one would tell everybody again."""
    world = chain()
    world.build()
    run = replace(last_run(world), id="20261122T150000Z-0001")
    started = started_of(run)
    assert started.id == "evt_30f8169bfdbbe1e24bf275512ef1df40"
    published = replace(
        started,
        type=EventType.IMAGE_PUBLISHED,
        repository="one.example/gold/base",
        key="k1-00",
        digest="sha256:" + "0" * 64,
    )
    (artifact,) = artifacts_of((started, published))
    assert artifact.id == "evt_56a26b388390940f6da8a9df56ccb14f"
