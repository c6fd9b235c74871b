"""Hierarchy and observations in, a verdict and all its reasons for every image out. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestrator.model.fingerprint import (
    PARTS,
    build_key,
    effective_digest,
    key_parts,
    short_key,
)
from orchestrator.model.hierarchy import Hierarchy, Image, ParentKind
from orchestrator.model.observation import Found, Observations, UpstreamState
from orchestrator.model.plan import Cause, Decision, Reason, Verdict
from orchestrator.model.publication import Publication
from orchestrator.model.source import Source
from orchestrator.model.tags import expand

#: Parts whose difference is told by something better than their hash, or needs no telling.
_TOLD_OTHERWISE = ("image", "parents", "epoch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an image should be made of, as far as it is known.

    Attributes:
        parts: digests of the key's parts; without ``parents`` while one of them is not known.
        key: the build key; None while a parent is not known.
        epoch: refresh epoch.
    """

    parts: Mapping[str, str]
    key: str | None
    epoch: str


def wanted(
    image: Image,
    source: Source,
    *,
    upstreams: Mapping[str, UpstreamState],
    parents: Mapping[str, Publication | None],
    epoch: str,
) -> Wanted:
    """Return the parts of an image's key and, where every parent is known, the key.

    Args:
        image: what the hierarchy says.
        source: hashes of its files.
        upstreams: by name; holds the image's.
        parents: image id → what the image would be built on; None: not known, or not usable.
        epoch: refresh epoch.
    """
    effective = _effective_parents(image, upstreams, parents)
    parts = key_parts(image, source, parents=effective, epoch=epoch)
    return Wanted(parts=parts, key=build_key(parts) if effective is not None else None, epoch=epoch)


def _effective_parents(
    image: Image,
    upstreams: Mapping[str, UpstreamState],
    parents: Mapping[str, Publication | None],
) -> dict[str, str] | None:
    found: dict[str, str] = {}
    for parent in image.parents:
        if parent.kind is ParentKind.UPSTREAM:
            manifests = upstreams[parent.subject].manifests
        else:
            publication = parents[parent.subject]
            if publication is None or not is_complete(publication, image.platforms):
                return None
            manifests = publication.manifests
        found[parent.subject] = effective_digest(manifests, image.platforms)
    return found


def is_complete(publication: Publication, platforms: tuple[str, ...]) -> bool:
    """Say whether an index lists every one of the platforms."""
    return set(platforms) <= set(publication.manifests)


def current_tag(image: Image) -> str | None:
    """Return the tag of ours that marks what is current where there are no floating tags."""
    return None if image.floating else f"current-{image.id}"


def floating_tags(image: Image) -> tuple[str, ...]:
    """Return the tags that move when the image is promoted; the first that exists is current."""
    values = {"version": image.version, **{f"label.{k}": v for k, v in image.labels}}
    own = current_tag(image)
    names = (own,) if own else (expand(template, values) for template in image.floating)
    return tuple(dict.fromkeys(names))


def immutable_tag(image: Image, publication: Publication) -> str:
    """Return the tag that a published index of this image should have for ever."""
    return expand(
        image.immutable,
        {
            "version": publication.version,
            "date": publication.date,
            "key": short_key(publication.key),
            "commit": publication.revision[:12] or "none",
            "run": publication.run,
            **{f"label.{name}": value for name, value in image.labels},
        },
    )


def decide(
    hierarchy: Hierarchy,
    seen: Observations,
    *,
    forced: frozenset[str] = frozenset(),
    epoch: str = "",
    allow_dirty: bool = False,
) -> tuple[Decision, ...]:
    """Return the verdict on every image, parents before children.

    An image is built if it, or what it stands on, differs from what its key tag's digest was made
    of; it waits (AWAIT) if only a parent is being built; its tags are put right (RETAG) if nothing
    else is wrong. Everything that differs is in the reasons.

    Args:
        hierarchy: what should be.
        seen: what is.
        forced: image ids to build whatever is there.
        epoch: refresh epoch of what is forced: the plan's id.
        allow_dirty: floating tags may move though the tree is dirty.

    Returns:
        One decision for every image of the hierarchy.
    """
    holds_tags = seen.revision is not None and seen.revision.dirty and not allow_dirty
    decided: dict[str, Decision] = {}
    for image in hierarchy.images.values():
        decided[image.id] = _decide_one(image, seen, decided, image.id in forced, epoch, holds_tags)
    return tuple(decided.values())


def is_pending(decision: Decision) -> bool:
    """Say whether children must wait: the image's digest is, or may be, about to move."""
    if decision.verdict is Verdict.RETAG:
        return decision.digest != decision.current
    return decision.verdict in (Verdict.BUILD, Verdict.AWAIT)


