"""Two real engines, and a BuildKit behind mutual TLS: how they are told apart, lost and found."""

from __future__ import annotations

import re
import subprocess
import threading
import uuid
from pathlib import Path
from typing import Any, Protocol

import pytest

from orchestrator.content.layout import Layout, read_layout
from orchestrator.doors.buildx import Buildx
from orchestrator.doors.engine import DockerEngine
from orchestrator.errors import BuilderUnavailable, BuildFailed
from orchestrator.model.event import StepProgress
from orchestrator.model.hierarchy import BuildCache
from orchestrator.model.image_config import diff_ids
from orchestrator.model.names import Repository
from orchestrator.model.run import FailureCause
from tests.doors.build_requests import (
    PLATFORMS,
    busybox,
    context,
    make_image,
    make_request,
    run_build,
)
from tests.remote_buildkit import RemoteBuildkit
from tests.second_engine import SecondEngine

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("engine")]

BASE = "FROM scratch\nARG TARGETARCH\nCOPY ${TARGETARCH}/busybox /bin/sh\nCOPY nonce /nonce\n"


class Bench:
    """Builds in a directory of their own, from files that nobody else builds from."""

    def __init__(self, where: Path, builder: Buildx) -> None:
        self.where = where
        self.builder = builder
        self.log = where / "log"
        self.nonce = uuid.uuid4().bytes

    def build(self, dockerfile: str, *, progress: Any = lambda _: None, **request: Any) -> Layout:
        output = run_build(
            self.builder,
            make_request(**request),
            context(dockerfile, {**busybox(), "nonce": self.nonce}),
            self.where / uuid.uuid4().hex,
            log_path=self.log,
            progress=progress,
        )
        return read_layout(output)

    def has_cached(self, step: str) -> bool:
        """Say whether the last build had nothing to do for a step."""
        log = self.log.read_text()
        (number,) = set(re.findall(rf"^#(\d+) .*{re.escape(step)}", log, re.MULTILINE))
        return f"\n#{number} CACHED\n" in log


