"""Facts and subscriptions in, messages out: who is told what, at once with what else. Pure.

Source: docs/adr/0027-delivery.md
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.explain.notice import headline
from orchestrator.model.announcement import Announcement, EventType
from orchestrator.model.delivery import Delivery
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.selector import glob_test
from orchestrator.model.subscription import Batch, Minimum, Subscription, receiver_of
from orchestrator.model.target import WebhookTarget
from orchestrator.plan.interest import Interests

#: Events in one message, at most.
MOST_EVENTS = 500
#: Bytes of the events in one message to a webhook, at most, unless one event alone has more: many
#: servers take no larger body, and say so in a way that is no use to try again.
MOST_WEBHOOK_BYTES = 1 << 20

_RUNS = (EventType.RUN_STARTED, EventType.RUN_FINISHED)
_WITH_CHANGES = (EventType.IMAGE_PUBLISHED, EventType.TAG_MOVED, EventType.ARTIFACT_PUBLISHED)
_OF_TAGS = (EventType.TAG_MOVED, EventType.TAG_ROLLED_BACK)


def wanted(
    announcements: Sequence[Announcement], hierarchy: Hierarchy, today: str
) -> frozenset[str]:
    """Return the ids of the facts that somebody may want to hear of, before anything is composed.

    What is not among them is in no message of :func:`deliveries_of`, whatever its event says.

    Args:
        announcements: their events may be empty.
        hierarchy: knows the subscriptions.
        today: ``YYYY-MM-DD``.
    """
    facts, interests = _facts(announcements, hierarchy), Interests(hierarchy)
    return frozenset(
        fact.announcement.id
        for subscription in _awake(hierarchy, today)
        for fact in _concerning(subscription, facts, interests)
    )


def deliveries_of(
    announcements: Sequence[Announcement],
    hierarchy: Hierarchy,
    *,
    run_id: str,
    at: str,
    today: str,
) -> tuple[Delivery, ...]:
    """Return the messages that tell everybody what they want to hear of.

    Equal targets of one team are one receiver, which hears of each fact once, with the batch of
    the first subscription that wants it. A run that starts is told by itself, whatever the batch:
    it is told before there is anything else. The same facts and subscriptions give the same
    messages with the same ids; other facts of the same run give messages with other ids, so none
    is taken for one that was made before.

    Args:
        announcements: in the order they are told; those without an event are told to nobody.
        hierarchy: knows the subscriptions.
        run_id: the run that they are about.
        at: when the messages are made, RFC 3339 UTC.
        today: ``YYYY-MM-DD``.

    Returns:
        Messages of one receiver stand in the order in which they are to be sent.
    """
    with_events = [each for each in announcements if each.event]
    facts, interests = _facts(with_events, hierarchy), Interests(hierarchy)
    # Receiver → fact → batch; a fact that one subscription has brought is there already.
    told: dict[tuple[str, str, int], dict[_Fact, Batch]] = {}
    for subscription in _awake(hierarchy, today):
        fits = _filter_of(subscription)
        found = [fact for fact in _concerning(subscription, facts, interests) if fits(fact)]
        for target in subscription.targets if found else ():
            most_bytes = MOST_WEBHOOK_BYTES if isinstance(target, WebhookTarget) else 0
            mine = told.setdefault((subscription.team, receiver_of(target), most_bytes), {})
            for fact in found:
                mine.setdefault(fact, subscription.batch)
    letters = _Letters()
    return tuple(
        Delivery(
            id=_message_id(
                hierarchy.name, team, receiver, run_id, thread.name, thread.word, *letter.events
            ),
            hierarchy=hierarchy.name,
            team=team,
            receiver=receiver,
            run=run_id,
            thread=thread.name,
            subject=letter.subject,
            at=at,
            images=letter.images,
            events=letter.events,
        )
        for (team, receiver, most_bytes), batches in told.items()
        for thread, together in _threads(batches, run_id).items()
        for letter in letters.of(tuple(together), most_bytes)
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Fact:
    """An announcement, and whom it concerns.

    Attributes:
        place: among all of them.
        image: the id that its image has now; empty: it is of none.
        concerns: the images whose followers hear of it; None: nobody asks for which.
    """

    place: int
    announcement: Announcement
    image: str
    concerns: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class _Thread:
    """What belongs together for a receiver: the name it goes by, and a word for why."""

    word: str
    name: str


@dataclass(frozen=True, slots=True)
class _Letter:
    """What is in one message, whoever gets it."""

    events: tuple[str, ...]
    images: tuple[str, ...]
    subject: str


def _facts(
    announcements: Iterable[Announcement], hierarchy: Hierarchy
) -> dict[EventType, list[_Fact]]:
    ids = {name: image.id for image in hierarchy.images.values() for name in image.names}
    above = _Above(hierarchy)
    found: dict[EventType, list[_Fact]] = {}
    for place, each in enumerate(announcements):
        image = ids.get(each.subject, "") if each.type.is_of_image else ""
        concerns: frozenset[str] | None = None
        if each.type.is_of_image:
            concerns = frozenset({image} if image else ())
        elif each.type not in _RUNS:
            concerns = above.upstream(each.subject)
        found.setdefault(each.type, []).append(_Fact(place, each, image, concerns))
    return found


class _Above:
    """Which images stand on an upstream, directly or not."""

    def __init__(self, hierarchy: Hierarchy) -> None:
        self._hierarchy = hierarchy
        self._known: dict[str, frozenset[str]] = {}

    def upstream(self, name: str) -> frozenset[str]:
        """Return the images that stand on an upstream."""
        if name not in self._known:
            found: set[str] = set()
            # Parents stand before their children.
            for image in self._hierarchy.images.values():
                if name in image.upstream_parents() or not found.isdisjoint(image.image_parents()):
                    found.add(image.id)
            self._known[name] = frozenset(found)
        return self._known[name]


def _awake(hierarchy: Hierarchy, today: str) -> Iterator[Subscription]:
    return (each for each in hierarchy.subscriptions if not each.mute_until > today)


def _concerning(
    subscription: Subscription, facts: Mapping[EventType, Sequence[_Fact]], interests: Interests
) -> Iterator[_Fact]:
    """Yield the facts that a team subscribes to by their kind and image, kind by kind."""
    images = interests.of(subscription.images)
    for type_ in dict.fromkeys(subscription.events):
        for fact in facts.get(type_, ()):
            if fact.concerns is None or not images.isdisjoint(fact.concerns):
                yield fact


def _filter_of(subscription: Subscription) -> Callable[[_Fact], bool]:
    """Return what says whether a fact is more than the least that a team wants to hear of."""
    if subscription.change is Minimum.ANY and not subscription.tags:
        return lambda _: True
    # What nobody can tell counts as changed, and there is nothing that is called "any".
    tests = [glob_test(pattern) for pattern in subscription.tags]

    def fits(fact: _Fact) -> bool:
        type_ = fact.announcement.type
        data = _inside(fact.announcement.event, "data")
        # CDEvents has a place of its own for what is ours.
        data = _inside(data, "customData") or data
        if type_ in _WITH_CHANGES and _inside(data, "change").get(subscription.change) is False:
            return False
        if type_ in _OF_TAGS and tests:
            tag = _inside(data, "tags").get("moved")
            return not isinstance(tag, str) or any(test(tag) for test in tests)
        return True

    return fits


def _inside(content: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = content.get(name)
    return found if isinstance(found, Mapping) else {}


def _threads(batches: Mapping[_Fact, Batch], run_id: str) -> dict[_Thread, list[_Fact]]:
    """Return what is told together, in the order of what each thread begins with."""
    found: dict[_Thread, list[_Fact]] = {}
    for fact in sorted(batches, key=lambda fact: fact.place):
        if fact.announcement.type is EventType.RUN_STARTED:
            thread = _Thread("started", run_id)
        elif batches[fact] is Batch.IMAGE and fact.image:
            thread = _Thread("image", fact.image)
        else:
            thread = _Thread(batches[fact].value, run_id)
        found.setdefault(thread, []).append(fact)
    return found


class _Letters:
    """What messages say; most of them say what another one says too, to somebody else."""

    def __init__(self) -> None:
        self._written: dict[tuple[tuple[_Fact, ...], int], tuple[_Letter, ...]] = {}
        self._sizes: dict[_Fact, int] = {}

    def of(self, facts: tuple[_Fact, ...], most_bytes: int) -> tuple[_Letter, ...]:
        """Return what tells facts, in as many messages as it takes.

        Args:
            facts: in order, at least one.
            most_bytes: in one message, unless one event alone has more; 0: any number.
        """
        key = (facts, most_bytes)
        if key not in self._written:
            self._written[key] = tuple(map(_letter, self._parts(facts, most_bytes)))
        return self._written[key]

    def _parts(self, facts: tuple[_Fact, ...], most_bytes: int) -> Iterator[list[_Fact]]:
        part: list[_Fact] = []
        size_bytes = 0
        for fact in facts:
            fact_bytes = self._size_bytes(fact) if most_bytes else 0
            if part and (len(part) == MOST_EVENTS or size_bytes + fact_bytes > most_bytes > 0):
                yield part
                part, size_bytes = [], 0
            part.append(fact)
            size_bytes += fact_bytes
        yield part

    def _size_bytes(self, fact: _Fact) -> int:
        if fact not in self._sizes:
            text = json.dumps(fact.announcement.event, ensure_ascii=False, separators=(",", ":"))
            self._sizes[fact] = len(text.encode("utf-8", "replace"))
        return self._sizes[fact]


def _letter(facts: Sequence[_Fact]) -> _Letter:
    return _Letter(
        events=tuple(fact.announcement.id for fact in facts),
        images=tuple(sorted({fact.image for fact in facts if fact.image})),
        subject=headline([fact.announcement.event for fact in facts]),
    )


def _message_id(*facts: str) -> str:
    return "msg_" + hashlib.sha256("\x00".join(facts).encode()).hexdigest()[:32]
