"""What the policies of edges make of an image's parents: which it is judged on. Pure.

Source: docs/adr/0013-edges.md
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.model.fingerprint import effective_digest
from orchestrator.model.hierarchy import Image, Parent, Policy
from orchestrator.model.observation import Held
from orchestrator.model.plan import Cause, Reason
from orchestrator.model.publication import ParentRecord, Publication

_CAUSES: Mapping[Policy, Cause] = {
    Policy.HOLD: Cause.HELD,
    Policy.NOTIFY: Cause.TOLD_ONLY,
    Policy.FINAL_ONLY: Cause.NOT_FINAL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a parent is, or was.

    Attributes:
        digest: of its index; empty where nothing usable is published.
        manifests: platform → manifest digest; empty where the index is gone.
        reference: repository (with tag, for an upstream) that the digest belongs to.
        origin: of an upstream: where it came from, when ``reference`` is its mirror; empty else.
    """

    digest: str
    manifests: Mapping[str, str]
    reference: str
    origin: str = ""


def unfollowed(
    image: Image, current: Publication | None
) -> tuple[tuple[Parent, ParentRecord], ...]:
    """Return the parents whose changes cause no rebuild of an image, with what it has of them.

    Each subject once; nothing of an image that has none of them yet, which takes the newest.
    """
    if current is None:
        return ()
    parents = {p.identity: p for p in image.parents if p.policy is not Policy.REBUILD}
    return tuple(
        (parent, current.parents[identity])
        for identity, parent in parents.items()
        if identity in current.parents
    )


def hold(image: Image, parent: Parent, record: ParentRecord, newest: Content, has: Content) -> Held:
    """Return what an image is judged on instead of a parent's newest.

    Args:
        image: the child.
        parent: one of :func:`unfollowed`.
        record: what the image has of it.
        newest: what a build would find.
        has: the digest in the record.
    """
    usable = set(image.platforms) <= set(newest.manifests)
    effective = (
        effective_digest(has.manifests, image.platforms)
        if set(image.platforms) <= set(has.manifests)
        else record.effective
    )
    moved = not usable or effective != effective_digest(newest.manifests, image.platforms)
    return Held(
        digest=record.digest,
        manifests=has.manifests,
        effective=effective,
        reference=has.reference,
        reason=Reason(
            cause=_CAUSES[parent.policy],
            subject=parent.subject,
            was=record.digest,
            now=newest.digest if moved else record.digest,
            until=parent.hold.until if parent.hold else "",
            because=parent.hold.because if parent.hold else "",
        ),
        # Where nothing newer can be had, a build stays on what there is.
        firm=parent.policy is Policy.HOLD or not usable,
        origin=has.origin,
    )
