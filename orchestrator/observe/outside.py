"""What look-ups of upstreams mean to the images on them: unusable, waited for, or taken. Reads.

Source: docs/adr/0010-upstreams.md
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from orchestrator.decide.soak import choose, needed_platforms, sighted, soak_s
from orchestrator.errors import Unavailable
from orchestrator.model.fingerprint import effective_digest
from orchestrator.model.hierarchy import Hierarchy, Image, Policy, Track, Upstream
from orchestrator.model.observation import Held, Observations, Sighting
from orchestrator.model.plan import Cause, Reason
from orchestrator.model.publication import ParentRecord
from orchestrator.model.time import rfc3339
from orchestrator.observe.upstreams import Looked, Lookups, Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Soaking:
    """What it takes to say what soaks.

    Attributes:
        hierarchy: what should be.
        lookups: of this command.
        unsoaked: names of upstreams whose newest digest is wanted now.
        now_s: seconds since 1970 UTC.
    """

    hierarchy: Hierarchy
    lookups: Lookups
    unsoaked: frozenset[str]
    now_s: float


def with_outside(
    seen: Observations,
    images: Iterable[Image],
    looked: Mapping[str, Looked],
    soaking: Soaking,
) -> Observations:
    """Return observations that know the upstreams, and what they mean to the images.

    Args:
        seen: knows what is current of the images.
        images: to decide on.
        looked: upstream → what its look-up gave; holds all of the images'.
        soaking: the rest.

    Returns:
        With the upstreams that can be had, which of them soak, which images are unusable, and what
        is new to the ledger.
    """
    newest = _sightings(looked, soaking)
    seen = replace(
        seen,
        upstreams={name: each.state for name, each in looked.items() if each.state},
        unusable=_unusable(images, looked, seen),
        # Two upstreams of one source have one entry in the ledger.
        sightings=tuple({(s.source, s.fingerprint): s for s in newest.values()}.values()),
    )
    held: dict[str, Mapping[str, Held]] = dict(seen.held)
    notes = dict(seen.notes)
    for image in images:
        if image.id in seen.unusable:
            continue
        waiting = dict(_waits(image, seen, newest, soaking))
        stays = {name: each for name, each in waiting.items() if isinstance(each, Held)}
        told = tuple(each for each in waiting.values() if isinstance(each, Reason))
        held |= {image.id: {**held.get(image.id, {}), **stays}} if stays else {}
        notes |= {image.id: (*notes.get(image.id, ()), *told)} if told else {}
    return replace(seen, held=held, notes=notes)


def _unusable(
    images: Iterable[Image], looked: Mapping[str, Looked], seen: Observations
) -> dict[str, tuple[Reason, ...]]:
    """Return image → why it cannot be built: also those on an upstream that cannot be had.

    That is also one that lacks a platform of the image. An image that does not follow an upstream,
    and has it already, does not need it.
    """
    found = dict(seen.unusable)
    for image in images:
        current = seen.currents[image.id]
        records = current.publication.parents if current and current.publication else {}
        kept = {p.subject for p in image.parents if p.policy is not Policy.REBUILD} & set(records)
        reasons = tuple(
            Reason(cause=Cause.UPSTREAM_UNUSABLE, subject=name, because=why)
            for name in image.upstream_parents()
            if name not in kept and (why := _why_not(looked[name], image))
        )
        if reasons:
            found[image.id] = (*found.get(image.id, ()), *reasons)
    return found


def _why_not(looked: Looked, image: Image) -> str:
    if looked.state is None:
        return looked.why
    missing = sorted(set(image.platforms) - set(looked.state.manifests))
    return f"{looked.state.reference} lacks {', '.join(missing)}" if missing else ""


def _sightings(looked: Mapping[str, Looked], soaking: Soaking) -> dict[str, Sighting]:
    """Return upstream → the newest content of it and since when it is known.

    What the hierarchy file names by its digest, and what cannot be had, is not among them.
    """
    needed = needed_platforms(soaking.hierarchy)
    upstreams = {name: soaking.hierarchy.upstreams[name] for name in looked}
    return {
        name: sighted(
            upstreams[name],
            each.newest,
            soaking.lookups.entries(upstreams[name]),
            platforms=needed.get(name, ()),
            now_s=soaking.now_s,
        )
        for name, each in looked.items()
        if each.newest is not None and upstreams[name].track is not Track.DIGEST
    }


def _waits(
    image: Image, seen: Observations, newest: Mapping[str, Sighting], soaking: Soaking
) -> Iterator[tuple[str, Held | Reason]]:
    """Yield the upstreams that soak for an image, and what it stands on; or what is to be told."""
    current = seen.currents[image.id]
    records = current.publication.parents if current and current.publication else {}
    for name in image.upstream_parents():
        upstream = soaking.hierarchy.upstreams[name]
        pause_s = soak_s(upstream, soaking.unsoaked)
        if not pause_s or name not in newest or name not in seen.upstreams:
            continue
        # Then the image does not follow the upstream: see `_unusable`.
        if not set(image.platforms) <= set(newest[name].manifests):
            continue
        in_use, now = records.get(name), seen.upstreams[name].digest
        choice = choose(
            newest[name],
            in_use,
            soaking.lookups.entries(upstream),
            platforms=image.platforms,
            soak_s=pause_s,
            now_s=soaking.now_s,
        )
        until = rfc3339(choice.until_s)
        if in_use is None:
            if choice.until_s > soaking.now_s:
                yield name, Reason(cause=Cause.UNSOAKED, subject=name, now=now, until=until)
        elif choice.content is not newest[name]:
            stays = _older(image, upstream, choice.content, soaking.lookups) or _as_it_is(
                image, upstream, in_use, soaking.lookups
            )
            tag = seen.upstreams[name].other_tag
            reason = replace(stays.reason, was=stays.digest, now=now, until=until, because=tag)
            yield name, replace(stays, reason=reason)


def together(
    edges: Mapping[str, Mapping[str, Held]], waiting: Mapping[str, Mapping[str, Held]]
) -> dict[str, Mapping[str, Held]]:
    """Return what images are judged on, where policies and soaking both have a say.

    The policy says what they are judged on. But what soaks is not taken by a build for another
    reason either.

    Args:
        edges: image id → parent's identity → what a policy keeps it on.
        waiting: image id → upstream → what it stands on while the newest soaks.
    """
    found: dict[str, Mapping[str, Held]] = dict(waiting)
    for image, kept in edges.items():
        soaks = waiting.get(image, {})
        firm = {name: replace(e, firm=e.firm or name in soaks) for name, e in kept.items()}
        if firm:
            found[image] = {**soaks, **firm}
    return found


def _older(
    image: Image, upstream: Upstream, content: Sighting | None, lookups: Lookups
) -> Held | None:
    """Return an older content to stand on; None where it is not sure to be there."""
    if content is None:
        return None
    try:
        place = lookups.place(upstream, content.digest)
    except Unavailable:
        return None
    if place is None or not set(image.platforms) <= set(place.manifests):
        return None
    return _held(
        upstream, content.digest, effective_digest(place.manifests, image.platforms), place
    )


def _as_it_is(image: Image, upstream: Upstream, in_use: ParentRecord, lookups: Lookups) -> Held:
    """Return what an image stands on; without manifests where it is known to be gone.

    Where nobody knows, what the ledger has of it counts: it matters only if the image is built.
    """
    unsure = Place(
        reference=str(upstream.source.repository), origin="", manifests=lookups.known(in_use.digest)
    )
    try:
        place = lookups.place(upstream, in_use.digest) or replace(unsure, manifests={})
    except Unavailable:
        place = unsure
    usable = set(image.platforms) <= set(place.manifests)
    effective = effective_digest(place.manifests, image.platforms) if usable else in_use.effective
    return _held(upstream, in_use.digest, effective, place)


def _held(upstream: Upstream, digest: str, effective: str, place: Place) -> Held:
    return Held(
        digest=digest,
        manifests=place.manifests,
        effective=effective,
        reference=place.reference,
        reason=Reason(cause=Cause.SOAKING, subject=upstream.name),
        firm=True,
        origin=place.origin,
    )
