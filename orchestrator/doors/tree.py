"""A directory's raw contents, and where a path in it leads."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from errno import ESTALE
from typing import BinaryIO, Protocol

from orchestrator.errors import Problem

_SYMLINKS_AT_MOST = 40


class Kind(StrEnum):
    """What stands at a path, worded for messages."""

    FILE = "a regular file"
    DIRECTORY = "a directory"
    SYMLINK = "a symlink"
    FIFO = "a FIFO"
    SOCKET = "a socket"
    DEVICE = "a device"


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
