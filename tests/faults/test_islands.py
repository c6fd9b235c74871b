"""The real program on an island of the network, whose one cable is pulled out in mid-run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.corner import Corner, make_corner
from tests.doors.registry.messages import Seen
from tests.doors.registry.server import Handler, Work
from tests.faults.island import Island, island
from tests.faults.proxy import FaultProxy
from tests.test_engine import busybox as busybox

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("registry")]

#: The engine, which is here and not on the island, needs nothing of the registry.
DOCKERFILES = {"base": "FROM scratch\nCOPY nonce /nonce\n"}
MOMENT_S = 3.0
#: What is put as the cable goes → a part of its address.
PUTS = {
    "a blob": "/blobs/uploads/",
    "an immutable tag": "/manifests/1-",
    "a key tag": "/manifests/key-",
    "a floating tag": "/manifests/stable",
}


def _put(what: str) -> Callable[[Seen], bool]:
    return lambda seen: seen.method == "PUT" and PUTS[what] in seen.target


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A cable that a request pulls out: what was asked for is done, and nobody hears of it."""

    net: Island
    end: str
    lasts_s: float | None = None

    def __call__(self, handler: Handler, work: Work) -> None:
        """Cut, do the work, and answer into nothing."""
        reply = work()
        self.net.cut(self.end)
        if self.lasts_s is not None:
            timer = threading.Timer(self.lasts_s, self.net.mend)
            timer.daemon = True
            timer.start()
        handler.reply(reply)


@pytest.fixture(scope="module")
def net() -> Iterator[Island]:
    with island() as made:
        yield made


@pytest.fixture
def place(
    net: Island, tmp_path: Path, registry_url: str, busybox: Path
) -> Iterator[tuple[Corner, FaultProxy]]:
    """Two images that were never published; who builds them has the registry beyond the cable."""
    net.mend()
    with ExitStack() as stack:
        proxy = stack.enter_context(FaultProxy(registry_url, net.here).running())
        making = make_corner(
            tmp_path, proxy.address, busybox, dockerfiles=DOCKERFILES, inside=net.inside
        )
        yield stack.enter_context(making), proxy
        net.mend()


@pytest.mark.parametrize("end", ["here", "there"])
@pytest.mark.parametrize("what", PUTS)
def test_a_cable_that_is_out_for_a_moment_costs_a_moment(
    net: Island, place: tuple[Corner, FaultProxy], what: str, end: str
) -> None:
    """The run goes on when the network is back, whichever end it was, and succeeds."""
    corner, proxy = place
    proxy.arm_at(_put(what), Cut(net=net, end=end, lasts_s=MOMENT_S))
    code, said = corner.run("build")
    assert proxy.struck is not None, said
    assert code == 0, said
    corner.oracle().require_converged(corner.plan())
    assert all(len(digests) == 1 for digests in proxy.digests_of_tags().values())


@pytest.mark.parametrize(
    ("what", "end", "way_on"),
    [("an immutable tag", "there", "resume"), ("a floating tag", "here", "build")],
)
def test_a_cable_that_stays_out_fails_the_run_which_is_ended_later(
    net: Island, place: tuple[Corner, FaultProxy], what: str, end: str, way_on: str
) -> None:
    """It ends by itself, with exit 5, and nothing is half visible; another one ends the rest."""
    corner, proxy = place
    oracle = corner.oracle()
    before = oracle.look()
    proxy.arm_at(_put(what), Cut(net=net, end=end))
    code, said = corner.run("build")
    assert proxy.struck is not None, said
    assert code == 5, said
    oracle.look()
    published = oracle.published()
    net.mend()
    proxy.arm()
    code, said = corner.run(way_on)
    assert code == 0, said
    assert published <= oracle.published()
    oracle.require_settled(before)
    oracle.require_converged(corner.plan())
    assert all(len(digests) == 1 for digests in proxy.digests_of_tags().values())
