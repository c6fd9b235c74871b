"""Edges with a policy, while images are rolled back, renamed, tagged anew, or lose a parent."""

from __future__ import annotations

import pytest

from orchestrator import flow, questions
from orchestrator.errors import BuildFailed, Unavailable
from orchestrator.model.names import Repository
from orchestrator.model.plan import Cause, Reason, Verdict
from orchestrator.model.publication import Publication
from orchestrator.model.run import Outcome
from orchestrator.model.source import Revision
from tests.mirror_world import MIRROR, is_away, mirrored_world, stood_on
from tests.test_properties_night import gain
from tests.test_stories_edges import HOLD, built_on, causes, world_with
from tests.test_stories_rename import rename
from tests.world import HEAD, UPSTREAM, World, put_image

NGINX = "localhost:5000/upstream/nginx"
CHILD = Repository("localhost:5000", "gold/gunicorn")
PARENT = Repository("localhost:5000", "gold/python")


def behind(policy: str) -> World:
    """Return a world in which gunicorn has not followed python, and nothing is left to do."""
    world = world_with(gunicorn=policy)
    world.edit("python", "RUN echo more")
    world.build()
    assert world.verdicts() == {}
    return world


def published(world: World, image: str) -> Publication:
    current = flow.look(world.hierarchy(), world.doors).currents[image]
    assert current is not None and current.publication is not None  # noqa: PT018
    return current.publication


@pytest.fixture
def held() -> World:
    """A world in which what gunicorn is held on is gone from its repository."""
    world = world_with(gunicorn=HOLD)
    before = world.tag("python") or ""
    world.edit("python", "RUN echo more")
    world.build()
    world.registry.delete_manifest(PARENT, before)
    return world


def test_a_lost_tag_is_put_right_and_says_nothing_of_the_newest() -> None:
    """No key with a parent that the image was not built on leads to it."""
    world = behind("notify")
    world.registry.delete_tag(CHILD, "1")
    keys = {tag for tag in world.tags("gunicorn") if tag.startswith("key-")}
    plan = world.plan()
    step = plan.step_of("gunicorn")
    assert step is not None
    assert (step.verdict, step.key) == (Verdict.RETAG, published(world, "gunicorn").key)
    assert step.immutable in world.tags("gunicorn")
    flow.verify(plan, world.hierarchy(), world.doors)
    assert world.run(plan).results[0].outcome is Outcome.RETAGGED
    assert {tag for tag in world.tags("gunicorn") if tag.startswith("key-")} == keys
    world.extra = {}
    world.write()
    assert causes(world, "gunicorn") == [Cause.PARENT_MOVED]


def test_a_lost_tag_waits_for_no_parent() -> None:
    """What is only told of cannot stop what is not built on it."""
    world = world_with(gunicorn="notify")
    world.registry.delete_tag(CHILD, "1")
    world.edit("python", "RUN echo more")
    plan = world.plan()
    world.builder.fail("python", BuildFailed("no", cause="command"))
    results = {result.image: result.outcome for result in world.run(plan).results}
    assert results["gunicorn"] is Outcome.RETAGGED
    assert world.tag("gunicorn", "1") == world.tag("gunicorn")


def test_tags_are_put_right_though_a_parent_moves_that_is_not_followed() -> None:
    """A saved plan stays good: nothing is built on what moved."""
    world = world_with(gunicorn="notify")
    world.registry.delete_tag(CHILD, "1")
    plan = world.plan()
    world.edit("python", "RUN echo more")
    assert world.build(only="python") == {"python": Outcome.BUILT}
    flow.verify(plan, world.hierarchy(), world.doors)
    assert [result.outcome for result in world.run(plan).results] == [Outcome.RETAGGED]


