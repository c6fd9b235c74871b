"""One image by itself: the step that a run would carry out for it now. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from orchestrator.decide.refuse import retired_image, unknown_image
from orchestrator.errors import Unavailable, UsageError
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.names import short_digest
from orchestrator.model.observation import Observations
from orchestrator.model.plan import Decision, Step, Verdict
from orchestrator.plan.make import make_step


def require_buildable(image: str, hierarchy: Hierarchy) -> None:
    """Refuse an image that no run would build.

    Raises:
        UsageError: there is none of this name, or it is retired.
    """
    if image not in hierarchy.images:
        raise unknown_image(image, hierarchy)
    if hierarchy.images[image].retired:
        raise retired_image(image)


def step_alone(
    image: str, hierarchy: Hierarchy, seen: Observations, decisions: Iterable[Decision]
) -> Step:
    """Return a resolved step: parents that are about to be built are pinned to what is current.

    Args:
        image: one that a run would build.
        hierarchy: what should be.
        seen: what is, of the image and of all that it stands on.
        decisions: about the same.

    Raises:
        UsageError: a parent was never published.
        Unavailable: something from outside that it is made of cannot be had.
    """
    if image in seen.unusable:
        raise Unavailable(
            f"{image} cannot be built now: something that it is made of cannot be had",
            hint=f"`orchestrate why {image}` says what",
        )
    decided = {d.image: replace(d, verdict=Verdict.KEEP) for d in decisions}
    step = make_step(hierarchy.images[image], hierarchy, seen, decided)
    missing = [parent.subject for parent in step.parents if parent.digest is None]
    if missing:
        raise UsageError(
            f"{image} stands on {missing[0]}, which was never published",
            hint=f"build it first: `orchestrate build`, or ask `orchestrate why {missing[0]}`",
        )
    for parent in step.parents:
        if not set(step.platforms) <= set(parent.manifests):
            raise Unavailable(
                f"{image} cannot be built now: {short_digest(parent.digest or '')}… of "
                f"{parent.subject} is gone, or lacks a platform",
                hint=f"`orchestrate why {image}` says what it stays on",
            )
    return step
