"""Stories of mirrored upstreams: seen first, built from there, kept when all goes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from math import ceil

import pytest

from orchestrator.doors.memory.registry import RegistryCall
from orchestrator.errors import Unavailable
from orchestrator.model.event import MirrorFinished, MirrorStarted, StepStarted
from orchestrator.model.mirror import mirror_tag
from orchestrator.model.plan import Cause, Reason
from orchestrator.model.run import Outcome, RunState
from orchestrator.observe.mirror import had_now, look_into
from orchestrator.run.ends import exit_code
from tests.mirror_world import (
    CHAIN,
    DAY_S,
    MIRROR,
    SOURCE,
    forget,
    is_away,
    mirrored,
    mirrored_world,
    stood_on,
    upstream_goes,
)
from tests.world import PLATFORMS, UPSTREAM, World, failed, put_image


@pytest.fixture
def world() -> World:
    return mirrored_world()


@pytest.fixture
def built(world: World) -> World:
    world.build()
    return world


def test_copied_at_first_sight_and_built_from_there(world: World) -> None:
    """The copy comes before every step, builds are pinned to it, and the next plan is empty."""
    digest = world.registry.resolve(SOURCE, "12")
    assert digest is not None
    plan = world.plan()
    (copy,) = plan.mirrors
    assert (copy.upstream, copy.digest, copy.repository) == ("debian:12", digest, str(MIRROR))
    assert copy.tag == mirror_tag(world.clock.now_s(), digest, "12")
    events = list(world.events(plan))
    kinds = [type(event) for event in events]
    assert kinds.index(MirrorStarted) < kinds.index(MirrorFinished) < kinds.index(StepStarted)
    assert mirrored(world) == {copy.tag: digest}
    assert world.builds[0].request.pins == (("debian:12", f"{MIRROR}@{digest}"),)
    assert (world.plan().mirrors, world.verdicts()) == ((), {})


def test_what_is_published_names_the_source(built: World) -> None:
    """The base's name is where the upstream came from, and it is recorded by its own name."""
    publication = stood_on(built)
    digest = built.registry.resolve(SOURCE, "12")
    assert (publication.base_name, publication.base_digest) == (UPSTREAM, digest)
    assert publication.parents["debian:12"].digest == digest


def test_mirror_that_is_switched_on_later_rebuilds_nothing() -> None:
    """The same digest from another place is no change: it is copied, and nothing is built."""
    world = World(dockerfiles=dict(CHAIN))
    world.build()
    world.head = mirrored_world().head
    world.write()
    plan = world.plan()
    assert (len(plan.mirrors), plan.steps) == (1, ())
    assert world.run(plan).run.state is RunState.SUCCEEDED
    assert world.plan().is_empty


def test_new_digest_is_copied_while_it_soaks() -> None:
    """Nothing is built, and what soaks is safe already when its registry loses it."""
    world = mirrored_world(", soak: 1d")
    world.build()
    second = put_image(world.registry, UPSTREAM, "debian 12.2")
    plan = world.plan()
    assert ([copy.digest for copy in plan.mirrors], plan.steps) == ([second], ())
    world.run(plan)
    assert second in mirrored(world).values()
    assert world.plan().is_empty
    world.clock.sleep(DAY_S)
    assert world.verdicts() == {"base": "build", "python": "await"}


def test_mirror_that_is_switched_on_while_something_soaks() -> None:
    """What images stay on until then is copied beside the newest: a build needs it tonight."""
    world = mirrored_world(", soak: 7d")
    with_mirror, world.head = world.head, world.head.replace("mirror: true, ", "")
    world.write()
    world.build()
    first = stood_on(world).base_digest
    second = put_image(world.registry, UPSTREAM, "debian 12.2")
    world.run(world.plan(remember=True))
    world.head = with_mirror
    world.edit("base", "RUN more")
    assert {copy.digest for copy in world.plan().mirrors} == {first, second}
    world.build()
    assert world.builds[-2].request.pins == (("debian:12", f"{MIRROR}@{first}"),)


def test_lost_ledger_is_restored_from_the_tags() -> None:
    """What was first seen a day ago is still known to be a day old when the database is lost."""
    world = mirrored_world(", soak: 1d")
    world.build()
    second = put_image(world.registry, UPSTREAM, "debian 12.2")
    world.run(world.plan(remember=True))
    before = world.history.sightings("gold")
    world.clock.sleep(DAY_S)
    forget(world)
    assert world.verdicts() == {"base": "build", "python": "await"}
    world.build()
    assert stood_on(world).base_digest == second
    after = world.history.sightings("gold")
    assert [(s.digest, ceil(s.first_seen_s)) for s in after] == [
        (s.digest, ceil(s.first_seen_s)) for s in before
    ]


