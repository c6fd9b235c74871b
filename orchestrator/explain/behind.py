"""How long every image has lacked what came from outside, by the ledger of upstreams. Pure.

Source: docs/adr/0010-upstreams.md
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from orchestrator.decide.soak import ledger_source, soak_s
from orchestrator.explain.absorbed import counts
from orchestrator.model.behind import Behind
from orchestrator.model.fingerprint import effective_digest
from orchestrator.model.hierarchy import Hierarchy, Image, ParentKind
from orchestrator.model.observation import Observations, Sighting
from orchestrator.model.plan import Cause, Decision, Reason
from orchestrator.model.publication import Publication
from orchestrator.model.time import rfc3339, seconds_of

#: Reasons that name an upstream's content that the image does not stand on.
_OF_UPSTREAMS = (Cause.UPSTREAM_MOVED, Cause.SOAKING, Cause.HELD, Cause.TOLD_ONLY)
#: Reasons that name an image's digest that the image does not stand on.
_OF_IMAGES = (Cause.PARENT_MOVED, Cause.HELD, Cause.TOLD_ONLY)


def behind(
    hierarchy: Hierarchy,
    seen: Observations,
    decisions: Iterable[Decision],
    ledger: Iterable[Sighting],
    now_s: float,
) -> Mapping[str, tuple[Behind, ...]]:
    """Return the images that lack something of an upstream, each with what and for how long.

    An image lacks it since the first content was seen after the one it stands on. What an image
    lacks, those that stand on it lack too; and so does one that an earlier run left behind, when
    what it stands on has it already. Nothing of images of which nothing is published.

    Args:
        hierarchy: who stands on whom.
        seen: what the decisions were made on.
        decisions: parents before children.
        ledger: every content that was seen of upstreams; what ``seen`` knows beside is added.
        now_s: seconds since 1970 UTC.

    Returns:
        Image id → one for each upstream, the longest first; only images that have any.
    """
    entries: dict[str, dict[str, Sighting]] = {}
    for entry in (*seen.sightings, *ledger):
        entries.setdefault(entry.source, {})[entry.fingerprint] = entry
    known = {
        name: sorted(
            entries.get(ledger_source(upstream), {}).values(), key=lambda s: s.first_seen_s
        )
        for name, upstream in hierarchy.upstreams.items()
    }
    above: dict[str, frozenset[str]] = {}
    found: dict[str, dict[str, Behind]] = {}
    for decision in decisions:
        image = hierarchy.images[decision.image]
        parents = [parent for parent in image.parents if counts(parent)]
        above[image.id] = frozenset(
            name
            for p in parents
            for name in ((p.subject,) if p.kind is ParentKind.UPSTREAM else above[p.subject])
        )
        current = seen.currents.get(image.id)
        if current is None or image.retired:
            continue
        lacks = [
            lack
            for parent in parents
            for lack in found.get(parent.subject, {}).values()
            if parent.kind is ParentKind.IMAGE
        ]
        lacks += _own(image, decision, current.publication, known, now_s)
        if current.publication is not None:
            left = {
                name
                for reason in decision.reasons
                if reason.cause in _OF_IMAGES and reason.was != reason.now
                for name in above.get(reason.subject, ())
            }
            for name in left:
                soaks_s = soak_s(hierarchy.upstreams[name], frozenset())
                lacks += _since_build(name, current.publication, soaks_s, known[name], now_s)
        mine = found.setdefault(image.id, {})
        for lack in lacks:
            mine[lack.upstream] = _longer(lack, mine.get(lack.upstream))
    return {image: _sorted(lacks.values()) for image, lacks in found.items() if lacks}


def _own(
    image: Image,
    decision: Decision,
    publication: Publication | None,
    known: Mapping[str, list[Sighting]],
    now_s: float,
) -> list[Behind]:
    """Return what an image's own reasons say that it lacks."""
    lacks = []
    for reason in decision.reasons:
        upstream = reason.cause in _OF_UPSTREAMS and reason.subject in known
        if upstream and reason.was != reason.now:
            since_s = _since_s(image, reason, publication, known[reason.subject])
            lacks.append(_lack(reason.subject, reason.now, since_s, now_s))
    return lacks


def _since_s(
    image: Image, reason: Reason, publication: Publication | None, entries: list[Sighting]
) -> float | None:
    """Return when the first content was seen after the one an image stands on; None: not known."""
    identity = next((p.identity for p in image.parents if p.subject == reason.subject), "")
    record = publication.parents.get(identity) if publication else None
    numbers = {
        "was": [
            n
            for n, entry in enumerate(entries)
            if entry.digest == reason.was
            or (record is not None and _effective(entry, image) == record.effective)
        ],
        "now": [n for n, entry in enumerate(entries) if entry.digest == reason.now],
    }
    if numbers["was"]:
        after = _open(entries[numbers["was"][-1] + 1 :])
        # An upstream that went back to something older did so at a time that nobody kept.
        return after[0].first_seen_s if after else None
    return entries[numbers["now"][0]].first_seen_s if numbers["now"] else None


def _since_build(
    upstream: str,
    publication: Publication,
    soaks_s: int,
    entries: list[Sighting],
    now_s: float,
) -> list[Behind]:
    """Return what came after an image was built, of an upstream that its new parent has."""
    built_s = seconds_of(publication.created)
    later = [entry for entry in entries if entry.first_seen_s + soaks_s > built_s]
    # What was there when the ledger began is no change.
    later = _open(entry for entry in later if entry is not entries[0])
    if not later:
        return []
    return [_lack(upstream, later[-1].digest, later[0].first_seen_s, now_s)]


def _open(entries: Iterable[Sighting]) -> list[Sighting]:
    """Return what is not absorbed, which no image lacks; all where that leaves nothing.

    An image that was built on a content and came out equal has still the record of the one before.
    """
    every = list(entries)
    return [entry for entry in every if not entry.absorbed_at] or every


def _effective(entry: Sighting, image: Image) -> str:
    if not set(image.platforms) <= set(entry.manifests):
        return ""
    return effective_digest(entry.manifests, image.platforms)


def _lack(upstream: str, digest: str, since_s: float | None, now_s: float) -> Behind:
    if since_s is None:
        return Behind(upstream=upstream, digest=digest, since="", for_s=None)
    # A time in the future was written while a clock was wrong.
    at_s = min(since_s, now_s)
    return Behind(upstream=upstream, digest=digest, since=rfc3339(at_s), for_s=now_s - at_s)


def _longer(one: Behind, other: Behind | None) -> Behind:
    """Return what holds of both: the longer time, if any is known."""
    if other is None or other.for_s is None:
        return one if other is None or one.for_s is not None else other
    if one.for_s is None or one.for_s <= other.for_s:
        return other
    return replace(one, digest=other.digest or one.digest)


def _sorted(lacks: Iterable[Behind]) -> tuple[Behind, ...]:
    return tuple(sorted(lacks, key=lambda lack: (-(lack.for_s or 0.0), lack.upstream)))
