"""A world with several builders, and what its runs said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from orchestrator import flow
from orchestrator.doors.memory.builder import MemoryBuilder
from orchestrator.doors.spool import DiskOutput, DiskSpool
from orchestrator.model.event import Event, Notice, RunFinished
from orchestrator.model.hierarchy import Builder, Hierarchy
from orchestrator.model.manifest import Manifest
from orchestrator.model.names import Repository
from orchestrator.model.run import Outcome
from tests.world import DOCKERFILES, PLATFORMS, World

AMD, ARM = PLATFORMS


class Fleet(World):
    """A world with several builders, and what a run said.

    They are put into the hierarchy as the loader would.
    """

    said: tuple[Builder, ...] = ()
    events_seen: list[Event]

    def hierarchy(self) -> Hierarchy:
        """Load what the files say, with these builders."""
        found = super().hierarchy()
        return replace(found, builders=self.said) if self.said else found

    def run_all(self, slots: int | None = None) -> RunFinished:
        """Plan and run; every event is kept."""
        intent = replace(self.intent("build"), slots=slots)
        plan = self.plan()
        self.events_seen = list(flow.run(plan, self.hierarchy(), self.doors, intent))
        last = self.events_seen[-1]
        assert isinstance(last, RunFinished)
        return last

    @property
    def notices(self) -> list[str]:
        """What people were told beside the steps."""
        return [event.text for event in self.events_seen if isinstance(event, Notice)]

    def placed(self) -> set[tuple[str, str | None]]:
        """Return (platform, builder) of every build that succeeded."""
        return {(b.platform, b.builder) for b in self.builder.builds if b.succeeded}

    def index(self, image: str) -> Manifest:
        """Return what is stable."""
        found = self.registry.manifest(Repository("localhost:5000", f"gold/{image}"), "stable")
        assert found is not None
        return found


class CountingSpool(DiskSpool):
    """Counts the directories that it ever made."""

    opened = 0

    @contextmanager
    def output(self, size_bytes: int) -> Iterator[DiskOutput]:
        """Make one more."""
        self.opened += 1
        with super().output(size_bytes) as found:
            yield found


def two(
    delay: Callable[[str], float] = lambda _image: 0.0, *, slots: int = 2, emulate: bool = False
) -> Fleet:
    """Return a world with a native builder for each platform."""
    world = Fleet()
    world.builder = MemoryBuilder(world.registry, delay=delay)
    for name, native, other in (("x86", AMD, ARM), ("arm", ARM, AMD)):
        emulated = (other,) if emulate else ()
        world.builder.fleet.add(name, native=(native,), emulated=emulated, slots=slots)
    world.said = (
        Builder(name="x86", slots=slots, platforms=(AMD,)),
        Builder(name="arm", slots=slots, platforms=(ARM,)),
    )
    return world


def assert_whole(world: Fleet, finished: RunFinished) -> None:
    """Everything was published once, for every platform, and nothing is left to do."""
    assert {r.outcome for r in finished.results} == {Outcome.BUILT}
    assert {r.image for r in finished.results} == set(DOCKERFILES)
    for image in DOCKERFILES:
        index = world.index(image)
        assert tuple(index.platforms()) == PLATFORMS
        about = [e.annotations.get("vnd.docker.reference.digest") for e in index.entries()]
        assert set(filter(None, about)) == set(index.platforms().values())
    put = Counter(
        (str(where), reference)
        for where, reference, _ in world.registry.puts
        if reference.startswith("key-")
    )
    assert set(put.values()) == {1}
    assert world.builder.fleet.overbooked == []
    assert world.verdicts() == {}
