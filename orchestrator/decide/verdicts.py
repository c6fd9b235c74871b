"""Hierarchy and observations in, a verdict and all its reasons for every image out. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from orchestrator.decide.promotion import unpromoted, waits_for_promotion
from orchestrator.decide.reasons import differences
from orchestrator.decide.want import (
    Wanted,
    can_stand_on,
    followed,
    judged,
    published_parents,
    stayed_on,
)
from orchestrator.model.fingerprint import short_key
from orchestrator.model.hierarchy import Hierarchy, Image
from orchestrator.model.names import is_tag
from orchestrator.model.observation import Found, Held, Observations
from orchestrator.model.plan import Cause, Decision, Reason, Verdict
from orchestrator.model.publication import Publication
from orchestrator.model.tags import expand, expand_each


def current_tag(image: Image) -> str | None:
    """Return the tag of ours that marks what is current where there are no floating tags."""
    return None if image.floating else f"current-{image.id}"


def floating_tags(image: Image) -> tuple[str, ...]:
    """Return the tags that move when the image is promoted; the first that exists is current."""
    own = current_tag(image)
    names = (own,) if own else expand_each(image.floating, image.version, image.labels)
    # One that is retired may lack the version and the labels that its tags were made of.
    return tuple(dict.fromkeys(tag for tag in names if not image.retired or is_tag(tag)))


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
    selected: frozenset[str] | None = None,
    paused: Mapping[str, Reason] | None = None,
) -> tuple[Decision, ...]:
    """Return the verdict on every image, parents before children.

    An image is built if it, or what it stands on, differs from what its key tag's digest was made
    of; it waits (AWAIT) if only a parent is being built; its tags are put right (RETAG), here and
    where copies are, if nothing else is wrong. Everything that differs is in the reasons.
    An image that is retired, was not asked for, or is new on a parent past its end is kept; one
    that cannot be had fails. A parent that an image does not follow is no reason to build it.

    Args:
        hierarchy: what should be.
        seen: what is.
        forced: image ids to build whatever is there.
        epoch: refresh epoch of what is forced: the plan's id.
        allow_dirty: floating tags may move though the tree is dirty.
        selected: ids of the images that were asked for; None: all. The others are kept, and built
            upon as they are.
        paused: image id → why it is not tried now.

    Returns:
        One decision for every image of the hierarchy.
    """
    now = _Circumstances(
        hierarchy=hierarchy,
        seen=seen,
        forced=forced,
        epoch=epoch,
        holds_tags=seen.revision is not None and seen.revision.dirty and not allow_dirty,
    )
    for image in hierarchy.images.values():
        if selected is not None and image.id not in selected:
            decision = now.kept(image, Reason(cause=Cause.NOT_SELECTED))
        elif image.retired:
            decision = now.kept(image, Reason(cause=Cause.RETIRED, now=image.replaced_by or ""))
        elif image.id in seen.unusable:
            decision = replace(now.kept(image, *seen.unusable[image.id]), verdict=Verdict.FAIL)
        else:
            decision = _with_notes(image, _decide_one(image, now), now)
        if image.id in (paused or {}) and decision.verdict is not Verdict.KEEP:
            decision = now.kept(image, (paused or {})[image.id])
        now.decided[image.id] = decision
    return tuple(now.decided.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Circumstances:
    """What every decision is made on; ``decided`` grows, parents before children."""

    hierarchy: Hierarchy
    seen: Observations
    forced: frozenset[str]
    epoch: str
    holds_tags: bool
    decided: dict[str, Decision] = field(default_factory=dict)

    def kept(self, image: Image, *reasons: Reason) -> Decision:
        current = self.seen.currents.get(image.id)
        return Decision(
            image=image.id,
            verdict=Verdict.KEEP,
            reasons=reasons,
            current=current.digest if current else None,
        )


def is_pending(decision: Decision) -> bool:
    """Say whether children must wait: the image's digest is, or may be, about to move."""
    if decision.verdict is Verdict.RETAG:
        return decision.digest != decision.current
    return decision.verdict in (Verdict.BUILD, Verdict.AWAIT)


def is_copied(decision: Decision) -> bool:
    """Say whether a digest is to come to the image's repository, from a former one or a copy.

    What is built upon it pins that digest there, and so comes after it.
    """
    fetched = any(r.cause in (Cause.RENAMED, Cause.TAKEN_BACK) for r in decision.reasons)
    return fetched and decision.verdict is Verdict.RETAG


