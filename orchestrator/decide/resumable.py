"""Whether a run that failed may be resumed: nothing in it was at fault. Pure.

Source: docs/adr/0019-recovery.md
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.errors import Unavailable
from orchestrator.model.run import (
    Failure,
    FailureCause,
    JournalledMove,
    MirrorResult,
    MoveState,
    StepResult,
)

#: Nobody could decide on the image, or what it stands on is gone: the same plan ends the same way.
_FOR_ANOTHER_PLAN = (FailureCause.UPSTREAM, FailureCause.SOURCE, FailureCause.PARENT_MISSING)


def is_resumable(
    results: Iterable[StepResult],
    moves: Iterable[JournalledMove],
    mirrors: Iterable[MirrorResult] = (),
) -> bool:
    """Say whether all that a run failed for may be otherwise though nobody changes an image.

    A registry that was away, a builder that was lost, a disk without room. Not a Dockerfile, and
    not a tag that somebody else moved.

    Args:
        results: of the run's steps, the last of each.
        moves: of its tags.
        mirrors: of its copies, as far as anybody knows.
    """
    failures = [*(result.failure for result in results), *(mirror.failure for mirror in mirrors)]
    stuck = any(move.state is MoveState.CONFLICT for move in moves)
    return not stuck and all(failure is None or _may_pass(failure) for failure in failures)


def _may_pass(failure: Failure) -> bool:
    if failure.transient or failure.cause is FailureCause.DISK_FULL:
        return True
    away = failure.exit_code == Unavailable.exit_code
    return away and failure.cause not in _FOR_ANOTHER_PLAN
