"""A registry, a diary, and runs that publish and are killed at it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from orchestrator.doors.memory.clock import MemoryClock
from orchestrator.doors.memory.crash import MemoryCrashPoints, Mortal
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.doors.memory.registry import MemoryRegistry
from orchestrator.model.crash import CrashPoint
from orchestrator.model.manifest import Descriptor, Manifest, compose_index
from orchestrator.model.names import Repository
from orchestrator.model.publication import Publication
from orchestrator.model.run import Run, RunState
from orchestrator.publish.pending import settle_pending
from orchestrator.publish.publishing import Publishing, publish
from tests.world import PLATFORMS, World, put_image

BASE = Repository("localhost:5000", "gold/base")
KEY = "k1-" + "a" * 64
IMMUTABLE = "12-20261122-aaaaaa"
#: Points between which something outside is done, in order.
POINTS = (
    CrashPoint.MANIFEST_STORED,
    CrashPoint.CLAIMED,
    CrashPoint.IMMUTABLE_TAG_PUT,
    CrashPoint.KEY_TAG_PUT,
    CrashPoint.ANNOUNCED,
)
HIERARCHY = World().hierarchy()
RUN = Run(
    id="r1",
    hierarchy="gold",
    command="build",
    who="ann@ci",
    trigger="manual",
    because="",
    revision="",
    started_at="2026-11-22T02:46:31Z",
)


@dataclass
class Shop:
    """A registry with an image in it, a diary, and runs that publish."""

    registry: MemoryRegistry = field(default_factory=lambda: MemoryRegistry(deletes_tags=True))
    history: MemoryHistory = field(default_factory=MemoryHistory)
    clock: MemoryClock = field(default_factory=MemoryClock)

    def __post_init__(self) -> None:
        """Put what every index is made of."""
        seed = self.registry.manifest(BASE, put_image(self.registry, f"{BASE}:seed", "seed"))
        assert seed is not None
        self.entries = seed.entries()

    def index(self, run: str) -> Manifest:
        """Return what a run built: each has another digest."""
        return index_of(self.entries, run)

    def publishing(self, run: str) -> Publishing:
        return Publishing(
            repository=BASE,
            key=KEY,
            index=self.index(run),
            immutable=IMMUTABLE,
            platforms=PLATFORMS,
            run=run,
            hierarchy="gold",
            image="base",
        )

    def begin(self, run: str) -> None:
        if self.history.run(run) is None:
            self.history.begin_run(replace(RUN, id=run))

    def end(self, run: str) -> None:
        self.history.finish_run(run, RunState.INTERRUPTED, "2026-11-22T02:50:00Z")

    def publish(self, run: str, crash: MemoryCrashPoints | None = None) -> Manifest:
        """Publish what a run built, which may be killed at it."""
        self.begin(run)
        crash = crash or MemoryCrashPoints()
        registry, history = Mortal(self.registry, crash), Mortal(self.history, crash)
        return publish(self.publishing(run), registry, history, self.clock, crash)

    def settle(self) -> None:
        settle_pending(HIERARCHY, self.registry, self.history, self.clock)

    def pending(self) -> list[tuple[str, str]]:
        return [(each.digest, each.run) for each in self.history.outbox.pending("gold")]

    def released(self) -> list[tuple[str, str]]:
        """Return what is a fact, of runs that have ended: digest and run."""
        return [(each.digest, each.run) for each in self.history.outbox.released("gold")]


@pytest.fixture
def shop() -> Shop:
    return Shop()


def index_of(entries: tuple[Descriptor, ...], run: str, key: str = KEY) -> Manifest:
    """Return what a run built of some platforms."""
    publication = Publication(
        hierarchy="gold",
        image="base",
        version="12",
        key=key,
        parts={},
        parents={},
        epoch="",
        source_epoch_s=0,
        created="2026-11-22T00:00:00Z",
        revision="",
        run=run,
    )
    return compose_index(entries, publication.annotations())
