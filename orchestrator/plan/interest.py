"""Selectors of subscriptions in, the images that a team wants to hear of out. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.decide.select import Index
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.selector import NoSelectorError, read_selector
from orchestrator.model.subscription import Subscription


def images_of(hierarchy: Hierarchy, selectors: Sequence[str]) -> frozenset[str]:
    """Return the ids of the images that selectors mean; one that means none counts for nothing.

    For many subscriptions of one hierarchy, ask one :class:`Interests`.
    """
    return Interests(hierarchy).of(selectors)


class Interests:
    """What selectors mean in one hierarchy, each of them found out once.

    A thousand subscriptions to ten thousand images often say the same things; what is said once
    costs one look at the images' names.
    """

    def __init__(self, hierarchy: Hierarchy) -> None:
        self._index = Index(hierarchy)
        self._meant: dict[str, frozenset[str]] = {}

    def of(self, selectors: Sequence[str]) -> frozenset[str]:
        """Return the ids of the images that selectors mean together; never raises."""
        # Not kept: a thousand teams may each have their own few thousand images.
        meant = [self._of_one(term) for term in selectors]
        return meant[0] if len(meant) == 1 else frozenset().union(*meant)

    def _of_one(self, term: str) -> frozenset[str]:
        if term not in self._meant:
            try:
                self._meant[term] = frozenset(self._index.meant(read_selector(term)))
            except NoSelectorError:
                self._meant[term] = frozenset()
        return self._meant[term]


def interested_of(hierarchy: Hierarchy) -> list[tuple[Subscription, tuple[str, ...]]]:
    """Return every subscription with the ids of the images it means, parents before children."""
    interests = Interests(hierarchy)
    rank = {image: place for place, image in enumerate(hierarchy.images)}
    return [
        (subscription, tuple(sorted(interests.of(subscription.images), key=rank.__getitem__)))
        for subscription in hierarchy.subscriptions
    ]
