"""How text may look: colours or none, how wide, which characters; and what is safe to show."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from orchestrator.render import cells

#: Columns that stand for "no limit".
_ENDLESS = 1_000_000
#: Below this, lines may be wider than asked: nothing readable fits.
_NARROWEST = 40
#: Combining marks in a row after which the rest is escaped: they would paint over other lines.
_MOST_MARKS = 3

#: Colours and titles in a build's log say nothing here; what is not such a sequence is escaped.
SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")

_PLAIN = {
    "\u00a0": " ",
    "…": "...",
    "→": "->",
    "←": "<-",
    "├": "|",
    "└": "`",
    "│": "|",
    "─": "-",
    "·": "-",
    "“": '"',
    "”": '"',
    "━": "=",
    "✓": "+",
    "✗": "x",
}
_TO_PLAIN = str.maketrans(_PLAIN)


def terminal_text(text: str) -> str:
    r"""Return text that cannot do more to a terminal than be read.

    Colour sequences and window titles go; every other control character, and every invisible one
    that reorders or hides text (bidirectional overrides, zero widths), is shown as an escape such
    as ``\x1b`` or ``\u202e``. A newline becomes ``\n``, a tab four spaces: the result is one
    line.
    """
    if text.isascii() and text.isprintable():
        return text
    shown: list[str] = []
    marks = 0
    for character in SEQUENCE.sub("", text).replace("\t", "    "):
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if "\ufe00" <= character <= "\ufe0f":
            continue  # Variation selectors change a character's width in some terminals only.
        hidden = category in ("Cc", "Cf", "Cs", "Zl", "Zp") or marks > _MOST_MARKS
        shown.append(_escape(character) if hidden else character)
    return "".join(shown)


def _escape(character: str) -> str:
    if character in "\n\r":
        return {"\n": "\\n", "\r": "\\r"}[character]
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


@dataclass(frozen=True, slots=True)
class Style:
    """How text may look.

    Attributes:
        color: whether ANSI colours are written.
        width: columns of the terminal; 0: no limit, nothing is wrapped or cut, which is what
            pipes, files and CI logs want.
        unicode: whether lines and arrows may be drawn with characters outside ASCII.
    """

    color: bool
    width: int
    unicode: bool = True

    @property
    def columns(self) -> int:
        """Return the columns that may be used, a large number where there is no limit."""
        return max(self.width, _NARROWEST) if self.width else _ENDLESS

    def bad(self, text: str) -> str:
        """Return the text as something that failed."""
        return self._painted("31", text)

    def good(self, text: str) -> str:
        """Return the text as something that went well."""
        return self._painted("32", text)

    def warn(self, text: str) -> str:
        """Return the text as something to look at."""
        return self._painted("33", text)

    def note(self, text: str) -> str:
        """Return the text as something that points elsewhere: a hint, a way on."""
        return self._painted("36", text)

    def dim(self, text: str) -> str:
        """Return the text as a detail."""
        return self._painted("2", text)

    def bold(self, text: str) -> str:
        """Return the text as what the eye should find first."""
        return self._painted("1", text)

    def plain(self, text: str) -> str:
        """Return the text as it is: the colour of what needs none."""
        return text

    def _painted(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.color and text else text

    def clean(self, text: str) -> str:
        """Return text that is safe to show, in the characters that may be used."""
        safe = terminal_text(text)
        if self.unicode or safe.isascii():
            return safe
        return safe.translate(_TO_PLAIN).encode("ascii", "backslashreplace").decode()

    def cut(self, text: str, width: int) -> str:
        """Return clean text that fits into so many columns, its end left out if need be."""
        return cells.cut(self.clean(text), width, self.clean("…"))

    def wrap(self, text: str, *, first: str = "", then: str | None = None) -> list[str]:
        """Return clean lines that fit.

        Args:
            text: one paragraph.
            first: what the first line begins with; clean, without colours.
            then: what the others begin with; None: as many spaces as ``first`` is wide.
        """
        rest = " " * cells.cell_width(first) if then is None else then
        room = self.columns - max(cells.cell_width(first), cells.cell_width(rest))
        lines = cells.wrap(self.clean(text), max(room, 2))
        return [(first if n == 0 else rest) + line for n, line in enumerate(lines)]