@pytest.mark.parametrize("policy", ["notify", HOLD])
def test_what_was_rolled_back_is_not_tried_again(policy: str) -> None:
    """Also when it had taken a parent that it is not judged on."""
    world = behind(policy)
    world.edit("gunicorn", "RUN echo own")
    run = world.run(world.plan()).run.id
    before = world.tag("gunicorn")
    world.rollback(run)
    decision = world.decision("gunicorn")
    assert decision.verdict is Verdict.KEEP
    assert decision.reasons[0] == Reason(
        cause=Cause.REJECTED, was=before or "", now=world.tag("gunicorn") or ""
    )
    assert world.build() == {}
    world.edit("gunicorn", "RUN echo better")
    assert world.build() == {"gunicorn": Outcome.BUILT, "hello": Outcome.BUILT}
    assert world.verdicts() == {}


def test_a_dirty_build_on_the_newest_is_not_asked_for_again() -> None:
    """It is there, and waits for a commit; then it gets its tags, and no build."""
    world = behind("notify")
    commit = Revision(commit="a" * 40, dirty=True, committed_at_s=1_600_000_000)
    world.git.current = commit
    world.edit("gunicorn", "RUN echo own")
    assert world.build() == {"gunicorn": Outcome.BUILT, "hello": Outcome.BUILT}
    assert causes(world, "gunicorn") == [Cause.DIRTY, Cause.TOLD_ONLY]
    assert world.verdicts() == {}
    world.git.current = Revision(commit="a" * 40, dirty=False, committed_at_s=1_600_000_000)
    builds, tags = len(world.builds), set(world.tags("gunicorn"))
    done = world.build()
    assert (done["gunicorn"], len(world.builds)) == (Outcome.RETAGGED, builds)
    # No key with the parent of before leads to it.
    assert set(world.tags("gunicorn")) == tags
    assert world.verdicts() == {}
    assert published(world, "gunicorn").parents["python"].digest == world.tag("python")


def test_a_forced_build_that_was_left_is_no_other() -> None:
    """What one plan forces, no earlier build is taken for."""
    world = behind("notify")
    (forced,) = (d for d in world.plan("gunicorn").decisions if d.image == "gunicorn")
    # It is judged on one key, and built under another.
    assert (forced.verdict, forced.key) == (Verdict.BUILD, None)
    assert world.build("gunicorn")["gunicorn"] is Outcome.BUILT
    assert built_on(world, "gunicorn") == world.tag("python")
    assert world.verdicts() == {}


@pytest.mark.parametrize("own", [True, False])
def test_held_parent_with_a_new_name_is_had_from_where_it_is(own: bool) -> None:
    """Its digest stays under the former id, whether the parent is renamed in the same run or not.

    And the copy of what is current of it is not taken instead.
    """
    world = behind(HOLD)
    before = published(world, "gunicorn").parents["python"].digest
    rename(world, "python", "py")
    if not own:
        world.build()
    world.edit("gunicorn", "RUN echo own")
    plan = world.plan()
    step = plan.step_of("gunicorn")
    assert step is not None
    assert (step.needs, step.parents[0].reference) == ((), str(PARENT))
    flow.verify(plan, world.hierarchy(), world.doors)
    world.run(plan)
    assert built_on(world, "gunicorn") == before
    assert world.verdicts() == {}


def test_held_parent_that_was_renamed_may_be_left_out() -> None:
    """What is current of it is only where it was, and so is what is held."""
    world = world_with(gunicorn=HOLD)
    rename(world, "python", "py")
    world.edit("gunicorn", "RUN echo own")
    assert world.build(only="gunicorn") == {"gunicorn": Outcome.BUILT}


def test_held_parent_may_be_left_out_whatever_became_of_it() -> None:
    """Somebody took its tags; the image stays on a digest."""
    world = world_with(gunicorn=HOLD)
    for tag in ("1", "stable"):
        put_image(world.registry, f"{PARENT}:{tag}", "somebody else's")
    world.edit("gunicorn", "RUN echo own")
    assert world.build(only="gunicorn") == {"gunicorn": Outcome.BUILT}


