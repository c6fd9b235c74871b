"""A hierarchy's directory with a cache of contexts beside it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.doors.context import TarContext, read_context
from orchestrator.doors.context_cache import ContextCache
from orchestrator.doors.disk import DiskTree
from orchestrator.doors.ignore import Filter
from orchestrator.doors.memory.clock import MemoryClock
from orchestrator.doors.tree import Dockerfile, OpenedFile
from tests.doors.trees import DOCKERFILE

EARLIER_NS = 1_000_000_000 * 10**9


class CountingTree(DiskTree):
    """A directory that knows which files were opened."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.opened: list[str] = []

    def open(self, path: str) -> OpenedFile:
        self.opened.append(path)
        return super().open(path)


@dataclass
class Place:
    """A hierarchy's directory, and where its cache is.

    Attributes:
        root: the directory.
        caches: what is known of contexts.
        clock: of every cache; some time after the files were written.
        read: files opened by the last look.
    """

    root: Path
    caches: Path
    clock: MemoryClock
    read: list[str] = field(default_factory=list)

    def cache(self) -> ContextCache:
        return ContextCache(self.caches, self.root, self.clock)

    def look(self, ignore: tuple[str, ...] = (), content: bytes = DOCKERFILE) -> TarContext:
        """Look at the context as one command does, and keep what it learnt."""
        tree, cache = CountingTree(self.root), self.cache()
        try:
            return self.context(tree, cache, ignore, content)
        finally:
            cache.save()
            self.read = list(tree.opened)

    def fresh(self, ignore: tuple[str, ...] = (), content: bytes = DOCKERFILE) -> TarContext:
        """Look at it without any cache."""
        return self.context(DiskTree(self.root), None, ignore, content)

    @staticmethod
    def context(
        tree: DiskTree, cache: ContextCache | None, ignore: tuple[str, ...], content: bytes
    ) -> TarContext:
        dockerfile = Dockerfile(path="app/Dockerfile", content=content)
        filtered = Filter(list(ignore))
        return read_context(tree, "app", dockerfile, filtered, shown=str, cache=cache)

    def file(self) -> Path:
        (file,) = self.caches.iterdir()
        return file


def a_place(directory: Path) -> Place:
    """Return a place in an empty directory, with one context in it."""
    app = directory / "tree" / "app"
    (app / "sub").mkdir(parents=True)
    (app / "Dockerfile").write_bytes(DOCKERFILE)
    for name in ("one", "two", "sub/three"):
        (app / name).write_text(name[-3:])
        os.utime(app / name, ns=(EARLIER_NS, EARLIER_NS))
    (app / "link").symlink_to("one")
    now_s = (app / "one").stat().st_ctime + 10
    return Place(directory / "tree", directory / "caches", MemoryClock(now_s))
