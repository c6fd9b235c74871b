"""Errors for people: what is wrong, where, and a way out."""

from __future__ import annotations

from collections import Counter

from orchestrator.errors import (
    BuildFailed,
    Interrupted,
    InvalidInput,
    OrchestrateError,
    Problem,
    StalePlan,
)
from orchestrator.render.cells import cell_width, window
from orchestrator.render.style import Style
from orchestrator.render.table import Paint
from orchestrator.render.words import counted

#: Columns of a source line that are shown where the terminal has no limit.
_WIDEST_SOURCE = 160
#: Characters of a sentence after which the rest is noise: a word of a whole file, for example.
_LONGEST = 1000
_SIGNALS = {2: "SIGINT", 15: "SIGTERM"}


def problems_text(problems: tuple[Problem, ...], style: Style) -> str:
    """Return everything that is wrong in files, each with its line and a caret, and how many.

    The first line of each is ``file:line:column: error[CODE]: what``, which editors understand.
    """
    blocks = ["\n".join(_problem(problem, style)) for problem in problems]
    counts = Counter(problem.severity for problem in problems)
    said = ", ".join(counted(counts[kind], kind) for kind in ("error", "warning") if counts[kind])
    files = sorted({problem.file for problem in problems})
    where = files[0] if len(files) == 1 else f"{len(files)} files"
    if problems:
        blocks.append("\n".join(map(style.bold, style.wrap(f"{said} in {where}."))))
    return "\n\n".join(blocks) + "\n"


def _problem(problem: Problem, style: Style) -> list[str]:
    paint = style.bad if problem.severity == "error" else style.warn
    place = f"{problem.file}:{problem.line}:{problem.column}" if problem.line else problem.file
    kind = f"{problem.severity}[{problem.code}]:"
    lines = [
        _painted(line, style.clean(kind), paint)
        for line in style.wrap(f"{place}: {kind} {problem.what}", then="    ")
    ]
    if problem.line and problem.source_line.strip():
        lines += _excerpt(problem, style, paint)
    if problem.hint:
        first, *more = problem.hint.split("\n")
        lines += labelled("hint: ", first, style.note, style)
        for line in filter(str.strip, more):
            # YAML to paste keeps its own indentation, and starts in the first column.
            indent = line[: len(line) - len(line.lstrip(" "))]
            lines += style.wrap(line.strip(" "), first=indent)
    return lines


def _painted(line: str, word: str, paint: Paint) -> str:
    before, found, after = line.partition(word)
    return before + paint(found) + after if found else line


def _excerpt(problem: Problem, style: Style, paint: Paint) -> list[str]:
    gutter = f" {problem.line} {style.clean('│')} "
    empty = " " * (cell_width(gutter) - 2) + gutter[-2:]
    room = min(style.columns, _WIDEST_SOURCE) - cell_width(gutter)
    before = style.clean(problem.source_line[: max(problem.column - 1, 0)])
    shown, at = window(
        style.clean(problem.source_line), cell_width(before), max(room, 8), style.clean("…")
    )
    return [style.dim(gutter) + shown.rstrip(), style.dim(empty) + " " * at + paint("^")]


def error_text(error: OrchestrateError, style: Style) -> str:
    """Return an error as ``error: …`` and ``hint:  …``, with all that it knows in between."""
    if isinstance(error, InvalidInput):
        return problems_text(error.problems, style)
    if isinstance(error, Interrupted):
        signal = _SIGNALS.get(error.signal_number, f"signal {error.signal_number}")
        return style.warn(f"stopped by {signal}") + "\n"
    if isinstance(error, StalePlan):
        lines = labelled("error: ", "the plan is stale", style.bad, style)
        for moved in error.moved:
            lines += style.wrap(moved, first="       - ")
    else:
        lines = labelled("error: ", _bounded(error.what, style), style.bad, style)
    if isinstance(error, BuildFailed):
        lines += log_lines(error.log_tail, style)
    if error.hint:
        lines += labelled("hint:  ", _bounded(error.hint, style), style.note, style)
    return "\n".join(lines) + "\n"


def _bounded(text: str, style: Style) -> str:
    """Return a text whose middle is left out where it is much too long; its end often tells."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST // 2]}{style.clean('…')}{text[-_LONGEST // 4 :]}"


def labelled(label: str, text: str, paint: Paint, style: Style) -> list[str]:
    """Return a text behind a coloured label, further lines below its start.

    Args:
        label: with the space behind it; clean.
        text: one paragraph.
        paint: the label's colour.
        style: how it may look.
    """
    first, *more = style.wrap(text, first=" " * len(label))
    return [paint(label.rstrip()) + first[len(label.rstrip()) :], *more]


def path_lines(label: str, path: str, style: Style) -> list[str]:
    """Return a path behind a label, or on a line of its own where only that keeps it whole."""
    if cell_width(label + style.clean(path)) <= style.columns:
        return labelled(label, path, style.dim, style)
    return [style.dim(label.rstrip()), *style.wrap(path)]


def log_lines(tail: tuple[str, ...], style: Style) -> list[str]:
    """Return the last lines of a log, indented, each behind a bar.

    Of a line that was overwritten (carriage returns), what was last on the screen is shown.
    """
    bar = "       " + style.clean("│ ")
    lines: list[str] = []
    for said in tail:
        text = style.clean(said.rstrip("\r\n").rpartition("\r")[2])
        indent = text[: len(text) - len(text.lstrip())][:16]
        lines += [
            style.dim(line)
            for line in style.wrap(text.strip(), first=bar + indent, then=bar + indent)
        ]
    return lines
