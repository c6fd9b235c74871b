"""Who is told what, and what comes together in one message."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.model.announcement import Announcement, EventType
from orchestrator.model.delivery import Delivery
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.subscription import Batch, Minimum, Subscription
from orchestrator.model.target import SlackTarget
from orchestrator.notify.cdevents import artifact_published
from orchestrator.notify.match import MOST_EVENTS, MOST_WEBHOOK_BYTES, deliveries_of, wanted
from tests.notify.teams import AT, DEBIAN, RUN, TODAY, fact, follows, hierarchy, hook, published

SLACK = SlackTarget(webhook="env:SLACK")
EVERYTHING = tuple(EventType)


def told(gold: Hierarchy, *facts: Announcement) -> tuple[Delivery, ...]:
    return deliveries_of(facts, gold, run_id=RUN, at=AT, today=TODAY)


def gets(subscription: Subscription, *facts: Announcement) -> list[str]:
    """Return the subjects of what one team is told, in order."""
    names = {each.id: each.subject for each in facts}
    return [
        names[each] for letter in told(hierarchy(subscription), *facts) for each in letter.events
    ]


@pytest.mark.parametrize(
    ("selector", "subjects"),
    [
        ("python", ["python"]),
        ("py*", ["python"]),
        ("+python", ["base", "python"]),
        ("python+", ["python", "gunicorn"]),
        ("tier:runtime", ["python"]),
        ("label:team=web", ["gunicorn"]),
        ("nobody", []),
        ("former", ["java"]),
    ],
)
def test_images_are_chosen_as_on_the_command_line(selector: str, subjects: list[str]) -> None:
    """Ids, globs, tiers, labels and former ids, with what stands below or above."""
    more: dict[str, Any] = {
        "python": {"tier": "runtime"},
        "gunicorn": {"labels": (("team", "web"),)},
        "java": {"formerly": ("former",)},
    }
    gold = hierarchy(follows(selector), **more)
    facts = [published(each) for each in ("base", "python", "gunicorn", "java")]
    names = {each.id: each.subject for each in facts}
    assert [names[i] for letter in told(gold, *facts) for i in letter.events] == subjects
    assert {names[i] for i in wanted(facts, gold, TODAY)} == set(subjects)


def test_a_fact_under_a_former_id_is_the_image_s() -> None:
    """A run that was killed before an image was renamed is told to who follows the new name."""
    gold = hierarchy(follows("java"), java={"formerly": ("jre",)})
    (letter,) = told(gold, published("jre"))
    assert letter.images == ("java",)


def test_nobody_hears_of_an_image_that_is_not_there_any_more() -> None:
    """Between a run and what is told of it, an image may leave the file."""
    gone = published("gone")
    assert told(hierarchy(follows("*")), gone) == ()
    assert wanted([gone], hierarchy(follows("*")), TODAY) == frozenset()


def test_only_what_a_team_asks_for() -> None:
    """An event that is not listed is not told."""
    both = published("base"), fact(EventType.IMAGE_FAILED, "base")
    (letter,) = told(hierarchy(follows("base", events=(EventType.IMAGE_FAILED,))), *both)
    assert letter.events == (both[1].id,)


@pytest.mark.parametrize(
    ("selector", "hears"), [("base", True), ("hello", True), ("tool", False), ("*", True)]
)
def test_an_upstream_concerns_whoever_follows_what_stands_on_it(selector: str, hears: bool) -> None:
    """Directly or not; an image on nothing has no upstream."""
    moved = fact(EventType.UPSTREAM_MOVED, DEBIAN)
    subscription = follows(selector, events=(EventType.UPSTREAM_MOVED,))
    assert bool(gets(subscription, moved)) is hears
    assert bool(wanted([moved], hierarchy(subscription), TODAY)) is hears


def test_runs_concern_everybody_who_asks_for_them() -> None:
    """Also a team whose selectors mean no image now."""
    type_ = EventType.RUN_FINISHED
    assert gets(follows("nobody", events=(type_,)), fact(type_, RUN)) == [RUN]


@pytest.mark.parametrize(
    "type_", [EventType.IMAGE_PUBLISHED, EventType.TAG_MOVED, EventType.ARTIFACT_PUBLISHED]
)
@pytest.mark.parametrize(
    ("minimum", "change", "hears"),
    [
        (Minimum.ANY, {"packages": False, "security": False}, True),
        (Minimum.PACKAGES, {"packages": False, "security": False}, False),
        (Minimum.PACKAGES, {"packages": True, "security": False}, True),
        (Minimum.PACKAGES, {"packages": None, "security": None}, True),
        (Minimum.PACKAGES, None, True),
        (Minimum.SECURITY, {"packages": True, "security": False}, False),
        (Minimum.SECURITY, {"packages": True, "security": True}, True),
        (Minimum.SECURITY, {"packages": True, "security": None}, True),
        (Minimum.SECURITY, None, True),
    ],
)
def test_what_changed_too_little_is_not_told(
    type_: EventType, minimum: Minimum, change: dict[str, object] | None, hears: bool
) -> None:
    """What nobody can tell counts as changed: nobody misses a fix because an SBOM is missing."""
    data: dict[str, Any] = {} if change is None else {"change": change}
    subscription = follows("base", events=(type_,), change=minimum)
    told_of = fact(type_, "base", **data)
    if type_ is EventType.ARTIFACT_PUBLISHED:
        told_of = replace(told_of, event=artifact_published(told_of, "urn:gold", data))
    assert bool(gets(subscription, told_of)) is hears


def test_a_failure_is_told_however_little_changed() -> None:
    """The least change is about what was published."""
    failed = fact(EventType.IMAGE_FAILED, "base", change={"packages": False, "security": False})
    subscription = follows("base", events=(EventType.IMAGE_FAILED,), change=Minimum.SECURITY)
    assert gets(subscription, failed) == ["base"]


@pytest.mark.parametrize(
    ("tags", "hears"),
    [((), True), (("stable",), True), (("st*",), True), (("3.*",), False), (("3.*", "*"), True)],
)
@pytest.mark.parametrize("type_", [EventType.TAG_MOVED, EventType.TAG_ROLLED_BACK])
def test_tags_are_chosen_by_globs(type_: EventType, tags: tuple[str, ...], hears: bool) -> None:
    """A team that stands on `stable` does not hear of the others."""
    moved = fact(type_, "base", tags={"moved": "stable"})
    assert bool(gets(follows("base", events=(type_,), tags=tags), moved)) is hears


def test_a_move_of_which_nobody_knows_the_tag_is_told() -> None:
    """Nobody misses it because an event was written by another version."""
    moved = fact(EventType.TAG_MOVED, "base")
    assert gets(follows("base", events=(EventType.TAG_MOVED,), tags=("st*",)), moved) == ["base"]


def test_tags_say_nothing_of_other_events() -> None:
    """A publication is told whatever its tags."""
    assert gets(follows("base", tags=("never",)), published("base")) == ["base"]


@pytest.mark.parametrize(
    ("until", "hears"), [("", True), ("2025-12-31", True), (TODAY, True), ("2026-01-02", False)]
)
def test_a_muted_team_hears_nothing(until: str, hears: bool) -> None:
    """Up to the day before the one that is named; nothing is kept for it either."""
    subscription = follows("base", mute_until=until)
    assert bool(gets(subscription, published("base"))) is hears
    assert bool(wanted([published("base")], hierarchy(subscription), TODAY)) is hears


def test_what_has_no_event_is_told_to_nobody() -> None:
    """Nobody wanted it when it was composed."""
    assert told(hierarchy(follows("base")), replace(published("base"), event={})) == ()


def test_a_run_is_one_message_in_order() -> None:
    """Of everything that a team wants, in the order of the facts; the images sorted."""
    facts = [published("python"), fact(EventType.UPSTREAM_MOVED, DEBIAN), published("base")]
    (letter,) = told(hierarchy(follows("*", events=EVERYTHING)), *facts)
    assert letter.events == tuple(each.id for each in facts)
    assert (letter.images, letter.thread, letter.run) == (("base", "python"), RUN, RUN)
    assert (letter.team, letter.at, letter.subject != "") == ("web", AT, True)


def test_an_image_is_one_message_and_the_rest_another() -> None:
    """With `batch: image` each image is a thread of its own, and what is of none is the run's."""
    facts = [
        published("python"),
        fact(EventType.RUN_FINISHED, RUN),
        published("base"),
        fact(EventType.TAG_MOVED, "python"),
        fact(EventType.UPSTREAM_MOVED, DEBIAN),
    ]
    letters = told(hierarchy(follows("*", events=EVERYTHING, batch=Batch.IMAGE)), *facts)
    assert {each.thread: each.events for each in letters} == {
        "python": (facts[0].id, facts[3].id),
        "base": (facts[2].id,),
        RUN: (facts[1].id, facts[4].id),
    }
    assert [each.images for each in letters] == [("python",), (), ("base",)]


