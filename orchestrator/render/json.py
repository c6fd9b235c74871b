"""What machines read: plain objects, each with the number of its format.

Keys are only ever added to a format; what goes or changes its meaning gets another number. Texts
are as they came, without escapes for terminals: JSON has its own. A plan's form is
:func:`orchestrator.plan.make.plan_json`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import TypeVar

from orchestrator.errors import InvalidInput, OrchestrateError, Problem, StalePlan
from orchestrator.model.behind import Behind
from orchestrator.model.event import RunFinished
from orchestrator.model.packages import PackageState
from orchestrator.model.plan import Decision, MirrorCopy
from orchestrator.model.run import Failure, JournalledMove, MirrorResult, Run, StepResult
from orchestrator.model.status import Explanation, ImageStatus
from orchestrator.render.text_status import state_of

FORMAT = 1

T = TypeVar("T")
Object = dict[str, object]


def status_json(statuses: tuple[ImageStatus, ...]) -> Object:
    """Return how every image stands, parents before children."""
    counts = Counter(_state(status) for status in statuses)
    return {
        "format": FORMAT,
        "kind": "status",
        "images": [_status(status) for status in statuses],
        "summary": dict(sorted(counts.items())),
    }


def _state(status: ImageStatus) -> str:
    return state_of(status).replace(" ", "-")


def _status(status: ImageStatus) -> Object:
    said = status.publication
    return {
        "image": status.image,
        "state": _state(status),
        "tier": status.tier,
        "depth": status.depth,
        "repository": status.repository,
        "version": said.version if said else "",
        "current": status.current,
        "immutable": status.immutable,
        "created": said.created if said else "",
        "age_s": status.age_s,
        "revision": said.revision if said else "",
        "run": said.run if said else "",
        "candidate": status.candidate,
        "decision": _decision(status.decision),
        "behind": [behind_object(lack) for lack in status.behind],
        "packages": packages_object(status.packages) if status.packages else None,
    }


def _decision(decision: Decision) -> Object:
    return {
        "image": decision.image,
        "verdict": str(decision.verdict),
        "reasons": [
            {
                "cause": str(r.cause),
                "subject": r.subject,
                "was": r.was,
                "now": r.now,
                "until": r.until,
                "because": r.because,
            }
            for r in decision.reasons
        ],
        "current": decision.current,
        "key": decision.key,
        "digest": decision.digest,
    }


def packages_object(state: PackageState) -> Object:
    """Return what is known of the packages in an image; ``asked_at`` is empty if nothing is."""
    return {
        "asked_at": state.asked_at,
        "updates": [asdict(update) for update in state.updates],
        "waits": {owner: [asdict(u) for u in updates] for owner, updates in state.waits.items()},
        "unknown": dict(state.unknown),
        "lags": [asdict(lag) for lag in state.lags],
    }


def behind_object(lack: Behind) -> Object:
    """Return an upstream that an image is behind; ``for_s`` is null where nobody knows since."""
    return {
        "upstream": lack.upstream,
        "digest": lack.digest,
        "since": lack.since,
        "for_s": lack.for_s,
    }


def why_json(explanation: Explanation) -> Object:
    """Return why an image would be built or why not, part by part."""
    return {
        "format": FORMAT,
        "kind": "why",
        "status": _status(explanation.status),
        "key": explanation.key,
        "parts": [
            {"part": part.part, "was": part.was, "now": part.now, "same": part.same}
            for part in explanation.parts
        ],
        "parents": [
            {"subject": subject, "was": was, "now": now}
            for subject, was, now in explanation.parents
        ],
    }


def history_json(runs: tuple[Run, ...]) -> Object:
    """Return the runs, in the order given."""
    return {"format": FORMAT, "kind": "history", "runs": [run_object(run) for run in runs]}


def run_object(run: Run) -> Object:
    """Return one run."""
    return {
        "id": run.id,
        "hierarchy": run.hierarchy,
        "command": run.command,
        "who": run.who,
        "trigger": run.trigger,
        "because": run.because,
        "revision": run.revision,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "state": str(run.state),
        "plan": run.plan,
        "resumes": run.resumes,
    }


def result_object(result: StepResult) -> Object:
    """Return how one step ended; sizes in bytes, times in seconds."""
    return {
        "image": result.image,
        "outcome": str(result.outcome),
        "key": result.key,
        "digest": result.digest,
        "was": result.was,
        "immutable": result.immutable,
        "manifests": _sorted(result.manifests),
        "size_bytes": result.size_bytes,
        "platform_bytes": _sorted(result.platform_bytes),
        "started_at": result.started_at,
        "duration_s": result.duration_s,
        "blocked_by": result.blocked_by,
        "failure": _failure(result.failure) if result.failure else None,
        "tries": result.tries,
    }


def _sorted(values: Mapping[str, T]) -> dict[str, T]:
    return dict(sorted(values.items()))


def _failure(failure: Failure) -> Object:
    return {
        "cause": str(failure.cause),
        "what": failure.what,
        "hint": failure.hint,
        "log_tail": list(failure.log_tail),
        "log_path": failure.log_path,
        "exit_code": failure.exit_code,
    }


def copy_object(copy: MirrorCopy) -> Object:
    """Return what is copied into a mirror."""
    return {
        "upstream": copy.upstream,
        "source": copy.source,
        "repository": copy.repository,
        "digest": copy.digest,
        "tag": copy.tag,
    }


def mirror_object(result: MirrorResult) -> Object:
    """Return how one copy ended."""
    return {
        **copy_object(result.copy),
        "duration_s": result.duration_s,
        "failure": _failure(result.failure) if result.failure else None,
    }


def move_object(move: JournalledMove) -> Object:
    """Return one move of a floating tag."""
    return {
        "image": move.image,
        "repository": move.repository,
        "tag": move.tag,
        "was": move.was,
        "now": move.now,
        "state": str(move.state),
        "held_by": str(move.held_by or ""),
        "held_for": move.held_for,
    }


def show_json(
    run: Run, results: tuple[StepResult, ...], moves: tuple[JournalledMove, ...]
) -> Object:
    """Return one run in full."""
    # A past run has every try; what became of an image is its last one.
    outcomes = Counter(str(last.outcome) for last in {r.image: r for r in results}.values())
    return {
        "format": FORMAT,
        "kind": "run",
        "run": run_object(run),
        "results": [result_object(result) for result in results],
        "moves": [move_object(move) for move in moves],
        "summary": dict(sorted(outcomes.items())),
    }


def finished_json(event: RunFinished) -> Object:
    """Return what a run came to: as :func:`show_json`, with copies, and its duration in seconds."""
    return {
        **show_json(event.run, event.results, event.moves),
        "mirrors": [mirror_object(each) for each in event.mirrors],
        "duration_s": event.duration_s,
    }


def no_run_json() -> Object:
    """Return what a command answers that started no run, such that readers need not look twice."""
    return {
        "format": FORMAT,
        "kind": "run",
        "run": None,
        "results": [],
        "moves": [],
        "mirrors": [],
        "summary": {},
        "duration_s": 0.0,
        "notices": None,
    }


def problems_json(problems: tuple[Problem, ...]) -> Object:
    """Return everything that is wrong in files, in the order given."""
    counts = Counter(problem.severity for problem in problems)
    return {
        "format": FORMAT,
        "kind": "problems",
        "problems": [
            {
                "file": problem.file,
                "line": problem.line,
                "column": problem.column,
                "severity": problem.severity,
                "code": problem.code,
                "what": problem.what,
                "hint": problem.hint,
                "source_line": problem.source_line,
            }
            for problem in problems
        ],
        "summary": {"errors": counts["error"], "warnings": counts["warning"]},
    }


def error_json(error: OrchestrateError) -> Object:
    """Return an error, with the exit code that goes with it and all that it knows."""
    body: Object = {
        "format": FORMAT,
        "kind": "error",
        "code": error.code,
        "exit_code": error.exit_code,
        "what": error.what,
        "hint": error.hint,
    }
    if isinstance(error, InvalidInput):
        body["problems"] = problems_json(error.problems)["problems"]
    if isinstance(error, StalePlan):
        body["moved"] = list(error.moved)
    return body
