"""What is current of an image and what it should be in, every reason to build it out. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.decide.want import Wanted, can_stand_on, published_parents, stayed_on
from orchestrator.model.fingerprint import PARTS, effective_digest
from orchestrator.model.hierarchy import Image, ParentKind
from orchestrator.model.observation import Found, Observations
from orchestrator.model.plan import Cause, Reason
from orchestrator.model.publication import Publication

#: Parts whose difference is told by something better than their hash, or needs no telling.
_TOLD_OTHERWISE = ("image", "parents", "epoch")


def differences(
    image: Image, seen: Observations, want: Wanted, current: Found | None, force: bool
) -> Iterator[Reason]:
    """Yield everything in which an image differs from what is current of it.

    Args:
        image: what the hierarchy says.
        seen: what is.
        want: what it should be made of.
        current: what was last promoted; None where nothing was.
        force: it is built whatever is there.
    """
    if force:
        yield Reason(cause=Cause.FORCED, now=want.epoch)
    if current is None:
        yield Reason(cause=Cause.NEVER_PUBLISHED)
        return
    if current.publication is None or current.publication.image not in image.names:
        yield Reason(cause=Cause.FOREIGN, was=current.digest)
        return
    yield from _part_differences(image, want, current.publication)
    yield from _parent_differences(image, seen, current.publication)
    for update in seen.updates.get(image.id, ()):
        yield Reason(
            cause=Cause.PACKAGES,
            subject=update.package,
            was=update.was,
            now=update.now,
            because="security" if update.security else "",
        )


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
    named = {parent.identity: parent for parent in image.parents}
    parents = published_parents(image, seen)
    stays = stayed_on(image, seen)
    for identity, parent in named.items():
        record, subject = was.parents.get(identity), parent.subject
        cause, tag = Cause.PARENT_MOVED, ""
        if parent.kind is ParentKind.UPSTREAM:
            cause = Cause.UPSTREAM_MOVED
        if identity in stays:
            digest, effective = stays[identity].digest, stays[identity].effective
        elif parent.kind is ParentKind.UPSTREAM:
            state = seen.upstreams[subject]
            digest, effective = state.digest, effective_digest(state.manifests, image.platforms)
            tag = state.other_tag
        else:
            publication = parents[subject]
            if publication is None or not can_stand_on(image, publication):
                continue  # It is pending, and named as such.
            digest = publication.digest
            effective = effective_digest(publication.manifests, image.platforms)
        if record is None:
            yield Reason(cause=Cause.PARENT_ADDED, subject=subject, now=digest)
        elif record.digest != digest and record.effective != effective:
            yield Reason(cause=cause, subject=subject, was=record.digest, now=digest, because=tag)
    for subject in sorted(set(was.parents) - set(named)):
        yield Reason(cause=Cause.PARENT_REMOVED, subject=subject, was=was.parents[subject].digest)
