"""Collects what is wrong, in words that are safe to print.

Files are written by people, and sometimes by people who mean harm: nothing here reaches a
terminal or a log with control characters, without bound, or with a password in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from orchestrator.errors import Problem

MAX_PROBLEMS = 500
_MAX_SUGGESTIONS = 25
_MAX_CANDIDATES = 2000
_MAX_SHOWN = 60
_MAX_TEXT = 2000
_MAX_SOURCE_LINE = 600

_USER_INFO = r"(?<![\w.-])(?P<keep>)[^\s/@:'\"]+:[^\s/@'\"]+(?=@(?!sha256:))"
#: A token may stand where the user's name would.
_ONLY_USER = r"(?P<keep>https?://|://(?=:))[^\s/@'\"*]+(?=@)"
_SECRET_VALUE = (
    r"(?i)(?<![\w.-])(?P<keep>[\"']?[\w.-]*(?:token|password|passwd|secret|credential|api[_-]?key|private[_-]?key)"
    r"[\"']?\s*[:=]\s*)(?!\s|[\"']?(?:env|file):|[{\[])(\"[^\"]*\"|'[^']*'|[^\s,}#]+)"
)
_TOKEN = (
    r"(?P<keep>)(?:\bgh[opsu]_|github_pat_|glpat-|xox[abprs]-|AKIA|-----BEGIN )[A-Za-z0-9_-]{6,}"
)


class SourceFile:
    """One file that people wrote.

    Attributes:
        name: its path as the user would write it.
    """

    __slots__ = ("_lines", "name", "text")

    def __init__(self, name: str, text: str = "") -> None:
        self.name = name
        self.text = text
        self._lines: list[str] | None = None

    def line(self, number: int) -> str:
        """Return a line's text without its newline; empty where there is none (1-based)."""
        if self._lines is None:
            self._lines = self.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        return self._lines[number - 1] if 0 < number <= len(self._lines) else ""


class Spot(Protocol):
    """Anything that knows where it stands (1-based; 0 for a file as a whole)."""

    @property
    def file(self) -> SourceFile:
        """The file."""

    @property
    def line(self) -> int:
        """The line."""

    @property
    def column(self) -> int:
        """The column."""


class Place(NamedTuple):
    """A spot by itself."""

    file: SourceFile
    line: int = 0
    column: int = 0


