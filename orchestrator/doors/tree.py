"""A directory's raw contents, and where a path in it leads."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from errno import ESTALE
from typing import BinaryIO, Protocol

from orchestrator.errors import Problem

_SYMLINKS_AT_MOST = 40
_WILDCARDS = frozenset("*?")


class Kind(StrEnum):
    """What stands at a path, worded for messages."""

    FILE = "a regular file"
    DIRECTORY = "a directory"
    SYMLINK = "a symlink"
    FIFO = "a FIFO"
    SOCKET = "a socket"
    DEVICE = "a device"
    SUBMODULE = "a git submodule"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedFile:
    """A regular file, open for reading.

    Attributes:
        stream: its bytes; closed by whoever asked for it.
        size_bytes: when it was opened.
        executable: somebody may execute it.
    """

    stream: BinaryIO
    size_bytes: int
    executable: bool


class Tree(Protocol):
    """A directory's raw contents.

    Paths are relative, ``/``-separated, without ``.`` and ``..``; the empty path is the directory
    itself. Bytes of a name that are not UTF-8 are surrogates (PEP 383). No symlink is followed in
    the last component, and nobody asks for a path through one. What fails raises ``OSError``.
    """

    def kind(self, path: str) -> Kind | None:
        """Return what stands there; None when nothing does."""

    def entries(self, path: str) -> list[tuple[str, Kind]]:
        """Return a directory's names and what they are, in any order."""

    def target(self, path: str) -> str:
        """Return a symlink's text."""

    def open(self, path: str) -> OpenedFile:
        """Open a regular file; a FIFO never blocks.

        Raises:
            Changed: it is something else.
        """


class Changed(OSError):
    """A file is not what it was a moment ago; says how, as the end of a sentence."""

    def __init__(self, what: str) -> None:
        super().__init__(ESTALE, what)
        self.what = what


class PathProblem(Exception):
    """Why a path leads nowhere, as the end of a sentence that begins with the path."""


def find(tree: Tree, path: str, root: str = "") -> str | None:
    """Return where a path leads, symlinks followed; None where nothing is.

    Args:
        tree: where to look.
        path: as the user wrote it, relative to ``root``.
        root: a directory of the tree, without symlinks, that the path must not leave.

    Returns:
        A path in the tree, without symlinks.

    Raises:
        PathProblem: it leaves ``root``, goes in circles, or cannot be looked at.
    """
    try:
        encoded(path)
        if "\0" in path:
            raise PathProblem("has a NUL character in its name")
        return _find(tree, path, root)
    except UnicodeEncodeError:
        raise PathProblem("has a name that is no text") from None
    except OSError as error:
        raise PathProblem(f"cannot be looked at: {error.strerror}") from error


def _find(tree: Tree, path: str, root: str) -> str | None:
    if path.startswith("/"):
        raise PathProblem("is an absolute path; a path relative to the hierarchy file is needed")
    to_go = path.split("/")[::-1]
    found: list[str] = []
    symlinks = 0
    while to_go:
        name = to_go.pop()
        if name in ("", "."):
            continue
        if name == "..":
            if not found:
                what = "is a symlink that leaves" if symlinks else "leaves"
                raise PathProblem(f"{what} {root or 'the hierarchy'}'s directory")
            found.pop()
            continue
        here = join(root, "/".join([*found, name]))
        kind = tree.kind(here)
        if kind is None:
            if symlinks:
                raise PathProblem("is a symlink to something that does not exist")
            return None
        if kind is Kind.SYMLINK:
            symlinks += 1
            target = tree.target(here)
            if symlinks > _SYMLINKS_AT_MOST:
                raise PathProblem("is a symlink that leads back to itself")
            if target.startswith("/"):
                raise PathProblem("is a symlink to an absolute path; make it relative")
            to_go += target.split("/")[::-1]
            continue
        if kind is not Kind.DIRECTORY and any(rest not in ("", ".") for rest in to_go):
            raise PathProblem(f"does not exist: {here} is {kind}, not a directory")
        found.append(name)
    return join(root, "/".join(found))


