"""Which past run the user means."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.doors.protocols_history import History
    from orchestrator.model.run import Run

#: How far back a mistyped id is searched.
_REMEMBERED = 500


def past_run(history: History, asked: str | None) -> Run:
    """Return the run that an id, or the beginning of one, names.

    Args:
        history: the diary.
        asked: what the user wrote; None for the last run.

    Raises:
        UsageError: there is none, or there are several; the hint names the nearest.
    """
    found = history.run(asked) if asked else next(iter(history.runs(1)), None)
    if found is not None:
        return found
    known = [run.id for run in history.runs(_REMEMBERED)]
    if not known:
        raise UsageError("there is no run yet", hint="`orchestrate build` makes the first")
    alike = [run for run in known if run.startswith(asked or "")]
    if len(alike) > 1:
        raise UsageError(
            f"{len(alike)} runs begin with {asked!r}", hint=f"the last of them is {alike[0]}"
        )
    near = get_close_matches(asked or "", known, 1, 0.6)
    hint = f"did you mean {near[0]}?" if near else "`orchestrate history` lists the runs"
    raise UsageError(f"no run is called {asked!r}", hint=hint)
