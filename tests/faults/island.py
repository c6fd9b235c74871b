"""A network namespace joined to this machine by one cable, which tests may pull out."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

_START_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Island:
    """Nothing but the cable leads there, and no route leads on.

    Attributes:
        pid: of the process that keeps the namespace; with it, all of it goes.
        here: address of our end of the cable.
        there: address of the other end.
    """

    pid: int
    here: str
    there: str

    @property
    def inside(self) -> tuple[str, ...]:
        """The words before a command that is to run there; files and sockets are as here."""
        return ("nsenter", f"--target={self.pid}", "--net", "--")

    def cut(self, end: str) -> None:
        """Pull the cable out.

        Args:
            end: ``"there"``: whoever is there has no network any more, and is told so at once;
                ``"here"``: it has one, and hears nothing.
        """
        self._set(end, "down")

    def mend(self) -> None:
        """Put the cable in, at both ends; nothing happens where it is."""
        for end in ("here", "there"):
            self._set(end, "up")

    def _set(self, end: str, state: str) -> None:
        line = ("ip", "link", "set", _device(end, self.pid), state)
        _run(*(self.inside if end == "there" else ()), *line)


@contextmanager
def island() -> Iterator[Island]:
    """Make one; skip the test, with the reason, where this machine does not allow it.

    It is a namespace without a name, kept by a process that ends with ours: nothing is left of it,
    however the tests end, and two that run at once do not meet.
    """
    if reason := _why_not():
        pytest.skip(f"no network namespace: {reason}")
    keeper = subprocess.Popen(
        ("setpriv", "--pdeathsig", "KILL", "--", "unshare", "--net", "--", "sleep", "infinity"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    # Of the range for tests of network gear, RFC 2544; four addresses for each process.
    first = (198 << 24 | 18 << 16) + keeper.pid % 2**15 * 4
    net = Island(pid=keeper.pid, here=_dotted(first + 1), there=_dotted(first + 2))
    try:
        try:
            _wait_for_namespace(keeper)
            _lay_cable(net)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespace: {error.stderr.decode(errors='replace').strip()}")
        yield net
    finally:
        keeper.kill()
        keeper.communicate()


def _lay_cable(net: Island) -> None:
    here, there = (_device(end, net.pid) for end in ("here", "there"))
    cable = ("type", "veth", "peer", "name", there, "netns", str(net.pid))
    _run("ip", "link", "add", here, *cable)
    _run("ip", "address", "add", f"{net.here}/30", "dev", here)
    _run(*net.inside, "ip", "address", "add", f"{net.there}/30", "dev", there)
    _run(*net.inside, "ip", "link", "set", "lo", "up")
    net.mend()


def _wait_for_namespace(keeper: subprocess.Popen[bytes]) -> None:
    """Wait until the process is in a namespace of its own."""
    ours = os.readlink("/proc/self/ns/net")
    deadline = time.monotonic() + _START_S
    while keeper.poll() is None and time.monotonic() < deadline:
        if os.readlink(f"/proc/{keeper.pid}/ns/net") != ours:
            return
        time.sleep(0.01)
    keeper.kill()
    raise subprocess.CalledProcessError(1, "unshare", stderr=keeper.communicate()[1])


def _device(end: str, pid: int) -> str:
    # 15 characters at the most.
    return f"gold{end[0]}{pid}"


def _dotted(address: int) -> str:
    return ".".join(str(address >> shift & 255) for shift in (24, 16, 8, 0))


def _why_not() -> str:
    if os.geteuid() != 0:
        return "only root can make one"
    for program in ("ip", "unshare", "nsenter", "setpriv"):
        if shutil.which(program) is None:
            return f"there is no program {program}"
    return ""


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
