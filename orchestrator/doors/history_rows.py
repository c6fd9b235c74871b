"""Rows of the diary, in the form that the verbs know them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

from orchestrator.doors.database import Row
from orchestrator.model.measure import Ended
from orchestrator.model.run import (
    Failure,
    FailureCause,
    HeldBy,
    JournalledMove,
    MoveState,
    Outcome,
    Run,
    RunState,
    StepResult,
)


def run_of(row: Row) -> Run:
    """Return the run that a row of ``runs`` tells of."""
    return Run(
        id=row["id"],
        hierarchy=row["hierarchy"],
        command=row["command"],
        who=row["who"],
        trigger=row["trigger_word"],
        because=row["because"],
        revision=row["revision"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        state=RunState(row["state"]),
        plan=row["plan"],
        resumes=added(row, "resumes"),
    )


def added(row: Row, column: str) -> str:
    """Return the text in a column that older formats of the database lack; empty there."""
    try:
        return str(row[column])
    except IndexError:
        return ""


def ended_of(row: Row) -> Ended:
    """Return how a step ended; the row has the columns of ``steps`` and of its run."""
    return Ended(
        hierarchy=row["hierarchy"],
        image=row["image"],
        outcome=Outcome(row["outcome"]),
        changed=row["digest"] not in ("", row["was"]),
        duration_s=row["duration_s"],
        run_started_at=row["started_at"],
    )


def move_of(row: Row) -> JournalledMove:
    """Return the move that a row of ``tag_moves`` tells of."""
    return JournalledMove(
        image=row["image"],
        repository=row["repository"],
        tag=row["tag"],
        was=row["digest_was"],
        now=row["digest_now"],
        state=MoveState(row["state"]),
        held_by=HeldBy(held_by) if (held_by := added(row, "held_by")) else None,
        held_for=added(row, "held_for"),
    )


def state_columns(move: JournalledMove) -> tuple[str, str, str]:
    """Return what the columns ``state``, ``held_by`` and ``held_for`` of a move have."""
    return str(move.state), str(move.held_by or ""), move.held_for


def result_of(
    row: Row, manifests: Mapping[str, str], platform_bytes: Mapping[str, int]
) -> StepResult:
    """Return the result that a row of ``steps`` tells of, with what its platforms have."""
    return StepResult(
        image=row["image"],
        outcome=Outcome(row["outcome"]),
        key=row["build_key"],
        digest=row["digest"],
        was=row["was"],
        immutable=row["immutable_tag"],
        manifests=manifests,
        size_bytes=row["size_bytes"],
        platform_bytes=platform_bytes,
        started_at=row["started_at"],
        duration_s=row["duration_s"],
        blocked_by=row["blocked_by"],
        failure=_failure(row["failure"]),
        tries=row["attempt"],
    )


def failure_json(failure: Failure | None) -> str | None:
    """Return a failure as the column ``failure`` has it."""
    if failure is None:
        return None
    return json.dumps({**asdict(failure), "cause": str(failure.cause)})


def _failure(text: str | None) -> Failure | None:
    if text is None:
        return None
    said = json.loads(text)
    return Failure(
        cause=FailureCause(said["cause"]),
        what=said["what"],
        hint=said["hint"],
        log_tail=tuple(said["log_tail"]),
        log_path=said["log_path"],
        exit_code=said["exit_code"],
        # Older versions did not write it.
        transient=said.get("transient", False),
    )
