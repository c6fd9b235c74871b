"""What the registry door does when the registry, or the network, breaks down."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate

import pytest

from orchestrator.doors.memory.clock import MemoryClock
from orchestrator.doors.registry import Deadlines, HttpRegistry
from orchestrator.errors import AccessDenied, LeaseLost, RegistryUnavailable
from orchestrator.model.names import Repository
from orchestrator.model.transient import TRANSIENT_STATUSES
from tests.doors.registry.misbehaviour import (
    answers,
    drips,
    resets,
    stalls,
    stops_short,
)
from tests.doors.registry.sample import DIGEST, INDEX, JSON, quick_door
from tests.doors.registry.server import Handler, RegistryServer, Work

READS: dict[str, Callable[[HttpRegistry, Repository], object]] = {
    "resolve": lambda door, repository: door.resolve(repository, "stable"),
    "manifest": lambda door, repository: door.manifest(repository, "stable"),
    "has_blob": lambda door, repository: door.has_blob(repository, DIGEST),
    "blob": lambda door, repository: door.blob(repository, DIGEST),
    "tags": lambda door, repository: door.tags(repository),
}


@pytest.mark.parametrize("status", [204, 302, 400, 401, 403, 405, 410, 418, 429, 500, 503, 599])
@pytest.mark.parametrize("read", READS)
def test_only_404_is_absent(
    server: RegistryServer, door: HttpRegistry, read: str, status: int
) -> None:
    """Any other answer raises, whatever is asked for; nothing is ever taken for absent."""
    for method in ("GET", "HEAD"):
        server.fault(method, "/v2/", answers(status, b"{}"), times=99)
    with pytest.raises(RegistryUnavailable) as caught:
        READS[read](door, server.repository())
    assert caught.value.status == status
    assert f"registry {server.address} " in caught.value.what
    assert caught.value.exit_code == 5


def test_404_of_a_proxy_is_absent(server: RegistryServer, door: HttpRegistry) -> None:
    """404 means absent whatever page comes with it."""
    server.fault("HEAD", "", answers(404, content_type="text/html"))
    server.fault("GET", "", answers(404, b"<html>nothing here</html>", content_type="text/html"))
    assert door.resolve(server.repository(), "stable") is None
    assert door.manifest(server.repository(), "stable") is None


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_transient_answer_is_asked_again(
    server: RegistryServer, door: HttpRegistry, clock: MemoryClock, status: int
) -> None:
    """One bad moment of a registry is not noticed but for the time it takes."""
    server.fault("HEAD", "", answers(status))
    assert door.resolve(server.repository(), "stable") == INDEX.digest
    assert len(clock.slept_s) == 1
    assert 0.5 <= clock.slept_s[0] <= 1.0


def test_who_may_write_no_more_does_not_try_again(
    server: RegistryServer, door: HttpRegistry
) -> None:
    """It is looked at before every try, since a registry may ask for long pauses."""
    looks: list[str] = []

    def look() -> None:
        looks.append("")
        if len(looks) == 2:
            raise LeaseLost("another one is at work")

    repository = server.repository()
    server.fault("PUT", "", answers(503))
    with pytest.raises(LeaseLost):
        door.put_manifest(repository, "next", INDEX, before=look)
    assert door.resolve(repository, "next") is None
    looks.append("")
    door.put_manifest(repository, "next", INDEX, before=look)
    assert (door.resolve(repository, "next"), len(looks)) == (INDEX.digest, 4)


def test_pauses_grow_and_end(
    server: RegistryServer, door: HttpRegistry, clock: MemoryClock
) -> None:
    """Six tries with doubling pauses, then one line that says what, where and how often."""
    body = json.dumps({"errors": [{"code": "UNAVAILABLE", "message": "come later"}]}).encode()
    server.fault("GET", "", answers(503, body, **JSON), times=99)
    with pytest.raises(RegistryUnavailable) as caught:
        door.tags(server.repository())
    assert caught.value.what == (
        f"registry {server.address} answered 503 Service Unavailable to GET tags of gold/base: "
        "UNAVAILABLE: come later, 6 tries"
    )
    assert caught.value.transient
    assert all(
        expected <= pause <= expected + 0.5
        for pause, expected in zip(clock.slept_s, (0.5, 1, 2, 4, 8), strict=True)
    )


@pytest.mark.parametrize("status", [400, 403, 405, 410, 501])
def test_lasting_answer_is_not_asked_again(
    server: RegistryServer, door: HttpRegistry, clock: MemoryClock, status: int
) -> None:
    """What another try cannot change is raised at once."""
    server.fault("HEAD", "", answers(status), times=99)
    with pytest.raises(RegistryUnavailable) as caught:
        door.resolve(server.repository(), "stable")
    assert not caught.value.transient
    assert (server.count("HEAD"), clock.slept_s) == (1, ())


@pytest.mark.parametrize("status", [401, 403])
def test_refusal_says_how_to_log_in(
    server: RegistryServer, door: HttpRegistry, status: int
) -> None:
    """401 and 403 are one kind of error, and the way out is `docker login`."""
    server.fault("HEAD", "", answers(status), times=9)
    with pytest.raises(AccessDenied) as caught:
        door.resolve(server.repository(), "stable")
    assert f"docker login {server.address}" in caught.value.hint


@pytest.mark.parametrize(
    ("header", "least_s", "most_s"),
    [
        ("7", 7, 7.5),
        ("0", 0, 0.5),
        (formatdate(1_700_000_030, usegmt=True), 30, 30.5),
        (formatdate(1_600_000_000, usegmt=True), 0, 0.5),
        ("3600", 60, 60.5),
        ("9" * 400, 60, 60.5),
        ("soon", 0.5, 1.0),
        ("-5", 0.5, 1.0),
        ("Sun, 99 Foo 9999", 0.5, 1.0),
    ],
)
def test_retry_after_is_honoured(
    server: RegistryServer,
    door: HttpRegistry,
    clock: MemoryClock,
    header: str,
    least_s: float,
    most_s: float,
) -> None:
    """Seconds and dates, at most a minute, a little at random on top; nonsense is no header."""
    server.fault("HEAD", "", answers(429, retry_after=header))
    assert door.resolve(server.repository(), "stable") == INDEX.digest
    assert least_s <= clock.slept_s[0] <= most_s


def test_pause_beyond_the_deadline_is_not_begun(server: RegistryServer) -> None:
    """When the registry wants to be left alone for longer than we may wait, it is said at once."""
    clock = MemoryClock()
    deadlines = Deadlines(total_s=20)
    server.fault("HEAD", "", answers(429, retry_after="3600"), times=99)
    with (
        HttpRegistry(credentials=lambda registry: None, clock=clock, deadlines=deadlines) as door,
        pytest.raises(RegistryUnavailable, match=r"left alone for 3600 s$") as caught,
    ):
        door.resolve(server.repository(), "stable")
    assert clock.slept_s == ()
    assert "docker login" in caught.value.hint
    # Whoever has more time may wait for as long, and ask again.
    assert (caught.value.transient, caught.value.retry_after_s) == (True, 3600)


def test_who_is_in_a_hurry_sits_out_no_pause(server: RegistryServer) -> None:
    """A pause that has begun ends with a last try; after that there is one try for everything."""
    clock, hurry = MemoryClock(), threading.Event()
    clock.alarm(10.0, hurry.set)
    server.fault("HEAD", "", answers(429, retry_after="50"), times=99)
    with HttpRegistry(credentials=lambda _registry: None, clock=clock, hurry=hurry) as door:
        for tries in ("2 tries; it asks", "; it asks"):
            with pytest.raises(RegistryUnavailable, match=tries):
                door.resolve(server.repository(), "stable")
            assert clock.monotonic_s() == 10


@pytest.mark.parametrize("status", [400, 405, 408, 413, 425, 429, 500, 501, 502, 503, 504, 507])
def test_only_what_waiting_may_change_is_tried_again(
    server: RegistryServer, door: HttpRegistry, clock: MemoryClock, status: int
) -> None:
    """Busy servers are asked again; refusals, and disks that somebody has to clear, are not."""
    server.fault("HEAD", "", answers(status), times=99)
    with pytest.raises(RegistryUnavailable) as caught:
        door.resolve(server.repository(), "stable")
    assert caught.value.transient == (status in TRANSIENT_STATUSES)
    assert bool(clock.slept_s) == caught.value.transient


@pytest.mark.parametrize("read", ["resolve", "manifest", "tags"])
def test_reset_connection_is_made_anew(
    server: RegistryServer, door: HttpRegistry, read: str
) -> None:
    """A connection that breaks before the answer costs a try and nothing else."""
    for method in ("GET", "HEAD"):
        server.fault(method, "", resets, times=2)
    expected = {"resolve": INDEX.digest, "manifest": INDEX, "tags": ("stable",)}
    assert READS[read](door, server.repository()) == expected[read]


def test_short_body_is_read_again(server: RegistryServer, door: HttpRegistry) -> None:
    """Half an answer is no answer."""
    server.fault("GET", "", stops_short, times=2)
    assert door.manifest(server.repository(), "stable") == INDEX


def test_body_that_is_always_short(server: RegistryServer, door: HttpRegistry) -> None:
    """A registry that never finishes its answers is unavailable, and it is said so."""
    server.fault("GET", "", stops_short, times=99)
    with pytest.raises(RegistryUnavailable, match="broke off") as caught:
        door.manifest(server.repository(), "stable")
    assert caught.value.transient


def test_nobody_listens(door: HttpRegistry, clock: MemoryClock) -> None:
    """A registry that is down is named in one line; asking for more images does not take longer."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"localhost:{taken.getsockname()[1]}"
    with pytest.raises(RegistryUnavailable) as caught:
        door.resolve(Repository(address, "gold/base"), "stable")
    assert caught.value.what == (
        f"registry {address} refuses the connection (HEAD gold/base:stable), 4 tries"
    )
    assert caught.value.hint == f"is the registry running at {address}?"
    pauses = len(clock.slept_s)
    with pytest.raises(RegistryUnavailable):
        door.resolve(Repository(address, "gold/other"), "stable")
    assert len(clock.slept_s) == pauses


