"""Every fault at every request of a small run, one at a time: the run, or the next one, converges.

The registry and what is between it and us are real; the builder is the twin, so that there can be
hundreds of runs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace

import pytest

from orchestrator import flow
from orchestrator.doors.memory.builder import MemoryBuilder
from orchestrator.doors.registry import HttpRegistry
from orchestrator.doors.registry.retry import Deadlines, Retries
from orchestrator.errors import OrchestrateError
from orchestrator.model.event import RunFinished
from orchestrator.model.names import parse_repository
from orchestrator.model.run import Outcome
from tests.doors.registry.server import Misbehaviour
from tests.faults.proxy import FAULTS, FaultProxy
from tests.world import DOCKERFILES, HEAD, UPSTREAM, World, put_image

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("registry")]

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def proxy(registry_url: str) -> Iterator[FaultProxy]:
    """A proxy in front of the session's registry."""
    with FaultProxy(registry_url).running() as proxy:
        yield proxy


@dataclass
class Place(World):
    """A world of twins but for the registry: a corner of its own in a real one."""

    proxy: FaultProxy = field(kw_only=True)

    def __post_init__(self) -> None:
        """Move everything that names the registry behind the proxy."""
        self.corner = f"{self.proxy.address}/c{next(_numbers)}"
        upstream = f"{self.corner}/upstream/debian:12"
        self.head = (
            HEAD.replace(UPSTREAM, upstream)
            .replace("localhost:5000/gold", f"{self.corner}/gold")
            .replace("[linux/amd64, linux/arm64]", "[linux/amd64]")
        )
        super().__post_init__()
        self.real = self.door()
        put_image(self.real, upstream, "debian 12.1")
        self.open()

    def door(self) -> HttpRegistry:
        """Return a new connection; pauses are short, and so is patience."""
        return HttpRegistry(
            retries=Retries(first_s=0.01, longest_s=0.05, retry_after_cap_s=2.0),
            deadlines=Deadlines(connect_s=2.0, idle_s=0.5, commit_s=0.5, total_s=20.0),
        )

    def open(self) -> None:
        """Begin as another process would: with nothing in memory."""
        self.close()
        self.real = self.door()
        self.builder = MemoryBuilder(self.real)

    def close(self) -> None:
        """Close what is open."""
        self.real.close()

    @property
    def doors(self) -> flow.Doors:
        """The twins, and the real registry."""
        return replace(super().doors, registry=self.real, builder=self.builder)

    def try_to_build(self) -> RunFinished | None:
        """Build; None: what went wrong ended it before it began."""
        try:
            made = self.plan(remember=True)
            return self.run(made)
        except OrchestrateError:
            return None

    def stable(self, image: str) -> str | None:
        """Return what an image's floating tag names."""
        return self.real.resolve(parse_repository(f"{self.corner}/gold/{image}"), "stable")


ONE = {"base": DOCKERFILES["base"]}
#: Those after which somebody may believe something that is not so.
TREACHEROUS = ("500", "lost answer", "lying 201", "flipped byte")


def place(proxy: FaultProxy) -> Place:
    proxy.arm()
    return Place(dockerfiles=dict(ONE), others={}, proxy=proxy)


def published(proxy: FaultProxy) -> Place:
    """Return a place in which everything is published, and one file was changed since."""
    there = place(proxy)
    assert there.try_to_build() is not None
    there.edit("base", "RUN mkdir /srv")
    there.open()
    return there


def converge(there: Place, proxy: FaultProxy) -> None:
    """Build without faults till nothing is left, which a second run must see."""
    proxy.arm()
    there.open()
    finished = there.try_to_build()
    assert finished is not None
    assert [r.image for r in finished.results if not r.outcome.is_success] == []
    assert there.plan().is_empty
    built = {r.image: r.digest for r in finished.results}
    for image in ONE:
        assert there.stable(image) is not None
        if image in built:
            assert there.stable(image) == built[image]


def require_still_tags(there: Place, proxy: FaultProxy) -> None:
    """No immutable tag and no key tag was ever set to two digests."""
    corner = there.corner.partition("/")[2]
    for (path, tag), digests in proxy.digests_of_tags().items():
        if path.startswith(f"{corner}/gold/") and tag not in ("stable", "1"):
            assert len(digests) == 1, (path, tag, digests)


def requests_of(begin: Callable[[FaultProxy], Place], proxy: FaultProxy) -> int:
    """Return how many requests a run makes where nothing goes wrong."""
    with closing(begin(proxy)) as there:
        proxy.arm()
        finished = there.try_to_build()
        assert finished is not None
        assert {r.outcome for r in finished.results} == {Outcome.BUILT}
        return len(proxy.seen)


def strike_everywhere(
    begin: Callable[[FaultProxy], Place], proxy: FaultProxy, fault: Misbehaviour
) -> None:
    for number in range(1, requests_of(begin, proxy) + 1):
        with closing(begin(proxy)) as there:
            proxy.arm(number, fault)
            there.try_to_build()
            require_still_tags(there, proxy)
            converge(there, proxy)
            require_still_tags(there, proxy)


def test_the_proxy_passes_everything_on(proxy: FaultProxy) -> None:
    """A run that nothing strikes goes through the proxy as it would without."""
    assert requests_of(place, proxy) > 20


@pytest.mark.parametrize("name", FAULTS)
def test_a_first_run_converges(proxy: FaultProxy, name: str) -> None:
    """Whatever a registry answers once, to whichever request: the next run ends what is left."""
    strike_everywhere(place, proxy, FAULTS[name])


@pytest.mark.parametrize("name", TREACHEROUS)
def test_a_later_run_converges(proxy: FaultProxy, name: str) -> None:
    """The same where something is published already, and its floating tags are to move."""
    strike_everywhere(published, proxy, FAULTS[name])
