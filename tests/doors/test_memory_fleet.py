"""The builders of the twin: what only a twin can do."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from orchestrator.doors.memory.builder import MemoryBuilder
from orchestrator.doors.memory.clock import MemoryClock
from orchestrator.doors.memory.registry import MemoryRegistry
from orchestrator.errors import BuilderUnavailable, BuildFailed
from orchestrator.model.run import FailureCause
from tests.doors.build_requests import PLATFORMS, context, make_request, run_build

TEXT = "FROM scratch\nRUN make\n"
AMD64, ARM64 = PLATFORMS


@pytest.fixture
def twin() -> MemoryBuilder:
    """Two builders, one for each platform; the first can emulate the other."""
    twin = MemoryBuilder(MemoryRegistry())
    twin.fleet.add("amd", native=(AMD64,), emulated=(ARM64,), slots=2)
    twin.fleet.add("arm", native=(ARM64,), slots=1, driver="remote")
    return twin


def build(
    twin: MemoryBuilder, where: Path, name: str | None, platform: str = ARM64, **more: Any
) -> None:
    """Build for a platform on a builder."""
    request = make_request(platform=platform, builder=name, **more)
    output = where / f"{name}-{platform.replace('/', '-')}-{threading.get_ident()}"
    run_build(twin, request, context(TEXT), output, log_path=where / "log")


def test_builders_have_platforms(twin: MemoryBuilder, tmp_path: Path) -> None:
    """They say which, and programs of others do not run there."""
    assert twin.facts("amd").native == (AMD64,)
    assert twin.facts("amd").platforms == PLATFORMS
    assert (twin.facts("arm").native, twin.facts("arm").driver) == ((ARM64,), "remote")
    assert twin.facts(None).native == (AMD64,)
    build(twin, tmp_path, "amd", ARM64)
    with pytest.raises(BuildFailed, match="exec format error"):
        build(twin, tmp_path, "arm", AMD64)
    assert [(b.builder, b.platform) for b in twin.builds] == [("amd", ARM64), ("arm", AMD64)]


def test_a_builder_that_is_killed_loses_what_it_builds(tmp_path: Path) -> None:
    """That is told from everything else; it stays away until somebody brings it back."""
    began = threading.Event()

    def delay(_: str) -> float:
        began.set()
        return 60.0

    twin = MemoryBuilder(MemoryRegistry(), delay=delay)
    twin.fleet.add("arm", native=(ARM64,))
    with ThreadPoolExecutor(1) as pool:
        building = pool.submit(build, twin, tmp_path, "arm")
        began.wait()
        twin.fleet.kill("arm")
        with pytest.raises(BuildFailed) as failed:
            building.result()
    assert (failed.value.cause, failed.value.transient) == (FailureCause.BUILDER, True)
    with pytest.raises(BuilderUnavailable):
        twin.facts("arm")
    with pytest.raises(BuilderUnavailable):
        build(twin, tmp_path, "arm")
    twin.fleet.revive("arm")
    assert twin.facts("arm").native == (ARM64,)


def test_a_builder_can_be_told_when_to_die(twin: MemoryBuilder, tmp_path: Path) -> None:
    """In the middle of its next build of an image, and of that one only."""
    twin.fleet.kill_during("arm", "app")
    build(twin, tmp_path, "amd")
    with pytest.raises(BuildFailed, match="the builder was lost"):
        build(twin, tmp_path, "arm")
    twin.fleet.revive("arm")
    build(twin, tmp_path, "arm")
    assert [b.succeeded for b in twin.builds] == [True, False, True]


def test_more_builds_than_slots_are_an_error(tmp_path: Path) -> None:
    """Of whoever sends them, not of the image."""
    both = threading.Barrier(2)

    def delay(_: str) -> float:
        both.wait()
        return 0.0

    twin = MemoryBuilder(MemoryRegistry(), delay=delay)
    twin.fleet.add("amd", slots=2)
    with ThreadPoolExecutor(2) as pool:
        first = [pool.submit(build, twin, tmp_path, "amd", AMD64) for _ in range(2)]
        for each in first:
            each.result()
    assert twin.fleet.most_at_once("amd") == 2
    with (
        twin.fleet.visit("amd", "a", AMD64),
        twin.fleet.visit("amd", "b", AMD64),
        pytest.raises(AssertionError, match="one build too many on amd"),
    ):
        build(twin, tmp_path, "amd", AMD64)
    assert len(twin.fleet.overbooked) == 1


def test_builds_take_their_time_on_a_clock_that_tests_own(tmp_path: Path) -> None:
    """Nobody waits; and a time limit is one of that clock."""
    clock = MemoryClock()
    twin = MemoryBuilder(MemoryRegistry(), delay=lambda _: 600.0, clock=clock)
    build(twin, tmp_path, None)
    assert clock.monotonic_s() == 600.0
    with pytest.raises(BuildFailed) as failed:
        build(twin, tmp_path, None, timeout_s=60.0)
    assert failed.value.cause is FailureCause.TIMEOUT
    assert clock.monotonic_s() == 660.0
