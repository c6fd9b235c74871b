"""Rows of cells in columns that fit the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from orchestrator.render.cells import cell_width, pad
from orchestrator.render.style import Style

Paint = Callable[[str], str]

_GAP = "  "
#: Columns under which no column shrinks.
_LEAST = 4
#: Columns by which what stands below a row is indented.
_BELOW = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell.

    Attributes:
        text: what it says; made safe when it is laid out.
        paint: its colour, None for none.
    """

    text: str
    paint: Paint | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row, and lines that belong to it and go over the whole width.

    Attributes:
        cells: one for each column.
        below: paragraphs that are wrapped under the row.
        indent: columns by which those are indented beside what is usual.
    """

    cells: tuple[Cell, ...]
    below: tuple[Cell, ...] = field(default=())
    indent: int = 0


def table(
    header: tuple[str, ...],
    rows: Iterable[Row],
    style: Style,
    *,
    right: frozenset[int] = frozenset(),
    whole: frozenset[int] = frozenset(),
) -> list[str]:
    """Return the lines of a table, columns as wide as they need to be.

    Where they do not fit, the widest column gives way first and its texts are cut.

    Args:
        header: one title for each column.
        rows: each with as many cells.
        style: how it may look.
        right: numbers of the columns that are aligned to the right.
        whole: numbers of the columns that give way last: what people copy.
    """
    every = list(rows)
    texts = [[style.clean(cell.text) for cell in row.cells] for row in every]
    widths = [max(map(cell_width, column)) for column in zip(header, *texts, strict=True)]
    room = style.columns - len(_GAP) * (len(widths) - 1)
    _shrink(widths, room, [n for n in range(len(widths)) if n not in whole])
    _shrink(widths, room, sorted(whole))
    lines = [_line(header, [style.dim] * len(header), widths, style, right)]
    for row, shown in zip(every, texts, strict=True):
        paints = [cell.paint or style.plain for cell in row.cells]
        lines.append(_line(shown, paints, widths, style, right))
        for cell in row.below:
            indent = " " * min(_BELOW + row.indent, style.columns // 2)
            paint = cell.paint or style.plain
            lines += [paint(line) for line in style.wrap(cell.text, first=indent)]
    return lines


def _shrink(widths: list[int], room: int, which: list[int]) -> None:
    """Take columns from the widest of these until all fit, or each is as narrow as may be."""
    while sum(widths) > room and which:
        widest = max(which, key=widths.__getitem__)
        if widths[widest] <= _LEAST:
            return
        widths[widest] -= 1


def _line(
    texts: Iterable[str],
    paints: list[Paint],
    widths: list[int],
    style: Style,
    right: frozenset[int],
) -> str:
    padded = [
        pad(style.cut(text, width), width, right=number in right)
        for number, (text, width) in enumerate(zip(texts, widths, strict=True))
    ]
    padded[-1] = padded[-1].rstrip()
    while len(padded) > 1 and not padded[-1].strip():
        padded.pop()
        padded[-1] = padded[-1].rstrip()
    return _GAP.join(paint(text) for paint, text in zip(paints, padded, strict=False))
