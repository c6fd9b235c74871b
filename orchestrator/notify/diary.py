"""What the diary has of one run, read once for everything that is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.doors.protocols_history import History
from orchestrator.errors import Conflict
from orchestrator.model.hierarchy import Hierarchy, Image
from orchestrator.model.plan import Plan, Step
from orchestrator.model.run import JournalledMove, Run, StepResult
from orchestrator.plan.kept import kept_plan


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDiary:
    """One run, as far as the diary knows it.

    Attributes:
        run: which.
        results: image id → how its last try ended, in the order of the plan, or else of their
            ends. Ids are those that the images had then.
        moves: of tags, in the order they were written.
        plan: what it was to do; None: nothing was kept, or nobody can read it any more.
    """

    run: Run
    results: Mapping[str, StepResult]
    moves: tuple[JournalledMove, ...]
    plan: Plan | None

    def step_of(self, image: Image) -> Step | None:
        """Return what was to be done to an image, under whichever id; None: nothing."""
        if self.plan is None:
            return None
        return next(filter(None, (self.plan.step_of(name) for name in image.names)), None)

    def result_of(self, image: Image) -> StepResult | None:
        """Return how an image's step ended, under whichever id; None: nobody knows."""
        return next(filter(None, (self.results.get(name) for name in image.names)), None)


def read_diary(run: Run, history: History) -> RunDiary:
    """Return what the diary has of a run.

    Raises:
        StateUnavailable: it cannot be read.
    """
    plan: Plan | None = None
    text = history.kept_plan(run.id)
    try:
        plan = kept_plan(text) if text else None
    except Conflict:
        plan = None  # Of another version: what it was for is not known, what it did is.
    last = {result.image: result for result in history.results(run.id)}
    planned = [d.image for d in plan.decisions if d.image in last] if plan else []
    return RunDiary(
        run=run,
        results={image: last[image] for image in dict.fromkeys((*planned, *last))},
        moves=history.moves(run.id),
        plan=plan,
    )


def images_by_name(hierarchy: Hierarchy) -> dict[str, Image]:
    """Return every id that images have or had → image; what is there now comes first."""
    found = {name: image for image in hierarchy.images.values() for name in image.formerly}
    return found | dict(hierarchy.images)


def is_own(move: JournalledMove, image: Image) -> bool:
    """Say whether a move is of the image's own repository, and not of a copy that follows it."""
    return move.repository not in {str(copy) for copy in image.copies}
