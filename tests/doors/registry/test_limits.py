"""What the registry door does so that a registry that is somebody else's keeps answering it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from orchestrator.doors.memory.clock import MemoryClock
from orchestrator.doors.registry import HttpRegistry
from orchestrator.doors.registry.answers import Answer, Call
from orchestrator.doors.registry.limits import RateLimits
from orchestrator.doors.registry.wire import manifest_call
from orchestrator.errors import RegistryUnavailable
from orchestrator.model.names import Repository
from tests.doors.registry.misbehaviour import answers, with_headers
from tests.doors.registry.sample import BLOB, DIGEST, INDEX, OTHER
from tests.doors.registry.server import Handler, RegistryServer, Work

HUB = Repository("docker.io", "library/debian")
SPENT = "0;w=21600"


@pytest.fixture
def guest(server: RegistryServer, clock: MemoryClock) -> Iterator[HttpRegistry]:
    """A door to a registry that is somebody else's."""
    with HttpRegistry(
        credentials=lambda registry: None, clock=clock, guest_of=[server.address]
    ) as door:
        yield door


def test_what_is_known_is_asked_for_on_condition(
    server: RegistryServer, door: HttpRegistry
) -> None:
    """The digest goes along as an entity tag, and 304 means that it is still the one."""
    assert door.resolve(server.repository(), "stable", known=INDEX.digest) == INDEX.digest
    assert server.seen[-1].headers["if-none-match"] == f'"{INDEX.digest}"'
    server.registry.put_manifest(server.repository(), "stable", OTHER)
    assert door.resolve(server.repository(), "stable", known=INDEX.digest) == OTHER.digest
    assert [seen.method for seen in server.seen] == ["HEAD", "HEAD"]


def test_an_unchanged_answer_to_an_open_question_is_none(
    server: RegistryServer, door: HttpRegistry
) -> None:
    """304 is an answer only to whoever said what they know, and only about that."""
    server.fault("HEAD", "", answers(304), times=9)
    with pytest.raises(RegistryUnavailable, match="304"):
        door.resolve(server.repository(), "stable")


def test_an_unchanged_answer_about_another_digest(
    server: RegistryServer, door: HttpRegistry
) -> None:
    """A proxy that mixes things up is not believed."""
    server.fault("HEAD", "", answers(304, docker_content_digest=OTHER.digest))
    with pytest.raises(RegistryUnavailable, match="another digest"):
        door.resolve(server.repository(), "stable", known=INDEX.digest)


def test_few_requests_at_once_where_we_are_guests(server: RegistryServer) -> None:
    """Four, whatever is read; where we are at home as many as the door was told."""
    server.registry.upload_blob(server.repository(), DIGEST, BLOB, len(BLOB))
    lock, now, most = threading.Lock(), [0], [0]
    full, too_many = threading.Event(), threading.Event()

    def together(handler: Handler, work: Work) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
            if now[0] == 4:
                full.set()
            if now[0] > 4:
                too_many.set()
        assert full.wait(20)
        # Time for one more to come in, which must not.
        too_many.wait(0.2)
        with lock:
            now[0] -= 1
        handler.reply(work())

    server.fault("HEAD", "", together, times=99)
    server.fault("GET", "", together, times=99)

    def read(door: HttpRegistry, number: int) -> object:
        if number % 2:
            return b"".join(door.read_blob(server.repository(), DIGEST)) == BLOB
        return door.resolve(server.repository(), "stable") == INDEX.digest

    with (
        HttpRegistry(
            credentials=lambda r: None, per_host=8, guest_of=[server.address, "docker.io"]
        ) as door,
        ThreadPoolExecutor(12) as pool,
    ):
        assert all(pool.map(lambda number: read(door, number), range(12)))
    assert most == [4]


def test_nothing_is_asked_once_nothing_is_left(
    server: RegistryServer, guest: HttpRegistry, clock: MemoryClock
) -> None:
    """The last answer counts; then look-ups fail at once and name the host and the hour."""
    server.fault("HEAD", "", with_headers(ratelimit_remaining=SPENT))
    assert guest.resolve(server.repository(), "stable") == INDEX.digest
    for _ in range(2):
        with pytest.raises(RegistryUnavailable) as caught:
            guest.resolve(server.repository("gold/other"), "stable")
        assert caught.value.what == (
            f"registry {server.address} lets us ask nothing more before 2023-11-15T04:13:20Z "
            "(HEAD gold/other:stable)"
        )
        assert caught.value.status == 429
        assert f"docker login {server.address}" in caught.value.hint
    assert (len(server.seen), clock.slept_s) == (1, ())


