"""What subscriptions are about: the images that their selectors mean."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.decide.select import select
from orchestrator.model.subscription import Subscription
from orchestrator.plan.interest import Interests, images_of, interested_of
from tests.decide.test_select import IMAGES, hierarchy_of, image

GOLD = hierarchy_of(
    [
        replace(image(name, parents), tier=tier, labels=tuple(sorted(labels.items())))
        for name, (parents, tier, labels) in IMAGES.items()
    ]
)


@pytest.mark.parametrize(
    "terms",
    [
        "python",
        "+docs",
        "base+1",
        "*n*",
        "p*",
        "tier:app*",
        "label:team=web",
        "label:*i*=*",
        "d* h*",
    ],
)
def test_selectors_mean_what_they_mean_on_the_command_line(terms: str) -> None:
    """Nobody learns two grammars."""
    assert images_of(GOLD, terms.split()) == select(GOLD, terms.split())


@pytest.mark.parametrize("term", ["", "nothing", "no*", "tier:x", "label:x=y", "teir:x", "state:x"])
def test_what_means_nothing_is_nothing(term: str) -> None:
    """A subscription that names what is gone stops nobody else's notices."""
    assert images_of(GOLD, [term, "web"]) == {"web"}


def test_what_failed_is_nobodys_interest() -> None:
    """It depends on when one asks."""
    assert images_of(GOLD, ["state:failed"]) == frozenset()


def test_many_subscriptions_are_asked_of_one_index() -> None:
    """What a selector means is found out once; what several mean together is not kept."""
    interests = Interests(GOLD)
    assert interests.of(("tier:runtime",)) is interests.of(("tier:runtime",))
    assert interests.of(("tier:runtime", "base")) == interests.of(("base", "tier:runtime"))


def test_everybodys_images_stand_in_the_order_of_the_hierarchy() -> None:
    """Parents before children, as everywhere."""
    subscription = Subscription(team="a", images=("docs", "base", "g*"), events=())
    assert interested_of(replace(GOLD, subscriptions=(subscription,))) == [
        (subscription, ("base", "gunicorn", "docs"))
    ]
