"""How long every image has lacked what came from outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from orchestrator.decide.verdicts import decide
from orchestrator.explain.behind import behind
from orchestrator.model.behind import Behind
from orchestrator.model.hierarchy import Policy
from orchestrator.model.observation import Sighting
from orchestrator.model.plan import Cause, Decision, Reason, Verdict
from orchestrator.model.time import rfc3339
from tests.explain.test_absorbed import content
from tests.render.sample import DEBIAN, NOW_S, SAMPLE, World, digest_of

DAY_S = 86_400.0
FIRST = content("first", NOW_S - 30 * DAY_S, "2026-10-24T00:00:00Z")
SECOND = content("second", NOW_S - 3 * DAY_S)
THIRD = content("third", NOW_S - 2 * DAY_S)
ALL = frozenset(SAMPLE)


def lacks(
    world: World,
    *ledger: Sighting,
    decisions: tuple[Decision, ...] | None = None,
    now_s: float = NOW_S,
) -> Mapping[str, tuple[Behind, ...]]:
    """Return what a world's images lack."""
    seen = world.observations()
    decided = decide(world.hierarchy, seen) if decisions is None else decisions
    return behind(world.hierarchy, seen, decided, ledger, now_s)


def days(found: Mapping[str, tuple[Behind, ...]]) -> dict[str, list[tuple[str, float | None]]]:
    """Return image → (upstream, days), for a short look."""
    return {
        image: [(lack.upstream, lack.for_s / DAY_S if lack.for_s else None) for lack in each]
        for image, each in found.items()
    }


def moved(to: str) -> World:
    """Return a world that was published on the first content, and whose upstream moved."""
    return replace(World().publish(), debian=to)


def test_an_image_is_behind_since_what_it_stands_on_was_followed() -> None:
    """Since the first content it lacks, not since the newest; and so is all that stands on it."""
    found = lacks(moved("third"), FIRST, SECOND, THIRD)
    since = rfc3339(SECOND.first_seen_s)
    lack = Behind(upstream=DEBIAN, digest=digest_of("debian third"), since=since, for_s=3 * DAY_S)
    assert found == dict.fromkeys(SAMPLE, (lack,))


def test_nothing_is_behind_that_is_up_to_date() -> None:
    """Whatever the ledger has."""
    assert lacks(World().publish(), FIRST, SECOND) == {}


def test_what_an_image_stands_on_may_be_missing_in_the_ledger() -> None:
    """Then the newest content's own time counts: more is not known."""
    assert days(lacks(moved("third"), SECOND, THIRD))["hello"] == [(DEBIAN, 2.0)]


def test_without_a_ledger_it_is_behind_for_nobody_knows_how_long() -> None:
    """It is told, without a time."""
    lack = Behind(upstream=DEBIAN, digest=digest_of("debian third"), since="", for_s=None)
    assert lacks(moved("third"))["base"] == (lack,)


def test_what_was_seen_in_this_look_is_known() -> None:
    """`plan` does not write the ledger, and knows all the same what it has just seen."""
    world = moved("second")
    seen = replace(world.observations(), sightings=(replace(SECOND, first_seen_s=NOW_S),))
    found = behind(world.hierarchy, seen, decide(world.hierarchy, seen), (FIRST,), NOW_S)
    assert [lack.for_s for lack in found["base"]] == [0.0]


def test_an_upstream_that_went_back_did_so_nobody_knows_when() -> None:
    """The older content was seen long ago, which says nothing of now."""
    world = replace(World(), debian="second").publish()
    assert days(lacks(replace(world, debian="first"), FIRST, SECOND))["base"] == [(DEBIAN, None)]


def test_a_content_that_came_out_equal_is_not_lacked() -> None:
    """The record is of the content before it; that the ledger has it as absorbed tells."""
    done = replace(SECOND, absorbed_at="2026-11-20T00:00:00Z")
    assert days(lacks(moved("third"), FIRST, done, THIRD))["base"] == [(DEBIAN, 2.0)]


def test_an_image_that_went_back_lacks_what_it_had() -> None:
    """A rollback after a content had arrived everywhere: since then counts as since ever."""
    done = replace(SECOND, absorbed_at="2026-11-20T00:00:00Z")
    assert days(lacks(moved("second"), FIRST, done))["base"] == [(DEBIAN, 3.0)]