def test_tag_that_somebody_moved_restores_nothing() -> None:
    """A time holds only for the digest whose digits are in the tag."""
    world = mirrored_world(", soak: 1d")
    world.build()
    put_image(world.registry, f"{MIRROR}:{mirror_tag(0, 'sha256:' + 'a' * 64, '12')}", "theirs")
    put_image(world.registry, f"{MIRROR}:somebody-elses", "theirs too")
    forget(world)
    assert world.plan().is_empty
    upstream = world.hierarchy().upstreams["debian:12"]
    known = look_into(world.registry, upstream, PLATFORMS, ())
    assert [seen.digest for seen in known.sightings] == [stood_on(world).base_digest]


def test_many_tags_are_looked_at_side_by_side(world: World) -> None:
    """A mirror of years whose ledger is lost holds up no command for long."""
    contents = [f"debian 12.{number}" for number in range(6)]
    digests = [put_image(world.registry, UPSTREAM, content) for content in contents]
    for at, (digest, content) in enumerate(zip(digests, contents, strict=True)):
        put_image(world.registry, f"{MIRROR}:{mirror_tag(at, digest, '12')}", content)
    together = threading.Barrier(2)

    def fault(call: RegistryCall) -> None:
        if call.method == "resolve" and call.repository == MIRROR and not call.done:
            together.wait(timeout=60)

    world.registry.fault = fault
    upstream = world.hierarchy().upstreams["debian:12"]
    known = look_into(world.registry, upstream, PLATFORMS, ())
    assert [seen.digest for seen in known.sightings] == digests


def test_upstreams_of_one_repository_are_not_mixed_up() -> None:
    """Both are mirrored in one place, and when their tags are gone each keeps its own digest."""
    other = UPSTREAM.replace(":12", ":11")
    head = mirrored_world().head.replace(
        "images:\n", f'  debian:11: {{source: "{other}", mirror: true}}\nimages:\n'
    )
    world = World(
        dockerfiles={"base": "FROM debian:12\n", "old": "FROM debian:11\n"}, head=head, others={}
    )
    first, second = world.registry.resolve(SOURCE, "12"), put_image(world.registry, other, "11.9")
    world.build()
    assert set(mirrored(world).values()) == {first, second}
    upstream = world.hierarchy().upstreams["debian:12"]
    known = look_into(world.registry, upstream, PLATFORMS, ())
    assert [seen.digest for seen in known.sightings] == [first]
    upstream_goes(world)
    forget(world)
    world.edit("base", "RUN more")
    world.edit("old", "RUN more")
    world.build()
    assert stood_on(world, "base").base_digest == first
    assert stood_on(world, "old").base_digest == second


@pytest.mark.parametrize("gone", [upstream_goes, is_away])
@pytest.mark.parametrize("lost", [False, True])
def test_images_stay_buildable_when_the_source_is_gone(
    built: World, gone: Callable[[World], None], lost: bool
) -> None:
    """They are built on the digest in use, from the mirror, and the plan says what is the matter.

    With the database or without it.
    """
    digest = stood_on(built).base_digest
    if lost:
        forget(built)
    gone(built)
    assert built.verdicts() == {}
    (note,) = built.decision("base").reasons
    assert (note.cause, note.subject) == (Cause.UPSTREAM_UNUSABLE, "debian:12")
    assert note.because.endswith("; its mirror stands in")
    built.edit("base", "RUN more")
    assert set(built.build().values()) == {Outcome.BUILT}
    assert built.builds[-2].request.pins == (("debian:12", f"{MIRROR}@{digest}"),)
    assert stood_on(built).base_name == UPSTREAM
    assert built.verdicts() == {}


def test_source_that_went_back_and_away_changes_nothing() -> None:
    """A newer digest in the mirror that its registry took back is not taken now."""
    world = mirrored_world(", soak: 1d")
    world.build()
    first = stood_on(world).base_digest
    put_image(world.registry, UPSTREAM, "debian 12.2, broken")
    world.run(world.plan())
    world.clock.sleep(2 * DAY_S)
    upstream_goes(world)
    world.edit("base", "RUN more")
    world.build()
    assert stood_on(world).base_digest == first


def test_each_image_stays_on_what_it_has() -> None:
    """Where two images stand on two digests, each is built on its own while the source is away.

    A third one, of which nothing is published yet, takes the newer of both.
    """
    files = {"base": "FROM debian:12\n", "old": "FROM debian:12\n"}
    world = World(dockerfiles=files, head=mirrored_world().head, others={})
    world.build()
    first = stood_on(world, "old").base_digest
    second = put_image(world.registry, UPSTREAM, "debian 12.2")
    world.build(only="base")
    assert stood_on(world, "base").base_digest == second
    is_away(world)
    assert world.verdicts() == {}
    world.dockerfiles["young"] = "FROM debian:12\n"
    world.edit("base", "RUN more")
    world.edit("old", "RUN more")
    world.build()
    digests = {image: stood_on(world, image).base_digest for image in ("base", "old", "young")}
    assert digests == {"base": second, "old": first, "young": second}
    world.registry.fault = None
    assert world.verdicts() == {"old": "build"}


