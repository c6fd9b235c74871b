"""How the registry door logs in, and that what it knows goes nowhere else."""

from __future__ import annotations

import base64
import json
import logging
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.doors.memory.clock import MemoryClock
from orchestrator.doors.registry import Credential, HttpRegistry
from orchestrator.doors.registry.auth import Authorizer, Challenge
from orchestrator.doors.registry.connections import Connections
from orchestrator.doors.registry.retry import Deadline, Deadlines
from orchestrator.errors import AccessDenied, RegistryUnavailable
from orchestrator.model.fingerprint import sha256
from tests.doors.registry.misbehaviour import answers, resets
from tests.doors.registry.sample import INDEX
from tests.doors.registry.server import RegistryServer

BLOB = b"a configuration"
DIGEST = sha256(BLOB)
SECRET = "correct-horse-battery-staple"
ME = Credential("me", SECRET)


@pytest.fixture(autouse=True)
def _user(server: RegistryServer) -> None:
    """One user is known; tests choose how they log in."""
    server.users = {"me": SECRET}


@pytest.fixture
def door_as(clock: MemoryClock) -> Iterator[Callable[[Credential | None], HttpRegistry]]:
    """Makes doors that log in as somebody, or as nobody."""
    made: list[HttpRegistry] = []

    def make(credential: Credential | None) -> HttpRegistry:
        made.append(HttpRegistry(credentials=lambda registry: credential, clock=clock))
        return made[-1]

    yield make
    for door in made:
        door.close()


DoorAs = Callable[[Credential | None], HttpRegistry]


@pytest.mark.parametrize("login", ["", "basic", "bearer"])
def test_log_in(server: RegistryServer, door_as: DoorAs, login: str) -> None:
    """Reading, writing and deleting work with each way to log in."""
    server.login = login
    door, repository = door_as(ME), server.repository()
    assert door.resolve(repository, "stable") == INDEX.digest
    door.upload_blob(repository, DIGEST, [BLOB], len(BLOB))
    assert door.mount_blob(server.repository("child"), DIGEST, repository)
    door.put_manifest(repository, "12", INDEX)
    assert door.tags(repository) == ("12", "stable")
    assert door.delete_manifest(repository, INDEX.digest)
    assert door.resolve(repository, "stable") is None


def test_nothing_is_shown_unasked(server: RegistryServer, door_as: DoorAs) -> None:
    """Credentials are not even looked up for a registry that does not ask."""
    looked_up: list[str] = []
    with HttpRegistry(credentials=lambda name: looked_up.append(name)) as door:
        door.resolve(server.repository(), "stable")
    assert looked_up == []
    assert "authorization" not in server.seen[0].headers


@pytest.mark.parametrize("login", ["basic", "bearer"])
def test_challenge_is_remembered(server: RegistryServer, door_as: DoorAs, login: str) -> None:
    """One 401 for a registry, and one token for each repository and scope."""
    server.login = login
    door = door_as(ME)
    for path in ("gold/base", "gold/base", "gold/python", "gold/python"):
        door.resolve(server.repository(path), "stable")
    assert server.count("HEAD") == 5
    assert server.count("GET", "/token") == (0 if login == "basic" else 2)


def test_token_asks_for_no_more_than_needed(server: RegistryServer, door_as: DoorAs) -> None:
    """Pull to read, push to write, both repositories to mount; one repository's scope never
    goes with another's.
    """
    server.login = "bearer"
    server.registry.upload_blob(server.repository("b"), DIGEST, [BLOB], len(BLOB))
    door = door_as(ME)
    door.resolve(server.repository("a"), "stable")
    door.resolve(server.repository("b"), "stable")
    assert door.mount_blob(server.repository("a"), DIGEST, server.repository("b"))
    asked = [seen.target for seen in server.seen if "/token" in seen.target]
    scopes = [
        target.replace("%3A", ":").replace("%2C", ",").split("scope=")[1:] for target in asked
    ]
    assert [[scope.split("&")[0] for scope in group] for group in scopes] == [
        ["repository:a:pull"],
        ["repository:b:pull"],
        ["repository:a:pull,push", "repository:b:pull"],
    ]


