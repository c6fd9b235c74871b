"""How a step or a run ended: failures as people see them, a state, an exit code. Pure."""

from __future__ import annotations

from orchestrator.errors import (
    AccessDenied,
    BuildFailed,
    CheckFailed,
    Conflict,
    NotUpdated,
    OrchestrateError,
    RegistryUnavailable,
    Unavailable,
)
from orchestrator.model.event import (
    RunFinished,
)
from orchestrator.model.run import (
    Failure,
    FailureCause,
    JournalledMove,
    MirrorResult,
    MoveState,
    Outcome,
    RunState,
    StepResult,
)

#: What a build needs and could not have: no fault of what is built, whoever asked for it.
_AWAY = (
    FailureCause.REGISTRY,
    FailureCause.ACCESS,
    FailureCause.BUILDER,
    FailureCause.DISK_FULL,
)


def failure_of(error: OrchestrateError, log_path: str) -> Failure:
    """Return what went wrong with one image, as people are shown it.

    Args:
        error: that its step ended with.
        log_path: log of its build, which a build's failure names.
    """
    if isinstance(error, BuildFailed):
        cause = FailureCause(error.cause)
        return Failure(
            cause=cause,
            what=error.what,
            hint=error.hint,
            log_tail=error.log_tail,
            log_path=error.log_path or log_path,
            exit_code=Unavailable.exit_code if cause in _AWAY else error.exit_code,
            transient=error.transient,
        )
    causes: tuple[tuple[type[OrchestrateError], FailureCause], ...] = (
        (AccessDenied, FailureCause.ACCESS),
        (RegistryUnavailable, FailureCause.REGISTRY),
        (NotUpdated, FailureCause.PACKAGES),
        (CheckFailed, FailureCause.CHECK),
        (Conflict, FailureCause.CONFLICT),
    )
    cause = next((c for kind, c in causes if isinstance(error, kind)), FailureCause.UNKNOWN)
    return Failure(
        cause=cause,
        what=error.what,
        hint=error.hint,
        exit_code=error.exit_code,
        transient=error.transient,
    )


def state_of(
    results: tuple[StepResult, ...],
    moves: list[JournalledMove],
    mirrors: tuple[MirrorResult, ...] = (),
    *,
    interrupted: bool,
) -> RunState:
    """Return how a run ended, from how everything in it did; what is left over is no failure."""
    if interrupted:
        return RunState.INTERRUPTED
    fine = (r.outcome.is_success or r.outcome is Outcome.SKIPPED for r in results)
    good = all(fine) and not any(m.state.is_fault for m in moves)
    good = good and not any(mirror.failure for mirror in mirrors)
    return RunState.SUCCEEDED if good else RunState.FAILED


def exit_code(finished: RunFinished) -> int:
    """Return the exit code that a run's end stands for.

    A failed build or publication (1) outweighs what could not be reached (5), and that a
    conflict (4).
    """
    codes = {r.failure.exit_code for r in finished.results if r.failure}
    codes |= {m.failure.exit_code for m in finished.mirrors if m.failure}
    codes |= {4 for move in finished.moves if move.state is MoveState.CONFLICT}
    # The registry did not take it, or did not say so.
    codes |= {5 for move in finished.moves if move.state is MoveState.FAILED}
    return next((code for code in (1, 5, 4) if code in codes), 0)
