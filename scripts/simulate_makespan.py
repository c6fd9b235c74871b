"""How long a run takes, beside what no order could beat: builds as events, on known durations.

    scripts/simulate makespan [--seeds N] [--seed N] [--images N] [--builders N] [--json]

Which build goes where, and when, is decided by the very classes that runs use: the order of
`orchestrator.plan.schedule.Schedule`, the places of `orchestrator.plan.dispatch.Dispatch`, and as
many steps at once. Three orders build the same: ours (longest remaining chain first), first in
first out, and level by level, where a level begins when the one before it is done. The bound is
the greatest of the longest chain, and of the work that some builders alone may do ÷ their slots.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from heapq import heappop, heappush
from itertools import combinations, count

from simulate_work import SHAPES, Labels, Work, draw

from orchestrator.plan.dispatch import Dispatch, Part, Placement
from orchestrator.plan.schedule import Schedule
from orchestrator.run.execute import BESIDE_BUILDS
from orchestrator.run.steps import MOST_PARKED

GOAL = 1.10


class Order(StrEnum):
    """In which order what is ready is built."""

    OURS = "ours"
    FIFO = "fifo"
    LEVELS = "levels"


NAMES = {
    Order.OURS: "ours",
    Order.FIFO: "first in, first out",
    Order.LEVELS: "level by level",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What no order can beat.

    Attributes:
        chain_s: of the longest chain.
        work_s: most work of builds for the same builders ÷ the slots of these.
        whole_s: the greatest of both, and of work with what must come before and after it.
    """

    chain_s: float
    work_s: float
    whole_s: float

    @property
    def plain_s(self) -> float:
        """The greater of chain and work, which is what the goal is about."""
        return max(self.chain_s, self.work_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One hierarchy, built in every order.

    Attributes:
        seed: that made it.
        shape: of the hierarchy.
        images: how many.
        builds: platforms of all images.
        slots: of all builders.
        bound: what no order can beat.
        makespans_s: order → seconds.
        decided_s: order → seconds of this machine that deciding took.
    """

    seed: int
    shape: str
    images: int
    builds: int
    slots: int
    bound: Bound
    makespans_s: Mapping[Order, float]
    decided_s: Mapping[Order, float]

    def ratio(self, order: Order) -> float:
        """Return how many times the bound an order takes."""
        return self.makespans_s[order] / self.bound.plain_s

    @property
    def whole_ratio(self) -> float:
        """How many times the whole bound ours takes."""
        return self.makespans_s[Order.OURS] / self.bound.whole_s


class _Turns:
    """Which images come next: for ours the schedule of a run, for the others a plain queue."""

    def __init__(self, work: Work, order: Order) -> None:
        self._order = order
        self._schedule = Schedule(work.plan(), work.image_s())
        self._levels = _levels(work.parents)
        self._left = Counter(self._levels.values())
        self._level = 0
        self._arrivals = count()
        self._arrived: dict[str, int] = {}
        self._heap: list[tuple[int, int, str]] = []
        self._needs = {image: set(parents) for image, parents in work.parents.items()}
        self._children: dict[str, list[str]] = {}
        for image, parents in work.parents.items():
            for parent in parents:
                self._children.setdefault(parent, []).append(image)
            if not parents:
                self._arrive(image)

    def start(self, most: int) -> Iterator[str]:
        """Yield images that start now, no more than so many."""
        if self._order is Order.OURS:
            for image in self._schedule.ready(most):
                self._schedule.start(image)
                yield image
            return
        while most > 0 and self._heap and self._heap[0][0] <= self._level:
            most -= 1
            yield heappop(self._heap)[-1]

    def succeed(self, image: str) -> None:
        """Note that an image is there."""
        if self._order is Order.OURS:
            self._schedule.succeed(image)
            return
        for child in self._children.get(image, ()):
            self._needs[child].discard(image)
            if not self._needs[child]:
                self._arrive(child)
        self._left[self._levels[image]] -= 1
        while self._left.get(self._level) == 0:
            self._level += 1

    def part(self, image: str, part: Part) -> Part:
        """Return a part with what orders it."""
        if self._order is not Order.OURS:
            return replace(part, rank=self._arrived[image])
        rank, left_s = self._schedule.rank(image), self._schedule.left_s(image)
        lasts_s = self._schedule.lasts_s(image)
        return replace(part, rank=rank, urgency=rank[0], left_s=left_s, lasts_s=lasts_s)

    def announce(self, work: Work, dispatch: Dispatch) -> None:
        """Say what is to come, as a run does."""
        if self._order is Order.OURS:
            for image, platform in work.took_s:
                lasts_s = self._schedule.lasts_s(image)
                dispatch.expect(platform, work.labels[image], lasts_s)

    def _arrive(self, image: str) -> None:
        self._arrived[image] = next(self._arrivals)
        level = self._levels[image] if self._order is Order.LEVELS else 0
        heappush(self._heap, (level, self._arrived[image], image))


def run(work: Work, order: Order, at_once: int | None = None) -> tuple[float, list[Placement]]:
    """Return the seconds that a run takes, and its builds in the order in which they began.

    Args:
        work: what is built.
        order: in which what is ready takes its turns.
        at_once: images at work at the same time; None: as many as in a run.
    """
    room = at_once or work.slots + BESIDE_BUILDS
    turns, dispatch = _Turns(work, order), Dispatch(work.builders)
    turns.announce(work, dispatch)
    left: dict[str, int] = {}
    queue: list[tuple[float, int, Placement]] = []
    queued: set[tuple[str, str]] = set()
    began: list[Placement] = []
    done, now_s = 0, 0.0
    while done < len(work.parents):
        starts = True
        while starts:
            # Those that wait for a builder that is busy leave room for others, as in a run.
            parked = min(len(queued), MOST_PARKED) if dispatch.is_short() else 0
            started = list(turns.start(max(room + parked - len(left), 0)))
            starts = bool(started)
            for image in started:
                left[image] = len(work.platforms[image])
                for part in _parts(image, work):
                    queued.add((image, part.platform))
                    dispatch.wait(turns.part(image, part))
            while (placement := dispatch.next()) is not None:
                name = placement.part.image, placement.part.platform
                queued.discard(name)
                heappush(queue, (now_s + work.took_s[name], len(began), placement))
                began.append(placement)
        now_s = queue[0][0]
        while queue and queue[0][0] <= now_s:
            _, _, placement = heappop(queue)
            dispatch.end(placement, built=True)
            image = placement.part.image
            left[image] -= 1
            if not left[image]:
                del left[image]
                turns.succeed(image)
                done += 1
    return now_s, began


def _parts(image: str, work: Work) -> Iterator[Part]:
    for platform in work.platforms[image]:
        yield Part(
            image=image,
            platform=platform,
            labels=work.labels[image],
            parent=next(iter(work.parents[image]), ""),
        )


def bound_of(work: Work) -> Bound:
    """Return what no order can beat."""
    image_s = work.image_s()
    before_s: dict[str, float] = {}
    after_s = dict.fromkeys(work.parents, 0.0)
    for image, parents in work.parents.items():
        before_s[image] = max((before_s[p] + image_s[p] for p in parents), default=0.0)
    for image in reversed(list(work.parents)):
        for parent in work.parents[image]:
            after_s[parent] = max(after_s[parent], after_s[image] + image_s[image])
    chain_s = max(before_s[image] + image_s[image] for image in work.parents)
    dispatch = Dispatch(work.builders)
    slots = {builder.name: builder.slots for builder in work.builders}
    #: Who may build → images' platforms.
    groups: dict[frozenset[str | None], list[tuple[str, str]]] = {}
    known: dict[tuple[str, Labels], frozenset[str | None]] = {}
    for image, platform in work.took_s:
        sort = (platform, work.labels[image])
        if sort not in known:
            part = Part(image=image, platform=platform, labels=work.labels[image])
            known[sort] = frozenset(dispatch.builders_for(part))
        groups.setdefault(known[sort], []).append((image, platform))
    work_s = whole_s = 0.0
    for size in range(1, len(groups) + 1):
        for chosen in combinations(groups, size):
            able = sum(slots[name] for name in frozenset().union(*chosen))
            parts = [part for group in chosen for part in groups[group]]
            work_s = max(work_s, sum(work.took_s[part] for part in parts) / able)
            if size in (1, len(groups)):
                whole_s = max(whole_s, _whole(work, parts, able, before_s, after_s))
    return Bound(chain_s=chain_s, work_s=work_s, whole_s=max(whole_s, chain_s, work_s))


def _whole(
    work: Work,
    parts: list[tuple[str, str]],
    slots: int,
    before_s: Mapping[str, float],
    after_s: Mapping[str, float],
    steps: int = 16,
) -> float:
    """Return what begins late or has much after it: the least before + work ÷ slots + least after.

    Any set of builds gives a bound; taken are those with at least so much before and after them.
    """
    heads = _steps((before_s[image] for image, _ in parts), steps)
    tails = _steps((after_s[image] for image, _ in parts), steps)
    best = 0.0
    for tail in tails:
        here = [(before_s[i], work.took_s[i, p]) for i, p in parts if after_s[i] >= tail]
        here.sort(reverse=True)
        total_s, at = 0.0, 0
        for head in reversed(heads):
            while at < len(here) and here[at][0] >= head:
                total_s += here[at][1]
                at += 1
            if at:
                best = max(best, head + total_s / slots + tail)
    return best


def _steps(values: Iterable[float], most: int) -> list[float]:
    """Return some of the values, ascending: the smallest, and the others evenly spread."""
    every = sorted(set(values))
    if len(every) <= most:
        return every
    return [every[len(every) * at // most] for at in range(most)]


def _levels(parents: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    levels: dict[str, int] = {}
    for image, above in parents.items():
        levels[image] = max((levels[parent] + 1 for parent in above), default=0)
    return levels


def trial(seed: int, images: int, builders: int, shape: str | None = None) -> Trial:
    """Build one random hierarchy in every order."""
    shape = shape or sorted(SHAPES)[seed % len(SHAPES)]
    work = draw(seed, images, builders, shape)
    makespans_s: dict[Order, float] = {}
    decided_s: dict[Order, float] = {}
    for order in Order:
        began_s = time.process_time()
        makespans_s[order], _ = run(work, order)
        decided_s[order] = time.process_time() - began_s
    return Trial(
        seed=seed,
        shape=shape,
        images=len(work.parents),
        builds=len(work.took_s),
        slots=work.slots,
        bound=bound_of(work),
        makespans_s=makespans_s,
        decided_s=decided_s,
    )


def spread(values: Iterable[float]) -> dict[str, float]:
    """Return least, median and greatest."""
    every = sorted(values)
    return {"min": every[0], "median": statistics.median(every), "max": every[-1]}


def row(trial: Trial) -> str:
    """Return a trial as a line of the table."""
    ratios = " ".join(f"{trial.ratio(order):6.3f}" for order in Order)
    bound = trial.bound
    return (
        f"{trial.seed:5} {trial.shape:8} {trial.builds:7,} {trial.slots:5} "
        f"{bound.chain_s:8,.0f} {bound.work_s:8,.0f} {ratios} {trial.whole_ratio:6.3f}"
    )


def as_json(trial: Trial) -> str:
    """Return a trial as a line of JSON."""
    ratios = {order: round(trial.ratio(order), 4) for order in Order}
    return json.dumps({**asdict(trial), "ratios": ratios, "whole_ratio": trial.whole_ratio})


def report(trials: list[Trial]) -> str:
    """Return what all trials came to."""
    lines = [f"{'times the bound':22}  least median greatest"]
    for order in Order:
        found = spread(trial.ratio(order) for trial in trials)
        lines.append(
            f"{NAMES[order]:22} {found['min']:6.3f} {found['median']:6.3f} {found['max']:8.3f}"
        )
    found = spread(trial.whole_ratio for trial in trials)
    lines.append(
        f"{'ours, the whole bound':22} {found['min']:6.3f} {found['median']:6.3f} "
        f"{found['max']:8.3f}"
    )
    beyond = [trial for trial in trials if trial.ratio(Order.OURS) > GOAL]
    lines.append(
        f"\ngoal: ours within {GOAL:.2f} times the bound: "
        + (f"missed by {len(beyond)} of {len(trials)}" if beyond else "met by all")
    )
    lines += [
        f"  seed {trial.seed}: {trial.ratio(Order.OURS):.3f}; of the whole bound, which nobody "
        f"can beat, {trial.whole_ratio:.3f}"
        for trial in beyond
    ]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Simulate and print."""
    parser = argparse.ArgumentParser(
        prog="scripts/simulate makespan", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--seed", type=int, default=1, help="the first one (1)")
    parser.add_argument("--seeds", type=int, default=20, help="so many hierarchies (20)")
    parser.add_argument("--images", type=int, default=10_000, help="images (10000)")
    parser.add_argument("--builders", type=int, default=50, help="builders, at least 4 (50)")
    parser.add_argument("--shape", choices=sorted(SHAPES), help="else one shape after another")
    parser.add_argument("--json", action="store_true", help="a line of JSON for each hierarchy")
    asked = parser.parse_args(arguments)
    trials: list[Trial] = []
    if not asked.json:
        print(
            f"{asked.images:,} images, {asked.builders} builders; seconds, and times the bound:\n"
        )
        print(" seed shape     builds slots    chain     work   ours   fifo levels  whole")
    for seed in range(asked.seed, asked.seed + asked.seeds):
        trials.append(trial(seed, asked.images, asked.builders, asked.shape))
        said = trials[-1]
        print(as_json(said) if asked.json else row(said), flush=True)
    if not asked.json:
        print(f"\n{report(trials)}")
    return 0
