"""The network between us and a real registry is cut by packet rules, in either direction."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import pytest

from tests.doors.registry.server import Handler, Work
from tests.faults.proxy import FaultProxy
from tests.faults.test_every_fault import (
    converge,
    place,
    proxy,
    requests_of,
    require_still_tags,
)

__all__ = ["proxy"]
pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("registry")]


def _iptables(*words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["iptables", "-w", "10", *words], capture_output=True)


@dataclass
class Cut:
    """A rule that drops packets of one port on the loopback device, put in by a request.

    Attributes:
        rule: chain and match.
        lasts_s: seconds after which it goes by itself.
    """

    rule: tuple[str, ...]
    lasts_s: float
    timers: list[threading.Timer] = field(default_factory=list)

    def __call__(self, handler: Handler, work: Work) -> None:
        """Cut, and then do the work: nobody may hear of it."""
        assert _iptables("-I", *self.rule).returncode == 0
        self.timers.append(threading.Timer(self.lasts_s, self.mend))
        self.timers[-1].start()
        handler.reply(work())

    def mend(self) -> None:
        """Take the rule out, however often it is in."""
        while _iptables("-D", *self.rule).returncode == 0:
            pass


@contextmanager
def cut(port: str, direction: str, lasts_s: float) -> Iterator[Cut]:
    """Give a cut that is mended at the end in any case."""
    side = "--dport" if direction == "to the registry" else "--sport"
    made = Cut(("OUTPUT", "-o", "lo", "-p", "tcp", side, port, "-j", "DROP"), lasts_s)
    try:
        yield made
    finally:
        for timer in made.timers:
            timer.cancel()
            timer.join()
        made.mend()


@pytest.fixture(scope="module", autouse=True)
def rules() -> None:
    """Packet rules can be set here."""
    if os.geteuid() or shutil.which("iptables") is None or _iptables("-L", "OUTPUT").returncode:
        pytest.skip("packet rules need root and iptables")


@pytest.mark.parametrize("direction", ["to the registry", "from the registry"])
@pytest.mark.parametrize("lasts_s", [0.7, 60.0], ids=["for a moment", "to the end of the run"])
def test_a_cut_is_survived(proxy: FaultProxy, direction: str, lasts_s: float) -> None:
    """A run whose packets vanish from some request on ends by itself; the next one ends the rest.

    Where only answers vanish, what was asked for is done all the same.
    """
    whole = requests_of(place, proxy)
    for number in range(1, whole + 1, 4 if lasts_s < 1 else 8):
        port = proxy.address.partition(":")[2]
        with closing(place(proxy)) as there, cut(port, direction, lasts_s) as fault:
            proxy.arm(number, fault)
            there.try_to_build()
            fault.mend()
            require_still_tags(there, proxy)
            converge(there, proxy)
            require_still_tags(there, proxy)
