"""The one stream that the command line, the history and the notifier read."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.model.plan import MirrorCopy, Plan
from orchestrator.model.run import JournalledMove, MirrorResult, Run, StepResult


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """First event of a run."""

    run: Run
    plan: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorStarted:
    """Copying an upstream's digest into its mirror begins; before any step."""

    copy: MirrorCopy


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorProgress:
    """How far a copy is.

    Attributes:
        copy: which.
        done_bytes: of the blobs, those that the mirror has.
        total_bytes: of all blobs.
    """

    copy: MirrorCopy
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorRetried:
    """One try of a copy failed in a way that may pass, and another one follows.

    Attributes:
        result: of that try, with the failure.
    """

    result: MirrorResult


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorFinished:
    """A copy ended, one way or another."""

    result: MirrorResult


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted:
    """Work on an image begins.

    Attributes:
        image: image id.
        at: RFC 3339 UTC.
    """

    image: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepProgress:
    """What a running step is doing now.

    Attributes:
        image: image id.
        doing: e.g. ``[linux/arm64 2/3] RUN apt-get update`` or ``push``.
        done: finished build steps; 0 while unknown.
        total: known build steps; 0 while unknown.
    """

    image: str
    doing: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRetried:
    """One try of a step failed in a way that may pass, and another one follows.

    Attributes:
        result: of that try: FAILED, with the failure.
    """

    result: StepResult


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFinished:
    """An image's step ended, one way or another."""

    result: StepResult


@dataclass(frozen=True, slots=True, kw_only=True)
class TagsMoved:
    """A floating tag was moved and read back, or was refused."""

    move: JournalledMove


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something people should know that belongs to no step.

    Attributes:
        text: one sentence.
    """

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """Last event of a run.

    Attributes:
        run: with its final state.
        results: one for every step of the plan, and for every image that nobody could decide on,
            in the plan's order.
        moves: every floating tag's move.
        duration_s: seconds.
        mirrors: one for every copy of the plan, in its order.
    """

    run: Run
    results: tuple[StepResult, ...]
    moves: tuple[JournalledMove, ...]
    duration_s: float
    mirrors: tuple[MirrorResult, ...] = ()


Event = (
    RunStarted
    | MirrorStarted
    | MirrorProgress
    | MirrorRetried
    | MirrorFinished
    | StepStarted
    | StepProgress
    | StepRetried
    | StepFinished
    | TagsMoved
    | Notice
    | RunFinished
)
