"""Wishes that cannot be met, told before anything is done. Pure."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

from orchestrator.decide.want import can_stand_on, published_parents
from orchestrator.errors import UsageError
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.names import short_digest
from orchestrator.model.observation import Observations

#: Names in one message, at most.
_NAMED = 8


def unknown_image(name: str, hierarchy: Hierarchy) -> UsageError:
    """Return the error for an image id that is not in the hierarchy, with the nearest ones."""
    near = get_close_matches(name, hierarchy.images, 1, 0.5)
    hint = f"did you mean {near[0]}?" if near else f"images: {_listed(hierarchy.images)}"
    return UsageError(f"no image is called {name!r}", hint=hint)


def retired_image(name: str) -> UsageError:
    """Return the error for building an image that is retired."""
    return UsageError(
        f"{name} is retired: it is not built, forced or not",
        hint="take `retired:` away from it in the hierarchy file, or leave it out",
    )


def require_forcible(
    forced: frozenset[str], hierarchy: Hierarchy, selected: frozenset[str] | None
) -> None:
    """Refuse to force what does not exist, is retired or was not asked for.

    Args:
        forced: image ids to build whatever is there.
        hierarchy: what should be.
        selected: ids of the images that were asked for; None: all.

    Raises:
        UsageError: naming the first of them.
    """
    for image in sorted(forced):
        if image not in hierarchy.images:
            raise unknown_image(image, hierarchy)
        if hierarchy.images[image].retired:
            raise retired_image(image)
        if selected is not None and image not in selected:
            raise UsageError(
                f"{image} is to be forced and is not selected",
                hint=f"add {image} to the selectors, or leave out --force",
            )


def require_upstreams(names: frozenset[str], hierarchy: Hierarchy) -> None:
    """Refuse not to let something soak that is not an upstream.

    Raises:
        UsageError: naming the first of them, and the nearest upstream.
    """
    for name in sorted(names - hierarchy.upstreams.keys()):
        near = get_close_matches(name, hierarchy.upstreams, 1, 0.5)
        hint = f"upstreams: {_listed(hierarchy.upstreams)}"
        if near:
            hint = f"did you mean {near[0]}?"
        elif not hierarchy.upstreams:
            hint = "the hierarchy has none"
        raise UsageError(f"no upstream is called {name!r}", hint=hint)


def require_ground(hierarchy: Hierarchy, seen: Observations, selected: frozenset[str]) -> None:
    """Refuse to build on an image that is left out and has nothing published to build upon.

    Nothing, or not for every platform, or something that is not ours.

    Args:
        hierarchy: what should be.
        seen: what is.
        selected: ids of the images that were asked for.

    Raises:
        UsageError: naming every such parent.
    """
    bare = [
        (parent, image)
        for image in hierarchy.images.values()
        if image.id in selected and not image.retired
        for parent, published in published_parents(image, seen).items()
        if parent not in selected and not can_stand_on(image, published)
        # What it stays on is another digest.
        if parent not in {held.reason.subject for held in seen.held.get(image.id, {}).values()}
    ]
    for parent, image in bare:
        current = seen.currents[parent]
        # A retired parent is not built either way: the plan says what that holds back.
        if current is not None and not hierarchy.images[parent].retired:
            raise UsageError(
                f"{parent} is left out, and {image.id} cannot be built on "
                f"{short_digest(current.digest)}…, which is published of it: "
                + ("it lacks a platform" if current.publication else "it is not one of ours"),
                hint=f"select what it stands on too: +{image.id}",
            )
    missing = {parent: image.id for parent, image in bare if seen.currents[parent] is None}
    if missing:
        one = len(missing) == 1
        children = dict.fromkeys(missing.values())
        raise UsageError(
            f"{_listed(missing)} {'was' if one else 'were'} never published and "
            f"{'is' if one else 'are'} left out, so {_listed(children)} cannot be built on "
            f"{'it' if one else 'them'}",
            hint=f"select what {'it stands' if len(children) == 1 else 'they stand'} on too: "
            + _listed([f"+{child}" for child in children], " "),
        )


def _listed(names: Collection[str], between: str = ", ") -> str:
    shown = between.join(list(names)[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"
