"""What became of a plan: outcomes of steps and of whole runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from orchestrator.model.plan import MirrorCopy
from orchestrator.model.time import rfc3339


class Outcome(StrEnum):
    """How a step ended."""

    BUILT = "built"
    REUSED = "reused"
    UNCHANGED = "unchanged"
    CUT_OFF = "cut-off"
    RETAGGED = "retagged"
    FAILED = "failed"
    BLOCKED = "blocked"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"

    @property
    def is_success(self) -> bool:
        """Whether what stands on the image may go on."""
        return self not in (
            Outcome.FAILED,
            Outcome.BLOCKED,
            Outcome.CANCELLED,
            Outcome.SKIPPED,
        )


class FailureCause(StrEnum):
    """What kind of failure, told apart by what buildx and BuildKit really answer."""

    DOCKERFILE = "dockerfile"
    COMMAND = "command"
    MISSING_FILE = "missing-file"
    MISSING_SECRET = "missing-secret"
    PARENT_MISSING = "parent-missing"
    UPSTREAM = "upstream"
    SOURCE = "source"
    PACKAGES = "packages"
    REGISTRY = "registry"
    ACCESS = "access"
    DISK_FULL = "disk-full"
    BUILDER = "builder"
    TIMEOUT = "timeout"
    CHECK = "check"
    CONFLICT = "conflict"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a step failed, as shown to people.

    Attributes:
        cause: the kind.
        what: the failed instruction, or one sentence.
        hint: a way out, may be empty.
        log_tail: last lines of the log, oldest first.
        log_path: the whole log, empty when there is none.
        exit_code: what the run's exit code becomes if this is the gravest.
        transient: it may pass by itself; trying again for a while did not help.
    """

    cause: FailureCause
    what: str
    hint: str = ""
    log_tail: tuple[str, ...] = ()
    log_path: str = ""
    exit_code: int = 1
    transient: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """How one image's step ended.

    Attributes:
        image: image id.
        outcome: how.
        key: build key; empty when it never became known.
        digest: of the index; empty when there is none.
        was: digest current before, empty when there was none.
        immutable: the tag that names the digest for ever; empty when there is none.
        manifests: platform → manifest digest.
        size_bytes: compressed size of the layers over all platforms; 0 when nothing was built.
        platform_bytes: platform → its part of that; empty when nothing was built.
        started_at: RFC 3339 UTC.
        duration_s: seconds, 0 when nothing was done.
        blocked_by: for BLOCKED, the nearest image below it that failed: of several the first to
            fail. For CANCELLED, the image whose failure stopped the run; empty: somebody did.
        failure: for FAILED.
        tries: how many there were, this one included.
    """

    image: str
    outcome: Outcome
    key: str = ""
    digest: str = ""
    was: str = ""
    immutable: str = ""
    manifests: Mapping[str, str] = field(default_factory=dict)
    size_bytes: int = 0
    platform_bytes: Mapping[str, int] = field(default_factory=dict)
    started_at: str = ""
    duration_s: float = 0.0
    blocked_by: str = ""
    failure: Failure | None = None
    tries: int = 1

    @property
    def has_changed(self) -> bool:
        """Whether it led to another digest than was there before."""
        return bool(self.digest) and self.digest != self.was

    @property
    def was_stopped(self) -> bool:
        """Whether it was cancelled by somebody, and not by the failure of another image."""
        return self.outcome is Outcome.CANCELLED and not self.blocked_by


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorResult:
    """How copying an upstream's digest into its mirror ended.

    Attributes:
        copy: which.
        failure: why the mirror does not have it; None: it has.
        duration_s: seconds.
    """

    copy: MirrorCopy
    failure: Failure | None = None
    duration_s: float = 0.0


class HeldBy(StrEnum):
    """Why a floating tag was not moved though its image passed.

    MANUAL: somebody is to promote it. RUN: not everything in the run passed. CANARY: a canary did
    not pass on it. PARENT: it stands on something that was not promoted. ROLLED_BACK: it waited,
    and was taken back before anybody promoted it.
    """

    MANUAL = "manual"
    RUN = "run"
    CANARY = "canary"
    PARENT = "parent"
    ROLLED_BACK = "rolled-back"


class MoveState(StrEnum):
    """Where a journalled tag move stands.

    LEFT: the tag should go, and the registry cannot delete tags. CONFLICT: it was not where the
    plan saw it, and was not touched. HELD: the run was not to move it; see :class:`HeldBy`.
    """

    PLANNED = "planned"
    MOVED = "moved"
    LEFT = "left"
    CONFLICT = "conflict"
    FAILED = "failed"
    HELD = "held"

    @property
    def is_success(self) -> bool:
        """Whether nothing more could be done for the tag."""
        return self in (MoveState.MOVED, MoveState.LEFT)

    @property
    def is_fault(self) -> bool:
        """Whether the tag should be elsewhere, and the run could not put it there."""
        return not self.is_success and self is not MoveState.HELD


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalledMove:
    """One floating tag's move, written before it is done.

    Attributes:
        image: image id.
        repository: where.
        tag: the floating tag.
        was: digest before, None when it was absent.
        now: digest after; None: the tag is removed, because the run rolled back made it.
        state: where the move stands.
        held_by: with HELD: why; None else.
        held_for: with HELD: the canary, the parent or what else did not pass; may be empty.
    """

    image: str
    repository: str
    tag: str
    was: str | None
    now: str | None
    state: MoveState = MoveState.PLANNED
    held_by: HeldBy | None = None
    held_for: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One image that a run held and that somebody may still promote.

    Attributes:
        run: its id.
        started_at: RFC 3339 UTC, of the run; empty when nobody knows.
        moves: of its tags.
    """

    run: str
    started_at: str
    moves: tuple[JournalledMove, ...]


class RunState(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Streak:
    """Nightly runs in a row that an image failed in.

    Attributes:
        nights: how many, since it last succeeded in any run.
        last_at: RFC 3339 UTC start of the last of them.
    """

    nights: int
    last_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run, as history keeps it.

    Attributes:
        id: sortable id.
        hierarchy: its name.
        command: build, apply, patch, resume, promote, rollback or adopt.
        who: user and host.
        trigger: ``manual``, ``ci``, ``schedule``…
        because: what the user said with ``--because``, may be empty.
        revision: commit with ``-dirty`` if so.
        started_at: RFC 3339 UTC.
        finished_at: RFC 3339 UTC, empty while running.
        state: where it stands.
        plan: the plan's id.
        resumes: id of the run that this one brings to its end; empty: none.
    """

    id: str
    hierarchy: str
    command: str
    who: str
    trigger: str
    because: str
    revision: str
    started_at: str
    finished_at: str = ""
    state: RunState = RunState.RUNNING
    plan: str = ""
    resumes: str = ""

    def ended(self, state: RunState, at_s: float) -> Run:
        """Return it as it is when it is over: how, and when, in seconds since 1970."""
        return replace(self, state=state, finished_at=rfc3339(at_s))
