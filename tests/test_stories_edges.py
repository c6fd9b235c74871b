"""Edges with a policy: whose change builds what, told one story at a time."""

from __future__ import annotations

import pytest

from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.model.names import Repository
from orchestrator.model.plan import Cause, Verdict
from orchestrator.model.run import Outcome
from tests.world import UPSTREAM, World, put_image

HOLD = '{hold: {until: 2099-12-31, because: "audit"}}'


def world_with(**policies: str) -> World:
    """Return a world that was built once, with `on_parent_change` of some images."""
    extra = {image: f", on_parent_change: {policy}" for image, policy in policies.items()}
    world = World(extra=extra)
    assert set(world.build().values()) == {Outcome.BUILT}
    return world


def causes(world: World, image: str) -> list[Cause]:
    """Return why something happens to an image, or does not."""
    return [reason.cause for reason in world.decision(image).reasons]


def built_on(world: World, image: str, parent: str = "python") -> str:
    """Return the digest of a parent that an image's last build was pinned to."""
    request = [build.request for build in world.builds if build.image == image][-1]
    return dict(request.pins)[parent].partition("@")[2]


@pytest.fixture
def notified() -> World:
    """A world in which gunicorn is only told of its parent."""
    return world_with(gunicorn="notify")


def test_told_and_not_built(notified: World) -> None:
    """`notify`: the parent is built, the child is not, and neither is what stands on it."""
    notified.edit("python", "RUN echo more")
    assert causes(notified, "gunicorn") == [Cause.TOLD_ONLY]
    assert set(notified.build()) == {"python", "docs"}
    decision = notified.decision("gunicorn")
    assert decision.verdict is Verdict.KEEP
    (reason,) = decision.reasons
    assert (reason.cause, reason.subject, reason.now) == (
        Cause.TOLD_ONLY,
        "python",
        notified.tag("python"),
    )
    assert notified.verdicts() == {}


def test_another_reason_takes_the_newest(notified: World) -> None:
    """What is built anyway stands on the newest parent, and then nothing is left to tell."""
    notified.edit("python", "RUN echo more")
    notified.build()
    notified.edit("gunicorn", "RUN echo own")
    assert causes(notified, "gunicorn") == [Cause.DOCKERFILE, Cause.PARENT_MOVED]
    assert notified.build() == {"gunicorn": Outcome.BUILT, "hello": Outcome.BUILT}
    assert built_on(notified, "gunicorn") == notified.tag("python")
    assert notified.verdicts() == {}
    assert causes(notified, "gunicorn") == []


def test_another_reason_waits_for_the_newest(notified: World) -> None:
    """Built in the same run as its parent, it is built after it and on it."""
    notified.edit("python", "RUN echo more")
    notified.edit("gunicorn", "RUN echo own")
    assert causes(notified, "gunicorn") == [Cause.DOCKERFILE, Cause.PARENT_PENDING]
    assert notified.build()["gunicorn"] is Outcome.BUILT
    assert built_on(notified, "gunicorn") == notified.tag("python")
    assert notified.verdicts() == {}


def test_equal_result_on_the_newest_ends_in_an_empty_plan() -> None:
    """Current records the old parent when the new build equals it: nothing is built again."""
    world = world_with(docs="{python: notify}")
    world.extra["python"] = ", labels: {team: other}"
    world.write()
    assert "docs" not in world.build()
    world.edit("docs", "# the same layers")
    assert world.build() == {"docs": Outcome.UNCHANGED}
    assert world.verdicts() == {}
    world.history = MemoryHistory()
    assert world.verdicts() == {}


def test_waiting_for_another_parent_that_stays_builds_nothing() -> None:
    """Of two parents one only tells: when the other comes out equal, there is no build."""
    world = world_with(docs="{nginx: rebuild, python: notify}")
    world.edit("python", "RUN echo more")
    world.build()
    world.edit("nginx", "# the same layers")
    done = world.build()
    assert done["nginx"] is Outcome.UNCHANGED
    assert done["docs"] is Outcome.CUT_OFF
    assert world.verdicts() == {}


def test_build_stage_does_not_cause_a_rebuild() -> None:
    """`final-only`: docs renders with python, and stands on nginx."""
    world = world_with(docs="final-only")
    world.edit("python", "RUN echo more")
    assert "docs" not in world.build()
    assert causes(world, "docs") == [Cause.NOT_FINAL]
    world.edit("nginx", "RUN echo more")
    assert world.build()["docs"] is Outcome.BUILT
    assert causes(world, "docs") == []


def test_held_image_stays_whatever_it_is_built_for() -> None:
    """`hold`: also a build for another reason is on the old parent, and every plan lists it."""
    world = world_with(gunicorn=HOLD)
    before = world.tag("python")
    assert causes(world, "gunicorn") == [Cause.HELD]
    world.edit("python", "RUN echo more")
    assert "gunicorn" not in world.build()
    world.edit("gunicorn", "RUN echo own")
    assert causes(world, "gunicorn") == [Cause.DOCKERFILE, Cause.HELD]
    assert world.build() == {"gunicorn": Outcome.BUILT, "hello": Outcome.BUILT}
    assert built_on(world, "gunicorn") == before
    (reason,) = world.decision("gunicorn").reasons
    assert (reason.was, reason.now, reason.until, reason.because) == (
        before,
        world.tag("python"),
        "2099-12-31",
        "audit",
    )
    assert world.verdicts() == {}


def test_held_upstream_is_not_followed() -> None:
    """A hold names an upstream like any other parent."""
    world = world_with(base=HOLD)
    put_image(world.registry, UPSTREAM, "debian 12.2")
    assert world.verdicts() == {}
    assert causes(world, "base") == [Cause.HELD]
    world.edit("base", "RUN echo own")
    assert world.build()["base"] is Outcome.BUILT
    assert world.verdicts() == {}


def test_hold_that_is_lifted_is_followed() -> None:
    """Without its policy the image is rebuilt on the newest."""
    world = world_with(gunicorn=HOLD)
    world.edit("python", "RUN echo more")
    world.build()
    world.extra = {}
    world.write()
    assert causes(world, "gunicorn") == [Cause.PARENT_MOVED]
    assert set(world.build()) == {"gunicorn", "hello"}


def test_held_parent_that_is_gone_fails_by_name() -> None:
    """What cannot be built on is not built on something else; what is published stays."""
    world = world_with(gunicorn=HOLD)
    before = world.tag("python") or ""
    world.edit("python", "RUN echo more")
    world.build()
    world.registry.delete_manifest(Repository("localhost:5000", "gold/python"), before)
    world.edit("gunicorn", "RUN echo own")
    decision = world.decision("gunicorn")
    assert (decision.verdict, decision.reasons[0].cause) == (Verdict.FAIL, Cause.PARENT_UNUSABLE)
    published = world.tag("gunicorn")
    assert world.build() == {"gunicorn": Outcome.FAILED}
    assert world.tag("gunicorn") == published


def test_policy_of_a_parent_counts_for_all_its_children() -> None:
    """`on_change` on the parent; a child's own word outweighs it."""
    world = World(
        extra={
            "python": ", on_change: notify",
            "docs": ", on_parent_change: {python: rebuild}",
        }
    )
    world.build()
    world.edit("python", "RUN echo more")
    assert set(world.build()) == {"python", "docs"}
    assert causes(world, "gunicorn") == [Cause.TOLD_ONLY]
