"""How far a change would reach: what is rebuilt, how long that takes, who hears of it."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.model.plan import Told


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuild:
    """One image that a change would rebuild.

    Attributes:
        image: image id.
        tier: free word, may be empty.
        depth: steps from what changed, at the longest; 0 for what changed itself, 1 for what
            stands on an upstream that did.
        lasts_s: seconds its build takes: what the last one took, else an estimate.
        known: whether that is from a build of it.
    """

    image: str
    tier: str
    depth: int
    lasts_s: float
    known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Blast:
    """How far a change would reach if every build came out different.

    Attributes:
        hierarchy: its name.
        changed: images that are taken to change, in the hierarchy's order.
        rebuilds: everything that would be built, parents before children; ``changed`` too.
        chain: the longest chain of builds in time, from what changed to the last.
        chain_s: seconds of it: no number of builders makes a run shorter.
        total_s: seconds of all builds together.
        run_s: seconds that a run is likely to take with ``slots`` images at once.
        slots: images built at once.
        guess_s: seconds that a build without history is taken to last.
        of: images in the hierarchy that are not retired.
        told: teams that asked to hear when one of these images is published.
        upstreams: names of the upstreams that are taken to change, in the hierarchy's order.
    """

    hierarchy: str
    changed: tuple[str, ...]
    rebuilds: tuple[Rebuild, ...]
    chain: tuple[str, ...]
    chain_s: float
    total_s: float
    run_s: float
    slots: int
    guess_s: float
    of: int
    told: tuple[Told, ...]
    upstreams: tuple[str, ...] = ()

    @property
    def unknown(self) -> tuple[str, ...]:
        """The images of which no build is known here, so that their time is an estimate."""
        return tuple(rebuild.image for rebuild in self.rebuilds if not rebuild.known)