def test_strangers_may_read(server: RegistryServer, door_as: DoorAs) -> None:
    """A token without credentials, as Docker Hub gives them; writing is denied with a hint."""
    server.login, server.open_to_read = "bearer", True
    door = door_as(None)
    assert door.resolve(server.repository(), "stable") == INDEX.digest
    with pytest.raises(AccessDenied) as caught:
        door.put_manifest(server.repository(), "12", INDEX)
    assert f"docker login {server.address}" in caught.value.hint


@pytest.mark.parametrize("login", ["basic", "bearer"])
@pytest.mark.parametrize("credential", [None, Credential("me", "wrong-" + SECRET)])
def test_denied(
    server: RegistryServer, door_as: DoorAs, login: str, credential: Credential | None
) -> None:
    """No credentials, or wrong ones: denied at once, never taken for absent."""
    server.login = login
    door = door_as(credential)
    for read in (door.resolve, door.manifest):
        with pytest.raises(AccessDenied) as caught:
            read(server.repository(), "stable")
        assert caught.value.status == 401
        assert f"docker login {server.address}" in caught.value.hint


def test_expired_token_is_not_shown(
    server: RegistryServer, door_as: DoorAs, clock: MemoryClock
) -> None:
    """A token is renewed before its time is over, so no request is wasted."""
    server.login, server.token_lifetime_s = "bearer", 100
    door = door_as(ME)
    for elapsed in (0, 80, 15):
        clock.sleep(elapsed)
        door.resolve(server.repository(), "stable")
    assert server.count("GET", "/token") == 2
    assert server.count("HEAD") == 4


@pytest.mark.parametrize("lifetime", [None, 0, -1, "soon", 1e300])
def test_token_that_does_not_say_how_long(
    server: RegistryServer, door_as: DoorAs, clock: MemoryClock, lifetime: object
) -> None:
    """It is worth a minute, as the specification says; none is worth more than a day."""
    server.login, server.token_lifetime_s = "bearer", lifetime
    door = door_as(ME)
    door.resolve(server.repository(), "stable")
    clock.sleep(45)
    door.resolve(server.repository(), "stable")
    assert server.count("GET", "/token") == 1
    clock.sleep(30 if lifetime != 1e300 else 25 * 3600)
    door.resolve(server.repository(), "stable")
    assert server.count("GET", "/token") == 2


def test_token_revoked_in_the_middle(server: RegistryServer, door_as: DoorAs) -> None:
    """A 401 in the middle of a run costs a new token and is not noticed, uploads included."""
    server.login = "bearer"
    door, repository = door_as(ME), server.repository()
    door.resolve(repository, "stable")
    server.tokens.clear()
    assert door.resolve(repository, "stable") == INDEX.digest
    door.upload_blob(repository, DIGEST, [BLOB], len(BLOB))
    server.tokens.clear()
    other = BLOB + b"!"
    door.upload_blob(repository, sha256(other), [other], len(other))
    server.fault("PUT", "/uploads/", answers(401, www_authenticate=_challenge(server)))
    third = BLOB + b"?"
    door.upload_blob(repository, sha256(third), [third], len(third))
    assert server.registry.blob(repository, sha256(third)) == third


def _challenge(server: RegistryServer, realm: str | None = None) -> str:
    return f'Bearer realm="{realm or f"http://{server.address}/token"}",service="s"'


def test_token_that_is_never_good(server: RegistryServer, door_as: DoorAs) -> None:
    """One renewal for each request, then it is denied: no endless loop."""
    server.login = "bearer"
    server.fault("HEAD", "", answers(401, www_authenticate=_challenge(server)), times=99)
    with pytest.raises(AccessDenied):
        door_as(ME).resolve(server.repository(), "stable")
    assert (server.count("HEAD"), server.count("GET", "/token")) == (2, 1)


def test_many_threads_one_token(server: RegistryServer, door_as: DoorAs) -> None:
    """Threads that are refused together wait for the one that renews."""
    server.login = "bearer"
    door = door_as(ME)

    def resolve(_: int) -> str | None:
        return door.resolve(server.repository(), "stable")

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(resolve, range(40))) == {INDEX.digest}
        server.tokens.clear()
        assert set(pool.map(resolve, range(40))) == {INDEX.digest}
    assert server.count("GET", "/token") == 2