def test_the_window_ends(server: RegistryServer, guest: HttpRegistry, clock: MemoryClock) -> None:
    """Later it is asked again, whatever the wall clock does meanwhile."""
    server.fault("HEAD", "", with_headers(ratelimit_remaining=SPENT))
    guest.resolve(server.repository(), "stable")
    clock.sleep(21_599)
    clock.set_now(0)
    # A pause of a second is not worth a failure.
    assert guest.resolve(server.repository(), "stable") == INDEX.digest
    assert 1 <= clock.slept_s[-1] <= 1.5


@pytest.mark.parametrize(
    ("headers", "left"),
    [
        ({"ratelimit_remaining": "76;w=21600"}, True),
        ({"ratelimit_remaining": "1"}, True),
        ({"ratelimit_remaining": "many"}, True),
        ({"ratelimit_remaining": "-1"}, True),
        ({"ratelimit_remaining": "0;w=x", "retry_after": "3600"}, False),
        ({"ratelimit_remaining": "0", "retry_after": "3600"}, False),
        ({"RateLimit_Remaining": " 0;w=3600"}, False),
        ({"ratelimit_remaining": "0", "ratelimit_reset": "3600"}, False),
        ({"ratelimit_remaining": "0", "ratelimit_reset": "1700003600"}, False),
        ({"ratelimit_remaining": "0;w=3600", "ratelimit_reset": "soon"}, False),
        ({"ratelimit_remaining": "9", "ratelimit_reset": "3600"}, True),
        ({"retry_after": "3600"}, True),
    ],
)
def test_only_a_limit_that_is_reached_counts(
    server: RegistryServer,
    guest: HttpRegistry,
    clock: MemoryClock,
    headers: dict[str, str],
    left: bool,
) -> None:
    """Whatever else a registry says of its limits, it is asked."""
    server.fault("HEAD", "", with_headers(**headers))
    guest.resolve(server.repository(), "stable")
    if left:
        guest.resolve(server.repository(), "stable")
        assert clock.slept_s == ()
    else:
        with pytest.raises(RegistryUnavailable, match="nothing more before 2023-11-14T23:13:20Z"):
            guest.resolve(server.repository(), "stable")


def test_a_refusal_for_an_hour_is_one(
    server: RegistryServer, guest: HttpRegistry, clock: MemoryClock
) -> None:
    """Nobody waits for it, and nobody else asks meanwhile."""
    server.fault("HEAD", "", answers(429, retry_after="3600"), times=99)
    for _ in range(2):
        with pytest.raises(RegistryUnavailable, match="nothing more before"):
            guest.resolve(server.repository(), "stable")
    assert (len(server.seen), clock.slept_s) == (1, ())


@pytest.mark.parametrize("headers", [{"retry_after": "7"}, {}])
def test_a_short_refusal_is_waited_out(
    server: RegistryServer, guest: HttpRegistry, clock: MemoryClock, headers: dict[str, str]
) -> None:
    """As anywhere else."""
    server.fault("HEAD", "", answers(429, **headers))
    assert guest.resolve(server.repository(), "stable") == INDEX.digest
    assert len(clock.slept_s) == 1


def test_our_own_registry_is_asked_all_the_same(server: RegistryServer, door: HttpRegistry) -> None:
    """A run does not stop half-way because of what its registry counts."""
    server.fault("HEAD", "", with_headers(ratelimit_remaining=SPENT), times=9)
    for _ in range(3):
        assert door.resolve(server.repository(), "stable") == INDEX.digest


def heeded(status: int, **headers: str) -> tuple[RateLimits, Callable[[str], Call]]:
    """Return limits that have heard Docker Hub say something, and calls to ask about."""
    limits = RateLimits(["docker.io"], MemoryClock(), patience_s=60)

    def call(method: str) -> Call:
        return manifest_call(method, HUB, "12", expect=(200, 404))

    named = {name.replace("_", "-"): value for name, value in headers.items()}
    url = httpx2.URL("https://registry-1.docker.io/v2/")
    answer = Answer(status=status, headers=httpx2.Headers(named), content=b"", url=url)
    if status == 429:
        with pytest.raises(RegistryUnavailable, match=r"registry docker\.io"):
            limits.heed(call("GET"), answer)
    else:
        limits.heed(call("GET"), answer)
    return limits, call


def test_docker_hub_counts_no_head() -> None:
    """With nothing left, an unchanged upstream can still be looked up; until it is refused."""
    limits, call = heeded(200, ratelimit_remaining=SPENT)
    limits.require(call("HEAD"))
    with pytest.raises(RegistryUnavailable):
        limits.require(call("GET"))
    limits, call = heeded(429, ratelimit_remaining=SPENT)
    with pytest.raises(RegistryUnavailable):
        limits.require(call("HEAD"))
