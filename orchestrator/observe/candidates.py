"""What images were built into: by one key each, and again where a parent waits. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from orchestrator.decide.promotion import waits_for_promotion
from orchestrator.decide.want import Wanted, followed, is_complete, judged
from orchestrator.model.hierarchy import Hierarchy, Image, Promote
from orchestrator.model.observation import Found, Held, Observations
from orchestrator.observe.outside import together
from orchestrator.run.abreast import Abreast


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How candidates are asked for.

    Attributes:
        hierarchy: what stands on what.
        look: does many requests at once.
        edges: returns the parents that an image does not follow, given what is seen.
        find: returns what a key of an image led to; None: nothing, or the key is not known.
        epochs: image id → the refresh epoch of those that are forced.
    """

    hierarchy: Hierarchy
    look: Abreast
    edges: Callable[[Image, Observations], dict[str, Held]]
    find: Callable[[Image, str | None], Found | None]
    epochs: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """What images were built into.

    Attributes:
        seen: with what images do not follow, and what waits for its promotion.
        keys: image id → what it should be made of.
        found: image id → what that led to; None: it was never built.
    """

    seen: Observations
    keys: Mapping[str, Wanted]
    found: Mapping[str, Found | None]


def find_candidates(images: Mapping[str, Image], seen: Observations, ask: Asking) -> Candidates:
    """Return what images were built into.

    One pass over all of them, on what is current of their parents. Where people promote, an image
    that waits is what its children were built on: these are asked again, level by level, which
    costs nothing where none waits.

    Args:
        images: by id; those that can be had.
        seen: what is, without edges.
        ask: how.
    """
    outside = seen.held
    keys: dict[str, Wanted] = {}
    found: dict[str, Found | None] = {}
    seen = _ask(images, seen, outside, ask, keys, found)
    if ask.hierarchy.promote is Promote.MANUAL:
        for level in _levels(images):
            again = {n: i for n, i in level.items() if seen.waiting.keys() & i.image_parents()}
            if again:
                seen = _ask(again, seen, outside, ask, keys, found)
            waiting = {
                name: there
                for name, image in level.items()
                if (there := found[name]) and _waits(image, there, seen, ask.hierarchy)
            }
            seen = replace(seen, waiting={**seen.waiting, **waiting})
    return Candidates(seen=seen, keys=keys, found=found)


def _ask(
    images: Mapping[str, Image],
    seen: Observations,
    outside: Mapping[str, Mapping[str, Held]],
    ask: Asking,
    keys: dict[str, Wanted],
    found: dict[str, Found | None],
) -> Observations:
    """Put into ``keys`` and ``found`` what images lead to, and return what is seen, with edges."""
    edges = ask.look.each(images, lambda image: ask.edges(image, seen))
    there = {name: held for name, held in outside.items() if name in images}
    rest = {name: held for name, held in seen.held.items() if name not in images}
    seen = replace(seen, held={**rest, **together(edges, there)})
    for name, image in images.items():
        keys[name] = judged(image, seen, forced_epoch=ask.epochs.get(name))
    found |= ask.look.each(images, lambda i: ask.find(i, keys[i.id].key))
    # A build takes also the newest of what an image is not judged on, and may be there already.
    built = {
        name: followed(image, seen, forced_epoch=ask.epochs.get(name))
        for name, image in images.items()
        if found[name] is None and not all(held.firm for held in seen.held.get(name, {}).values())
    }
    keys |= built
    found |= ask.look.each(
        {name: images[name] for name in built}, lambda i: ask.find(i, keys[i.id].key)
    )
    return seen


def _levels(images: Mapping[str, Image]) -> Iterator[dict[str, Image]]:
    """Yield images by how many of these they stand on, parents first."""
    depths: dict[str, int] = {}
    for name, image in images.items():
        below = [depths[parent] + 1 for parent in image.image_parents() if parent in depths]
        depths[name] = max(below, default=0)
    for depth in range(max(depths.values(), default=-1) + 1):
        yield {name: image for name, image in images.items() if depths[name] == depth}


def _waits(image: Image, found: Found, seen: Observations, hierarchy: Hierarchy) -> bool:
    current = seen.currents[image.id]
    return (
        waits_for_promotion(hierarchy, found, current.digest if current else None)
        and found.publication is not None
        and found.publication.image in image.names
        and is_complete(found.publication, image.platforms)
    )