def test_held_parent_that_is_gone_fails_what_awaits_another() -> None:
    """By name, before anything starts; the other branches go on."""
    world = world_with(docs=f"{{nginx: rebuild, python: {HOLD}}}")
    before = world.tag("python") or ""
    world.edit("python", "RUN echo more")
    world.build()
    world.registry.delete_manifest(PARENT, before)
    assert world.verdicts() == {}
    world.edit("nginx", "RUN echo more")
    decision = world.decision("docs")
    assert (decision.verdict, decision.reasons[0].cause) == (Verdict.FAIL, Cause.PARENT_UNUSABLE)
    done = world.build()
    assert (done["docs"], done["landing"]) == (Outcome.FAILED, Outcome.BUILT)


def test_held_parent_that_is_gone_is_told_to_who_asks_for_the_command(held: World) -> None:
    """`build-command` names it; there is no command."""
    with pytest.raises(Unavailable, match="of python is gone"):
        questions.build_command(held.hierarchy(), held.doors, "gunicorn")


def test_held_parent_that_lacks_a_platform_is_not_called_gone() -> None:
    """The image gets another platform, and what it stays on has none of it."""
    both = "platforms: [linux/amd64, linux/arm64]"
    one = HEAD.replace(both, "platforms: [linux/amd64]")
    world = World(extra={"gunicorn": f", on_parent_change: {HOLD}"}, head=one)
    world.build()
    world.head = HEAD
    world.write()
    assert world.build()["gunicorn"] is Outcome.FAILED
    (reason, _) = world.decision("gunicorn").reasons
    assert reason.because == "lacks linux/arm64, and the image stays on it"


def test_image_on_an_old_version_is_not_said_to_stand_on_the_newest() -> None:
    """Which tag a held version had, nobody knows; it was not the newest one's."""
    line = f'  nginx:1: {{source: "{NGINX}:1.0.0", track: semver "^1.0"}}\nimages:\n'
    world = World(
        {"proxy": "FROM nginx:1\nRUN make\n"},
        extra={"proxy": f", on_parent_change: {HOLD}"},
        head=HEAD.replace("images:\n", line),
        others={},
    )
    old = put_image(world.registry, f"{NGINX}:1.0.0", "nginx 1.0.0")
    world.build()
    put_image(world.registry, f"{NGINX}:1.1.0", "nginx 1.1.0")
    world.edit("proxy", "RUN echo own")
    world.build()
    said = published(world, "proxy")
    assert (said.base_name, said.base_digest) == (NGINX, old)


def test_copies_get_no_key_that_the_first_registry_lacks() -> None:
    """What only waited is what it was, also elsewhere."""
    world = World(
        extra={"docs": ", on_parent_change: {nginx: rebuild, python: notify}"},
        head=HEAD.replace("localhost:5000/gold", "[localhost:5000/gold, localhost:5001/gold]", 1),
    )
    world.build()
    world.edit("python", "RUN echo more")
    world.build()
    world.edit("nginx", "# the same layers")
    assert world.build()["docs"] is Outcome.CUT_OFF
    copied = world.registry.tags(Repository("localhost:5001", "gold/docs"))
    assert set(copied) <= set(world.tags("docs"))


def test_what_is_held_and_what_is_told_are_told_apart() -> None:
    """Built from a dirty tree on the newest of one, and on what it stays on of the other."""
    world = world_with(docs=f"{{nginx: {HOLD}, python: notify}}")
    nginx = world.tag("nginx")
    world.edit("nginx", "RUN echo more")
    world.edit("python", "RUN echo more")
    world.build()
    world.git.current = Revision(commit="a" * 40, dirty=True, committed_at_s=1_600_000_000)
    world.edit("docs", "RUN echo own")
    assert world.build() == {"docs": Outcome.BUILT}
    assert built_on(world, "docs", "nginx") == nginx
    assert built_on(world, "docs", "python") == world.tag("python")
    assert world.verdicts() == {}