def _decide_one(image: Image, now: _Circumstances) -> Decision:
    seen, decided, force = now.seen, now.decided, image.id in now.forced
    current = seen.currents[image.id]
    forced_epoch = now.epoch if force else None
    want = judged(image, seen, forced_epoch=forced_epoch)
    found = seen.candidates.get(want.key) if want.key else None
    held = seen.held.get(image.id, {})
    pending = pending_parents(image, decided, held)
    awaited = tuple(_awaited(parent, decided) for parent in pending)
    said = _Said(image=image.id, current=current.digest if current else None)

    ended = _ended_parents(image, now) if current is None and found is None else ()
    if ended:
        return said.decision(Verdict.KEEP, ended)
    # Kept though nothing that it could be built on is promoted.
    hollow = tuple(
        _why_hollow(image, decided[parent], seen.ground(parent))
        for parent, published in published_parents(image, seen).items()
        if parent not in pending
        and parent not in _subjects(image, held)
        and not can_stand_on(image, published)
    )
    if hollow:
        return said.decision(Verdict.KEEP, hollow)

    if current and current.elsewhere:
        awaited += (_fetched(image, current.elsewhere),)
    damage = _damage(image, found) if found else ()
    gone = _gone(image, held) if pending or found is None or damage else ()
    if gone:
        return said.decision(Verdict.FAIL, gone)
    if found is None or damage:
        reasons = damage or tuple(differences(image, seen, want, current, force))
        if pending and not reasons:
            return said.decision(Verdict.AWAIT, awaited)
        if not reasons:
            reasons = (Reason(cause=Cause.KEY_TAG_MISSING, now=want.key or ""),)
        # What is built follows also those that it would not be built for.
        stays = stayed_on(image, seen)
        late = pending_parents(image, decided, stays)
        built = None if late else _built_on_newest(image, seen, forced_epoch)
        if built is not None:
            return _decide_tags(image, now, said, *built)
        known = len(stays) == len(held) and not pending
        awaited += tuple(_awaited(parent, decided) for parent in late if parent not in pending)
        return said.decision(Verdict.BUILD, reasons + awaited, key=want.key if known else None)
    if pending:
        return said.decision(Verdict.AWAIT, awaited)
    return _decide_tags(image, now, said, found, want)


def pending_parents(
    image: Image, decided: Mapping[str, Decision], held: Mapping[str, Held]
) -> tuple[str, ...]:
    """Return the ids of the parents that an image must wait for, but those that are held."""
    stays = _subjects(image, held)
    return tuple(p for p in image.image_parents() if p not in stays and is_pending(decided[p]))


def _subjects(image: Image, held: Mapping[str, Held]) -> frozenset[str]:
    return frozenset(p.subject for p in image.parents if p.identity in held)


def _awaited(parent: str, decided: Mapping[str, Decision]) -> Reason:
    return Reason(cause=Cause.PARENT_PENDING, subject=parent, was=decided[parent].current or "")


def _built_on_newest(
    image: Image, seen: Observations, forced_epoch: str | None
) -> tuple[Found, Wanted] | None:
    """Return what a build that also takes parents it does not follow has led to already.

    That is what was rolled back, not promoted from a dirty tree, or left by a run that was stopped.
    What is current records the parents that it was judged on; None for it.
    """
    want = followed(image, seen, forced_epoch=forced_epoch)
    found = seen.candidates.get(want.key) if want.key else None
    current = seen.currents[image.id]
    if found is None or _damage(image, found) or (current and current.digest == found.digest):
        return None
    return found, want


def _gone(image: Image, held: Mapping[str, Held]) -> tuple[Reason, ...]:
    """Return the parents that a build would have to stay on and cannot."""
    return tuple(
        Reason(
            cause=Cause.PARENT_UNUSABLE,
            subject=parent.reason.subject,
            was=parent.digest,
            because=f"lacks {', '.join(missing)}, and the image stays on it"
            if parent.manifests
            else "is gone from its repository",
        )
        for parent in held.values()
        if parent.firm and (missing := sorted(set(image.platforms) - set(parent.manifests)))
    )


def _with_notes(image: Image, decision: Decision, now: _Circumstances) -> Decision:
    """Return a decision that also tells which parents have moved and are not followed."""
    held = now.seen.held.get(image.id, {})
    if not held and image.id not in now.seen.notes:
        return decision
    told = []
    for parent in held.values():
        subject = now.decided.get(parent.reason.subject)
        moves = parent.reason.was != parent.reason.now or (subject and is_pending(subject))
        follows = decision.verdict is Verdict.BUILD and not parent.firm
        if parent.reason.cause is Cause.HELD or (moves and not follows):
            told.append(parent.reason)
    return replace(decision, reasons=(*decision.reasons, *told, *now.seen.notes.get(image.id, ())))


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