def _decide_one(
    image: Image,
    seen: Observations,
    decided: Mapping[str, Decision],
    force: bool,
    epoch: str,
    holds_tags: bool,
) -> Decision:
    current = seen.currents[image.id]
    publication = current.publication if current else None
    want = wanted(
        image,
        seen.sources[image.id],
        upstreams=seen.upstreams,
        parents=published_parents(image, seen),
        epoch=epoch if force else (publication.epoch if publication else ""),
    )
    found = seen.candidates.get(want.key) if want.key else None
    pending = [parent for parent in image.image_parents() if is_pending(decided[parent])]
    awaited = tuple(
        Reason(cause=Cause.PARENT_PENDING, subject=parent, was=decided[parent].current or "")
        for parent in pending
    )
    said = _Said(image=image.id, current=current.digest if current else None)

    # Kept though nothing is promoted: all it ever led to was rolled back. Nobody may stand on it.
    hollow = [p for p in image.image_parents() if p not in pending and seen.currents[p] is None]
    if hollow:
        reasons = tuple(Reason(cause=Cause.REJECTED, subject=parent) for parent in hollow)
        return said.decision(Verdict.KEEP, reasons)

    damage = _damage(image, found) if found else ()
    if found is None or damage:
        reasons = damage or tuple(_differences(image, seen, want, current, force))
        if pending and not reasons:
            return said.decision(Verdict.AWAIT, awaited)
        if not reasons:
            reasons = (Reason(cause=Cause.KEY_TAG_MISSING, now=want.key or ""),)
        return said.decision(Verdict.BUILD, reasons + awaited, key=None if pending else want.key)
    if pending:
        return said.decision(Verdict.AWAIT, awaited)
    return _decide_tags(image, seen, said, found, want, holds_tags)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    image: str
    current: str | None

    def decision(
        self,
        verdict: Verdict,
        reasons: tuple[Reason, ...] = (),
        *,
        key: str | None = None,
        digest: str | None = None,
    ) -> Decision:
        return Decision(
            image=self.image,
            verdict=verdict,
            reasons=reasons,
            current=self.current,
            key=key,
            digest=digest,
        )


def published_parents(image: Image, seen: Observations) -> dict[str, Publication | None]:
    """Return the currents of an image's parents; None where nothing usable is published."""
    currents = {parent: seen.currents[parent] for parent in image.image_parents()}
    return {parent: found.publication if found else None for parent, found in currents.items()}


def _damage(image: Image, found: Found) -> tuple[Reason, ...]:
    if found.publication is None or found.publication.image != image.id:
        return (Reason(cause=Cause.FOREIGN, was=found.digest),)
    missing = sorted(set(image.platforms) - set(found.publication.manifests))
    return tuple(
        Reason(cause=Cause.INCOMPLETE, subject=platform, was=found.digest) for platform in missing
    )


def _differences(
    image: Image, seen: Observations, want: Wanted, current: Found | None, force: bool
) -> Iterator[Reason]:
    if force:
        yield Reason(cause=Cause.FORCED, now=want.epoch)
    if current is None:
        yield Reason(cause=Cause.NEVER_PUBLISHED)
        return
    if current.publication is None or current.publication.image != image.id:
        yield Reason(cause=Cause.FOREIGN, was=current.digest)
        return
    yield from _part_differences(image, want, current.publication)
    yield from _parent_differences(image, seen, current.publication)


def _part_differences(image: Image, want: Wanted, was: Publication) -> Iterator[Reason]:
    for part in PARTS:
        before, now = was.parts.get(part, ""), want.parts.get(part, "")
        if part in _TOLD_OTHERWISE or before == now:
            continue
        if part == "version":
            before, now = was.version, image.version
        subject = {"dockerfile": image.dockerfile, "context": image.context}.get(part, "")
        yield Reason(cause=Cause(part), subject=subject, was=before, now=now)


def _parent_differences(image: Image, seen: Observations, was: Publication) -> Iterator[Reason]:
    kinds = {parent.subject: parent.kind for parent in image.parents}
    parents = published_parents(image, seen)
    for subject, kind in kinds.items():
        record = was.parents.get(subject)
        if kind is ParentKind.UPSTREAM:
            state = seen.upstreams[subject]
            digest, manifests, cause = state.digest, state.manifests, Cause.UPSTREAM_MOVED
        else:
            publication = parents[subject]
            if publication is None or not is_complete(publication, image.platforms):
                continue  # It is pending, and named as such.
            digest, manifests, cause = (
                publication.digest,
                publication.manifests,
                Cause.PARENT_MOVED,
            )
        if record is None:
            yield Reason(cause=Cause.PARENT_ADDED, subject=subject, now=digest)
        elif record.effective != effective_digest(manifests, image.platforms):
            yield Reason(cause=cause, subject=subject, was=record.digest, now=digest)
    for subject in sorted(set(was.parents) - set(kinds)):
        yield Reason(cause=Cause.PARENT_REMOVED, subject=subject, was=was.parents[subject].digest)


def _decide_tags(
    image: Image,
    seen: Observations,
    said: _Said,
    found: Found,
    want: Wanted,
    holds_tags: bool,
) -> Decision:
    tags = seen.tags[image.id]
    if found.rejected:
        reason = Reason(cause=Cause.REJECTED, was=found.digest, now=said.current or "")
        return said.decision(Verdict.KEEP, (reason,), key=want.key)
    assert found.publication is not None  # _damage has refused the others
    reasons = [
        _tag_reason(tag, tags.get(tag), found.digest)
        for tag in floating_tags(image)
        if tags.get(tag) != found.digest
    ]
    if holds_tags and reasons:
        reason = Reason(cause=Cause.DIRTY, was=said.current or "", now=found.digest)
        return said.decision(Verdict.KEEP, (reason,), key=want.key)
    immutable = immutable_tag(image, found.publication)
    if tags.get(immutable) is None:
        reasons.append(_tag_reason(immutable, None, found.digest))
    if not reasons:
        return said.decision(Verdict.KEEP, key=want.key)
    return said.decision(Verdict.RETAG, tuple(reasons), key=want.key, digest=found.digest)


def _tag_reason(tag: str, was: str | None, now: str) -> Reason:
    cause = Cause.TAG_MISSING if was is None else Cause.TAG_ELSEWHERE
    return Reason(cause=cause, subject=tag, was=was or "", now=now)