def test_token_service_on_the_registrys_own_host(server: RegistryServer) -> None:
    """Fetching a token needs a slot of the host while none is held: no deadlock."""
    server.login = "bearer"
    with (
        HttpRegistry(credentials=lambda r: ME, per_host=1) as door,
        ThreadPoolExecutor(4) as pool,
    ):
        paths = [f"gold/{number}" for number in range(8)]
        found = pool.map(lambda p: door.resolve(server.repository(p), "x"), paths, timeout=20)
        assert list(found) == [None] * 8


@pytest.mark.parametrize("login", ["basic", "bearer"])
def test_credentials_that_change(server: RegistryServer, login: str) -> None:
    """Helpers give passwords that live for hours: a refused one is asked for again, once."""
    server.login, server.users = login, {"me": "old"}
    passwords = iter(["old", SECRET, "unused"])
    with HttpRegistry(credentials=lambda r: Credential("me", next(passwords))) as door:
        assert door.resolve(server.repository(), "stable") == INDEX.digest
        server.users = {"me": SECRET}
        server.tokens.clear()
        assert door.resolve(server.repository(), "stable") == INDEX.digest
        assert door.resolve(server.repository(), "stable") == INDEX.digest
    assert next(passwords) == "unused"


def test_identity_token(server: RegistryServer, door_as: DoorAs) -> None:
    """It is exchanged by OAuth2's POST and is in no address."""
    server.login, server.users = "bearer", {"": SECRET}
    door = door_as(Credential("", SECRET, is_identity_token=True))
    assert door.resolve(server.repository(), "stable") == INDEX.digest
    assert server.count("POST", "/token") == 1
    assert not any(SECRET in seen.target for seen in server.seen)


@pytest.mark.parametrize("misbehave", [answers(503), answers(429, retry_after="1"), resets])
def test_token_service_in_a_bad_moment(
    server: RegistryServer, door_as: DoorAs, clock: MemoryClock, misbehave: object
) -> None:
    """It is asked again like the registry itself."""
    server.login = "bearer"
    server.fault("GET", "/token", misbehave, times=2)  # type: ignore[arg-type]
    assert door_as(ME).resolve(server.repository(), "stable") == INDEX.digest
    assert len(clock.slept_s) == 2


@pytest.mark.parametrize(
    "misbehave",
    [
        answers(200, b""),
        answers(200, b"[]"),
        answers(200, b"{}"),
        answers(200, b'{"token": 7}'),
        answers(200, b'{"token": "a\\r\\nX-Evil: 1"}'),
        answers(200, b'{"token": "\\u00e4"}'),
        answers(200, b'{"token": "t"}' + b" " * 300_000),
        answers(404),
        answers(302, location="http://localhost:9/"),
        answers(500),
    ],
)
def test_token_service_that_answers_nonsense(
    server: RegistryServer, door_as: DoorAs, misbehave: object
) -> None:
    """One line that names the registry and the token service; never "absent"."""
    server.login = "bearer"
    server.fault("GET", "/token", misbehave, times=99)  # type: ignore[arg-type]
    with pytest.raises(RegistryUnavailable, match="no token from") as caught:
        door_as(ME).resolve(server.repository(), "stable")
    assert server.address in caught.value.what
    assert caught.value.what.isprintable()


def test_storage_elsewhere_learns_nothing(
    server: RegistryServer, door_as: DoorAs, caplog: pytest.LogCaptureFixture
) -> None:
    """A redirect to another host is followed without credentials; its signature is not said."""
    caplog.set_level(logging.DEBUG)
    with RegistryServer().running() as storage:
        storage.registry.upload_blob(storage.repository(), DIGEST, [BLOB], len(BLOB))
        server.registry.upload_blob(server.repository(), DIGEST, [BLOB], len(BLOB))
        server.storage = f"http://{storage.address}"
        for login in ("basic", "bearer"):
            server.login = login
            assert door_as(ME).blob(server.repository(), DIGEST) == BLOB
        assert storage.count("GET", "signature=") == 2
        assert not any("authorization" in seen.headers for seen in storage.seen)
        storage.fault("GET", "", answers(403, b"<Error>SignatureDoesNotMatch</Error>"), times=9)
        with pytest.raises(RegistryUnavailable) as caught:
            door_as(ME).blob(server.repository(), DIGEST)
    said = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert "s3cr3t-signature" not in said


