"""Observations and decisions in, what people ask of them out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from orchestrator.decide.verdicts import immutable_tag
from orchestrator.decide.want import judged
from orchestrator.model.behind import Behind
from orchestrator.model.fingerprint import PARTS
from orchestrator.model.hierarchy import Hierarchy, Image, Parent, ParentKind
from orchestrator.model.observation import Observations
from orchestrator.model.plan import Decision
from orchestrator.model.status import Explanation, ImageStatus, PartComparison
from orchestrator.model.time import seconds_of


def statuses(
    hierarchy: Hierarchy,
    seen: Observations,
    decisions: tuple[Decision, ...],
    now_s: float,
    images: frozenset[str] | None = None,
    behind: Mapping[str, tuple[Behind, ...]] | None = None,
) -> tuple[ImageStatus, ...]:
    """Return how images stand, parents before children.

    Args:
        hierarchy: what should be.
        seen: what is.
        decisions: one for every image.
        now_s: seconds since 1970 UTC.
        images: ids of those to tell of; None: all.
        behind: image id → the upstreams whose newest content it lacks; None: nobody looked.
    """
    depths: dict[str, int] = {}
    for image in hierarchy.images.values():
        below = [depths[parent] + 1 for parent in image.image_parents()]
        depths[image.id] = max(below, default=0)
    return tuple(
        replace(
            _status(hierarchy.images[d.image], seen, d, depths[d.image], now_s),
            behind=(behind or {}).get(d.image, ()),
        )
        for d in decisions
        if images is None or d.image in images
    )


def _status(
    image: Image, seen: Observations, decision: Decision, depth: int, now_s: float
) -> ImageStatus:
    current = seen.currents[image.id]
    publication = current.publication if current else None
    found = seen.candidates.get(decision.key) if decision.key else None
    other = found.digest if found and (current is None or found.digest != current.digest) else ""
    return ImageStatus(
        image=image.id,
        tier=image.tier or "",
        depth=depth,
        repository=str(image.repository),
        current=current.digest if current else "",
        publication=publication,
        age_s=now_s - seconds_of(publication.created) if publication else None,
        immutable=immutable_tag(image, publication) if publication else "",
        candidate=other,
        decision=decision,
        packages=seen.packages.get(image.id),
    )


def explanation(hierarchy: Hierarchy, seen: Observations, status: ImageStatus) -> Explanation:
    """Return why an image would be built or why not, part by part.

    Where the key of what is current was reached by an equal build, the parts recorded on it are
    those of the key that led to it first. An image that is retired, or cannot be had, has nothing
    to compare.
    """
    image = hierarchy.images[status.image]
    was = status.publication
    if image.retired or image.id in seen.unusable:
        return Explanation(status=status, parts=(), key="", parents=())
    want = judged(image, seen)
    recorded: Mapping[str, str] = was.parts if was else {}
    return Explanation(
        status=status,
        parts=tuple(
            PartComparison(part=part, was=recorded.get(part, ""), now=want.parts.get(part, ""))
            for part in PARTS
        ),
        key=want.key or "",
        parents=tuple(
            (
                parent.subject,
                was.parents[parent.identity].digest
                if was and parent.identity in was.parents
                else "",
                _digest_now(image, parent, seen),
            )
            for parent in {p.subject: p for p in image.parents}.values()
        ),
    )


def _digest_now(image: Image, parent: Parent, seen: Observations) -> str:
    held = seen.held.get(image.id, {}).get(parent.identity)
    if held is not None:
        return held.digest
    if parent.kind is ParentKind.UPSTREAM:
        return seen.upstreams[parent.subject].digest
    current = seen.ground(parent.subject)
    return current.digest if current else ""
