"""What events tell of runs, of upstreams, and of what is common to all of them."""

from __future__ import annotations

from collections import Counter

from orchestrator.model.announcement import EventType
from orchestrator.model.hierarchy import Hierarchy, Image
from orchestrator.model.plan import Verdict
from orchestrator.model.run import MoveState, Outcome, Run
from orchestrator.model.time import rfc3339, seconds_of
from orchestrator.notify.diary import RunDiary
from orchestrator.notify.standing import Moved, standing_on


def run_data(run: Run) -> dict[str, object]:
    """Return the ``run`` of an event; what nobody knows is empty."""
    return {
        "id": run.id,
        "command": run.command,
        "who": run.who,
        "trigger": run.trigger,
        "because": run.because,
        "revision": run.revision,
    }


def unknown_run(run_id: str, hierarchy: str) -> Run:
    """Return a run that the diary has not: it was lost, or there was nothing to do."""
    return Run(
        id=run_id,
        hierarchy=hierarchy,
        command="",
        who="",
        trigger="",
        because="",
        revision="",
        started_at="",
    )


def started_data(diary: RunDiary) -> dict[str, object]:
    """Return what a run is about to do: how many images of each verdict."""
    decisions = diary.plan.decisions if diary.plan else ()
    counts = Counter(str(d.verdict) for d in decisions if d.verdict is not Verdict.KEEP)
    return {"counts": dict(sorted(counts.items()))}


def finished_data(diary: RunDiary, at: str) -> dict[str, object]:
    """Return how a run ended: how many images of each outcome, and which failed.

    Args:
        diary: of the run.
        at: when, RFC 3339 UTC; a run that was stopped in a hurry did not say so itself.
    """
    run = diary.run
    counts = Counter(str(result.outcome) for result in diary.results.values())
    failed = [r.image for r in diary.results.values() if r.outcome is Outcome.FAILED]
    began_s = seconds_of(run.started_at) if run.started_at else seconds_of(at)
    return {
        "state": str(run.state),
        "counts": dict(sorted(counts.items())),
        "failed": failed,
        "moved": sum(m.state is MoveState.MOVED and m.held_by is None for m in diary.moves),
        "started_at": run.started_at,
        "duration_s": max(0, seconds_of(run.finished_at or at) - began_s),
    }


def image_data(image: Image) -> dict[str, object]:
    """Return the ``image`` of an event."""
    return {
        "id": image.id,
        "version": image.version,
        "tier": image.tier or "",
        "repository": str(image.repository),
        "labels": dict(image.labels),
    }


def gone_image_data(image_id: str, repository: str) -> dict[str, object]:
    """Return the ``image`` of an event about what is no image of the hierarchy any more."""
    return {"id": image_id, "version": "", "tier": "", "repository": repository, "labels": {}}


def deprecated_data(image: Image) -> dict[str, object]:
    """Return why nobody should stand on an image any more, and on what instead."""
    return {
        "deprecated": "retired" if image.retired else "eol",
        "eol": image.eol or "",
        "replaced_by": image.replaced_by or "",
    }


def upstream_data(moved: Moved, type_: EventType, hierarchy: Hierarchy) -> dict[str, object]:
    """Return which content took the place of which, and whom that concerns."""
    upstream = moved.upstream
    soaks = type_ is EventType.UPSTREAM_SOAKING
    return {
        "upstream": {
            "name": upstream.name,
            "source": str(upstream.source),
            "was": moved.was,
            "now": moved.content.digest,
            "first_seen": rfc3339(moved.content.first_seen_s),
            "until": rfc3339(moved.ripe_s) if soaks else "",
            "images": list(standing_on(hierarchy, upstream.name)),
        }
    }
