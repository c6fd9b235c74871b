"""What a run does besides building while builds take their turns."""

from __future__ import annotations

import threading

import pytest

from orchestrator.doors.memory.builder import MemoryBuilder
from orchestrator.doors.memory.registry import MemoryRegistry, RegistryCall
from orchestrator.model.run import Outcome
from tests.world import World

WIDE = {"base": "FROM scratch\n", **{f"app{n}": "FROM base\n" for n in range(6)}}


def outcomes(world: World, slots: int = 2) -> dict[str, Outcome]:
    """Plan and run; return image → outcome."""
    return {r.image: r.outcome for r in world.run(world.plan(), slots).results}


def most_at_once(builder: MemoryBuilder) -> int:
    """Return how many builds ran at the same time, at most."""
    ends = [(record.started, 1) for record in builder.builds]
    ends += [(record.finished, -1) for record in builder.builds]
    now = most = 0
    for _, step in sorted(ends):
        now += step
        most = max(most, now)
    return most


@pytest.mark.parametrize("slots", [1, 3])
def test_no_more_builds_at_once_than_slots(slots: int) -> None:
    """Though more steps are at work."""
    world = World(dockerfiles=dict(WIDE))
    world.builder = MemoryBuilder(world.registry, delay=lambda _image: 0.02)
    assert set(outcomes(world, slots).values()) == {Outcome.BUILT}
    assert most_at_once(world.builder) <= slots


def test_next_build_does_not_wait_for_the_upload_of_the_one_before() -> None:
    """With a single slot, a second image is built while the first one's blobs are on their way."""
    world = World(dockerfiles={"a": "FROM scratch\n", "b": "FROM scratch\n"})
    built_other = threading.Event()

    def wait(call: RegistryCall) -> None:
        if call.method == "upload_blob" and not call.done and len(world.builder.builds) < 2:
            assert built_other.wait(5)

    def delay(_image: str) -> float:
        if len(world.builder.builds) == 2:
            built_other.set()
        return 0.0

    world.registry = MemoryRegistry(fault=wait)
    world.builder = MemoryBuilder(world.registry, delay=delay)
    assert outcomes(world, slots=1) == {"a": Outcome.BUILT, "b": Outcome.BUILT}


def test_parents_layers_are_mounted_and_never_sent() -> None:
    """Of what is in the parent nothing comes out of the builder again."""
    calls: set[tuple[str, str, str]] = set()

    def see(call: RegistryCall) -> None:
        calls.add((call.method, call.repository.path, call.reference))

    world = World(dockerfiles=dict(WIDE))
    world.registry = MemoryRegistry(fault=see)
    world.builder = MemoryBuilder(world.registry)
    assert set(outcomes(world).values()) == {Outcome.BUILT}
    mounted = {(path, digest) for method, path, digest in calls if method == "mount_blob"}
    sent = {(path, digest) for method, path, digest in calls if method == "upload_blob"}
    assert {path for path, _ in mounted} == {f"gold/app{n}" for n in range(6)}
    assert not mounted & sent
