"""Random hierarchies with known durations, and the builders that build them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from orchestrator.model.hierarchy import Builder
from orchestrator.model.plan import Plan, Step, Verdict

PLATFORMS = ("linux/amd64", "linux/arm64", "linux/s390x")
#: No builder is native to this one: it is emulated wherever there is room.
EMULATED = PLATFORMS[2]
Labels = tuple[tuple[str, str], ...]
ANY: Labels = ()
FAST: Labels = (("disk", "fast"),)
MEDIAN_S, LONGEST_S = 60.0, 3600.0
#: Seconds of an emulated build ÷ seconds of a native one.
EMULATION = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is to be built, and on what.

    Attributes:
        parents: image id → parents; parents come before children.
        platforms: image id → what it is built for.
        labels: image id → what its builder must have.
        took_s: (image id, platform) → seconds of its build, emulated where it has to be.
        builders: there is one for everything.
    """

    parents: Mapping[str, tuple[str, ...]]
    platforms: Mapping[str, tuple[str, ...]]
    labels: Mapping[str, Labels]
    took_s: Mapping[tuple[str, str], float]
    builders: tuple[Builder, ...]

    @property
    def slots(self) -> int:
        """Builds at once over all builders."""
        return sum(builder.slots for builder in self.builders)

    def image_s(self) -> dict[str, float]:
        """Return image id → seconds of its slowest platform."""
        found: dict[str, float] = {}
        for (image, _), seconds in self.took_s.items():
            found[image] = max(found.get(image, 0.0), seconds)
        return found

    def plan(self) -> Plan:
        """Return the plan that builds all of it."""
        steps = tuple(
            Step(
                image=image,
                verdict=Verdict.BUILD,
                needs=parents,
                repository=f"registry.example/{image}",
                platforms=self.platforms[image],
                parts={},
                key=None,
                epoch="",
                parents=(),
                immutable="",
                floating=(),
                current=None,
            )
            for image, parents in self.parents.items()
        )
        return Plan(
            id="", hierarchy="", created="", date="", revision="", decisions=(), steps=steps
        )


def draw(seed: int, images: int, builders: int, shape: str | None = None) -> Work:
    """Return random work.

    Args:
        seed: the same one gives the same work.
        images: how many.
        builders: how many, at least 4.
        shape: one of :data:`SHAPES`; None: one that the seed picks.
    """
    luck = random.Random(seed)
    parents = SHAPES[shape or sorted(SHAPES)[seed % len(SHAPES)]](luck, images)
    fleet = _builders(luck, builders)
    share = {platform: luck.uniform(*at) for platform, at in _SHARES.items()}
    fast = luck.uniform(0.0, 0.2)
    spread = luck.uniform(0.3, 1.2)
    platforms: dict[str, tuple[str, ...]] = {}
    took_s: dict[tuple[str, str], float] = {}
    for image, above in parents.items():
        possible = set(PLATFORMS).intersection(*(platforms[parent] for parent in above))
        chosen = [p for p in PLATFORMS if p in possible and luck.random() < share[p]]
        platforms[image] = tuple(chosen or sorted(possible)[:1])
        seconds = MEDIAN_S * math.exp(luck.gauss(0.0, spread))
        for platform in platforms[image]:
            lasts_s = seconds * luck.uniform(0.7, 1.4) * (EMULATION if platform == EMULATED else 1)
            took_s[image, platform] = round(min(max(lasts_s, 1.0), LONGEST_S), 1)
    labels = {image: FAST if luck.random() < fast else ANY for image in parents}
    return Work(parents=parents, platforms=platforms, labels=labels, took_s=took_s, builders=fleet)


#: Platform → the least and the greatest share of images that have it, where their parents do.
_SHARES = {PLATFORMS[0]: (1.0, 1.0), PLATFORMS[1]: (0.3, 1.0), EMULATED: (0.0, 0.05)}


