"""Whatever the teams and the facts: everybody is told what they want, once, in order."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.decide.select import select
from orchestrator.model.announcement import Announcement, EventType
from orchestrator.model.subscription import Batch, Minimum, Subscription, receiver_of
from orchestrator.model.target import SlackTarget, WebhookTarget
from orchestrator.notify.match import deliveries_of, wanted
from tests.notify.teams import AT, DEBIAN, PARENTS, RUN, TODAY, fact, follows, hierarchy, hook

GOLD = hierarchy()
ON_DEBIAN = frozenset(PARENTS) - {"tool"}
SOME_TYPES = (
    EventType.IMAGE_PUBLISHED,
    EventType.IMAGE_FAILED,
    EventType.TAG_MOVED,
    EventType.UPSTREAM_MOVED,
    EventType.RUN_STARTED,
    EventType.RUN_FINISHED,
)


@st.composite
def facts(draw: st.DrawFn) -> list[Announcement]:
    """Return facts, each another one."""
    found = []
    for number in range(draw(st.integers(0, 8))):
        type_ = draw(st.sampled_from(SOME_TYPES))
        subject = RUN
        if type_.is_of_image:
            subject = draw(st.sampled_from(list(PARENTS)))
        elif type_ is EventType.UPSTREAM_MOVED:
            subject = DEBIAN
        security = draw(st.sampled_from([True, False, None]))
        tag = draw(st.sampled_from(["stable", "3.11"]))
        change = {"packages": True, "security": security}
        found.append(fact(type_, subject, number, change=change, tags={"moved": tag}))
    return found


TARGETS: tuple[WebhookTarget | SlackTarget, ...] = (
    hook("a"), hook("b"), SlackTarget(webhook="env:SLACK"),
)  # fmt: skip
SUBSCRIPTIONS = st.lists(
    st.builds(
        lambda team, images, **more: follows(*images, team=team, **more),
        team=st.sampled_from(["web", "pay"]),
        images=st.lists(st.sampled_from(["*", "base", "+hello", "python+", "tool"]), max_size=2),
        events=st.lists(st.sampled_from(SOME_TYPES), min_size=1, max_size=6).map(tuple),
        change=st.sampled_from(Minimum),
        tags=st.sampled_from([(), ("stable",)]),
        batch=st.sampled_from(Batch),
        mute_until=st.sampled_from(["", "2026-01-02"]),
        targets=st.lists(st.sampled_from(TARGETS), min_size=1, max_size=2).map(tuple),
    ),
    max_size=5,
)


def fits(subscription: Subscription, told: Announcement) -> bool:
    """Say by the rules, one by one, whether a team wants to hear of a fact."""
    if subscription.mute_until > TODAY or told.type not in subscription.events:
        return False
    chosen = select(GOLD, subscription.images) if subscription.images else frozenset()
    data = told.event["data"]
    assert isinstance(data, dict)
    if told.type.is_of_image and told.subject not in chosen:
        return False
    if told.type is EventType.UPSTREAM_MOVED and not chosen & ON_DEBIAN:
        return False
    if told.type in (EventType.IMAGE_PUBLISHED, EventType.TAG_MOVED) and (
        subscription.change is Minimum.SECURITY and data["change"]["security"] is False
    ):
        return False
    on_tag = told.type is EventType.TAG_MOVED and bool(subscription.tags)
    return not (on_tag and data["tags"]["moved"] not in subscription.tags)


@given(facts(), SUBSCRIPTIONS)
def test_everybody_is_told_what_they_want_once_and_in_order(
    happened: list[Announcement], subscriptions: list[Subscription]
) -> None:
    """Each receiver of a team gets exactly what one of its subscriptions fits; ids are unique."""
    gold = hierarchy(*subscriptions)
    letters = deliveries_of(happened, gold, run_id=RUN, at=AT, today=TODAY)
    expected = {
        (each.team, receiver_of(target), told.id)
        for each in subscriptions
        for target in each.targets
        for told in happened
        if fits(each, told)
    }
    got = Counter((each.team, each.receiver, id_) for each in letters for id_ in each.events)
    assert got == Counter(expected)
    assert len({each.id for each in letters}) == len(letters)
    order = {each.id: place for place, each in enumerate(happened)}
    for letter in letters:
        places = [order[id_] for id_ in letter.events]
        assert places == sorted(places)
    assert {id_ for each in letters for id_ in each.events} <= wanted(happened, gold, TODAY)
