"""Facts that no run makes, but time and others do: upstreams that move, images at their end."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from orchestrator.decide.soak import ledger_source, soak_s
from orchestrator.doors.protocols_history import History
from orchestrator.model.announcement import Announcement, EventType, announcement_id
from orchestrator.model.hierarchy import Hierarchy, Image, ParentKind, Upstream
from orchestrator.model.observation import Sighting
from orchestrator.model.run import Run
from orchestrator.model.time import rfc3339, seconds_of

#: Runs that are looked at for the last one of a hierarchy; several may share a diary.
_REMEMBERED = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A content of an upstream that took the place of another one, or will.

    Attributes:
        upstream: which.
        was: digest of what was seen before it.
        content: what was seen.
        ripe_s: when it may be built on, in seconds since 1970.
    """

    upstream: Upstream
    was: str
    content: Sighting
    ripe_s: float

    def id_as(self, type_: EventType, hierarchy: str) -> str:
        """Return the fact's id: once for each upstream, content and kind."""
        seen = self.content
        return announcement_id(hierarchy, type_, self.upstream.name, seen.source, seen.fingerprint)


def standing_facts(
    hierarchy: Hierarchy,
    history: History,
    now_s: float,
    *,
    run: str,
    since_s: float,
    unsoaked: frozenset[str] = frozenset(),
) -> tuple[Announcement, ...]:
    """Return what was seen of upstreams since a time, and which images are at their end.

    An image is told once for each end, and a content once while it soaks and once when it may be
    built on: the ids are made of these, not of the run.

    Args:
        hierarchy: whose.
        history: has the ledger.
        now_s: seconds since 1970.
        run: id of the run with which they are told.
        since_s: what was so before is left out: it was told, or nobody was there to be told.
        unsoaked: upstreams whose newest content was asked for.
    """

    def fact(type_: EventType, subject: str, id_: str) -> Announcement:
        return Announcement(
            id=id_,
            hierarchy=hierarchy.name,
            run=run,
            type=type_,
            subject=subject,
            at=rfc3339(now_s),
        )

    found: list[Announcement] = []
    for move in moved_upstreams(hierarchy, history, unsoaked):
        if since_s < move.ripe_s <= now_s:
            type_ = EventType.UPSTREAM_MOVED
        elif since_s < move.content.first_seen_s <= now_s < move.ripe_s:
            type_ = EventType.UPSTREAM_SOAKING
        else:
            continue
        found.append(fact(type_, move.upstream.name, move.id_as(type_, hierarchy.name)))
    for image in hierarchy.images.values():
        if (end := end_of(image, now_s)) is not None:
            id_ = announcement_id(hierarchy.name, EventType.IMAGE_DEPRECATED, image.identity, *end)
            found.append(fact(EventType.IMAGE_DEPRECATED, image.id, id_))
    return tuple(found)


def facts_between_runs(
    hierarchy: Hierarchy, history: History, now_s: float
) -> tuple[Announcement, ...]:
    """Return what is to be told though there was nothing to do, and so is no run.

    What was told is left out. The rest has one name in the place of a run's id, made of what it
    is, so that it becomes one message, and the same one if it is done again.

    Raises:
        StateUnavailable: the diary cannot be read.
    """
    since_s = before_s(hierarchy, history)
    found = standing_facts(hierarchy, history, now_s, run="", since_s=since_s)
    told = history.outbox.told(tuple(each.id for each in found))
    new = [each for each in found if each.id not in told]
    text = "\x00".join(sorted(each.id for each in new))
    name = "look-" + hashlib.sha256(text.encode()).hexdigest()[:16]
    return tuple(replace(each, run=name) for each in new)


def before_s(hierarchy: Hierarchy, history: History, run: Run | None = None) -> float:
    """Return when the last run began, in seconds since 1970.

    Args:
        hierarchy: whose.
        history: the door.
        run: the last one before this; None: of all. Where there is none, nothing was seen before:
            it is this run's own beginning.
    """
    began = [
        each.started_at
        for each in history.runs(_REMEMBERED)
        if each.hierarchy == hierarchy.name
        if run is None or (each.started_at, each.id) < (run.started_at, run.id)
    ]
    if began:
        return seconds_of(max(began))
    return seconds_of(run.started_at) if run else float("inf")


def moved_upstreams(
    hierarchy: Hierarchy, history: History, unsoaked: frozenset[str] = frozenset()
) -> Iterator[Moved]:
    """Yield every content of an upstream that was seen after another one, first seen first."""
    if not hierarchy.upstreams:
        return
    by_source: dict[str, dict[str, Sighting]] = {}
    for seen in history.sightings(hierarchy.name):
        # One index is there again where the hierarchy came to need other platforms of it.
        by_source.setdefault(seen.source, {}).setdefault(seen.digest, seen)
    for upstream in hierarchy.upstreams.values():
        contents = list(by_source.get(ledger_source(upstream), {}).values())
        for was, content in pairwise(contents):
            yield Moved(
                upstream=upstream,
                was=was.digest,
                content=content,
                ripe_s=content.first_seen_s + soak_s(upstream, unsoaked),
            )


def standing_on(hierarchy: Hierarchy, upstream: str) -> tuple[str, ...]:
    """Return the images that stand on an upstream, directly or through others, parents first."""
    found: dict[str, None] = {}
    for image in hierarchy.images.values():
        below = {(parent.kind, parent.subject) for parent in image.parents}
        if (ParentKind.UPSTREAM, upstream) in below or any(
            kind is ParentKind.IMAGE and subject in found for kind, subject in below
        ):
            found[image.id] = None
    return tuple(found)


def end_of(image: Image, now_s: float) -> tuple[str, str] | None:
    """Return ``retired``, or ``eol`` and the day that is over; None: it goes on."""
    if image.retired:
        return "retired", ""
    if image.eol and image.eol < rfc3339(now_s)[:10]:
        return "eol", image.eol
    return None
