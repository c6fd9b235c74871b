"""A run as plain lines, for CI and pipes: one for every event that is worth one."""

from __future__ import annotations

from orchestrator.model.event import (
    Event,
    MirrorFinished,
    MirrorRetried,
    MirrorStarted,
    Notice,
    RunStarted,
    StepFinished,
    StepRetried,
    StepStarted,
    TagsMoved,
)
from orchestrator.model.plan import MirrorCopy
from orchestrator.model.run import (
    FailureCause,
    HeldBy,
    JournalledMove,
    MirrorResult,
    MoveState,
    Outcome,
    StepResult,
)
from orchestrator.render.cells import cell_width
from orchestrator.render.style import Style
from orchestrator.render.table import Paint
from orchestrator.render.text_run import outcome_paint
from orchestrator.render.words import (
    duration_words,
    move_words,
    plan_words,
    short,
    size_words,
    tries_words,
)


def event_line(event: Event, style: Style) -> str | None:
    """Return one line about an event, without a newline; None for one that is worth none.

    Progress inside a step is worth none. Neither is a run's end: that is what
    :func:`orchestrator.render.text.finished_text` is for. A line that does not fit is cut.
    """
    if isinstance(event, RunStarted):
        return _line([("run ", style.plain), *_started(event, style)], style)
    if isinstance(event, MirrorStarted):
        return _line([(mirror_name(event.copy), style.bold), (": copying", style.dim)], style)
    if isinstance(event, MirrorRetried):
        said = f": trying again: {_why(event.result)}"
        return _line([(mirror_name(event.result.copy), style.bold), (said, style.warn)], style)
    if isinstance(event, MirrorFinished):
        return _line(_copied(event.result, style), style)
    if isinstance(event, StepStarted):
        return _line([(event.image, style.bold), (": started", style.dim)], style)
    if isinstance(event, StepRetried):
        said = f": try {event.result.tries} failed, trying again: {_what(event.result)}"
        return _line([(event.result.image, style.bold), (said, style.warn)], style)
    if isinstance(event, StepFinished):
        return _line(_finished(event.result, style), style)
    if isinstance(event, TagsMoved):
        return _line(_moved(event.move, style), style)
    if isinstance(event, Notice):
        return _line([("note: ", style.warn), (event.text, style.plain)], style)
    return None


Piece = tuple[str, Paint]


def _line(pieces: list[Piece], style: Style) -> str:
    room = style.columns
    line = ""
    for text, paint in pieces:
        if room > 0:
            shown = style.cut(text, room)
            line += paint(shown)
            room -= cell_width(shown)
    return line


def _started(event: RunStarted, style: Style) -> list[Piece]:
    said = plan_words(event.plan) or event.run.command
    return [(event.run.id, style.bold), (f": {said}", style.plain)]


def _finished(result: StepResult, style: Style) -> list[Piece]:
    word, detail = _outcome(result)
    paint = outcome_paint(result.outcome, style)
    return [(result.image, style.bold), (": ", style.plain), (word, paint), (detail, style.plain)]


def _outcome(result: StepResult) -> tuple[str, str]:
    digest, took = short(result.digest), duration_words(result.duration_s)
    outcome = result.outcome
    if outcome is Outcome.BUILT:
        size = f", {size_words(result.size_bytes)}" if result.size_bytes else ""
        tries = f", {result.tries} tries" if result.tries > 1 else ""
        return "built", f" {result.immutable or digest} ({digest}) in {took}{size}{tries}"
    if outcome is Outcome.REUSED:
        return "reused", f" {digest}: its key was built before"
    if outcome is Outcome.UNCHANGED:
        return "unchanged", f": the same content as {digest}, which stays ({took})"
    if outcome is Outcome.CUT_OFF:
        return "not needed", ": what it stands on did not change"
    if outcome is Outcome.RETAGGED:
        return "retagged", f" {digest}"
    if outcome is Outcome.BLOCKED:
        return "blocked", f" by {result.blocked_by}"
    if outcome is Outcome.CANCELLED:
        return "cancelled", f": {result.blocked_by} failed" if result.blocked_by else ""
    if outcome is Outcome.SKIPPED:
        return "left", " for the next run: the time is up"
    after = f" after {tries_words(result)}" if tries_words(result) else ""
    return "FAILED", f"{after}: {_what(result)}"


def mirror_name(copy: MirrorCopy) -> str:
    """Return ``mirror debian:bookworm 4f1c09a1b2c3``: one upstream may have several copies."""
    return f"mirror {copy.upstream} {short(copy.digest)}"


def _copied(result: MirrorResult, style: Style) -> list[Piece]:
    name = (mirror_name(result.copy), style.bold)
    if result.failure is None:
        where = f" to {result.copy.repository}:{result.copy.tag}"
        took = f" in {duration_words(result.duration_s)}"
        return [name, (": ", style.plain), ("copied", style.good), (where + took, style.plain)]
    if result.failure.cause is FailureCause.CANCELLED:
        return [name, (": ", style.plain), ("cancelled", style.warn)]
    return [name, (": ", style.plain), ("FAILED", style.bad), (f": {_why(result)}", style.plain)]


def _why(result: MirrorResult) -> str:
    return result.failure.what if result.failure else "no reason known"


def _what(result: StepResult) -> str:
    """Return why a step failed, without the image's name: the line begins with that."""
    what = result.failure.what if result.failure else "no reason known"
    return what.removeprefix(f"{result.image}: ")


def _moved(move: JournalledMove, style: Style) -> list[Piece]:
    tag = f"tag {move.repository}:{move.tag} "
    if move.held_by is HeldBy.ROLLED_BACK and move.state is MoveState.MOVED:
        return [(tag, style.plain), (f"{short(move.was or '')} rejected", style.warn)]
    if move.state is MoveState.MOVED:
        return [(tag, style.plain), (f"→ {short(move.now)}" if move.now else "removed", style.good)]
    return [(tag, style.plain), (move_words(move), style.warn)]