class Stoppable(Protocol):
    """What runs builds here and can lose its power."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


def lose(bench: Bench, victim: Stoppable, name: str) -> BuildFailed:
    """Kill what builds in the middle of a long step; return what the door says of it."""

    def watch(progress: StepProgress) -> None:
        if "RUN sleep" in progress.doing:
            threading.Thread(target=victim.stop).start()

    with pytest.raises(BuildFailed) as failed:
        bench.build(BASE + "RUN sleep 600\n", builder=name, progress=watch)
    return failed.value


def test_a_context_builds_beside_the_engine_that_is_current(
    second_engine: SecondEngine, tmp_path: Path
) -> None:
    """Each has a cache of its own, and says what it is."""
    bench = Bench(tmp_path, Buildx(second_engine.environment))
    here, there = (bench.builder.facts(name) for name in (None, second_engine.context))
    assert (here.driver, there.driver) == ("docker", "docker")
    assert here.name != there.name == second_engine.context
    assert here.native == there.native
    assert set(PLATFORMS) <= set(there.platforms)
    text = BASE + "RUN head -c 8 /dev/urandom > /made\n"
    cached, made = [], []
    for name in (None, second_engine.context, second_engine.context):
        made.append(bench.build(text, builder=name).entries[0].digest)
        cached.append(bench.has_cached("RUN head"))
    assert made[0] != made[1] == made[2]
    assert cached == [False, False, True]


def test_an_engine_that_dies_in_the_middle_is_told_as_such(
    second_engine: SecondEngine, tmp_path: Path
) -> None:
    """Not as a failure of the image; it is away for new builds and for questions, then back."""
    name = second_engine.context
    bench = Bench(tmp_path, Buildx(second_engine.environment))
    lost = lose(bench, second_engine, name)
    assert (lost.cause, lost.transient) == (FailureCause.BUILDER, True)
    assert lost.what.startswith("the builder was lost: ")
    for ask in (lambda: bench.builder.facts(name), lambda: bench.build(BASE, builder=name)):
        with pytest.raises(BuilderUnavailable, match="Cannot connect") as away:
            ask()
        assert away.value.hint
    assert bench.builder.facts(None).native
    second_engine.start()
    assert bench.builder.facts(name).native
    assert bench.build(BASE, builder=name).entries[0].platform == PLATFORMS[0]


def test_doctors_small_build_reaches_a_context(second_engine: SecondEngine) -> None:
    """As a run would; where it is dead the build says so."""
    engine = DockerEngine(second_engine.environment)
    assert engine.try_build(second_engine.context, engine.inspect(None).native[0])
    second_engine.stop()
    with pytest.raises(BuildFailed, match="Cannot connect"):
        engine.try_build(second_engine.context, PLATFORMS[0])


@pytest.mark.parametrize("cache", [BuildCache.REGISTRY, BuildCache.INLINE])
def test_a_fresh_builder_starts_from_the_cache_in_the_registry(
    second_engine: SecondEngine, registry_url: str, tmp_path: Path, cache: BuildCache
) -> None:
    """What one engine built the other one takes over, though it comes out otherwise each time."""
    bench = Bench(tmp_path, Buildx(second_engine.environment))
    where = Repository(registry_url, f"cache-{uuid.uuid4().hex[:8]}")
    text = BASE + "RUN head -c 8 /dev/urandom > /made\n"
    request: dict[str, Any] = {"image": make_image(repository=where), "cache": cache}
    if cache is BuildCache.INLINE:
        request["current"] = f"{where}:1"
        push(second_engine, bench, text, f"{where}:1")
    first = bench.build(text, **request)
    second = bench.build(text, builder=second_engine.context, **request)
    assert bench.has_cached("RUN head")
    assert diff_ids_of(second) == diff_ids_of(first)


def diff_ids_of(layout: Layout) -> tuple[str, ...]:
    """Return the layers of the one image, by what is in them."""
    manifest = layout.manifests[layout.entries[0].digest]
    return diff_ids(layout.blobs[manifest.config_digest()])


def push(second_engine: SecondEngine, bench: Bench, text: str, reference: str) -> None:
    """Publish an image with its cache in it, as a run does with other means."""
    subprocess.run(
        [
            *("docker", "buildx", "build", "--provenance=false", "--cache-to=type=inline"),
            f"--output=type=registry,name={reference},oci-mediatypes=true",
            *("--build-arg=SOURCE_DATE_EPOCH=1700000000", "-"),
        ],
        input=b"".join(context(text, {**busybox(), "nonce": bench.nonce})),
        env=dict(second_engine.environment),
        check=True,
        capture_output=True,
    )


def test_buildkit_behind_mutual_tls(remote_buildkit: RemoteBuildkit, tmp_path: Path) -> None:
    """It builds for whom its authority has signed; lost, it is told as such, and comes back."""
    name = remote_buildkit.name
    bench = Bench(tmp_path, Buildx(remote_buildkit.environment))
    assert bench.builder.facts(name).driver == "remote"
    for platform in PLATFORMS:
        layout = bench.build(BASE + "RUN true\n", builder=name, platform=platform)
        assert [entry.platform for entry in layout.entries] == [platform, ""]
    lost = lose(bench, remote_buildkit, name)
    assert (lost.cause, lost.transient) == (FailureCause.BUILDER, True)
    with pytest.raises(BuilderUnavailable, match="nothing of it answers"):
        bench.builder.facts(name)
    remote_buildkit.start()
    assert bench.builder.facts(name).native


def test_buildkit_lets_no_stranger_in(remote_buildkit: RemoteBuildkit) -> None:
    """A certificate of another authority; the hint speaks of certificates."""
    door = Buildx(remote_buildkit.environment)
    with pytest.raises(BuilderUnavailable, match="stranger: nothing of it answers") as failed:
        door.facts(remote_buildkit.stranger)
    assert "certificate" in failed.value.hint