def test_image_that_the_mirror_does_not_know_fails_alone() -> None:
    """An image whose digest was never mirrored cannot be built while the source is away; another
    one can.
    """
    files = {"base": "FROM debian:12\n", "old": "FROM debian:12\n"}
    world = World(dockerfiles=files, others={})
    world.build()
    world.head = mirrored_world().head
    world.write()
    put_image(world.registry, UPSTREAM, "debian 12.2")
    world.build(only="base")
    is_away(world)
    assert world.verdicts() == {"old": "fail"}
    finished = world.run(world.plan())
    assert failed(finished).keys() == {"old"}
    assert exit_code(finished) == 5


@pytest.mark.parametrize("policy", ["notify", "{hold: {until: 2099-01-01, because: audit}}"])
def test_image_that_does_not_follow_stays_too(policy: str) -> None:
    """A policy holds while the source is away, and the image can be built on what it has."""
    world = mirrored_world()
    world.build()
    first = stood_on(world).base_digest
    world.extra["base"] = f", on_parent_change: {policy}"
    world.write()
    put_image(world.registry, UPSTREAM, "debian 12.2")
    world.run(world.plan(remember=True))
    is_away(world)
    assert world.verdicts() == {}
    world.edit("base", "RUN more")
    world.build()
    assert stood_on(world).base_digest == first


def test_image_that_does_not_follow_needs_no_source() -> None:
    """Without a mirror as well: nothing is asked of it that could stop a plan."""
    world = World(dockerfiles=dict(CHAIN), extra={"base": ", on_parent_change: notify"})
    world.build()
    is_away(world)
    assert world.verdicts() == {}


def test_one_upstream_is_away_and_another_one_soaks() -> None:
    """An image on both stays on what it has of each, though another image has more of one."""
    other = "localhost:5000/other/alpine:3"
    head = mirrored_world().head.replace(
        "images:\n", f'  alpine:3: {{source: "{other}", mirror: true, soak: 7d}}\nimages:\n'
    )
    both = "FROM alpine:3 AS tools\nFROM debian:12\nCOPY --from=tools /bin /bin\n"
    world = World(dockerfiles={"both": both, "base": "FROM debian:12\n"}, head=head, others={})
    put_image(world.registry, other, "alpine 3.1")
    world.build()
    before = stood_on(world, "both").parents
    put_image(world.registry, UPSTREAM, "debian 12.2")
    world.build(only="base")
    put_image(world.registry, other, "alpine 3.2")
    is_away(world)
    assert world.verdicts() == {}
    world.edit("both", "RUN more")
    world.build()
    assert stood_on(world, "both").parents == before


def test_new_image_takes_what_the_others_have() -> None:
    """With nothing published yet an image is built on what the mirror has, and it is said."""
    world = mirrored_world()
    world.build()
    is_away(world)
    world.dockerfiles["web"] = "FROM debian:12\nRUN web\n"
    world.write()
    assert world.build() == {"web": Outcome.BUILT}
    assert stood_on(world, "web").base_digest == stood_on(world).base_digest


def test_pinned_digest_is_had_from_the_mirror() -> None:
    """A pin that the mirror has needs no source, and the newest is mirrored beside it."""
    world = mirrored_world()
    world.build()
    first = stood_on(world).base_digest
    second = put_image(world.registry, UPSTREAM, "debian 12.2")
    world.head = mirrored_world(f', pin: "{first}"').head
    world.write()
    plan = world.plan()
    assert ([copy.digest for copy in plan.mirrors], plan.steps) == ([second], ())
    world.run(plan)
    upstream_goes(world)
    world.edit("base", "RUN more")
    world.build()
    assert stood_on(world).base_digest == first


def test_build_for_this_machine_copies_nothing(world: World) -> None:
    """It takes the mirror's where that has it, the source's where not, and the mirror's newest
    when the source is gone.
    """
    upstream = world.hierarchy().upstreams["debian:12"]
    assert had_now(world.registry, upstream, "linux/amd64").reference == UPSTREAM
    world.build()
    state = had_now(world.registry, upstream, "linux/amd64")
    assert (state.reference, state.origin) == (str(MIRROR), UPSTREAM)
    upstream_goes(world)
    assert had_now(world.registry, upstream, "linux/amd64") == state
    world.registry.delete_manifest(MIRROR, state.digest)
    with pytest.raises(Unavailable, match="is not there"):
        had_now(world.registry, upstream, "linux/amd64")


def test_first_sight_is_a_quiet_question(built: World) -> None:
    """A night on which nothing moved lists the mirror's tags once and asks for one of them."""
    built.registry.counts.clear()
    asked: list[tuple[str, str]] = []

    def fault(call: RegistryCall) -> None:
        if call.repository == MIRROR and not call.done:
            asked.append((call.method, call.reference))

    built.registry.fault = fault
    assert built.plan().is_empty
    (tag,) = mirrored(built)
    assert asked[:2] == [("tags", ""), ("resolve", tag)]
    assert len(asked) == 2 + 2  # the two of looking it up here
    assert Reason(cause=Cause.UPSTREAM_UNUSABLE) not in built.decision("base").reasons
