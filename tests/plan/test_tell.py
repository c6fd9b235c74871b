"""Who would hear of a plan: by images, events, tags, and whether they are muted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.model.announcement import EventType
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.plan import Told
from orchestrator.model.subscription import Minimum, Subscription
from orchestrator.model.target import AppriseTarget, SlackTarget, Target, WebhookTarget
from orchestrator.plan.tell import teams_told
from tests.plan.test_interest import GOLD
from tests.world import World

HOOK = WebhookTarget(url="https://ci.example/hook", secrets=("env:A",))
SLACK = SlackTarget(webhook="env:B")


def subscription(
    team: str,
    *images: str,
    events: tuple[EventType, ...] = (EventType.IMAGE_PUBLISHED,),
    targets: tuple[Target, ...] = (HOOK,),
    **more: object,
) -> Subscription:
    """Return a subscription to the publication of images, by a webhook."""
    made = Subscription(team=team, images=images, events=events, targets=targets)
    return replace(made, **more)  # type: ignore[arg-type]


def told(*subscriptions: Subscription, moved: str | None = None, today: str = "") -> dict[str, str]:
    """Return who would hear of what, if python, gunicorn and docs were published."""
    hierarchy = gold(*subscriptions)
    moving = None if moved is None else moved.split()
    found = teams_told(hierarchy, ["python", "gunicorn", "docs"], moving, today=today)
    return {each.team: " ".join(each.images) for each in found}


def gold(*subscriptions: Subscription) -> Hierarchy:
    """Return the sample with these; every image moves the tags `1` and `stable`."""
    images = {name: replace(image, floating=("1", "stable")) for name, image in GOLD.images.items()}
    return replace(GOLD, images=images, subscriptions=subscriptions)


def test_selectors_say_who_hears() -> None:
    """Globs, tiers, labels and ancestors, as in the file."""
    assert told(
        subscription("globs", "g*", "d*"),
        subscription("tiers", "tier:runtime"),
        subscription("labels", "label:team=docs"),
        subscription("ancestors", "+hello"),
        subscription("others", "nginx+0", "web"),
    ) == {
        "ancestors": "python gunicorn",
        "globs": "gunicorn docs",
        "labels": "docs",
        "tiers": "python",
    }


@pytest.mark.parametrize(
    ("event", "heard"),
    [
        (EventType.IMAGE_PUBLISHED, True),
        (EventType.ARTIFACT_PUBLISHED, True),
        (EventType.TAG_MOVED, True),
        (EventType.IMAGE_FAILED, False),
        (EventType.TAG_ROLLED_BACK, False),
        (EventType.RUN_FINISHED, False),
    ],
)
def test_who_hears_of_failures_alone_is_not_told(event: EventType, heard: bool) -> None:
    """The plan says who hears of it if all goes well."""
    assert bool(told(subscription("a", "python", events=(event,)))) is heard


def test_who_hears_of_tags_hears_of_those_that_move() -> None:
    """By the tags they named, and only where a tag moves at all."""
    moves = (EventType.TAG_MOVED,)
    teams = (
        subscription("all", "*", events=moves),
        subscription("stable", "*", events=moves, tags=("st*",)),
        subscription("edge", "*", events=moves, tags=("edge",)),
        subscription("both", "python", tags=("edge",)),
    )
    assert told(*teams, moved="docs nginx") == {
        "all": "nginx docs",
        "both": "python",
        "stable": "nginx docs",
    }


@pytest.mark.parametrize(
    ("today", "heard"), [("", True), ("2026-11-30", False), ("2026-12-01", True)]
)
def test_who_is_muted_hears_nothing_before_that_day(today: str, heard: bool) -> None:
    """`mute_until` is the first day on which the team hears again."""
    muted = subscription("a", "python", mute_until="2026-12-01")
    assert bool(told(muted, today=today)) is heard


def test_a_team_is_told_once_with_all_its_channels() -> None:
    """Channels of subscriptions that are about nothing here are not named; nor is any address."""
    hierarchy = gold(
        subscription("a", "docs", targets=(HOOK, SLACK)),
        subscription("a", "python", "docs", targets=(HOOK,), change=Minimum.SECURITY),
        subscription("a", "nginx", targets=(AppriseTarget(url="env:C"),)),
    )
    assert teams_told(hierarchy, ["python", "docs"]) == (
        Told(team="a", images=("python", "docs"), channels=("webhook", "slack")),
    )


SUBSCRIBED = """\
subscriptions:
  - {team: tags, images: [hello], events: [tag.moved], apprise: env:A}
  - {team: images, images: [hello], events: [image.published], slack: {webhook: env:B}}
  - {team: off, images: ["*"], events: [tag.moved], mute_until: 9999-01-01, apprise: env:A}
images:
"""


@pytest.mark.parametrize(("promote", "teams"), [("passed", "images tags"), ("manual", "images")])
def test_a_plan_that_moves_no_tags_tells_of_none(promote: str, teams: str) -> None:
    """With `promote: manual`, who waits for a tag hears when somebody promotes."""
    world = World()
    world.head = world.head.replace("images:\n", f"promote: {promote}\n{SUBSCRIBED}")
    world.write()
    assert " ".join(each.team for each in world.plan().told) == teams


def test_who_waits_for_a_publication_hears_nothing_of_tags_alone() -> None:
    """Where nothing is built, tags may move all the same."""
    world = World()
    world.head = world.head.replace("images:\n", SUBSCRIBED)
    world.write()
    world.build()
    world.head = world.head.replace('"stable"]', '"stable", "new"]')
    world.write()
    assert [each.team for each in world.plan().told] == ["tags"]
