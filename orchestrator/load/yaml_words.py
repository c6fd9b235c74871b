"""What a YAML parser says of a text that is none → what a person can do about it."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

_CONFLICT = re.compile(r"(?m)^(?:<{7}|>{7})(?:[ \r]|$)")
_QUOTES = "put quotes around the whole text"


class Trouble(NamedTuple):
    """Why a text is no YAML, and where; the fields are those of ``errors.Problem``."""

    line: int
    column: int
    what: str
    hint: str


def trouble_in(text: str, error: Any) -> Trouble:
    """Return what is wrong with a text that PyYAML refused.

    Args:
        text: the whole of it.
        error: what was raised: any ``yaml.YAMLError``.
    """
    conflict = _CONFLICT.search(text)
    if conflict:
        line = text.count("\n", 0, conflict.start()) + 1
        hint = "keep one side, and remove the lines of <, = and >"
        return Trouble(line, 1, "a merge conflict was not resolved", hint)
    said = str(getattr(error, "problem", None) or getattr(error, "context", None) or "")
    place = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    start = getattr(error, "context_mark", None) or place
    if place is None:
        what = " ".join((said or str(error)).split()) or "this is not YAML"
        return Trouble(1, 1, what, "look for quotes, brackets and colons that do not fit")
    return _trouble(text, said, str(getattr(error, "context", None) or ""), place, start)


def _trouble(text: str, said: str, context: str, place: Any, start: Any) -> Trouble:
    here, there = (place.line + 1, place.column + 1), (start.line + 1, start.column + 1)
    character = _character(text, place)
    if "tab character" in said or ("cannot start any token" in said and character == "\t"):
        return Trouble(*here, "YAML indents with spaces, and this is a tab", "put spaces there")
    if "cannot start any token" in said:
        return Trouble(*here, f"no text without quotes starts with {character!r}", _QUOTES)
    if "mapping values are not allowed" in said:
        hint = "a text that contains ': ' needs quotes; a key needs a line of its own, "
        hint += "indented like its neighbours"
        return Trouble(*here, "a key cannot end here", hint)
    if "expected ',' or" in said:
        closing = said[-2]
        opening = {"]": "[", "}": "{"}.get(closing, "bracket")
        if place.line == start.line:
            hint = f"the {opening} before it opens in column {there[1]}"
            return Trouble(*here, f"a ',' or a {closing!r} is missing here", hint)
        hint = f"close it with {closing!r} before line {here[0]}"
        return Trouble(*there, f"the {opening!r} that opens here is not closed", hint)
    if "expected node content" in said:
        if not character:
            hint = "close every [ with ] and every { with }"
            return Trouble(*here, "the file ends inside of a list or a map", hint)
        hint = f"remove it, or {_QUOTES}"
        return Trouble(*here, f"no value starts with {character!r}", hint)
    if "unexpected end of stream" in said and "scalar" in context:
        hint = "end the text with the same quote"
        return Trouble(*there, "the quote that opens here is not closed", hint)
    if "expected ':'" in said:
        return Trouble(*there, "this is a key without a colon", "write `key: value`")
    if "alphabetic or numeric" in said:
        what = "'*' and '&' at the start of a text mean something else in YAML"
        return Trouble(*there, what, _QUOTES)
    if "escape" in said or "hexdecimal" in said:
        hint = r"write \\ for a backslash, or use single quotes"
        return Trouble(*here, "a backslash in double quotes starts an escape that is none", hint)
    if "sequence entries are not allowed" in said:
        hint = "put every '- ' onto a line of its own"
        return Trouble(*here, "a list cannot start behind a key", hint)
    if "expected key" in said or "'-' indicator" in said:
        hint = "keys of one map start in one column, as do the '- ' of a list; a text that starts "
        hint += "with a quote, [ or { needs quotes around all of it"
        return Trouble(*here, "this does not fit to what stands before it", hint)
    hint = "look here and just before for quotes, brackets and colons that do not fit"
    return Trouble(*here, said or "this is not YAML", hint)


def _character(text: str, mark: Any) -> str:
    """Return what stands at a mark; empty at the end of the text."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n", mark.line + 1)
    if mark.line >= len(lines):
        return ""
    # Further lines are still in one piece behind the one that was asked for.
    line: str = lines[mark.line]
    return line[mark.column : mark.column + 1]
