"""What a builder gives is checked before anybody can pull it: no tag, no key, nothing moved."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from orchestrator.doors.memory.builder import MemoryBuilder
from orchestrator.doors.protocols import BuildRequest, Registry
from orchestrator.model.event import StepProgress
from orchestrator.model.fingerprint import key_tag
from orchestrator.model.run import FailureCause, Outcome
from tests.world import PLATFORMS, World, failed

Change = Callable[[BuildRequest], BuildRequest]


class Careless(MemoryBuilder):
    """A builder that builds `gunicorn` otherwise than it was asked to."""

    def __init__(self, registry: Registry, change: Change) -> None:
        super().__init__(registry)
        self._change = change

    def build(
        self,
        request: BuildRequest,
        context: Iterable[bytes],
        output: str,
        *,
        log_path: str,
        progress: Callable[[StepProgress], None],
        cancelled: threading.Event,
    ) -> None:
        asked = self._change(request) if request.image.id == "gunicorn" else request
        super().build(
            asked, context, output, log_path=log_path, progress=progress, cancelled=cancelled
        )


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("kind", ["a platform is missing", "another parent"])
def test_what_fails_its_checks_gets_no_tag(kind: str, *, published: bool) -> None:
    """The image fails, what stands on it is blocked, and its repository is as it was before."""
    world = World()
    if published:
        world.build()
        world.edit("gunicorn", "RUN echo more")
    else:
        world.build(only="base python web nginx")
    before = world.tags("gunicorn")
    other = f"localhost:5000/gold/nginx@{world.tag('nginx')}"

    def change(request: BuildRequest) -> BuildRequest:
        if kind == "another parent":
            return replace(request, pins=(("python", other),))
        return replace(request, platform=PLATFORMS[0])

    world.builder = Careless(world.registry, change)
    finished = world.run(world.plan(only="gunicorn+"))
    results = failed(finished)
    failure = results["gunicorn"].failure
    assert failure is not None
    assert failure.cause is FailureCause.CHECK
    assert results["hello"].outcome is Outcome.BLOCKED
    assert world.tags("gunicorn") == before
    assert [move for move in finished.moves if move.image == "gunicorn"] == []


def test_tags_follow_one_another() -> None:
    """The manifest by its digest, the immutable tag, the key tag; the floating ones at the end."""
    world = World(dockerfiles={"base": "FROM debian:12\nRUN apt-get update\n"})
    (result,) = world.run(world.plan()).results
    repository = f"localhost:5000/gold/{result.image}"
    order = [reference for where, reference, _ in world.registry.puts if str(where) == repository]
    wanted = [result.digest, result.immutable, key_tag(result.key), "1", "stable"]
    assert [reference for reference in order if reference in wanted] == wanted
