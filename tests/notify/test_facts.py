"""What a run's diary has that teams may hear of: once, with ids that never change."""

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
from orchestrator.notify.facts import artifacts_of, facts_of, is_settled, started_of
from orchestrator.notify.standing import facts_between_runs
from tests.mortal import mortal
from tests.notify.events import facts, kinds, last_run, tell
from tests.test_stories_checks import Careless
from tests.world import HEAD, PLATFORMS, UPSTREAM, World, put_image

CHAIN = {
    "base": "FROM debian:12\nRUN apt-get update\n",
    "python": "FROM base\nRUN apt-get install python3\n",
    "hello": "FROM python\nRUN hello\n",
}
DAY_S = 86_400
NO = BuildFailed("no", cause="command")
MANUAL = HEAD.replace("images:\n", "promote: manual\nimages:\n")


def chain(head: str = HEAD, **extra: str) -> World:
    return World(dict(CHAIN), head=head, extra=extra, others={})


def build(world: World) -> list[tuple[str, str]]:
    world.clock.sleep(60)
    world.build()
    return kinds(facts(world))


def soaking() -> World:
    line = f'  debian:12: {{source: "{UPSTREAM}"}}\n'
    return chain(HEAD.replace(line, f'  debian:12: {{source: "{UPSTREAM}", soak: 24h}}\n'))


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