@pytest.mark.parametrize("batch", Batch)
def test_a_run_that_starts_is_told_by_itself(batch: Batch) -> None:
    """Its message is made at the start, and must not be taken for that of the end."""
    started, ended = fact(EventType.RUN_STARTED, RUN), fact(EventType.RUN_FINISHED, RUN)
    gold = hierarchy(follows("*", events=EVERYTHING, batch=batch))
    first, last = told(gold, started, ended)
    assert (first.events, last.events) == ((started.id,), (ended.id,))
    assert told(gold, started) == (first,)
    assert first.id != last.id


def test_one_receiver_of_a_team_hears_of_a_fact_once() -> None:
    """Two subscriptions that both fit, with the same target: one message, the first one's way."""
    twice = (
        follows("base", batch=Batch.IMAGE),
        follows("*", batch=Batch.RUN),
        follows("base", team="other"),
    )
    letters = told(hierarchy(*twice), published("base"), published("python"))
    assert [(each.team, each.thread, each.images) for each in letters] == [
        ("web", "base", ("base",)),
        ("web", RUN, ("python",)),
        ("other", RUN, ("base",)),
    ]


def test_every_target_is_told() -> None:
    """A subscription with two places makes two messages with ids of their own."""
    letters = told(hierarchy(follows("base", targets=(hook(), SLACK))), published("base"))
    assert [each.receiver.partition("-")[0] for each in letters] == ["webhook", "slack"]
    assert len({each.id for each in letters}) == 2


