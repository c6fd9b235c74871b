"""Images' files in git repositories elsewhere, as they are when a command begins."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from orchestrator.doors.files import TreeFiles
from orchestrator.doors.git import public_url
from orchestrator.doors.tree import Tree
from orchestrator.errors import Unavailable
from orchestrator.model.address import Address, address_of
from orchestrator.model.source import ImageFiles, Revision

if TYPE_CHECKING:
    from orchestrator.doors.context import TarContext


class Mirrors(Protocol):
    """What this machine has of repositories elsewhere. Thread-safe."""

    def fetch(self, url: str, references: frozenset[str]) -> None:
        """Bring every branch and tag of a repository here, and forget those that are gone.

        Args:
            url: of the repository.
            references: what will be asked for; where all are commits that are here, nobody is
                asked.

        Raises:
            Unavailable: it could not be; what was here before still is.
        """

    def commit(self, url: str, reference: str) -> str:
        """Return the commit that a reference means, as last fetched.

        Args:
            url: of the repository.
            reference: branch, tag or full commit; empty for HEAD.

        Raises:
            Unavailable: there is none, or there are two, or the repository was never fetched.
        """

    def committed_at_s(self, url: str, commit: str) -> int:
        """Return a commit's time, seconds since 1970 UTC.

        Raises:
            Unavailable: it cannot be read.
        """

    def tree(self, url: str, commit: str) -> Tree:
        """Return a commit's files.

        Raises:
            Unavailable: they cannot be read, or cannot be files.
        """

    def remember(self, url: str, name: str, commit: str) -> None:
        """Keep a commit under a name of letters and digits, whatever becomes of its branch."""

    def remembered(self, url: str, name: str) -> str | None:
        """Return the commit that was kept under a name; None where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    commit: str
    committed_at_s: int
    files: _CommitFiles


class Repositories:
    """Images' files in repositories elsewhere.

    A reference means one commit as long as the object lives, so that what is planned is what is
    built. Without :meth:`fetch` it means what it meant when somebody fetched last. Thread-safe.

    Args:
        mirrors: what this machine has of them.
    """

    def __init__(self, mirrors: Mirrors) -> None:
        self._mirrors = mirrors
        self._lock = threading.Lock()
        self._fetched: dict[str, str] = {}
        """URL → why it could not be fetched, or empty."""
        self._views: dict[tuple[str, str], _View] = {}

    def fetch(self, contexts: Iterable[str]) -> None:
        """Fetch the repositories that contexts are in, each once; never raises."""
        wanted: dict[str, set[str]] = {}
        for address in filter(None, map(address_of, contexts)):
            wanted.setdefault(address.url, set()).add(address.reference)
        for url, references in wanted.items():
            if url in self._fetched:
                continue
            try:
                self._mirrors.fetch(url, frozenset(references))
                self._fetched[url] = ""
            except Unavailable as error:
                self._fetched[url] = error.what

    def image_files(self, address: Address, dockerfile: str) -> ImageFiles:
        """Return what loading needs to know of one image's files; never raises.

        Where they cannot be had, the Dockerfile is the last one that could.
        """
        fault, text = "", None
        try:
            view = self._view(address)
            found = view.files.image_files(address.directory, dockerfile)
            text, fault = found.dockerfile_text, _fault(found, address, dockerfile, view.commit)
            if not fault and self._fetched.get(address.url) == "":
                self._mirrors.remember(address.url, _name(address, dockerfile), view.commit)
        except Unavailable as error:
            fault = error.what
        if text is None:
            text = self._older(address, dockerfile)
        return ImageFiles(dockerfile_text=text, unusable=self._unfetched(address) or fault)

    def context(self, address: Address, dockerfile: str) -> TarContext:
        """Filter, normalise and hash one image's context.

        Raises:
            Unavailable: the repository could not be fetched, or lacks what is asked for.
            InvalidInput: files in it are no use, all of them named.
        """
        fault = self._unfetched(address)
        if fault:
            raise Unavailable(f"{address}: {fault}", hint="nothing was built from it")
        view = self._view(address)
        context = view.files.context(address.directory, dockerfile)
        revision = Revision(
            commit=view.commit,
            dirty=False,
            committed_at_s=view.committed_at_s,
            source=public_url(address.url),
        )
        context.source = replace(context.source, revision=revision)
        return context

    def _unfetched(self, address: Address) -> str:
        """Return why what the mirror has may be out of date; what names a commit never is."""
        return "" if address.is_commit else self._fetched.get(address.url, "")

    def _view(self, address: Address) -> _View:
        with self._lock:
            key = address.url, address.reference
            if key not in self._views:
                commit = self._mirrors.commit(*key)
                tree = self._mirrors.tree(address.url, commit)
                self._views[key] = _View(
                    commit=commit,
                    committed_at_s=self._mirrors.committed_at_s(address.url, commit),
                    files=_CommitFiles(tree, address),
                )
            return self._views[key]

    def _older(self, address: Address, dockerfile: str) -> str | None:
        try:
            commit = self._mirrors.remembered(address.url, _name(address, dockerfile))
            tree = self._mirrors.tree(address.url, commit) if commit else None
        except Unavailable:
            return None
        if tree is None:
            return None
        files = _CommitFiles(tree, address)
        return files.image_files(address.directory, dockerfile).dockerfile_text


class _CommitFiles(TreeFiles):
    """A repository's files at one commit."""

    def __init__(self, tree: Tree, address: Address) -> None:
        super().__init__(tree, "")
        self._address = address

    def _shown(self, path: str) -> str:
        return self._address.file(super()._shown(path))


def _fault(found: ImageFiles, address: Address, dockerfile: str, commit: str) -> str:
    at = f" at commit {commit[:12]}"
    if found.context_problem:
        where = "the repository" if address.directory == "." else f"{address.directory}{at}"
        what = f"{where} {found.context_problem}"
    elif found.dockerfile_problem:
        what = f"{dockerfile}{at} {found.dockerfile_problem}"
    else:
        return ""
    return what.replace("the hierarchy's directory", "the repository")


def _name(address: Address, dockerfile: str) -> str:
    said = f"{address.reference}\0{dockerfile}".encode("utf-8", "surrogateescape")
    return hashlib.sha256(said).hexdigest()[:32]
