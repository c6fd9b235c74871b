"""``.dockerignore``, as BuildKit's client applies it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator

from orchestrator.errors import InvalidInput, Problem

#: What Unicode calls white space, and so Go; Python's ``strip()`` takes four more.
_SPACES = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
#: BuildKit makes a regular expression of a pattern with any of these, and does not look what
#: stands in brackets or behind a backslash, nor does it escape all that it should.
_WILD = re.compile(r"[*?\[\]\\]")
_SURPRISING = (
    re.compile(r"\\[A-Za-z0-9\x80-\U0010ffff]"),  # \d is any digit, \a no a
    re.compile(r"(?<!\\)\[\^?\]?[^\]]*([*?]|\[:)"),  # [*] is no star
    re.compile(r"(?<![\[\\])\^|\||\{\d+(,\d*)?\}"),  # x|y* is x, or y and the rest
)


class Filter:
    """What a ``.dockerignore`` leaves out.

    Args:
        lines: of the file.

    Raises:
        ValueError: a pattern is malformed, or means to BuildKit something else than it says.

    Source: moby/patternmatcher and its ``ignorefile``, tonistiigi/fsutil ``filter.go``
    """

    def __init__(self, lines: list[str]) -> None:
        self._excludes: Callable[[str], bool] = lambda path: False
        self._stems: tuple[str, ...] = ()
        self._anywhere = False
        patterns = [pattern for line in lines if (pattern := _pattern(line))]
        if not patterns:
            return
        # Imported here: it costs 25 ms, and most commands never read a context.
        from e2b_dockerfile_utils import PatternMatcher

        # "./" keeps the library from cleaning a second time what looks like a comment or spaces.
        self._excludes = PatternMatcher(
            [f"!./{text[1:]}" if text.startswith("!") else f"./{text}" for text in patterns]
        ).matches
        exceptions = [text[1:] for text in patterns if text.startswith("!")]
        stems = [text.removesuffix("/**").removesuffix("/*") for text in exceptions]
        self._anywhere = any(not set("*[]?^\\").isdisjoint(stem) for stem in stems)
        self._stems = tuple(stem + "/" for stem in stems)

    def excludes(self, path: str) -> bool:
        """Say whether a path of the context is left out."""
        return self._excludes(path)

    def may_keep_below(self, directory: str) -> bool:
        """Say whether an exception (``!``) could match inside a directory that is left out.

        The library's own ``may_match_under`` knows no class that matches a slash (``[^x]``).
        """
        return self._anywhere or any(stem.startswith(directory + "/") for stem in self._stems)


def parse_ignore(content: bytes, file: str) -> Filter:
    """Return the filter that a ``.dockerignore`` asks for.

    Args:
        content: of the file.
        file: its name in messages.

    Raises:
        InvalidInput: the patterns that :class:`Filter` refuses, with their lines.
    """
    if b"\0" in content:
        # No path has one. UTF-16 is full of them, and would leave out nothing at all.
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        what, hint = "there is a NUL byte in the file", "save it as UTF-8"
        raise InvalidInput(
            (
                Problem(
                    file=file, line=line, column=1, code="BAD-DOCKERIGNORE", what=what, hint=hint
                ),
            )
        )
    text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    lines = text.split("\n")
    try:
        return Filter(lines)
    except ValueError as error:
        raise InvalidInput(tuple(_bad_patterns(lines, file))) from error


def _pattern(line: str) -> str:
    """Return a line's pattern, as clean as BuildKit makes it in its two passes; empty for none.

    In the second pass it looks for ``!`` once more, so ``/!x`` is an exception to it.
    """
    if line.startswith("#"):
        return ""
    pattern = line.strip(_SPACES)
    exception = pattern.startswith("!")
    if exception:
        pattern = pattern[1:].strip(_SPACES)
    if pattern:
        pattern = _clean(pattern)
        if len(pattern) > 1:
            pattern = pattern.removeprefix("/")
    pattern = f"!{pattern}" if exception else pattern
    pattern = _clean(pattern.strip(_SPACES)) if pattern else ""
    if pattern == "!":
        raise ValueError("an exception of nothing")
    text = pattern.removeprefix("!")
    if (text.startswith("/") and pattern != "/") or (text and text != _clean(text)):
        raise ValueError("never matches")
    if _WILD.search(text) and any(surprising.search(text) for surprising in _SURPRISING):
        raise ValueError("matches other paths than it says")
    return pattern


def _clean(path: str) -> str:
    """Return what Go's ``path.Clean`` does; POSIX keeps two leading slashes, Go does not."""
    return posixpath.normpath(re.sub("/+", "/", path))


def _bad_patterns(lines: list[str], file: str) -> Iterator[Problem]:
    for number, line in enumerate(lines, start=1):
        try:
            Filter([line])
        except ValueError:
            yield Problem(
                file=file,
                line=number,
                column=1,
                code="BAD-DOCKERIGNORE",
                what="docker build refuses this pattern, or reads it differently from what it says",
                hint="close every `[`, put only plain characters between brackets and a pattern "
                "after `!`; no backslash before a letter or at the end, no `|` or `^` beside a "
                "wildcard",
                source_line=line.removesuffix("\r"),
            )
