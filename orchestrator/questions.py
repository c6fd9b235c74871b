"""What people ask of a hierarchy; nothing is written anywhere."""

from __future__ import annotations

import threading
from dataclasses import replace

from orchestrator.build.prepare import preview, usual_builder
from orchestrator.decide.alone import require_buildable, step_alone
from orchestrator.decide.breaker import told
from orchestrator.decide.refuse import unknown_image
from orchestrator.decide.select import Chosen, with_ancestors
from orchestrator.decide.verdicts import decide
from orchestrator.doors.protocols import BuildRequest
from orchestrator.explain.answers import explanation, statuses
from orchestrator.flow import Doors, look
from orchestrator.model.change import ImageChange
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.observation import Observations
from orchestrator.model.orphan import Orphans
from orchestrator.model.plan import Decision, Plan, Step
from orchestrator.model.protection import Shelf
from orchestrator.model.source import Revision
from orchestrator.model.status import Explanation, ImageStatus
from orchestrator.observe.change import Comparing, compare
from orchestrator.observe.ledger import lacking
from orchestrator.observe.orphans import find_orphans
from orchestrator.observe.sides import Choosing, two_sides
from orchestrator.observe.stock import Stocktaking, take_stock
from orchestrator.publish.waiting import told_as_held


def status(
    hierarchy: Hierarchy, doors: Doors, chosen: Chosen | None = None
) -> tuple[ImageStatus, ...]:
    """Return how images stand, every one or those chosen. Nothing is written anywhere."""
    images = chosen.only if chosen else None
    seen, decisions = _judged(hierarchy, doors, images)
    late = lacking(hierarchy, seen, decisions, doors.history, doors.clock.now_s())
    return statuses(hierarchy, seen, decisions, doors.clock.now_s(), images, late)


def _judged(
    hierarchy: Hierarchy, doors: Doors, images: frozenset[str] | None
) -> tuple[Observations, tuple[Decision, ...]]:
    """Look at images, or at all, and at what they stand on, which decides about them too."""
    selected = None if images is None else with_ancestors(hierarchy, images)
    seen = look(hierarchy, doors, selected=selected)
    decisions = told_as_held(decide(hierarchy, seen, selected=selected), doors.history, hierarchy)
    streaks = doors.history.streaks(hierarchy.name)
    return seen, told(decisions, streaks, doors.clock.now_s())


def orphans(hierarchy: Hierarchy, doors: Doors) -> Orphans:
    """Return what is published and in no file any more. Nothing is written anywhere."""
    return find_orphans(hierarchy, doors.registry, doors.history)


def digests(
    hierarchy: Hierarchy, doors: Doors, chosen: Chosen, plans: tuple[Plan, ...]
) -> tuple[Shelf, ...]:
    """Return every digest that tags name, and what protects it. Nothing is written anywhere.

    Args:
        hierarchy: what should be.
        doors: the outside world.
        chosen: whose repositories; what protects their digests may be anybody's.
        plans: saved ones that somebody may still apply.
    """
    taken = Stocktaking(
        hierarchy=hierarchy,
        seen=look(hierarchy, doors),
        registry=doors.registry,
        history=doors.history,
        plans=plans,
        now_s=doors.clock.now_s(),
    )
    return take_stock(taken, chosen.images)


def why(hierarchy: Hierarchy, doors: Doors, image: str) -> Explanation:
    """Return why an image would be built or why not. Nothing is written anywhere.

    Raises:
        UsageError: there is no such image.
    """
    if image not in hierarchy.images:
        raise unknown_image(image, hierarchy)
    images = frozenset((image,))
    seen, decisions = _judged(hierarchy, doors, images)
    late = lacking(hierarchy, seen, decisions, doors.history, doors.clock.now_s())
    (found,) = statuses(hierarchy, seen, decisions, doors.clock.now_s(), images, late)
    return explanation(hierarchy, seen, found)


def difference(
    hierarchy: Hierarchy,
    doors: Doors,
    image: str,
    old: str = "",
    new: str = "",
    *,
    files: bool = False,
    cancelled: threading.Event,
) -> ImageChange:
    """Return what is different between two published digests of an image. Nothing is written.

    Args:
        hierarchy: what should be.
        doors: the outside world.
        image: image id.
        old: a digest, a tag, or a run's id; empty: what was current before.
        new: the same, or empty: what is current.
        files: read the layers too, for the files that make the image larger.
        cancelled: set it to stop.

    Raises:
        UsageError: there is no such image, or nothing that is called so.
    """
    if image not in hierarchy.images:
        raise unknown_image(image, hierarchy)
    choosing = Choosing(
        image=hierarchy.images[image],
        hierarchy=hierarchy,
        registry=doors.registry,
        history=doors.history,
    )
    was, now = two_sides(old, new, choosing)
    comparing = Comparing(
        registry=doors.registry,
        sboms=doors.sboms,
        scanner=doors.scanner,
        files=files,
        cancelled=cancelled,
    )
    return compare(was, now, comparing)


def build_command(hierarchy: Hierarchy, doors: Doors, image: str) -> tuple[BuildRequest, ...]:
    """Return the builds that a run would start for an image now, one for each platform.

    Each is on the first builder that the file says is native for it, else on the first; a run may
    send it elsewhere. See :func:`step_now`.
    """
    step, revision = step_now(hierarchy, doors, image)
    request = preview(step, hierarchy, doors.files, doors.registry, revision, doors.clock)
    builders = hierarchy.builders
    return tuple(
        replace(
            request, platform=platform, builder=usual_builder(request.image, platform, builders)
        )
        for platform in step.platforms
    )


def step_now(hierarchy: Hierarchy, doors: Doors, image: str) -> tuple[Step, Revision | None]:
    """Return an image's step as a run would carry it out now, and where the tree stands in git.

    Parents that are about to be built are pinned to what is current; the SOURCE_DATE_EPOCH is the
    one of what is published, where there is something.

    Raises:
        UsageError: there is no such image, it is retired, or a parent was never published.
        Unavailable: something from outside that it is made of cannot be had.
    """
    require_buildable(image, hierarchy)
    seen, decisions = _judged(hierarchy, doors, frozenset((image,)))
    return step_alone(image, hierarchy, seen, decisions), seen.revision
