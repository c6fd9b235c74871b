"""Which directory a Dockerfile is built in: the one that its COPY sources are in."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

_PATTERN = re.compile(r"[*?\[]")
#: Entries that one source may name before the rest is not looked at.
_MATCHES_AT_MOST = 1000


class Place(NamedTuple):
    """A directory to build in.

    Attributes:
        context: relative to the tree, ``.`` for the tree itself.
        missing: (source, line) of what COPY takes and is not there.
        sure: all sources are there.
    """

    context: str
    missing: tuple[tuple[str, int], ...]

    @property
    def sure(self) -> bool:
        """Whether every source is there."""
        return not self.missing


class Tree:
    """Which paths there are.

    Args:
        files: every file, relative to the tree.
    """

    def __init__(self, files: Iterable[str]) -> None:
        self._children: dict[str, set[str]] = {}
        for file in files:
            path = file
            while path:
                above, _, name = path.rpartition("/")
                known = self._children.setdefault(above, set())
                if name in known:
                    break
                known.add(name)
                path = above

    def has(self, directory: str, source: str) -> bool:
        """Say whether COPY finds something there.

        Args:
            directory: relative to the tree; empty for the tree itself.
            source: as COPY says it; ``*``, ``?`` and ``[…]`` stand for names.
        """
        found = [directory]
        for part in posixpath.normpath("/" + source).split("/")[1:]:
            if part.startswith(".") and not any(part in self._names(one) for one in found):
                # Hidden directories were not looked into: who copies one knows that it is there.
                return True
            if part:
                found = [path for one in found for path in self._below(one, part)]
        return bool(found)

    def _names(self, directory: str) -> set[str]:
        return self._children.get(directory, set())

    def _below(self, directory: str, part: str) -> list[str]:
        names = self._names(directory)
        if part in names:
            return [posixpath.join(directory, part)]
        if not _PATTERN.search(part):
            return []
        matching = (name for name in names if fnmatchcase(name, part))
        return [
            posixpath.join(directory, name)
            for name, _ in zip(matching, range(_MATCHES_AT_MOST), strict=False)
        ]


def place(tree: Tree, directory: str, sources: tuple[tuple[str, int], ...]) -> Place:
    """Return the nearest directory, from the Dockerfile's own upwards, that has all sources.

    Where none has, it is the one that has most of them, the nearest of equals.

    Args:
        tree: what is there.
        directory: the Dockerfile's own, relative to the tree; empty for the tree itself.
        sources: what COPY and ADD take, and on which line.
    """
    best: Place | None = None
    while True:
        missing = tuple(one for one in sources if not tree.has(directory, one[0]))
        if best is None or len(missing) < len(best.missing):
            best = Place(directory or ".", missing)
        if best.sure or not directory:
            return best
        directory = posixpath.dirname(directory)