def absent(tree: Tree, path: str) -> PathProblem:
    """Return the problem of a path that leads nowhere; it names what differs by case only.

    Args:
        tree: where :func:`find` found nothing.
        path: relative to the tree, normalised.
    """
    here = ""
    for name in path.split("/"):
        if name == "..":
            break
        try:
            if tree.kind(join(here, name)) is None:
                alike = [at for at, _ in tree.entries(here) if at.casefold() == name.casefold()]
                return PathProblem(
                    f"does not exist; there is {join(here, min(alike))!r}"
                    if alike
                    else "does not exist"
                )
        except OSError:
            break
        here = join(here, name)
    return PathProblem("does not exist")


def matching(tree: Tree, pattern: str) -> tuple[str, ...]:
    """Return what a pattern names, sorted; never raises.

    Args:
        tree: where to look.
        pattern: relative to the tree. ``*`` and ``?`` stay inside one name and leave names alone
            that start with a dot; ``**`` stands for any directories. Symlinked directories are
            entered only where no wildcard is in the pattern.

    Returns:
        Everything in the right place but directories; also directories that cannot be listed,
        symlinks that lead nowhere, and those that the pattern names on its way and that are not
        entered: for all of which reading them gives the reason.
    """
    parts = [part for part in pattern.split("/") if part not in ("", ".")]
    if pattern.startswith("/") or ".." in parts or not parts or "\0" in pattern:
        return ()
    if not _WILDCARDS & set(pattern):
        return () if _is_directory_or_nothing(tree, pattern) else ("/".join(parts),)
    if parts[-1] == "**":
        parts.append("*")
    patterns = [_name_pattern(part) for part in parts]
    found: set[str] = set()
    seen: set[tuple[str, int]] = set()
    todo = [("", 0)]
    while todo:
        here = directory, position = todo.pop()
        if here in seen:
            continue
        seen.add(here)
        try:
            entries = tree.entries(directory)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            found.add(directory)
            continue
        if parts[position] == "**":
            todo.append((directory, position + 1))
        for name, kind in entries:
            path = join(directory, name)
            if parts[position] == "**":
                if kind is Kind.DIRECTORY and not name.startswith("."):
                    todo.append((path, position))
            elif not patterns[position](name) or (name[0] == "." != parts[position][0]):
                continue
            elif position < len(parts) - 1:
                if kind is Kind.DIRECTORY:
                    todo.append((path, position + 1))
                elif name == parts[position] and _is_not_entered(tree, path, kind):
                    found.add(path)
            elif kind is not Kind.DIRECTORY and not _is_link_to_directory(tree, path, kind):
                found.add(path)
    return tuple(sorted(found))


def _name_pattern(part: str) -> Callable[[str], object]:
    import fnmatch  # rare, and not worth loading for everybody

    # Only * and ? are special; its star does not go back, so that hostile patterns take no time.
    return re.compile(fnmatch.translate(part.replace("[", "[[]"))).match


def _is_link_to_directory(tree: Tree, path: str, kind: Kind) -> bool:
    return kind is Kind.SYMLINK and _is_directory_or_nothing(tree, path)


def _is_not_entered(tree: Tree, path: str, kind: Kind) -> bool:
    """Say whether files may be behind a symlink; there are none behind one to a file."""
    if kind is not Kind.SYMLINK:
        return False
    try:
        found = find(tree, path)
        return found is None or tree.kind(found) is Kind.DIRECTORY
    except (PathProblem, OSError):
        return True


def _is_directory_or_nothing(tree: Tree, path: str) -> bool:
    try:
        found = find(tree, path)
        return found is None or tree.kind(found) is Kind.DIRECTORY
    except (PathProblem, OSError):
        return False


def encoded(path: str) -> bytes:
    """Return a path's bytes, whatever the locale says."""
    return path.encode("utf-8", "surrogateescape")


def join(directory: str, path: str) -> str:
    """Return a path below a directory; either may be empty."""
    return f"{directory}/{path}" if directory and path else directory or path


def directory_of(path: str) -> str:
    """Return the directory a path stands in; empty at the top."""
    return path.rpartition("/")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerfile:
    """A Dockerfile as it was read, once.

    Attributes:
        path: in the tree, without symlinks.
        content: its bytes.
        executable: somebody may execute it.
    """

    path: str
    content: bytes
    executable: bool = False


def trouble(file: str, code: str, what: str, *, hint: str = "") -> Problem:
    """Return a problem with a file as a whole."""
    return Problem(file=file, line=0, column=0, code=code, what=what, hint=hint)