@pytest.mark.parametrize("policy", ["notify", HOLD])
def test_an_upstream_that_is_gone_is_built_on_as_it_was(policy: str) -> None:
    """Where there is no newest, what is built for another reason stays on what it has."""
    world = world_with(base=policy)
    upstream = Repository("localhost:5000", "upstream/debian")
    old = built_on(world, "base", "debian:12")
    world.registry.delete_tag(upstream, "12")
    world.edit("base", "RUN echo own")
    assert world.build()["base"] is Outcome.BUILT
    assert built_on(world, "base", "debian:12") == old
    assert published(world, "base").base_name == UPSTREAM
    assert world.verdicts() == {}


@pytest.mark.parametrize("policy", ["notify", HOLD])
def test_an_upstream_that_does_not_answer_is_known_from_the_ledger(policy: str) -> None:
    """Nobody says that it is gone; the build will tell."""
    world = world_with(base=policy)
    world.edit("base", "RUN echo own")
    is_away(world)
    assert world.decision("base").verdict is Verdict.BUILD


def test_an_index_that_only_gains_a_platform_is_not_told() -> None:
    """To the image it is the parent that it has."""
    world = world_with(base="notify")
    gain(world, UPSTREAM)
    assert world.decision("base").reasons == ()
    assert world.verdicts() == {}


def test_what_is_held_and_had_from_a_mirror_is_said_to_come_from_its_source() -> None:
    """Where it is pulled from is nobody's business who reads what is published."""
    world = mirrored_world(extra={"base": f", on_parent_change: {HOLD}"})
    old = put_image(world.registry, UPSTREAM, "debian 12.1")
    world.build()
    put_image(world.registry, UPSTREAM, "debian 12.2")
    world.edit("base", "RUN echo own")
    assert world.build()["base"] is Outcome.BUILT
    said = stood_on(world)
    assert (said.base_name, said.base_digest) == (UPSTREAM, old)
    (pin,) = dict(world.builds[-2].request.pins).values()
    assert pin == f"{MIRROR}@{old}"


def test_what_was_rolled_back_is_tried_again_on_what_comes() -> None:
    """The parent that it takes is being built: that is another key."""
    world = behind("notify")
    world.edit("gunicorn", "RUN echo own")
    world.rollback(world.run(world.plan()).run.id)
    world.edit("python", "RUN echo still more")
    assert causes(world, "gunicorn")[-1] is Cause.PARENT_PENDING
    assert world.build()["gunicorn"] is Outcome.BUILT
    assert world.verdicts() == {}


def test_what_a_key_of_the_newest_led_to_may_be_spoilt() -> None:
    """Then it is built anew, like anything whose key leads to what is not ours."""
    world = behind("notify")
    world.git.current = Revision(commit="a" * 40, dirty=True, committed_at_s=1_600_000_000)
    world.edit("gunicorn", "RUN echo own")
    before = set(world.tags("gunicorn"))
    world.build()
    (key,) = (tag for tag in world.tags("gunicorn") if tag[:4] == "key-" and tag not in before)
    put_image(world.registry, f"{CHILD}:{key}", "somebody else's")
    assert world.decision("gunicorn").verdict is Verdict.BUILD


def test_a_policy_that_came_after_an_equal_result_is_kept() -> None:
    """A key with what current records is made once, without a build; then nothing is followed."""
    world = world_with(docs="{python: rebuild}")
    world.builder.steady.add("docs")
    world.build("docs")
    world.edit("docs", "# the same layers")
    world.edit("python", "RUN echo more")
    assert world.build()["docs"] is Outcome.UNCHANGED
    world.extra["docs"] = ", on_parent_change: {python: notify}"
    world.write()
    builds = len(world.builds)
    assert world.build() == {"docs": Outcome.CUT_OFF}
    assert len(world.builds) == builds
    world.edit("python", "RUN echo still more")
    assert "docs" not in world.build()
    assert world.verdicts() == {}
