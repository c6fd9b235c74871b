"""Every error a user can meet, one exit code per branch.

Only the command line and the service turn an error into output; nothing below them prints
or exits. What a library raises is wrapped where it is called, ``from`` the original.
"""

from __future__ import annotations

from dataclasses import dataclass


class OrchestrateError(Exception):
    """The root of the tree: one line that names the thing, and a hint that is a way out.

    Args:
        what: one sentence, without a trailing full stop, naming the thing that is wrong.
        hint: what the reader can do about it; empty when there is nothing to add.

    Attributes:
        transient: whether doing the same again after a while may help.
        retry_after_s: seconds for which who failed asked to be left alone; None: it did not.
    """

    exit_code = 1
    code = "error"
    transient = False
    retry_after_s: float | None = None

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


class RunFailed(OrchestrateError):
    """At least one build, check or publication of the run failed (exit 1)."""

    exit_code = 1
    code = "run-failed"


class BuildFailed(RunFailed):
    """One build failed.

    Args:
        what: the failed instruction, or what buildx said.
        cause: a word of :data:`orchestrator.model.run.FailureCause`.
        transient: whether trying again may help.
        log_tail: the last lines of the build's log, oldest first.

    Attributes:
        log_path: the log, where it is another one than usual; else empty.
    """

    code = "build-failed"

    def __init__(
        self,
        what: str,
        *,
        cause: str,
        transient: bool = False,
        log_tail: tuple[str, ...] = (),
        hint: str = "",
    ) -> None:
        super().__init__(what, hint=hint)
        self.cause = cause
        self.transient = transient
        self.log_tail = log_tail
        self.log_path = ""


class OutOfTime(RunFailed):
    """A run has no time left to start a build in; the step is left for the next one."""

    code = "out-of-time"


class Stopped(RunFailed):
    """A run that was asked to stop begins nothing new; the step is left."""

    code = "stopped"


class CheckFailed(RunFailed):
    """What was built is not what was asked for: a platform or a parent's layer is missing."""

    code = "check-failed"


class NotUpdated(CheckFailed):
    """A build for package updates does not have them, or not on every platform."""

    code = "not-updated"


class UsageError(OrchestrateError):
    """The command line asks for something that does not exist or does not go together (exit 2)."""

    exit_code = 2
    code = "usage"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """One thing that is wrong in a file the user wrote.

    Attributes:
        file: path as the user would write it, relative to where they stand.
        line: 1-based; 0 when the problem belongs to the file as a whole.
        column: 1-based, in characters; 0 with line 0.
        code: stable upper-case word, e.g. ``UNKNOWN-PARENT``; listed in docs/reference/errors.md.
        what: one sentence without a trailing full stop.
        hint: what to do, may be empty.
        source_line: the text of that line without its newline, may be empty.
        severity: ``error`` or ``warning``.
    """

    file: str
    line: int
    column: int
    code: str
    what: str
    hint: str = ""
    source_line: str = ""
    severity: str = "error"


class InvalidInput(OrchestrateError):
    """One or more files the user wrote are wrong; all problems at once (exit 3)."""

    exit_code = 3
    code = "invalid-input"

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        errors = [p for p in problems if p.severity == "error"]
        super().__init__(f"{len(errors)} error{'s' if len(errors) != 1 else ''}")
        self.problems = problems


class Conflict(OrchestrateError):
    """The world is not as this command needs it: stale, locked or taken (exit 4)."""

    exit_code = 4
    code = "conflict"


class StalePlan(Conflict):
    """A saved plan no longer fits what the registry, the upstreams or the files say."""

    code = "stale-plan"

    def __init__(self, moved: tuple[str, ...], *, hint: str = "") -> None:
        told = moved[0] if len(moved) == 1 else "".join(f"\n  {line}" for line in moved)
        super().__init__(f"the plan is stale: {told}", hint=hint)
        self.moved = moved


class TagConflict(Conflict):
    """An immutable tag or a claim names another digest than the one to be published."""

    code = "tag-conflict"


class LeaseLost(Conflict):
    """Another run took over while this one was away; nothing of this one is written any more."""

    code = "lease-lost"


class Unavailable(OrchestrateError):
    """Something the command needs does not answer or is not installed (exit 5)."""

    exit_code = 5
    code = "unavailable"


class RegistryUnavailable(Unavailable):
    """A registry is down, refuses, or answers nonsense: never read as "absent".

    Args:
        what: names the registry's address and the answer.
        status: the HTTP status, or None when there was no answer.
        transient: whether trying again may help: see
            :data:`orchestrator.model.transient.TRANSIENT_STATUSES`; so may a reset or a time-out.
    """

    code = "registry-unavailable"

    def __init__(
        self, what: str, *, status: int | None = None, transient: bool = False, hint: str = ""
    ) -> None:
        super().__init__(what, hint=hint)
        self.status = status
        self.transient = transient


class AccessDenied(RegistryUnavailable):
    """The registry answered 401 or 403 after authentication was tried."""

    code = "access-denied"


class BuilderUnavailable(Unavailable):
    """No usable engine, buildx or builder."""

    code = "builder-unavailable"


class StateUnavailable(Unavailable):
    """The state database cannot be opened, is full, locked for too long, or corrupt."""

    code = "state-unavailable"


class Interrupted(OrchestrateError):
    """The user or the system asked to stop.

    Args:
        signal_number: 2 for SIGINT, 15 for SIGTERM.
    """

    code = "interrupted"

    def __init__(self, signal_number: int) -> None:
        super().__init__("stopped")
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number