def _builders(luck: random.Random, count: int) -> tuple[Builder, ...]:
    """Return builders of all sorts: there is one for each platform and label."""
    natives: list[tuple[str, ...]] = [PLATFORMS[:1], PLATFORMS[1:2]] * 2
    natives += luck.choices([PLATFORMS[:1], PLATFORMS[1:2], PLATFORMS[:2]], (5, 3, 1), k=count - 4)
    return tuple(
        Builder(
            name=f"builder-{number:02}",
            slots=luck.randint(1, 8),
            platforms=native,
            labels=FAST if number < 2 or (number > 3 and luck.random() < 0.3) else ANY,
        )
        for number, native in enumerate(natives)
    )


def _tiers(luck: random.Random, count: int) -> dict[str, tuple[str, ...]]:
    """A few bases, runtimes on them, application servers on these, applications on those."""
    sizes = [max(round(count * share), 1) for share in (0.002, 0.02, 0.15)]
    sizes.append(max(count - sum(sizes), 1))
    parents: dict[str, tuple[str, ...]] = {}
    above: list[str] = []
    for tier, size in enumerate(sizes):
        here = [f"tier{tier}-{number:05}" for number in range(size)]
        parents |= {image: _some(luck, above) for image in here}
        above = here
    return dict(list(parents.items())[:count])


def _grown(luck: random.Random, count: int) -> dict[str, tuple[str, ...]]:
    """Each image on any that was there before: the deeper, the fewer."""
    names = [f"image-{number:05}" for number in range(count)]
    roots = luck.randint(1, 20)
    parents: dict[str, tuple[str, ...]] = {}
    for number, name in enumerate(names):
        above: tuple[str, ...] = () if number < roots else (names[luck.randrange(number)],)
        if above and luck.random() < 0.1:
            above = tuple(dict.fromkeys((*above, names[luck.randrange(number)])))
        parents[name] = above
    return parents


def _popular(luck: random.Random, count: int) -> dict[str, tuple[str, ...]]:
    """The more stands on an image, the more comes to stand on it."""
    names = [f"image-{number:05}" for number in range(count)]
    roots = luck.randint(1, 5)
    tickets = names[:roots]
    parents: dict[str, tuple[str, ...]] = dict.fromkeys(tickets, ())
    for name in names[roots:]:
        parents[name] = (luck.choice(tickets),)
        tickets += [name, parents[name][0]]
    return parents


def _layers(luck: random.Random, count: int) -> dict[str, tuple[str, ...]]:
    """5 to 100 levels of about one size, each image on one or two of the level below."""
    levels = min(round(5 * 20 ** luck.random()), count)
    parents: dict[str, tuple[str, ...]] = {}
    above: list[str] = []
    for level in range(levels):
        size = count * (level + 1) // levels - count * level // levels
        here = [f"level{level:03}-{number:05}" for number in range(size)]
        parents |= {image: _some(luck, above) for image in here}
        above = here
    return parents


def _chains(luck: random.Random, count: int) -> dict[str, tuple[str, ...]]:
    """A base, one long chain on it, and the rest on any link or on the base."""
    long = min(luck.randint(5, 60), count - 1)
    parents: dict[str, tuple[str, ...]] = {"base": ()}
    links = ["base"]
    for number in range(long):
        parents[f"link-{number:03}"] = (links[-1],)
        links.append(f"link-{number:03}")
    for number in range(count - 1 - long):
        on = "base" if luck.random() < 0.7 else luck.choice(links)
        parents[f"leaf-{number:05}"] = (on,)
    return parents


def _some(luck: random.Random, above: list[str]) -> tuple[str, ...]:
    """Return one image of those given, sometimes two; none of none."""
    return tuple(dict.fromkeys(luck.choices(above, k=1 + (luck.random() < 0.1)))) if above else ()


SHAPES: Mapping[str, Callable[[random.Random, int], dict[str, tuple[str, ...]]]] = {
    "chains": _chains,
    "grown": _grown,
    "layers": _layers,
    "popular": _popular,
    "tiers": _tiers,
}
