"""The files door as it would be with one file more, or another one in its place."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from orchestrator.doors.protocols import Files

if TYPE_CHECKING:
    from orchestrator.doors.protocols import Context
    from orchestrator.model.source import ImageFiles


class WithFile:
    """What loading would read once a file is written: nothing is written before that is good.

    Args:
        files: the hierarchy's directory.
        path: of the file, relative to it.
        content: what it would hold.
    """

    def __init__(self, files: Files, path: str, content: bytes) -> None:
        self._files = files
        self._path = path
        self._content = content
        self.name = files.name

    def hierarchy_text(self) -> bytes:
        """Return the hierarchy file's bytes; see the protocol."""
        return self._files.hierarchy_text()

    def matching(self, pattern: str) -> tuple[str, ...]:
        """Return what a pattern names, the file among it; see the protocol."""
        found = set(self._files.matching(pattern))
        if posixpath.dirname(pattern) == posixpath.dirname(self._path) and fnmatchcase(
            self._path, pattern
        ):
            found.add(self._path)
        return tuple(sorted(found))

    def text(self, path: str) -> bytes:
        """Return the bytes of a file; see the protocol."""
        return self._content if path == self._path else self._files.text(path)

    def image_files(self, context: str, dockerfile: str) -> ImageFiles:
        """Return an image's files; see the protocol."""
        return self._files.image_files(context, dockerfile)

    def fetch(self, contexts: Iterable[str]) -> None:
        """Bring repositories here; see the protocol."""
        self._files.fetch(contexts)

    def context(self, context: str, dockerfile: str) -> Context:
        """Return an image's context; see the protocol."""
        return self._files.context(context, dockerfile)