def test_the_same_again_has_the_same_ids_and_more_has_others() -> None:
    """What was missing the first time is never taken for what was told."""
    gold = hierarchy(follows("*"))
    one, two = published("base"), published("python")
    assert told(gold, one, two) == told(gold, one, two)
    assert told(gold, one)[0].id not in {each.id for each in told(gold, one, two)}


def test_many_events_are_several_messages() -> None:
    """None has more than 500; all of them together have each once, in order."""
    facts = [published("base", number) for number in range(2 * MOST_EVENTS + 1)]
    letters = told(hierarchy(follows("*", targets=(SLACK,))), *facts)
    assert [len(each.events) for each in letters] == [MOST_EVENTS, MOST_EVENTS, 1]
    assert [i for each in letters for i in each.events] == [each.id for each in facts]
    assert len({each.id for each in letters}) == 3
    assert letters == told(hierarchy(follows("*", targets=(SLACK,))), *facts)


def test_a_webhook_gets_no_body_that_servers_refuse() -> None:
    """Up to a MiB of events in one message; one that is larger by itself goes alone."""
    text = "ä" * (MOST_WEBHOOK_BYTES // 8)
    facts = [published("base", number, text=text) for number in range(8)]
    facts.insert(1, published("base", 99, text=text * 5))
    letters = told(hierarchy(follows("*", targets=(hook(), SLACK))), *facts)
    sizes = {each.id: len(json.dumps(each.event, ensure_ascii=False).encode()) for each in facts}
    hooked = [each for each in letters if each.receiver.startswith("webhook")]
    assert [len(each.events) for each in hooked] == [1, 1, 3, 3, 1]
    assert all(
        len(each.events) == 1 or sum(map(sizes.__getitem__, each.events)) <= MOST_WEBHOOK_BYTES
        for each in hooked
    )
    assert [len(each.events) for each in letters if each not in hooked] == [9]
