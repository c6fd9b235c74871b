"""What is looked at, and how often."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator import flow
from orchestrator.doors.context import TarContext
from orchestrator.doors.memory.files import MemoryFiles
from orchestrator.errors import InvalidInput
from orchestrator.observe.load_files import load_files
from tests.world import HEAD, World

VARIANTS = '  app-{v}: {context: app, version: "{v}", matrix: {v: [1, 2, 3]}}\n'


class CountingFiles(MemoryFiles):
    """Knows which contexts were asked for."""

    asked: tuple[str, ...] = ()

    def context(self, context: str, dockerfile: str) -> TarContext:
        self.asked += (context,)
        return super().context(context, dockerfile)


def files_of(**more: bytes) -> CountingFiles:
    entries = {"hierarchy.yaml": (HEAD + VARIANTS).encode(), "app/Dockerfile": b"FROM debian:12\n"}
    return CountingFiles({**entries, **{f"app/.{name}": text for name, text in more.items()}})


def test_variants_that_share_their_files_share_one_look() -> None:
    """Three images of one context: it is hashed once, and they differ in what is said of them."""
    files, world = files_of(), World()
    hierarchy = load_files(files)
    seen = flow.look(hierarchy, replace(world.doors, files=files))
    assert files.asked == ("app",)
    assert set(seen.sources) == {"app-1", "app-2", "app-3"}
    assert len(set(map(str, seen.sources.values()))) == 1


def test_a_problem_of_shared_files_is_told_once() -> None:
    """Not once for each variant."""
    files, world = files_of(dockerignore=b"["), World()
    hierarchy = load_files(files)
    with pytest.raises(InvalidInput) as caught:
        flow.look(hierarchy, replace(world.doors, files=files))
    assert [problem.code for problem in caught.value.problems] == ["BAD-DOCKERIGNORE"]
