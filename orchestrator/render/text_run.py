"""Runs for people: what one came to, what it did, and all of them."""

from __future__ import annotations

from collections import Counter

from orchestrator.decide.resumable import is_resumable
from orchestrator.model.event import RunFinished
from orchestrator.model.run import (
    Failure,
    FailureCause,
    HeldBy,
    JournalledMove,
    MirrorResult,
    MoveState,
    Outcome,
    Run,
    RunState,
    StepResult,
)
from orchestrator.model.time import seconds_of
from orchestrator.render.style import Style
from orchestrator.render.table import Cell, Paint, Row, table
from orchestrator.render.text_error import labelled, log_lines, path_lines
from orchestrator.render.words import (
    MOVES,
    OUTCOMES,
    RUN_STATES,
    counted,
    duration_words,
    hold_words,
    listed,
    listed_up_to,
    revision_words,
    short,
    size_words,
    tries_words,
    way_out_words,
)

#: Lines of tags at the end of a run, and names in a sentence; `show` has all of them.
_MOST_MOVES, _MOST_NAMES = 24, 12
#: Runs that somebody can go on with.
_PLANNED = ("build", "apply", "patch", "resume")
#: Failures whose log is quoted.
_MOST_LOGS = 8
#: Builds that are named as the longest.
_LONGEST = 3