def test_an_index_that_was_written_anew_is_the_content_it_was() -> None:
    """The record's effective digest finds the row that another index of the same content had."""
    other = replace(FIRST, digest=digest_of("another index"))
    assert days(lacks(moved("third"), other, SECOND, THIRD))["base"] == [(DEBIAN, 3.0)]


def test_a_time_in_the_future_is_now() -> None:
    """Written while a clock was wrong; no negative time, and no date that is to come."""
    (lack,) = lacks(moved("second"), FIRST, SECOND, now_s=SECOND.first_seen_s - 5)["base"]
    assert (lack.since, lack.for_s) == (rfc3339(SECOND.first_seen_s - 5), 0.0)


@pytest.mark.parametrize("cause", [Cause.SOAKING, Cause.HELD, Cause.TOLD_ONLY])
def test_an_image_that_waits_is_behind(cause: Cause) -> None:
    """What soaks or is held is lacked, also by the images above that are as they should be."""
    reason = Reason(
        cause=cause,
        subject=DEBIAN,
        was=digest_of("debian first"),
        now=digest_of("debian second"),
    )
    assert set(lacks(moved("second"), FIRST, SECOND, decisions=kept(base=reason))) == ALL
    calm = kept(base=replace(reason, now=reason.was))
    assert lacks(moved("second"), FIRST, SECOND, decisions=calm) == {}


def kept(**reasons: Reason) -> tuple[Decision, ...]:
    """Return decisions that keep every image, some for a reason."""
    return tuple(
        Decision(
            image=image,
            verdict=Verdict.KEEP,
            reasons=(reasons[image],) if image in reasons else (),
            current=digest_of(f"now {image}"),
        )
        for image in SAMPLE
    )


def left_behind(built_s: float) -> World:
    """Return a world in which base has the second content, and the rest was built before that."""
    world = moved("second").publish("base")
    for image, publication in world.published.items():
        if image != "base":
            world.published[image] = replace(publication, created=rfc3339(built_s))
    return world


def test_an_image_that_a_run_left_behind_is_behind_what_its_parent_has() -> None:
    """Its parent was built on the fix; it failed, or was blocked, and was built before that."""
    world = left_behind(SECOND.first_seen_s - DAY_S)
    found = days(lacks(world, FIRST, SECOND))
    assert found == {image: [(DEBIAN, 3.0)] for image in SAMPLE if image != "base"}


def test_an_image_that_was_built_on_it_is_behind_for_another_reason() -> None:
    """It was built after the content was seen: what it lacks of its parent is something else."""
    world = left_behind(SECOND.first_seen_s + DAY_S)
    assert lacks(world, FIRST, SECOND) == {}


def test_what_soaked_when_an_image_was_built_is_not_in_it() -> None:
    """Built after the content was seen, and before it was used."""
    world = left_behind(SECOND.first_seen_s + DAY_S / 2)
    upstream = replace(world.hierarchy.upstreams[DEBIAN], soak_s=int(DAY_S))
    world.hierarchy = replace(world.hierarchy, upstreams={DEBIAN: upstream})
    assert days(lacks(world, FIRST, SECOND))["python"] == [(DEBIAN, 3.0)]


def test_what_was_there_when_the_ledger_began_is_lacked_by_nobody() -> None:
    """A ledger that begins anew with what is there already knows of no fix."""
    assert lacks(left_behind(SECOND.first_seen_s - DAY_S), SECOND) == {}


def test_nothing_published_is_behind_nothing() -> None:
    """There is no image that could lack it."""
    assert lacks(replace(World(), debian="second"), FIRST, SECOND) == {}


def test_a_build_stage_that_is_declared_so_is_not_behind() -> None:
    """`final-only`: what is new there does not have to arrive."""
    world = moved("second")
    images = dict(world.hierarchy.images)
    parents = tuple(replace(p, policy=Policy.FINAL_ONLY) for p in images["docs-site"].parents)
    images["docs-site"] = replace(images["docs-site"], parents=parents)
    world.hierarchy = replace(world.hierarchy, images=images)
    assert set(lacks(world, FIRST, SECOND)) == ALL - {"docs-site"}


def test_retired_images_are_behind_nothing() -> None:
    """Nobody will build them again."""
    world = moved("second")
    hello = replace(world.hierarchy.images["hello"], retired=True)
    images = {**world.hierarchy.images, "hello": hello}
    world.hierarchy = replace(world.hierarchy, images=images)
    assert set(lacks(world, FIRST, SECOND)) == ALL - {"hello"}