def _ended_parents(image: Image, now: _Circumstances) -> tuple[Reason, ...]:
    parents = (now.hierarchy.images[parent] for parent in image.image_parents())
    return tuple(
        Reason(cause=Cause.PARENT_ENDED, subject=parent.id, was=parent.eol)
        for parent in parents
        if parent.eol and parent.eol.replace("-", "") < now.seen.date
    )


def _why_hollow(image: Image, parent: Decision, current: Found | None) -> Reason:
    """Return why a parent that is kept cannot be built on."""
    if current is not None:
        there = current.publication.manifests if current.publication else image.platforms
        lacks = ", ".join(sorted(set(image.platforms) - set(there)))
        return Reason(
            cause=Cause.PARENT_UNUSABLE, subject=parent.image, was=current.digest, now=lacks
        )
    for reason in parent.reasons:
        if reason.cause is Cause.PARENT_ENDED:
            return reason
        if reason.cause is Cause.RETIRED:
            return Reason(cause=Cause.PARENT_ENDED, subject=parent.image)
        if reason.cause is Cause.DIRTY:
            return replace(reason, subject=parent.image)
        if reason.cause is Cause.REJECTED:
            return Reason(cause=Cause.REJECTED, subject=parent.image)
    # It cannot be had, is paused, or has nothing to stand on itself.
    return Reason(cause=Cause.PARENT_UNUSABLE, subject=parent.image, because="was never published")


def _fetched(image: Image, place: str) -> Reason:
    """Return why a digest is to come to the image's repository from another place."""
    copied = any(str(repository) == place for repository in image.copies)
    return Reason(cause=Cause.TAKEN_BACK if copied else Cause.RENAMED, subject=place)


def _damage(image: Image, found: Found) -> tuple[Reason, ...]:
    if found.publication is None or found.publication.image not in image.names:
        return (Reason(cause=Cause.FOREIGN, was=found.digest),)
    missing = sorted(set(image.platforms) - set(found.publication.manifests))
    return tuple(
        Reason(cause=Cause.INCOMPLETE, subject=platform, was=found.digest) for platform in missing
    )


def _decide_tags(
    image: Image, now: _Circumstances, said: _Said, found: Found, want: Wanted
) -> Decision:
    seen = now.seen
    tags = seen.tags[image.id]
    if found.rejected:
        reason = Reason(cause=Cause.REJECTED, was=found.digest, now=said.current or "")
        return said.decision(Verdict.KEEP, (reason,), key=want.key)
    assert found.publication is not None  # _damage has refused the others
    moved = [_fetched(image, found.elsewhere)] if found.elsewhere else []
    immutable = immutable_tag(image, found.publication)
    awaits = waits_for_promotion(now.hierarchy, found, said.current)
    # Somebody is to move them by hand, here and where copies are.
    floating = () if awaits else floating_tags(image)
    behind = tuple(_copies_behind(image, seen, found.digest, (*floating, immutable)))
    reasons = [
        _tag_reason(tag, tags.get(tag), found.digest)
        for tag in floating
        if tags.get(tag) != found.digest
    ]
    if now.holds_tags and (reasons or behind or awaits):
        reason = Reason(cause=Cause.DIRTY, was=said.current or "", now=found.digest)
        return said.decision(Verdict.KEEP, (reason,), key=want.key)
    if tags.get(immutable) is None:
        reasons.append(_tag_reason(immutable, None, found.digest))
    every = (*moved, *reasons, *behind)
    waits = () if not awaits else (unpromoted(found.digest, found.publication, said.current),)
    if not every:
        unknown = tuple(_copies_unknown(image, seen))
        return said.decision(Verdict.KEEP, (*waits, *unknown), key=want.key)
    return said.decision(Verdict.RETAG, (*every, *waits), key=want.key, digest=found.digest)


def _copies_behind(
    image: Image, seen: Observations, digest: str, due: tuple[str, ...]
) -> Iterator[Reason]:
    for repository, tags in seen.copies.get(image.id, {}).items():
        wrong = [tag for tag in due if tags.get(tag) != digest]
        if wrong:
            was = next((there for tag in wrong if (there := tags.get(tag))), "")
            yield Reason(cause=Cause.COPY_BEHIND, subject=repository, was=was, now=digest)


def _copies_unknown(image: Image, seen: Observations) -> Iterator[Reason]:
    for repository in image.copies:
        if str(repository) not in seen.copies.get(image.id, {}):
            yield Reason(cause=Cause.COPY_UNKNOWN, subject=str(repository))


def _tag_reason(tag: str, was: str | None, now: str) -> Reason:
    cause = Cause.TAG_MISSING if was is None else Cause.TAG_ELSEWHERE
    return Reason(cause=cause, subject=tag, was=was or "", now=now)