def finished_text(event: RunFinished, style: Style) -> str:
    """Return what a run came to: tags, then failures in full, then one line that sums it up.

    The gravest stands last, where the eye is when a run ends.
    """
    blocks = [
        _moved(event.moves, style),
        _held(event.run.id, event.moves, style),
        _longest(event.results, style),
        *_uncopied(event.mirrors, style),
        *_failures(event.results, style),
        *_unmoved(event.moves, style),
        _held_up(event.results, style),
        _sum(event, style),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def troubles_text(event: RunFinished, style: Style) -> str:
    """Return what did not go well in a run, in full; empty where everything did."""
    trouble = tuple(r for r in event.results if r.outcome is not Outcome.SKIPPED)
    blocks = [
        *_uncopied(event.mirrors, style),
        *_failures(trouble, style),
        *_unmoved(tuple(m for m in event.moves if not m.state.is_success), style),
        _held_up(trouble, style),
    ]
    text = "\n\n".join("\n".join(block) for block in blocks if block)
    return f"{text}\n" if text else ""


def _moved(moves: tuple[JournalledMove, ...], style: Style) -> list[str]:
    tags: dict[tuple[str, str | None, str | None], list[str]] = {}
    for move in moves:
        if move.state is MoveState.MOVED and move.held_by is None:
            tags.setdefault((move.repository, move.was, move.now), []).append(move.tag)
    if not tags:
        return []
    lines = [style.bold("Tags moved")]
    for (repository, was, now), names in list(tags.items())[:_MOST_MOVES]:
        what = f"{short(was)} → {short(now)}" if was and now else _end(was, now)
        lines += style.wrap(f"{repository}  {listed(names)}  {what}", first="  ", then="    ")
    if len(tags) > _MOST_MOVES:
        lines += style.wrap(f"and of {len(tags) - _MOST_MOVES} more repositories", first="  ")
    return lines


def _held(run: str, moves: tuple[JournalledMove, ...], style: Style) -> list[str]:
    """Return the tags that a run did not move though what they are for is there."""
    waits = [move for move in moves if move.state is MoveState.HELD]
    back = [move for move in moves if move.held_by is HeldBy.ROLLED_BACK]
    tags: dict[tuple[str, str | None, str], list[str]] = {}
    for move in waits:
        tags.setdefault((move.repository, move.now, hold_words(move)), []).append(move.tag)
    for move in back:
        tags.setdefault((move.repository, move.was, hold_words(move)), []).append(move.tag)
    if not tags:
        return []
    lines = [style.bold("Tags held" if waits else "Rejected")]
    for (repository, digest, why), names in list(tags.items())[:_MOST_MOVES]:
        text = f"{repository}  {listed(names)}  {short(digest or '')}: {why}"
        lines += style.wrap(text, first="  ", then="    ")
    if len(tags) > _MOST_MOVES:
        lines += style.wrap(f"and of {len(tags) - _MOST_MOVES} more repositories", first="  ")
    for sentence in way_out_words(run, waits):
        lines += map(style.note, style.wrap(sentence))
    return lines


def _end(was: str | None, now: str | None) -> str:
    if now:
        return f"new, {short(now)}"
    return f"removed, was {short(was)}" if was else "removed"


def _longest(results: tuple[StepResult, ...], style: Style) -> list[str]:
    timed = sorted((r for r in results if r.duration_s), key=lambda r: -r.duration_s)[:_LONGEST]
    if len(timed) < 2:
        return []
    text = ", ".join(f"{r.image} {duration_words(r.duration_s)}" for r in timed)
    return list(map(style.dim, style.wrap(f"Longest: {text}")))


def _failures(results: tuple[StepResult, ...], style: Style) -> list[list[str]]:
    failed = [(result, result.failure) for result in results if result.failure]
    return [
        _failed(result, failure, style, log=nth < _MOST_LOGS)
        for nth, (result, failure) in enumerate(failed)
    ]


def _uncopied(mirrors: tuple[MirrorResult, ...], style: Style) -> list[list[str]]:
    blocks = []
    for each in mirrors:
        failure = each.failure
        if failure and failure.cause is not FailureCause.CANCELLED:
            copy = each.copy
            what = f"{copy.upstream} was not copied to {copy.repository}: {failure.what}"
            hint = labelled("hint:  ", failure.hint, style.note, style) if failure.hint else []
            blocks.append([*labelled("error: ", what, style.bad, style), *hint])
    return blocks


def _failed(result: StepResult, failure: Failure, style: Style, *, log: bool) -> list[str]:
    after = f" (after {tries_words(result)})" if tries_words(result) else ""
    # Some messages begin with the image's name already.
    what = f"{result.image}: {failure.what.removeprefix(f'{result.image}: ')}{after}"
    lines = labelled("error: ", what, style.bad, style)
    if log:
        lines += log_lines(failure.log_tail, style)
    if failure.log_path:
        lines += path_lines("log:   ", failure.log_path, style)
    if failure.hint:
        lines += labelled("hint:  ", failure.hint, style.note, style)
    return lines


def _unmoved(moves: tuple[JournalledMove, ...], style: Style) -> list[list[str]]:
    stuck = [m for m in moves if m.state not in (MoveState.MOVED, MoveState.HELD)]
    blocks = [_stuck(move, style) for move in stuck[:_MOST_MOVES]]
    if len(stuck) > _MOST_MOVES:
        blocks.append(style.wrap(f"and {len(stuck) - _MOST_MOVES} more tags"))
    return blocks


def _stuck(move: JournalledMove, style: Style) -> list[str]:
    tag = f"tag {move.repository}:{move.tag}"
    planned = f"at {short(move.was)}" if move.was else "absent"
    if move.state is MoveState.CONFLICT:
        text = f"{tag} was no longer {planned}: somebody else moved it, and it was left alone"
        hint = "`orchestrate plan` shows what a run would do now"
    elif move.state is MoveState.FAILED:
        where = f"to {short(move.now)}" if move.now else "away"
        text = f"{tag} could not be moved {where}: the registry did not take it"
        hint = "run it again: nothing is built twice"
    else:
        left = move.state is MoveState.LEFT
        why = f"stays {planned}: this registry cannot delete tags" if left else "was not moved"
        return labelled("note:  ", f"{tag} {why}", style.warn, style)
    return [
        *labelled("error: ", text, style.bad, style),
        *labelled("hint:  ", hint, style.note, style),
    ]


def _held_up(results: tuple[StepResult, ...], style: Style) -> list[str]:
    blocked: dict[str, list[str]] = {}
    for result in results:
        if result.outcome is Outcome.BLOCKED:
            blocked.setdefault(result.blocked_by, []).append(result.image)
    lines: list[str] = []
    for by, images in blocked.items():
        lines += style.wrap(f"Blocked by {by}: {listed_up_to(images, _MOST_NAMES)}", then="    ")
    cancelled: dict[str, list[str]] = {}
    for result in results:
        if result.outcome is Outcome.CANCELLED:
            cancelled.setdefault(result.blocked_by, []).append(result.image)
    for by, images in cancelled.items():
        why = f", because {by} failed" if by else ""
        lines += style.wrap(f"Cancelled{why}: {listed_up_to(images, _MOST_NAMES)}", then="    ")
    left = [result.image for result in results if result.outcome is Outcome.SKIPPED]
    if left:
        text = f"Left for the next run: {listed_up_to(left, _MOST_NAMES)}"
        lines += style.wrap(text, then="    ")
    return list(map(style.warn, lines))


def _sum(event: RunFinished, style: Style) -> list[str]:
    run = event.run
    counts = Counter(result.outcome for result in event.results)
    # A number stays with its word.
    copied = sum(mirror.failure is None for mirror in event.mirrors)
    said = [f"{copied}\u00a0mirrored"] if copied else []
    said += [f"{counts[o]}\u00a0{word}" for o, word in OUTCOMES.items() if counts[o]]
    moved = sum(m.state is MoveState.MOVED and m.held_by is None for m in event.moves)
    tags = [f"{counted(moved, 'tag')} moved"] if moved else []
    held = sum(move.state is MoveState.HELD for move in event.moves)
    tags += [f"{counted(held, 'tag')} held"] if held else []
    back = len({m.image for m in event.moves if m.held_by is HeldBy.ROLLED_BACK})
    tags += [f"{counted(back, 'image')} rejected"] if back else []
    what = {"rollback": "Rollback", "promote": "Promotion"}.get(run.command, "Run")
    text = "; ".join(filter(None, (", ".join(said), *tags))) or "nothing was to be done"
    went = "in" if run.state is RunState.SUCCEEDED else "after"
    ended = f"{RUN_STATES[run.state]} {went} {duration_words(event.duration_s)}"
    lines = style.wrap(f"{what} {run.id} {ended}: {text}.", then="    ")
    lines = list(map(_state_paint(run.state, style), lines))
    if run.state is not RunState.SUCCEEDED and run.command in _PLANNED:
        text = f"`orchestrate {_way_on(event)}` goes on from here: what is published stays."
        lines += map(style.note, style.wrap(text))
    return lines


def _way_on(event: RunFinished) -> str:
    """Return the command that does what a run left."""
    run = event.run
    if run.state is RunState.INTERRUPTED:
        return "resume"
    if is_resumable(event.results, event.moves, event.mirrors):
        return "resume"
    return "build" if run.command == "resume" else run.command


def _state_paint(state: RunState, style: Style) -> Paint:
    paints = {RunState.SUCCEEDED: style.good, RunState.RUNNING: style.note}
    return paints.get(state, style.bad if state is RunState.FAILED else style.warn)


def history_text(runs: tuple[Run, ...], style: Style) -> str:
    """Return a table of runs, in the order given, each with what was said with ``--because``."""
    if not runs:
        return "No runs yet: `orchestrate build` makes the first.\n"
    rows = [
        Row(
            cells=(
                Cell(text=run.id, paint=style.bold),
                Cell(text=run.command),
                Cell(text=RUN_STATES[run.state], paint=_state_paint(run.state, style)),
                Cell(text=_took(run)),
                Cell(text=_by(run), paint=style.dim),
            ),
            below=(Cell(text=f"“{run.because}”"),) if run.because else (),
        )
        for run in runs
    ]
    head = ("RUN", "COMMAND", "STATE", "TOOK", "BY")
    return "\n".join(table(head, rows, style, right=frozenset({3}), whole=frozenset({0}))) + "\n"


def _took(run: Run) -> str:
    try:
        return duration_words(seconds_of(run.finished_at) - seconds_of(run.started_at))
    except ValueError:
        return ""


def _by(run: Run) -> str:
    return f"{run.who} ({run.trigger})" if run.trigger != "manual" else run.who


def show_text(
    run: Run, results: tuple[StepResult, ...], moves: tuple[JournalledMove, ...], style: Style
) -> str:
    """Return one run in full: who and why, every image, every tag, every failure.

    Args:
        run: as history keeps it.
        results: in the plan's order.
        moves: the journal's.
        style: how it may look.
    """
    # Every try is there; what became of an image is its last one.
    last = {result.image: result for result in results}
    ends = tuple(result for result in results if result is last[result.image])
    tries = tuple(result for result in results if result is not last[result.image])
    blocks = [_head(run, style)]
    if results:
        blocks.append(_results(ends, style))
        blocks.append(_held_up(ends, style))
    blocks.append(_tried(tries, style))
    blocks += _failures(ends, style)
    if moves:
        blocks.append(_moves(moves, style))
        held = [move for move in moves if move.state is MoveState.HELD]
        blocks += [style.wrap(sentence) for sentence in way_out_words(run.id, held)]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _head(run: Run, style: Style) -> list[str]:
    paint = _state_paint(run.state, style)
    state = RUN_STATES[run.state]
    lines = style.wrap(f"Run {run.id}: {run.command} of {run.hierarchy}, {state}")
    lines = [paint(line) for line in lines]
    took = _took(run)
    facts = {
        "by": _by(run),
        "because": run.because,
        "resumes": run.resumes,
        "started": run.started_at + (f", took {took}" if took else ""),
        "revision": revision_words(run.revision),
        "plan": run.plan,
    }
    for name, text in facts.items():
        if text:
            lines += labelled(f"  {name:<10}", text, style.dim, style)
    return lines


def _results(results: tuple[StepResult, ...], style: Style) -> list[str]:
    rows = [
        Row(
            cells=(
                Cell(text=result.image, paint=style.bold),
                Cell(text=OUTCOMES[result.outcome], paint=outcome_paint(result.outcome, style)),
                Cell(text=tries_words(result)),
                Cell(text=size_words(result.size_bytes) if result.size_bytes else ""),
                Cell(text=short(result.digest), paint=style.dim),
                Cell(text=result.immutable),
            )
        )
        for result in results
    ]
    head = ("IMAGE", "OUTCOME", "TOOK", "SIZE", "DIGEST", "TAG")
    return table(head, rows, style, right=frozenset({2, 3}))


def _tried(tries: tuple[StepResult, ...], style: Style) -> list[str]:
    """Return the failures after which there was another try, in short."""
    lines: list[str] = []
    for each in tries:
        what = each.failure.what.removeprefix(f"{each.image}: ") if each.failure else "failed"
        text = f"{each.image}: try {each.tries} failed: {what}"
        lines += labelled("note:  ", text, style.warn, style)
    return lines


def _state_of_move(move: JournalledMove) -> str:
    rejected = move.held_by is HeldBy.ROLLED_BACK
    return "rejected" if rejected else MOVES[move.state].partition(":")[0]


def outcome_paint(outcome: Outcome, style: Style) -> Paint:
    """Return the colour of an outcome."""
    if outcome is Outcome.FAILED:
        return style.bad
    if outcome in (Outcome.BLOCKED, Outcome.CANCELLED, Outcome.SKIPPED):
        return style.warn
    return style.good if outcome in (Outcome.BUILT, Outcome.RETAGGED) else style.plain


def _moves(moves: tuple[JournalledMove, ...], style: Style) -> list[str]:
    whys = [(move.image, hold_words(move)) for move in moves]
    rows = [
        Row(
            cells=(
                Cell(text=f"{move.repository}:{move.tag}"),
                Cell(text=short(move.was or "") or "-", paint=style.dim),
                Cell(text=short(move.now or "") or "-"),
                Cell(
                    text=_state_of_move(move),
                    paint=style.good if move.state is MoveState.MOVED else style.warn,
                ),
            ),
            # Once for all tags of an image that have it in common.
            below=(Cell(text=why[1]),) if why[1] and why != after else (),
        )
        for move, why, after in zip(moves, whys, (*whys[1:], None), strict=True)
    ]
    return table(("TAG", "WAS", "NOW", ""), rows, style, whole=frozenset({0}))
