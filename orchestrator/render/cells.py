"""Text measured in terminal cells: how wide it is, where it is cut, where it breaks.

Wide where the Unicode standard says so (CJK, emoji), nothing for combining marks. What is
ambiguous counts as narrow. Text is expected to be clean: see
:func:`orchestrator.render.style.terminal_text`.
"""

from __future__ import annotations

import re
import unicodedata

#: What was and what is now stay on one line.
_ARROW = re.compile(r" (→|->) ")
_GLUED = "\u00a0\\1\u00a0"
_WIDTHLESS = frozenset(("Mn", "Me", "Cf", "Cc"))
#: Signs that Unicode 16 made wide, first and last; the data of older Pythons calls them narrow.
_WIDENED = (
    ("\u2630", "\u2637"),
    ("\u268a", "\u268f"),
    ("\u4dc0", "\u4dff"),
    ("\U0001d300", "\U0001d356"),
    ("\U0001d360", "\U0001d376"),
)


def cell_width(text: str) -> int:
    """Return how many terminal columns the text takes."""
    if text.isascii():
        return len(text)
    return sum(map(_width_of, text))


def _width_of(character: str) -> int:
    if character < "\u0300":
        return 1
    if unicodedata.category(character) in _WIDTHLESS:
        return 0
    if unicodedata.east_asian_width(character) in "WF":
        return 2
    return 2 if any(first <= character <= last for first, last in _WIDENED) else 1


def take(text: str, width: int) -> str:
    """Return the longest start of the text that fits; marks stay with what they stand on."""
    if cell_width(text) <= width:
        return text
    used = 0
    for at, character in enumerate(text):
        used += _width_of(character)
        if used > width:
            return text[:at]
    return text


def cut(text: str, width: int, ellipsis: str = "…") -> str:
    """Return the text, its end replaced by an ellipsis where it does not fit."""
    if cell_width(text) <= width:
        return text
    return take(text, max(width - cell_width(ellipsis), 0)).rstrip() + take(ellipsis, width)


def window(text: str, at: int, width: int, ellipsis: str = "…") -> tuple[str, int]:
    """Return the part of a text around a column, and where that column is in it.

    Args:
        text: one line.
        at: column that must be seen, from 0; may be just behind the end.
        width: columns there are, at least 8.
        ellipsis: stands where something is left out.
    """
    if cell_width(text) <= width and at < width:
        return text, at
    skipped = max(at - width * 2 // 3, 0)
    gone = take(text, skipped)
    rest, at = text[len(gone) :], at - cell_width(gone)
    if gone:
        # A wide character may make place for two.
        dropped = take(rest, max(cell_width(ellipsis), 2))
        rest = ellipsis + rest[len(dropped) :]
        at += cell_width(ellipsis) - cell_width(dropped)
    if cell_width(rest) > width:
        # Not `cut`, which takes spaces away that the column may be in.
        rest = take(rest, width - cell_width(ellipsis)) + ellipsis
    return rest, at


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Return the text filled with spaces to a width; ``right`` aligns it to the right."""
    space = " " * (width - cell_width(text))
    return space + text if right else text + space


def wrap(text: str, width: int) -> list[str]:
    """Return the text as lines that fit, broken at spaces, inside a word only if it must be.

    ``was → now`` stays together where it fits into a line.

    Args:
        text: one paragraph; runs of spaces may become one.
        width: at least 2, so that a wide character fits.

    Returns:
        At least one line, without spaces at the ends.
    """
    lines: list[str] = []
    line = ""
    for word in _words(text, width):
        joined = f"{line} {word}" if line else word
        if cell_width(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        line = word
        while cell_width(line) > width:
            head = take(line, width) or line[0]
            lines.append(head)
            line = line[len(head) :]
    if line or not lines:
        lines.append(line)
    return [line.replace("\u00a0", " ") for line in lines]


def _words(text: str, width: int) -> list[str]:
    words = _ARROW.sub(_GLUED, text).split(" ")
    if all(cell_width(word) <= width for word in words):
        return words
    return text.split(" ")
