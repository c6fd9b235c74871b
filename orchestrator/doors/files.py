"""The hierarchy's directory on disk."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.doors.disk import DiskTree, opened
from orchestrator.doors.tree import (
    Changed,
    Dockerfile,
    Kind,
    PathProblem,
    Tree,
    absent,
    find,
    matching,
    trouble,
)
from orchestrator.errors import Conflict, InvalidInput, Unavailable
from orchestrator.model.address import address_of
from orchestrator.model.source import ImageFiles

if TYPE_CHECKING:
    from orchestrator.doors.context import TarContext
    from orchestrator.doors.context_cache import ContextCache
    from orchestrator.doors.ignore import Filter
    from orchestrator.doors.protocols import Clock
    from orchestrator.doors.repositories import Repositories

HIERARCHY_BYTES_AT_MOST = 4 << 20
DOCKERFILE_BYTES_AT_MOST = 1 << 20


class TreeFiles:
    """Images' files in any tree: all of the files door but the hierarchy file.

    Args:
        tree: the hierarchy's directory.
        hierarchy_path: path of the hierarchy file as the user wrote it, for messages.
        repositories: where contexts elsewhere are; called once, when there is one. None: they
            are not looked at.
    """

    def __init__(
        self,
        tree: Tree,
        hierarchy_path: str,
        repositories: Callable[[], Repositories] | None = None,
    ) -> None:
        self._tree = tree
        self._open_repositories = repositories
        self._opened: dict[str, Repositories] = {}
        self.name = hierarchy_path
        self._parsed: dict[str, bytes] = {}
        self._cache: ContextCache | None = None

    def matching(self, pattern: str) -> tuple[str, ...]:
        """Return what a pattern names, sorted; never raises.

        Also what is no regular file but stands in its place: :meth:`text` then says so.
        """
        return matching(self._tree, pattern)

    def text(self, path: str) -> bytes:
        """Return the bytes of a file that :meth:`matching` named.

        Raises:
            InvalidInput: it cannot be read, is not a regular file, or is larger than 4 MiB.
        """
        try:
            found = find(self._tree, path)
            if found is None:
                raise PathProblem("does not exist")
            if self._kind(found) is Kind.DIRECTORY:
                # Named for its files, which cannot be listed; else nobody asks for it.
                if found != path:
                    raise PathProblem("is a symlink to a directory, which no pattern enters")
                self._tree.entries(found)
            return self._small_file(found, HIERARCHY_BYTES_AT_MOST)[0]
        except PathProblem as problem:
            raise self._bad_include(path, str(problem)) from problem
        except OSError as error:
            raise self._bad_include(path, f"cannot be read: {error.strerror}") from error

    def image_files(self, context: str, dockerfile: str) -> ImageFiles:
        """Return what loading needs to know of one image's files; never raises."""
        address = address_of(context)
        if address is not None:
            elsewhere = self._elsewhere()
            if elsewhere is None:
                return ImageFiles(unusable="it is in a repository that is not looked at here")
            return elsewhere.image_files(address, dockerfile)
        context_problem = dockerfile_problem = ""
        text: str | None = None
        try:
            self._directory(context)
        except PathProblem as problem:
            context_problem = str(problem)
        try:
            content = self._dockerfile(dockerfile).content
            text = _text(content)
            self._parsed[dockerfile] = content
        except PathProblem as problem:
            dockerfile_problem = str(problem)
        return ImageFiles(
            dockerfile_text=text,
            dockerfile_problem=dockerfile_problem,
            context_problem=context_problem,
        )

    def context(self, context: str, dockerfile: str) -> TarContext:
        """Read, filter, normalise and hash one image's context.

        The Dockerfile must still be the one whose text :meth:`image_files` returned last: the
        parents in a plan are those of the Dockerfile that is built.

        Raises:
            InvalidInput: a file cannot be read, vanished or changed meanwhile; all of them.
            Conflict: the Dockerfile is another one.
            Unavailable: the context is in a repository that cannot be had.
        """
        address = address_of(context)
        if address is not None:
            elsewhere = self._elsewhere()
            if elsewhere is None:
                raise Unavailable(f"{context} is in a repository that is not looked at here")
            return elsewhere.context(address, dockerfile)
        problems = []
        base, read = "", Dockerfile(path="", content=b"")
        try:
            base = self._directory(context)
        except PathProblem as problem:
            problems.append(trouble(self._shown(context), "BAD-CONTEXT", str(problem)))
        try:
            read = self._dockerfile(dockerfile)
        except PathProblem as problem:
            problems.append(trouble(self._shown(dockerfile), "BAD-DOCKERFILE", str(problem)))
        if problems:
            raise InvalidInput(tuple(problems))
        if self._parsed.get(dockerfile, read.content) != read.content:
            raise Conflict(
                f"{self._shown(dockerfile)} changed since its parents were read",
                hint="nothing was built from it; run the command again",
            )
        # Not needed to load a hierarchy, and slow to import.
        from orchestrator.doors.context import read_context

        return read_context(
            self._tree,
            base,
            read,
            self._ignore(base, dockerfile),
            shown=self._shown,
            cache=self._cache,
        )

    def fetch(self, contexts: Iterable[str]) -> None:
        """Bring the repositories here that contexts are in, each once; never raises."""
        elsewhere = self._elsewhere()
        if elsewhere is not None:
            elsewhere.fetch(contexts)

    def _elsewhere(self) -> Repositories | None:
        if self._open_repositories is None:
            return None
        # Several threads may fetch: whichever comes first opens it for all.
        found = self._opened.get("")
        return found or self._opened.setdefault("", self._open_repositories())

    def _directory(self, path: str) -> str:
        found = find(self._tree, path)
        kind = None if found is None else self._kind(found)
        if found is None or kind is None:
            raise absent(self._tree, path)
        if kind is not Kind.DIRECTORY:
            raise PathProblem(f"is {kind}, not a directory")
        return found

    def _dockerfile(self, path: str) -> Dockerfile:
        found = find(self._tree, path)
        if found is None:
            raise absent(self._tree, path)
        content, executable = self._small_file(found)
        if not content.strip():
            raise PathProblem("is empty")
        return Dockerfile(path=found, content=content, executable=executable)

    def _ignore(self, base: str, dockerfile: str) -> Filter:
        """Return the filter: of the Dockerfile's own ignore file if there is one, even if empty.

        Where docker build silently sends everything, because the file is a directory or a symlink
        out of the context, this raises: nobody means that.
        """
        from orchestrator.doors.ignore import Filter, parse_ignore

        for path, root in ((f"{dockerfile}.dockerignore", ""), (".dockerignore", base)):
            try:
                found = find(self._tree, path, root)
                content = None if found is None else self._small_file(found)[0]
            except PathProblem as problem:
                shown = self._shown(posixpath.join(root, path))
                hint = "put a file in its place, or remove it"
                found_bad = trouble(shown, "BAD-DOCKERIGNORE", str(problem), hint=hint)
                raise InvalidInput((found_bad,)) from problem
            if content is not None:
                return parse_ignore(content, self._shown(posixpath.join(root, path)))
        return Filter([])

    def _small_file(
        self, path: str, bytes_at_most: int = DOCKERFILE_BYTES_AT_MOST
    ) -> tuple[bytes, bool]:
        kind = self._kind(path)
        if kind is not Kind.FILE:
            raise PathProblem(f"is {kind}, not a file" if kind else "does not exist")
        try:
            file = self._tree.open(path)
            with file.stream as stream:
                content = stream.read(bytes_at_most + 1)
        except OSError as error:
            raise PathProblem(f"cannot be read: {error.strerror}") from error
        if len(content) > bytes_at_most:
            raise PathProblem(f"is larger than {bytes_at_most >> 20} MiB")
        return content, file.executable

    def _kind(self, path: str) -> Kind | None:
        try:
            return self._tree.kind(path)
        except OSError as error:
            raise PathProblem(f"cannot be looked at: {error.strerror}") from error

    def _bad_include(self, path: str, what: str) -> InvalidInput:
        hint = "correct it, or take it out of `include:`"
        return InvalidInput((trouble(self._shown(path), "BAD-INCLUDE", what, hint=hint),))

    def _bad_hierarchy(self, what: str) -> InvalidInput:
        hint = "name the hierarchy file, or stand in its directory or below it"
        if "Permission denied" in what:
            hint = "make it readable for who runs this, or name another with --file"
        return InvalidInput((trouble(self.name, "BAD-HIERARCHY-FILE", what, hint=hint),))

    def _too_large(self, where: str = "") -> InvalidInput:
        what = f"is larger than {HIERARCHY_BYTES_AT_MOST >> 20} MiB{where}"
        hint = "generate less, or split it into several hierarchies"
        return InvalidInput((trouble(self.name, "FILE-TOO-LARGE", what, hint=hint),))

    def _shown(self, path: str) -> str:
        shown = posixpath.normpath(posixpath.join(posixpath.dirname(self.name), path))
        if shown.isprintable():
            return shown
        return "".join(c if c.isprintable() else _escaped(c) for c in shown)