def test_storage_that_asks_for_a_log_in(server: RegistryServer, door_as: DoorAs) -> None:
    """Another host's challenge is not answered with the registry's credentials."""
    server.login = "basic"
    with RegistryServer().running() as storage:
        challenge = f'Basic realm="x", {_challenge(storage)}'
        storage.fault("GET", "", answers(401, www_authenticate=challenge), times=9)
        server.registry.upload_blob(server.repository(), DIGEST, [BLOB], len(BLOB))
        server.storage = f"http://{storage.address}"
        door = door_as(ME)
        door.resolve(server.repository(), "stable")
        with pytest.raises(RegistryUnavailable) as caught:
            door.blob(server.repository(), DIGEST)
        assert len(storage.seen) == 1
        assert "authorization" not in storage.seen[0].headers
    assert caught.value.status == 401


@pytest.mark.parametrize("part", ["/manifests/", "/token"])
@pytest.mark.parametrize("fault", [answers(403), answers(500), resets, answers(200, b"\x00")])
def test_no_secret_is_said(
    server: RegistryServer,
    door_as: DoorAs,
    fault: object,
    part: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither an error, nor its causes, nor a log line has a password or token in it."""
    server.login = "bearer"
    token = "token-" + "t" * 40
    server.tokens[token] = frozenset()
    body = json.dumps({"token": token}).encode()
    server.fault("GET", "/token", answers(200, body) if part != "/token" else fault, times=9)  # type: ignore[arg-type]
    server.fault("GET", part, answers(401, www_authenticate=_challenge(server)))
    server.fault("GET", part, fault, times=9)  # type: ignore[arg-type]
    with (
        caplog.at_level(logging.DEBUG),
        pytest.raises(RegistryUnavailable) as caught,
    ):
        door_as(ME).manifest(server.repository(), "stable")
    encoded = base64.b64encode(f"me:{SECRET}".encode()).decode()
    said = "".join(traceback.format_exception(caught.value)) + caught.value.hint + caplog.text
    for secret in (SECRET, encoded, token):
        assert secret not in said
    assert SECRET not in repr(ME)


@pytest.fixture
def connections() -> Iterator[Connections]:
    connections = Connections(per_host=1, deadlines=Deadlines(connect_s=0.5))
    yield connections
    connections.close()


def _renew(connections: Connections, realm: str, *plain_http: str) -> str:
    authorizer = Authorizer(
        connections=connections,
        credentials=lambda registry: ME,
        plain_http=plain_http,
        clock=MemoryClock(),
    )
    return authorizer.renew(
        "registry.example",
        ("repository:gold/base:pull",),
        (Challenge("bearer", {"realm": realm}),),
        "",
        Deadline(MemoryClock(), 10),
    )


@pytest.mark.parametrize(
    "realm",
    ["http://auth.example/token", "", "/token", "ftp://auth.example/", "https://a:b@auth.example/"],
)
def test_secrets_go_to_safe_places_only(connections: Connections, realm: str) -> None:
    """No token is asked for over plain HTTP from another machine, or where there is no address."""
    with pytest.raises(RegistryUnavailable, match=r"plain HTTP|does not say where"):
        _renew(connections, realm)


def test_plain_token_service_of_a_plain_registry(
    server: RegistryServer, connections: Connections
) -> None:
    """A registry that the user declared insecure may have an insecure token service."""
    realm = f"http://{server.address}/token"
    header = _renew(connections, realm, "registry.example")
    assert header.startswith("Bearer token-")
    with pytest.raises(RegistryUnavailable, match="no address"):
        _renew(connections, "http://auth.invalid/token", "registry.example")


def test_bearer_before_basic(server: RegistryServer, door_as: DoorAs) -> None:
    """Where both are offered the password goes to the token service only."""
    server.login = "bearer"
    challenge = f'Basic realm="x", {_challenge(server)}'
    server.fault("HEAD", "", answers(401, www_authenticate=challenge))
    assert door_as(ME).resolve(server.repository(), "stable") == INDEX.digest
    sent = [seen.headers.get("authorization", "") for seen in server.seen if "/v2/" in seen.target]
    assert not any(header.startswith("Basic") for header in sent)
