"""What waits until somebody promotes it, and the canaries that a selection takes along. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from orchestrator.decide.select import with_ancestors
from orchestrator.model.hierarchy import Hierarchy, Promote
from orchestrator.model.observation import Found
from orchestrator.model.plan import Cause, Decision, Reason, Verdict
from orchestrator.model.publication import Publication


def waits_for_promotion(hierarchy: Hierarchy, found: Found, current: str | None) -> bool:
    """Say whether what an image was built into waits until somebody promotes it.

    Tags that lag behind what is current already are put right by any run.

    Args:
        hierarchy: says who promotes.
        found: what the image's key led to.
        current: digest of what was last promoted.
    """
    return hierarchy.promote is Promote.MANUAL and found.digest != current and not found.rejected


def unpromoted(digest: str, publication: Publication, current: str | None) -> Reason:
    """Return the reason that an image waits for its promotion, with the run that built it."""
    return Reason(
        cause=Cause.UNPROMOTED,
        subject=publication.run,
        was=current or "",
        now=digest,
        because=publication.created,
    )


def with_canaries(
    hierarchy: Hierarchy, selected: frozenset[str], moving: Iterable[str], without: Collection[str]
) -> dict[str, str]:
    """Return the images that a selection takes along: image id → whose canary brings it.

    Those are the canaries of what may move, and what lies between. A canary that the user left
    out stays left out: the tags it is for are held then.

    Args:
        hierarchy: what stands on what.
        selected: ids of the images that were asked for.
        moving: ids of those that may be promoted on another digest.
        without: ids of images that the user took away.
    """
    taken: dict[str, str] = {}
    for image in moving:
        if not hierarchy.images[image].canaries:
            continue
        for between in _between(hierarchy, image, without):
            if between not in selected:
                taken.setdefault(between, image)
    return taken


def may_be_promoted(decision: Decision) -> bool:
    """Say whether a run may end with an image's floating tags on another digest."""
    if decision.verdict is Verdict.RETAG:
        return decision.digest != decision.current
    return decision.verdict in (Verdict.BUILD, Verdict.AWAIT)


def taken_along(decisions: tuple[Decision, ...], taken: Mapping[str, str]) -> tuple[Decision, ...]:
    """Return decisions that say which images nobody asked for, and whose canary brings each.

    Args:
        decisions: of a plan.
        taken: of :func:`with_canaries`.
    """
    return tuple(
        replace(d, reasons=(*d.reasons, Reason(cause=Cause.CANARY, subject=taken[d.image])))
        if d.image in taken and d.verdict is not Verdict.KEEP
        else d
        for d in decisions
    )


def _between(hierarchy: Hierarchy, image: str, without: Collection[str]) -> dict[str, None]:
    """Return an image's canaries and what lies between, without those that are out of reach."""
    on_it = {image}
    for each in hierarchy.images.values():
        if not on_it.isdisjoint(each.image_parents()) and not each.retired:
            on_it.add(each.id)
    found: dict[str, None] = {}
    for canary in hierarchy.images[image].canaries:
        chain = with_ancestors(hierarchy, {canary}) & on_it - {image}
        # One of which a part is left out would be built on what is current, and prove nothing.
        if canary in on_it and chain.isdisjoint(without):
            found |= dict.fromkeys(chain)
    return found
