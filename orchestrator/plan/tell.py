"""Images that may change in, the teams that would be told out. Pure."""

from __future__ import annotations

from fnmatch import fnmatchcase

from orchestrator.model.announcement import EventType
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.plan import Told


def teams_told(hierarchy: Hierarchy, images: tuple[str, ...]) -> tuple[Told, ...]:
    """Return the teams that subscribe to the publication of images, by name.

    Args:
        hierarchy: knows the subscriptions.
        images: ids of the images that may be published, in the order they are told.
    """
    wanted: dict[str, set[str]] = {}
    for subscription in hierarchy.subscriptions:
        if EventType.IMAGE_PUBLISHED in subscription.events:
            wanted.setdefault(subscription.team, set()).update(subscription.images)
    told = [
        Told(
            team=team,
            images=tuple(i for i in images if any(fnmatchcase(i, pattern) for pattern in patterns)),
        )
        for team, patterns in wanted.items()
    ]
    return tuple(sorted((team for team in told if team.images), key=lambda team: team.team))
