"""What the diary adds up to: spared builds, and the days until upstream changes arrive. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import median

from orchestrator.model.measure import Ended, Percentiles, Saved, UpstreamChange
from orchestrator.model.observation import Sighting
from orchestrator.model.run import Outcome
from orchestrator.model.time import rfc3339, seconds_of


def savings(ended: Iterable[Ended], since: str = "") -> tuple[Saved, ...]:
    """Return the images of which builds were spared, most seconds first.

    A build counts where a run had a step for it. An image that no run looked at twice, because
    nothing had changed, was not going to be built, and is no saving.

    Args:
        ended: steps of every run; their order does not matter.
        since: RFC 3339 UTC or the beginning of it; runs that started before do not count. They
            still say how long a build usually takes.
    """
    spared: dict[tuple[str, str], dict[Outcome, int]] = {}
    lasted_s: dict[tuple[str, str], list[float]] = defaultdict(list)
    for step in ended:
        image = step.hierarchy, step.image
        if step.outcome in (Outcome.BUILT, Outcome.UNCHANGED):
            lasted_s[image].append(step.duration_s)
        spared_by = _spared_by(step)
        if spared_by is not None and step.run_started_at >= since:
            counts = spared.setdefault(image, {Outcome.CUT_OFF: 0, Outcome.REUSED: 0})
            counts[spared_by] += 1
    found = (
        Saved(
            hierarchy=image[0],
            image=image[1],
            cut_off=counts[Outcome.CUT_OFF],
            reused=counts[Outcome.REUSED],
            usual_s=median(lasted_s[image]) if image in lasted_s else None,
        )
        for image, counts in spared.items()
    )
    return tuple(sorted(found, key=lambda s: (-s.spared_s, -s.builds, s.hierarchy, s.image)))


def _spared_by(step: Ended) -> Outcome | None:
    """Return CUT_OFF or REUSED for a build that was spared; None where none was."""
    if step.outcome is Outcome.RETAGGED and step.changed:
        # The plan knew already that the registry has a build of this key.
        return Outcome.REUSED
    return step.outcome if step.outcome in (Outcome.CUT_OFF, Outcome.REUSED) else None


def changes(
    hierarchy: str, sightings: Iterable[Sighting], now_s: float, since: str = ""
) -> tuple[UpstreamChange, ...]:
    """Return an upstream's changes, first seen first.

    What was seen of an upstream before anything else is no change: it was there already.

    Args:
        hierarchy: whose ledger it is.
        sightings: the ledger.
        now_s: seconds since 1970 UTC.
        since: RFC 3339 UTC or the beginning of it; what was first seen before is left out.
    """
    known: set[str] = set()
    found = []
    for seen in sorted(sightings, key=lambda s: s.first_seen_s):
        if seen.source not in known:
            known.add(seen.source)
            continue
        end_s = seconds_of(seen.absorbed_at) if seen.absorbed_at else now_s
        found.append(
            UpstreamChange(
                hierarchy=hierarchy,
                source=seen.source,
                digest=seen.digest,
                first_seen_at=rfc3339(seen.first_seen_s),
                absorbed_at=seen.absorbed_at,
                # Clocks are put back now and then, and the absorbing is kept in whole seconds.
                took_s=max(end_s - seen.first_seen_s, 0.0),
            )
        )
    return tuple(change for change in found if change.first_seen_at >= since)


def percentiles(took_s: Sequence[float]) -> Percentiles | None:
    """Return the percentiles of some durations by nearest rank; None of none at all.

    Each is a duration that really occurred.
    """
    if not took_s:
        return None
    ranked = sorted(took_s)

    def at(percent: int) -> float:
        return ranked[-(-percent * len(ranked) // 100) - 1]

    return Percentiles(
        count=len(ranked), p50_s=at(50), p90_s=at(90), p99_s=at(99), max_s=ranked[-1]
    )
