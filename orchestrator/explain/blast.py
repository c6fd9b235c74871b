"""What a change would set in motion: files and past durations in, the blast radius out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heapify, heappop, heappush
from statistics import median

from orchestrator.model.blast import Blast, Rebuild
from orchestrator.model.hierarchy import Hierarchy, Image
from orchestrator.plan.tell import teams_told

#: Seconds that a build is taken to last where nothing was ever built here.
UNKNOWN_BUILD_S = 30.0


def blast_radius(
    hierarchy: Hierarchy,
    changed: frozenset[str],
    durations: Mapping[str, float],
    slots: int,
    *,
    upstreams: frozenset[str] = frozenset(),
    today: str = "",
) -> Blast:
    """Return what would be rebuilt if these changed, and every build came out different.

    Nothing is asked of a registry: a real run may stop early, where a rebuild changes nothing.

    Args:
        hierarchy: what stands on what.
        changed: ids of images that are not retired.
        durations: image id → seconds its last build took; an image without one is taken to last
            the median of those of this hierarchy.
        slots: images built at once, at least 1.
        upstreams: names of upstreams that change too.
        today: ``YYYY-MM-DD``, which says who is muted; empty: nobody is.
    """
    alive = [image for image in hierarchy.images.values() if not image.retired]
    known = {image.id: _lasted_s(image, durations) for image in alive}
    guess_s = median([s for s in known.values() if s is not None] or [UNKNOWN_BUILD_S])
    depths: dict[str, int] = {}
    parents: dict[str, tuple[str, ...]] = {}
    for image in alive:
        moving = tuple(parent for parent in image.image_parents() if parent in depths)
        outside = not upstreams.isdisjoint(image.upstream_parents())
        if image.id in changed or moving or outside:
            parents[image.id] = moving
            depths[image.id] = max((depths[parent] + 1 for parent in moving), default=int(outside))
    rebuilds = tuple(
        Rebuild(
            image=image.id,
            tier=image.tier or "",
            depth=depths[image.id],
            lasts_s=guess_s if (lasted_s := known[image.id]) is None else lasted_s,
            known=known[image.id] is not None,
        )
        for image in alive
        if image.id in depths
    )
    lasts_s = {rebuild.image: rebuild.lasts_s for rebuild in rebuilds}
    remaining_s = _remaining_s(parents, lasts_s)
    chain = _chain(parents, remaining_s)
    return Blast(
        hierarchy=hierarchy.name,
        changed=tuple(image.id for image in alive if image.id in changed),
        rebuilds=rebuilds,
        chain=chain,
        chain_s=sum(lasts_s[image] for image in chain),
        total_s=sum(lasts_s.values()),
        run_s=_run_s(parents, lasts_s, remaining_s, slots),
        slots=slots,
        guess_s=guess_s,
        of=len(alive),
        told=teams_told(hierarchy, tuple(lasts_s), today=today),
        upstreams=tuple(name for name in upstreams_of(hierarchy) if name in upstreams),
    )


def upstreams_of(hierarchy: Hierarchy) -> tuple[str, ...]:
    """Return the names of all upstreams: those that are declared, then others that are used."""
    used = (name for image in hierarchy.images.values() for name in image.upstream_parents())
    return tuple(dict.fromkeys((*hierarchy.upstreams, *used)))


def _lasted_s(image: Image, durations: Mapping[str, float]) -> float | None:
    """Return how long its last build took, also under a former id; None where nobody knows."""
    names = (image.id, *reversed(image.formerly))
    return next((durations[name] for name in names if name in durations), None)


def _remaining_s(
    parents: Mapping[str, tuple[str, ...]], lasts_s: Mapping[str, float]
) -> dict[str, float]:
    """Return image → seconds of the longest chain of builds that begins with it."""
    after = dict.fromkeys(parents, 0.0)
    remaining: dict[str, float] = {}
    for image in reversed(list(parents)):
        remaining[image] = lasts_s[image] + after[image]
        for parent in parents[image]:
            after[parent] = max(after[parent], remaining[image])
    return remaining


def _chain(
    parents: Mapping[str, tuple[str, ...]], remaining_s: Mapping[str, float]
) -> tuple[str, ...]:
    """Return the chain that takes longest; the first of equal ones, in the hierarchy's order."""
    children: dict[str | None, list[str]] = {None: [i for i in parents if not parents[i]]}
    for image in parents:
        for parent in parents[image]:
            children.setdefault(parent, []).append(image)
    chain: list[str] = []
    at: str | None = None
    while below := children.get(at):
        at = max(below, key=remaining_s.__getitem__)
        chain.append(at)
    return tuple(chain)


def _run_s(
    parents: Mapping[str, tuple[str, ...]],
    lasts_s: Mapping[str, float],
    remaining_s: Mapping[str, float],
    slots: int,
) -> float:
    """Return when the last build ends if each slot takes what holds up most, as a run does."""
    waits_for = {image: len(below) for image, below in parents.items()}
    children: dict[str, list[str]] = {}
    for image, below in parents.items():
        for parent in below:
            children.setdefault(parent, []).append(image)
    ready = [(-remaining_s[image], image) for image, number in waits_for.items() if not number]
    heapify(ready)
    running: list[tuple[float, str]] = []
    now_s = 0.0
    while ready or running:
        while ready and len(running) < slots:
            _, image = heappop(ready)
            heappush(running, (now_s + lasts_s[image], image))
        now_s, done = heappop(running)
        for child in children.get(done, ()):
            waits_for[child] -= 1
            if not waits_for[child]:
                heappush(ready, (-remaining_s[child], child))
    return now_s
