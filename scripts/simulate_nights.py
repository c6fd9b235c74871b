"""Weeks of nightly runs over a large hierarchy in minutes, with everything that goes wrong.

    scripts/simulate nights [--seed N] [--nights N] [--images N] [--builders N] [--json]

The whole flow runs on twins with a virtual clock: look, decide, plan, build on several builders,
publish, promote. Between the nights upstreams move and people edit files. In some nights builds
fail, for once or until somebody mends them; a registry is slow, answers 429 or 503, or loses an
answer; builders die; the diary is lost; and the process is killed at a point that the seed picks,
and then recovered. After every night the oracle of the tests looks at all that is published: no
immutable tag ever moves, what has a tag is complete, floating tags are all-old or all-new. Every
few nights it is left in peace: one more run must converge, and one more have nothing to do.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from simulate_trouble import Trouble, failure
from simulate_work import SHAPES, draw
from simulate_world import source_of, world_of

from orchestrator import flow
from orchestrator.decide.breaker import paused
from orchestrator.doors.memory.crash import Killed, MemoryCrashPoints
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.errors import Unavailable
from orchestrator.model.crash import CrashPoint
from orchestrator.model.event import RunFinished
from orchestrator.model.plan import Plan
from orchestrator.model.run import Outcome
from tests.mortal import mortal
from tests.oracle import Oracle, Tags
from tests.world import put_image

DAY_S = 86_400.0
#: Points that a run itself reaches.
POINTS = tuple(
    point for point in CrashPoint if point not in (CrashPoint.LEASE_TAKEN, CrashPoint.RECOVERED)
)
#: Images for each upstream, about.
PER_UPSTREAM = 250
#: Nights in a row after which a hierarchy that is left in peace must be done.
ENOUGH = 4
#: Every how many nights it is left in peace.
PEACE = 4


@dataclass(slots=True, kw_only=True)
class Night:
    """What happened in one night.

    Attributes:
        number: from 0, the first build of everything.
        happened: what went wrong, in a few words.
        outcomes: how many images ended how, over all runs of the night.
        runs: how many there were: one more after each kill, and in peace until nothing is left.
        moves: floating tags that moved.
        faults: answers of the registry that were bad.
        converged: nothing was left to do at its end; None: nobody looked.
        took_s: seconds of this machine.
    """

    number: int
    happened: list[str] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    moves: int = 0
    faults: int = 0
    converged: bool | None = None
    took_s: float = 0.0


class Life:
    """A world, what happens in it, and the oracle.

    Args:
        seed: decides everything, but for which of two threads is first.
        images: how many.
        builders: how many, at least 4.
        at_once: builds at once: every one is a thread here.
    """

    def __init__(self, seed: int, images: int, builders: int, at_once: int = 8) -> None:
        self.luck = random.Random(seed)
        self.work = draw(seed, images, builders, sorted(SHAPES)[seed % len(SHAPES)])
        self.at_once = at_once
        self.upstreams = [f"up{n:03}:1" for n in range(max(images // PER_UPSTREAM, 2))]
        self.world = world_of(self.work, self.upstreams, self.luck)
        self.trouble = Trouble(seed, self.world.clock)
        self.world.registry.fault = self.trouble
        self.hierarchy = self.world.hierarchy()
        self.oracle = Oracle(self.world.registry, self.world.history, self.hierarchy)
        self.settled = self.oracle
        self.before: Tags = {}
        self.broken: dict[str, int] = {}
        """Image → nights until somebody mends it."""
        self.is_told = True
        """The diary knows all there ever was."""

    def nights(self, count: int) -> Iterator[Night]:
        """Play the first build of everything and so many nights, and yield each.

        Raises:
            AssertionError: the oracle complains.
        """
        for number in range(count + 1):
            night = Night(number=number)
            began_s = time.perf_counter()
            if number:
                self._day(night)
                self._misfortune(night)
            self._play(night)
            if number % PEACE == 0 or number == count:
                self._peace(night)
            night.took_s = time.perf_counter() - began_s
            yield night

    def _day(self, night: Night) -> None:
        """Let upstreams move and people edit, and let a day pass."""
        world, luck = self.world, self.luck
        world.clock.sleep(DAY_S)
        for upstream in luck.sample(self.upstreams, luck.choice((0, 0, 1, 1, 2))):
            put_image(world.registry, source_of(upstream), f"{upstream} {luck.randint(0, 9)}")
            night.happened.append(f"{upstream} moved")
        images = list(self.work.parents)
        edited = luck.sample(images, luck.randint(0, 1 + len(images) // 500))
        for image in edited:
            # One of them is copied; the other one changes the key, and nothing that is built.
            name = luck.choice(("content", "content", "README"))
            world.files.write(f"{image}/{name}", f"{night.number}\n".encode())
        if edited:
            night.happened.append(f"{len(edited)} edited")
        for image in [image for image, nights in self.broken.items() if nights <= 0]:
            del self.broken[image]
            world.builder.fail(image, failure(image), times=0)
        self.broken = {image: nights - 1 for image, nights in self.broken.items()}

    def _misfortune(self, night: Night) -> None:
        """Let something go wrong tonight, or nothing."""
        world, luck = self.world, self.luck
        images = list(self.work.parents)
        if luck.random() < 0.1:
            self._lose_diary()
            night.happened.append("the diary is lost")
        if luck.random() < 0.5:
            for image in luck.sample(images, max(len(images) // 100, 1)):
                world.builder.fail(image, failure(image, transient=True), times=luck.choice((1, 2)))
            night.happened.append("a mirror is flaky")
        if luck.random() < 0.3:
            image = luck.choice(images)
            self.broken[image] = luck.randint(0, 3)
            world.builder.fail(image, failure(image))
            night.happened.append(f"{image} is broken")
        if luck.random() < 0.3:
            self.trouble.share = 10 ** luck.uniform(-4, -2)
            self.trouble.slow_s = luck.choice((0.0, 20.0))
            slow = "slow and " if self.trouble.slow_s else ""
            night.happened.append(f"the registry is {slow}flaky")
        if luck.random() < 0.2:
            name = luck.choice(self.work.builders).name
            world.builder.fleet.kill(name)
            night.happened.append(f"{name} is down")

    def _lose_diary(self) -> None:
        self.before = self.oracle.look()
        self.world.history = MemoryHistory()
        self.settled = Oracle(self.world.registry, self.world.history, self.hierarchy)
        self.is_told = False

    def _play(self, night: Night) -> None:
        """Run once, and again after a kill; then everything that was wrong is over."""
        luck = self.luck
        crash = MemoryCrashPoints()
        point = luck.choice(POINTS) if night.number and luck.random() < 0.4 else None
        if point is not None:
            most = max(len(self.work.parents) // 50, 2)
            crash = MemoryCrashPoints(point, luck.choice((1, 1, luck.randint(1, most))))
        try:
            self._run(night, crash)
        except Killed:
            night.happened.append(f"killed: {point}")
            self._survive(night)
        except Unavailable as error:
            night.happened.append(f"gave up: {error.what}")
        night.faults, self.trouble.count = self.trouble.count, 0
        self._calm()
        # What a registry that did not answer left is settled now.
        list(flow.recover(self.hierarchy, self.world.doors))
        self._look()

    def _survive(self, night: Night) -> None:
        """Recover from a kill, with whatever else is wrong, and go on in one of the two ways."""
        with self.trouble.paused():
            self.oracle.look()
        with suppress(Unavailable):
            list(flow.recover(self.hierarchy, self.world.doors))
        self._calm()
        list(flow.recover(self.hierarchy, self.world.doors))
        self._look()
        if self.luck.random() < 0.5:
            self._resume(night)
        else:
            self._run(night, MemoryCrashPoints())

    def _calm(self) -> None:
        """End everything that is wrong outside."""
        self.trouble.end()
        for builder in self.work.builders:
            self.world.builder.fleet.revive(builder.name)

    def _look(self) -> None:
        """Ask the oracle."""
        self.oracle.look()
        self.settled.require_settled(self.before)

    def _peace(self, night: Night) -> None:
        """Mend everything, and require that runs come to an end with nothing left to do."""
        for image in self.broken:
            self.world.builder.fail(image, failure(image), times=0)
        self.broken.clear()
        for _ in range(ENOUGH):
            # What failed in many nights is not tried every night.
            if self._run(night, MemoryCrashPoints(), patient=False).is_empty:
                break
        self._look()
        made, _ = self._prepare(patient=False)
        if self.is_told:
            self.settled.require_converged(made)
        left = [f"{d.image}: {d.verdict}" for d in made.decisions if d.verdict != "keep"]
        assert made.is_empty, f"not converged: {left[:9]}"
        night.converged = True

    def _prepare(self, *, patient: bool) -> tuple[Plan, Any]:
        world = self.world
        world.clock.sleep(1)
        streaks = world.history.streaks(self.hierarchy.name)
        wish = flow.Wish(
            paused=paused(streaks, world.clock.now_s()) if patient else {},
            suffix=f"{world.runs:04x}",
            remember=True,
        )
        return flow.prepare(self.hierarchy, world.doors, wish)

    def _run(self, night: Night, crash: MemoryCrashPoints, *, patient: bool = True) -> Plan:
        """Do what a nightly run does; return its plan."""
        doors = mortal(self.world.doors, crash)
        list(flow.recover(self.hierarchy, doors))
        made, seen = self._prepare(patient=patient)
        if not made.is_empty:
            intent = self.world.intent("patch", slots=self.at_once)
            self._count(night, flow.run(made, self.hierarchy, doors, intent, seen))
        return made

    def _resume(self, night: Night) -> None:
        """Bring a run that was killed to its end."""
        doors = self.world.doors
        list(flow.recover(self.hierarchy, doors))
        left = flow.left_of(None, self.hierarchy, doors)
        if left is None:
            return
        run, made = left
        self.world.clock.sleep(1)
        seen = flow.verify(made, self.hierarchy, doors)
        intent = replace(self.world.intent("resume", slots=self.at_once), resumes=run.id)
        self._count(night, flow.run(made, self.hierarchy, doors, intent, seen))

    def _count(self, night: Night, events: Any) -> None:
        night.runs += 1
        for event in events:
            if isinstance(event, RunFinished):
                night.outcomes.update(str(result.outcome) for result in event.results)
                night.moves += sum(move.state.is_success for move in event.moves)


#: Name of a column → what it counts, in the order of the table.
_COLUMNS = {
    "built": ("built",),
    "same": ("unchanged", "reused", "retagged", "cut-off"),
    "failed": ("failed",),
    "left": ("blocked", "cancelled", "skipped"),
}


def row(night: Night) -> str:
    """Return a night as a line of the table."""
    counts = (sum(night.outcomes[o] for o in names) for names in _COLUMNS.values())
    cells = " ".join(f"{count:6,}" for count in counts)
    seen = {True: "  yes", False: "   no", None: "     "}[night.converged]
    return f"{night.number:5} {night.runs:4} {cells} {night.moves:6,} {seen} {night.took_s:6.1f}"


def as_json(night: Night) -> str:
    """Return a night as a line of JSON."""
    # asdict() cannot copy a Counter.
    plain = {name: getattr(night, name) for name in night.__slots__}
    return json.dumps({**plain, "took_s": round(night.took_s, 2)})


def main(arguments: list[str]) -> int:
    """Play and print; 1 if the oracle complains."""
    parser = argparse.ArgumentParser(
        prog="scripts/simulate nights", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--seed", type=int, default=1, help="decides everything (1)")
    parser.add_argument("--nights", type=int, default=21, help="nights after the first build (21)")
    parser.add_argument("--images", type=int, default=10_000, help="images (10000)")
    parser.add_argument("--builders", type=int, default=50, help="builders, at least 4 (50)")
    parser.add_argument("--at-once", type=int, default=8, help="builds at once (8)")
    parser.add_argument("--json", action="store_true", help="a line of JSON for every night")
    asked = parser.parse_args(arguments)
    began_s = time.perf_counter()
    life = Life(asked.seed, asked.images, asked.builders, asked.at_once)
    if not asked.json:
        print(
            f"{len(life.work.parents):,} images on {len(life.upstreams)} upstreams, "
            f"{len(life.work.builders)} builders, seed {asked.seed}\n"
        )
        print(f"night runs {' '.join(f'{name:>6}' for name in _COLUMNS)}  moves  done seconds")
    nights: list[Night] = []
    try:
        for night in life.nights(asked.nights):
            nights.append(night)
            if asked.json:
                print(as_json(night), flush=True)
                continue
            print(row(night), flush=True)
            for what in night.happened:
                print(f"           {what[:68]}", flush=True)
    except AssertionError as error:
        where = f"--seed {asked.seed} --images {asked.images} --builders {asked.builders}"
        print(f"\nnight {len(nights)}: the oracle complains: {error}", file=sys.stderr)
        print(f"again: scripts/simulate nights {where} --nights {len(nights)}", file=sys.stderr)
        return 1
    if not asked.json:
        print(f"\n{summary(nights, time.perf_counter() - began_s)}")
    return 0


def summary(nights: list[Night], took_s: float) -> str:
    """Return what all nights came to, in a few lines."""
    outcomes = sum((night.outcomes for night in nights), Counter[str]())
    kills = sum(what.startswith("killed") for night in nights for what in night.happened)
    done = sum(night.converged is True for night in nights)
    return (
        f"{len(nights) - 1} nights in {took_s:,.0f} s: {outcomes[Outcome.BUILT]:,} builds, "
        f"{sum(night.moves for night in nights):,} moved tags,\n"
        f"{kills} kills, {sum(night.faults for night in nights):,} bad answers of the registry.\n"
        f"The oracle had nothing to complain of, and {done} times nothing was left to do."
    )
