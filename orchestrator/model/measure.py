"""What the diary adds up to: builds that were spared, and how long upstream changes took."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.model.run import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How one step of a run ended, as short as it can be told.

    Attributes:
        hierarchy: the run's.
        image: image id.
        outcome: how.
        changed: what is current of the image is another digest than before.
        duration_s: seconds; 0 when nothing was done.
        run_started_at: RFC 3339 UTC.
    """

    hierarchy: str
    image: str
    outcome: Outcome
    changed: bool
    duration_s: float
    run_started_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """Builds of one image that were not needed.

    Attributes:
        hierarchy: its name.
        image: image id.
        cut_off: builds that the early cut-off spared: what the image stands on came out unchanged.
        reused: builds that the build key spared: the registry had the result already.
        usual_s: median seconds of the image's builds; None where none is known.
    """

    hierarchy: str
    image: str
    cut_off: int
    reused: int
    usual_s: float | None

    @property
    def builds(self) -> int:
        """How many builds were spared."""
        return self.cut_off + self.reused

    @property
    def spared_s(self) -> float:
        """Seconds that they would have taken; 0 where nobody knows."""
        return self.builds * (self.usual_s or 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamChange:
    """A content of an upstream that took the place of another one.

    Attributes:
        hierarchy: whose upstream.
        source: where the upstream is looked up.
        digest: of the index that had the content first.
        first_seen_at: RFC 3339 UTC.
        absorbed_at: RFC 3339 UTC time at which the last image on it was promoted; empty: not yet.
        took_s: seconds from one to the other, so far if it is not absorbed yet.
    """

    hierarchy: str
    source: str
    digest: str
    first_seen_at: str
    absorbed_at: str
    took_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """How long some changes took, in seconds.

    Attributes:
        count: how many changes.
        p50_s: half of them took at most so long.
        p90_s: 9 of 10.
        p99_s: 99 of 100.
        max_s: all of them.
    """

    count: int
    p50_s: float
    p90_s: float
    p99_s: float
    max_s: float