def test_silence_ends(server: RegistryServer) -> None:
    """A registry that takes the request and says nothing is given up after the idle time."""
    server.fault("HEAD", "", stalls, times=99)
    start = time.monotonic()
    with (
        quick_door(idle_s=0.2) as door,
        pytest.raises(RegistryUnavailable, match="fell silent") as caught,
    ):
        door.resolve(server.repository(), "stable")
    assert time.monotonic() - start < 10
    assert caught.value.transient


def test_slow_body_ends(server: RegistryServer) -> None:
    """A registry that is never silent and never done is given up after the total time."""
    server.fault("GET", "", drips, times=99)
    start = time.monotonic()
    with (
        quick_door(idle_s=1, total_s=0.4) as door,
        pytest.raises(RegistryUnavailable, match=r"did not finish in time: 0\.4 s"),
    ):
        door.manifest(server.repository(), "stable")
    assert time.monotonic() - start < 10


def test_unknown_name(clock: MemoryClock, door: HttpRegistry) -> None:
    """A misspelt registry is said to be so, without further tries."""
    with pytest.raises(RegistryUnavailable) as caught:
        door.resolve(Repository("registry.invalid", "gold/base"), "stable")
    assert "registry.invalid" in caught.value.what
    assert caught.value.hint


def test_requests_at_once_are_bounded(server: RegistryServer) -> None:
    """Never more than the door was told; who has to queue for that is not late."""
    lock, now, most = threading.Lock(), [0], [0]

    def slowly(handler: Handler, work: Work) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.25)
        with lock:
            now[0] -= 1
        handler.reply(work())

    server.fault("HEAD", "", slowly, times=99)
    with (
        HttpRegistry(
            credentials=lambda r: None, per_host=3, deadlines=Deadlines(total_s=1)
        ) as door,
        ThreadPoolExecutor(15) as pool,
    ):
        found = list(pool.map(lambda _: door.resolve(server.repository(), "stable"), range(15)))
    assert found == [INDEX.digest] * 15
    assert most == [3]