class RealFiles(TreeFiles):
    """The directory that the hierarchy file lies in.

    Args:
        hierarchy_path: of the hierarchy file; it need not exist.
        repositories: as for :class:`TreeFiles`.
    """

    def __init__(
        self,
        hierarchy_path: str | os.PathLike[str],
        repositories: Callable[[], Repositories] | None = None,
    ) -> None:
        path = os.fspath(hierarchy_path)
        # A later chdir must not move it.
        self._file = Path(path).absolute()
        super().__init__(DiskTree(self._file.parent), path, repositories)

    @contextmanager
    def cached(self, directory: Path, clock: Clock) -> Iterator[None]:
        """Spare, while it lasts, reading contexts in which nothing changed.

        Args:
            directory: where what is known of contexts is kept; it may be deleted at any time.
            clock: says which changes are too recent to be told apart.
        """
        from orchestrator.doors import context_cache

        root = self._file.parent
        if not context_cache.is_local(root):
            yield
            return
        cache = self._cache = context_cache.ContextCache(directory, root, clock)
        try:
            yield
        finally:
            self._cache = None
            cache.save()

    def hierarchy_text(self) -> bytes:
        """Return the hierarchy file's bytes.

        Raises:
            InvalidInput: it cannot be read, is not a regular file, or is larger than 4 MiB.
        """
        try:
            with opened(os.fsencode(self._file)).stream as stream:
                content = stream.read(HIERARCHY_BYTES_AT_MOST + 1)
        except FileNotFoundError as error:
            link = self._file.is_symlink()
            gone = "is a symlink to something that does not exist"
            what = gone if link else "does not exist"
            raise self._bad_hierarchy(what) from error
        except Changed as error:
            raise self._bad_hierarchy(error.what) from error
        except OSError as error:
            raise self._bad_hierarchy(f"cannot be read: {error.strerror}") from error
        if len(content) > HIERARCHY_BYTES_AT_MOST:
            raise self._too_large()
        return content


def _text(content: bytes) -> str:
    try:
        # BuildKit drops a byte order mark too, and columns then are what an editor shows.
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise PathProblem(f"is not UTF-8 (line {line})") from error


def _escaped(character: str) -> str:
    byte = ord(character) - 0xDC00
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else repr(character)[1:-1]
