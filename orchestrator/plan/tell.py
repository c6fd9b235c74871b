"""Images that may change in, the teams that would be told out. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from orchestrator.decide.verdicts import floating_tags
from orchestrator.model.announcement import EventType
from orchestrator.model.hierarchy import Hierarchy, Promote
from orchestrator.model.plan import Step, Told, Verdict
from orchestrator.model.selector import glob_test
from orchestrator.model.subscription import Subscription, channel_of
from orchestrator.plan.interest import Interests

#: What a run says of an image that went well.
_PUBLISHED = frozenset((EventType.IMAGE_PUBLISHED, EventType.ARTIFACT_PUBLISHED))


def teams_told(
    hierarchy: Hierarchy,
    published: Sequence[str],
    moved: Collection[str] | None = None,
    *,
    today: str = "",
) -> tuple[Told, ...]:
    """Return the teams that would hear of images if all goes well, by name.

    How much changes in an image nobody knows before it is built: a team that asks for a least
    change is among them. Teams that are muted are not.

    Args:
        hierarchy: knows the subscriptions.
        published: ids of the images that may be published.
        moved: ids of those whose floating tags may move; None: of all that are published.
        today: ``YYYY-MM-DD``; empty: nobody is muted.
    """
    moved = frozenset(published if moved is None else moved)
    concerned = {EventType.TAG_MOVED: moved, **dict.fromkeys(_PUBLISHED, frozenset(published))}
    interests = Interests(hierarchy)
    images: dict[str, set[str]] = {}
    channels: dict[str, dict[str, None]] = {}
    for subscription in hierarchy.subscriptions:
        if today and subscription.mute_until > today:
            continue
        wanted = interests.of(subscription.images)
        heard = {
            image
            for event in subscription.events
            for image in wanted & concerned.get(event, frozenset())
            if event is not EventType.TAG_MOVED or _has_tag(subscription, image, hierarchy)
        }
        if heard:
            images.setdefault(subscription.team, set()).update(heard)
            kinds = dict.fromkeys(map(channel_of, subscription.targets))
            channels.setdefault(subscription.team, {}).update(kinds)
    rank = {image: place for place, image in enumerate(hierarchy.images)} if images else {}
    return tuple(
        Told(
            team=team,
            images=tuple(sorted(images[team], key=rank.__getitem__)),
            channels=tuple(channels[team]),
        )
        for team in sorted(images)
    )


def told_by(
    hierarchy: Hierarchy, steps: Iterable[Step], promote: Promote, date: str
) -> tuple[Told, ...]:
    """Return the teams that would hear of a plan's steps.

    Args:
        hierarchy: knows the subscriptions.
        steps: of images of the hierarchy; others are left out.
        promote: which floating tags move at the end.
        date: ``YYYYMMDD`` of the plan, which says who is muted.
    """
    known = [step for step in steps if step.image in hierarchy.images]
    return teams_told(
        hierarchy,
        [step.image for step in known if step.verdict is not Verdict.RETAG],
        [step.image for step in known if step.floating and promote is not Promote.MANUAL],
        today=f"{date[:4]}-{date[4:6]}-{date[6:]}",
    )


def _has_tag(subscription: Subscription, image: str, hierarchy: Hierarchy) -> bool:
    """Say whether an image has a floating tag of which a team wants to hear."""
    tags = floating_tags(hierarchy.images[image])
    tests = [glob_test(pattern) for pattern in subscription.tags]
    return not tests or any(test(tag) for tag in tags for test in tests)