class Problems:
    """What is wrong so far.

    Attributes:
        source: the hierarchy file.
        file: its path, printable.
        found: in the order in which it was found.
        errors: how many of them are errors, those beyond the limit included.
    """

    def __init__(self, source: SourceFile) -> None:
        self.source = source
        self.file = printable(source.name)
        self.found: list[Problem] = []
        self.errors = 0
        self._kept: set[Problem] = set()
        self._once: set[tuple[str, str, int, int]] = set()
        self._suggestions = _MAX_SUGGESTIONS

    @property
    def is_full(self) -> bool:
        """Whether no more problems are kept: time to stop looking for them."""
        return len(self.found) >= MAX_PROBLEMS

    def copy(self) -> Problems:
        """Return a collection that goes on from here without changing this one."""
        copy = Problems(self.source)
        copy.found = list(self.found)
        copy.errors = self.errors
        copy._kept = set(self._kept)
        copy._once = set(self._once)
        return copy

    def error(
        self,
        code: str,
        spot: Spot | None,
        what: str,
        hint: str = "",
        *,
        private: bool = False,
        once: bool = False,
    ) -> None:
        """Keep an error; without a spot it is about the whole hierarchy file.

        Args:
            code: of the problem, like what follows.
            spot: where.
            what: what.
            hint: what to do.
            private: what stands at the spot may be a secret, and is not shown.
            once: only if the same code is not kept for the same spot yet: many images share it.
        """
        if once and self._is_said(code, spot):
            return
        file, line, column = self._place(spot)
        source = file.line(line)
        source = f"{source[: column - 1]}***" if private else source
        self.keep(file.name, line, column, code, what, hint, source, "error")

    def warn(
        self, code: str, spot: Spot | None, what: str, hint: str = "", *, once: bool = False
    ) -> None:
        """Keep what is legal and probably not meant."""
        if once and self._is_said(code, spot):
            return
        file, line, column = self._place(spot)
        self.keep(file.name, line, column, code, what, hint, file.line(line), "warning")

    def keep(
        self,
        file: str,
        line: int,
        column: int,
        code: str,
        what: str,
        hint: str,
        source_line: str,
        severity: str,
    ) -> None:
        """Keep a problem of any file; everything in it is made printable here."""
        if severity == "error":
            self.errors += 1
        if self.is_full:
            return
        # Cut first: the patterns for passwords are slow on long text.
        source_line = source_line[:_MAX_SOURCE_LINE] if 0 < column <= _MAX_SOURCE_LINE else ""
        problem = Problem(
            file=printable(file),
            line=line,
            column=column,
            code=code,
            what=_clipped(printable(masked(what[:_MAX_TEXT])), _MAX_TEXT),
            hint=_clipped(printable(masked(hint[:_MAX_TEXT]), newlines=True), _MAX_TEXT),
            source_line=_on_one_line(masked(source_line, same_length=True)),
            severity=severity,
        )
        # A thousand variants may share one Dockerfile, and its mistakes.
        if problem not in self._kept:
            self._kept.add(problem)
            self.found.append(problem)

    def did_you_mean(self, word: str, known: Iterable[str]) -> str:
        """Return a hint with the known word that is most like this one, or nothing."""
        if self._suggestions <= 0 or len(word) > _MAX_SHOWN:
            return ""
        self._suggestions -= 1
        near = closest(word, known)
        return f"did you mean {shown(near)}?" if near else ""

    def sorted(self) -> tuple[Problem, ...]:
        """Return all of them, the hierarchy file's first, by file, line and column.

        Where too many were found, one more says so.
        """
        problems = sorted(self.found, key=lambda problem: (problem.file != self.file, problem))
        if self.is_full:
            problems.append(
                Problem(
                    file=self.file,
                    line=0,
                    column=0,
                    code="TOO-MANY",
                    what=f"only the first {MAX_PROBLEMS} problems found are shown",
                )
            )
        return tuple(problems)

    def _place(self, spot: Spot | None) -> tuple[SourceFile, int, int]:
        return (self.source, 0, 0) if spot is None else (spot.file, spot.line, spot.column)

    def _is_said(self, code: str, spot: Spot | None) -> bool:
        file, line, column = self._place(spot)
        said = (code, file.name, line, column)
        if said in self._once:
            return True
        self._once.add(said)
        return False


def where(spot: Spot, beside: Spot) -> str:
    """Return ``line 12``, or ``teams/a.yaml:12`` for a spot in another file than ``beside``."""
    if spot.file is beside.file:
        return f"line {spot.line}"
    return f"{printable(spot.file.name)}:{spot.line}"


def closest(word: str, known: Iterable[str]) -> str:
    """Return the known word most like this one; empty when none is like it."""
    import difflib  # only once something is wrong

    candidates = {name.casefold(): name for name in known if abs(len(name) - len(word)) < 12}
    some = list(candidates)[:_MAX_CANDIDATES]
    near = difflib.get_close_matches(word.casefold(), some, n=1, cutoff=0.6)
    return candidates[near[0]] if near else ""


def shown(text: str) -> str:
    """Return the text between quotes, safe and short."""
    return "'" + _clipped(printable(masked(text[:400])), _MAX_SHOWN) + "'"


def printable(text: str, *, newlines: bool = False) -> str:
    """Return the text with everything a terminal might act on written as an escape."""
    if text.isprintable():
        return text
    return "".join(
        ch if ch.isprintable() or (newlines and ch == "\n") else _escaped(ch) for ch in text
    )


def masked(text: str, *, same_length: bool = False) -> str:
    """Return the text without passwords: in URLs, by their own look or by their key's.

    Args:
        text: of a bounded length; time grows with its square.
        same_length: keep the columns of what follows.
    """

    def stars(found: re.Match[str]) -> str:
        hidden = found[0][len(found["keep"]) :]
        return found["keep"] + ("*" * len(hidden) if same_length else "***")

    if "@" in text:
        text = re.sub(_USER_INFO, stars, text)
        text = re.sub(_ONLY_USER, stars, text)
    if ":" in text or "=" in text:
        text = re.sub(_SECRET_VALUE, stars, text)
    return re.sub(_TOKEN, stars, text)


def _escaped(ch: str) -> str:
    if ch in "\n\t\r":
        return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}[ch]
    code = ord(ch)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else "\\U?"


def _on_one_line(text: str) -> str:
    """Return a source line whose columns are still those of the file."""
    return "".join(ch if ch.isprintable() else " " if ch == "\t" else "\ufffd" for ch in text)


def _clipped(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
