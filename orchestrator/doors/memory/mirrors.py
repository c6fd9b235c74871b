"""Repositories elsewhere, and the mirrors of them, in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from orchestrator.doors.git_mirror import NEVER, chosen
from orchestrator.doors.memory.files import Entry, MemoryTree
from orchestrator.errors import Unavailable


class MemoryMirrors:
    """A twin of :class:`orchestrator.doors.git_mirror.GitMirrors`, with the servers behind it.

    Attributes:
        away: URL → why it cannot be fetched; tests may set it.
        fetched: URLs in the order in which servers were asked.
    """

    def __init__(self) -> None:
        self.away: dict[str, str] = {}
        self.fetched: list[str] = []
        self._servers: dict[str, dict[str, str]] = {}
        self._heads: dict[str, str] = {}
        self._mirrors: dict[str, dict[str, str]] = {}
        self._commits: dict[str, tuple[MemoryTree, int]] = {}
        self._used: dict[tuple[str, str], str] = {}

    def push(
        self, url: str, entries: Mapping[str, Entry], branch: str = "main", *, at_s: int = 1
    ) -> str:
        """Put a commit on a branch of a server, and return it; the first branch is HEAD's.

        Args:
            url: of the repository, which need not be there yet.
            entries: every file of the commit.
            branch: that has it then, whatever it had before.
            at_s: the commit's time, seconds since 1970 UTC.
        """
        tree = MemoryTree()
        for path, entry in entries.items():
            tree.write(path, entry)
        said = repr((sorted(entries.items(), key=lambda item: item[0]), at_s))
        commit = hashlib.sha1(said.encode()).hexdigest()  # noqa: S324 - git's own names
        self._commits[commit] = tree, at_s
        self._heads.setdefault(url, f"refs/heads/{branch}")
        self._servers.setdefault(url, {})[f"refs/heads/{branch}"] = commit
        return commit

    def point(self, url: str, name: str, commit: str | None) -> None:
        """Let a server's full name, such as ``refs/tags/v1``, mean a commit; None: nothing."""
        self._servers[url].pop(name, None)
        if commit:
            self._servers[url][name] = commit

    def fetch(self, url: str, references: frozenset[str]) -> None:
        """Take over what the server has; see the protocol."""
        if url in self._mirrors and references <= self._commits.keys():
            return
        self.fetched.append(url)
        if url in self.away or url not in self._servers:
            raise Unavailable(self.away.get(url, "git says: repository not found"))
        server = self._servers[url]
        head = server.get(self._heads[url])
        self._mirrors[url] = {**server, **({"": head} if head else {})}

    def commit(self, url: str, reference: str) -> str:
        """Return the commit that a reference means, as last fetched; see the protocol."""
        if url not in self._mirrors:
            raise Unavailable(NEVER)
        mirror = self._mirrors[url]
        if reference in self._commits:
            return reference
        return chosen(reference, lambda name: mirror.get(name))

    def committed_at_s(self, url: str, commit: str) -> int:
        """Return a commit's time, seconds since 1970 UTC."""
        return self._commits[commit][1]

    def tree(self, url: str, commit: str) -> MemoryTree:
        """Return a commit's files."""
        return self._commits[commit][0]

    def remember(self, url: str, name: str, commit: str) -> None:
        """Keep a commit under a name."""
        self._used[url, name] = commit

    def remembered(self, url: str, name: str) -> str | None:
        """Return the commit that was kept under a name."""
        return self._used.get((url, name))
