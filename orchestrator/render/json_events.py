"""A run as machines read it while it happens: one object for every event.

The form is described in docs/reference/events.md and orchestrator/schema/events.json.
"""

from __future__ import annotations

from orchestrator.model.event import (
    Event,
    MirrorFinished,
    MirrorProgress,
    MirrorRetried,
    MirrorStarted,
    Notice,
    RunFinished,
    RunStarted,
    StepFinished,
    StepProgress,
    StepRetried,
    StepStarted,
    TagsMoved,
)
from orchestrator.render.json import (
    FORMAT,
    Object,
    copy_object,
    finished_json,
    mirror_object,
    move_object,
    result_object,
    run_object,
)

#: Kind of event → its type, which never changes.
TYPES: dict[type, str] = {
    RunStarted: "run.started",
    MirrorStarted: "mirror.started",
    MirrorProgress: "mirror.progress",
    MirrorRetried: "mirror.retried",
    MirrorFinished: "mirror.finished",
    StepStarted: "step.started",
    StepProgress: "step.progress",
    StepRetried: "step.retried",
    StepFinished: "step.finished",
    TagsMoved: "tag.moved",
    Notice: "notice",
    RunFinished: "run.finished",
}


def event_json(event: Event, *, run: str, seq: int, at: str) -> Object:
    """Return one event of a stream.

    Args:
        event: what happened.
        run: the run's id; empty while it is not known.
        seq: its number in the stream, from 1, without gaps.
        at: when it was seen, RFC 3339 UTC.
    """
    return {
        "format": FORMAT,
        "kind": "event",
        "type": event_type(event),
        "seq": seq,
        "at": at,
        "run": run,
        "data": event_data(event),
    }


def event_type(event: Event) -> str:
    """Return ``step.finished`` and the like."""
    return TYPES[type(event)]


def event_data(event: Event) -> Object:
    """Return what an event tells beside its type, its number and its time."""
    if isinstance(event, RunStarted):
        plan = event.plan
        steps: list[Object] = [
            {"image": step.image, "verdict": str(step.verdict), "needs": list(step.needs)}
            for step in plan.steps
        ]
        about: Object = {
            "id": plan.id,
            "summary": plan.summary(),
            "mirrors": [copy_object(copy) for copy in plan.mirrors],
            "steps": steps,
        }
        return {"run": run_object(event.run), "plan": about}
    if isinstance(event, MirrorStarted):
        return {"copy": copy_object(event.copy)}
    if isinstance(event, MirrorProgress):
        done, total = event.done_bytes, event.total_bytes
        return {"copy": copy_object(event.copy), "done_bytes": done, "total_bytes": total}
    if isinstance(event, MirrorRetried | MirrorFinished):
        return {"result": mirror_object(event.result)}
    if isinstance(event, StepStarted):
        return {"image": event.image, "at": event.at}
    if isinstance(event, StepProgress):
        return {
            "image": event.image,
            "doing": event.doing,
            "done": event.done,
            "total": event.total,
        }
    if isinstance(event, StepRetried | StepFinished):
        return {"result": result_object(event.result)}
    if isinstance(event, TagsMoved):
        return {"move": move_object(event.move)}
    if isinstance(event, Notice):
        return {"text": event.text}
    body = finished_json(event)
    return {key: body[key] for key in body if key not in ("format", "kind")}
