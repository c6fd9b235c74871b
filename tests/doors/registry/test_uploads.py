"""How blobs and manifests reach a registry that loses, refuses or forgets them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from orchestrator.doors.memory.clock import MemoryClock
from orchestrator.doors.registry import HttpRegistry
from orchestrator.errors import CheckFailed, RegistryUnavailable
from orchestrator.model.fingerprint import sha256
from tests.doors.registry.misbehaviour import (
    answers,
    loses_answer,
    resets,
)
from tests.doors.registry.sample import BLOB, DIGEST, INDEX, JSON, OTHER, quick_door
from tests.doors.registry.server import Handler, RegistryServer, Work, wait_until


@pytest.mark.parametrize("misbehave", [answers(500), resets, loses_answer])
@pytest.mark.parametrize("reference", ["12-abc", OTHER.digest])
def test_manifest_is_put_again(
    server: RegistryServer,
    door: HttpRegistry,
    misbehave: Callable[[Handler, Work], None],
    reference: str,
) -> None:
    """Its bytes are addressed by content, so a PUT whose answer is lost is simply repeated."""
    server.fault("PUT", "", misbehave)
    door.put_manifest(server.repository(), reference, OTHER)
    assert server.registry.resolve(server.repository(), reference) == OTHER.digest
    assert server.count("PUT") == 2


def _upload(door: HttpRegistry, server: RegistryServer, kind: str = "bytes") -> None:
    content = {"bytes": BLOB, "list": [BLOB[:99], BLOB[99:]], "iterator": iter([BLOB])}[kind]
    door.upload_blob(server.repository(), DIGEST, content, len(BLOB))  # type: ignore[arg-type]


def _stored(server: RegistryServer) -> bool:
    return server.registry.has_blob(server.repository(), DIGEST)


@pytest.mark.parametrize("misbehave", [answers(503), resets])
@pytest.mark.parametrize("kind", ["bytes", "list"])
def test_upload_starts_again(
    server: RegistryServer,
    door: HttpRegistry,
    kind: str,
    misbehave: Callable[[Handler, Work], None],
) -> None:
    """Content that can be read again is sent again, as a new upload."""
    server.fault("PUT", "", misbehave)
    _upload(door, server, kind)
    assert _stored(server)
    assert (server.count("POST"), server.count("PUT")) == (2, 2)


@pytest.mark.parametrize("misbehave", [answers(503), resets])
def test_stream_cannot_be_sent_again(
    server: RegistryServer, door: HttpRegistry, misbehave: Callable[[Handler, Work], None]
) -> None:
    """The fault is raised: half of a stream is gone."""
    server.fault("PUT", "", misbehave)
    with pytest.raises(RegistryUnavailable) as caught:
        _upload(door, server, "iterator")
    assert caught.value.transient
    assert not _stored(server)


def test_stream_that_was_not_begun_is_sent(server: RegistryServer, door: HttpRegistry) -> None:
    """A fault before the first byte was taken costs a stream nothing."""
    server.fault("POST", "", answers(503))
    server.fault("POST", "", resets)
    _upload(door, server, "iterator")
    assert _stored(server)


@pytest.mark.parametrize("kind", ["bytes", "iterator"])
def test_upload_whose_answer_is_lost(server: RegistryServer, door: HttpRegistry, kind: str) -> None:
    """It arrived, so it is not sent twice, and a stream is no failure."""
    server.fault("PUT", "", loses_answer)
    _upload(door, server, kind)
    assert _stored(server)
    assert server.count("PUT") == 1


def test_upload_that_the_registry_forgot(server: RegistryServer, door: HttpRegistry) -> None:
    """So it goes behind a balancer without sticky sessions; a new upload may do."""
    unknown = b'{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}'
    server.fault("PUT", "", answers(404, unknown, **JSON))
    _upload(door, server)
    assert _stored(server)


def test_registry_that_wants_chunks(server: RegistryServer, clock: MemoryClock) -> None:
    """A refused whole body is sent in chunks, and the next blob at once in chunks."""
    server.takes_whole_blobs = False
    with HttpRegistry(credentials=lambda r: None, clock=clock, chunk_bytes=10_000) as door:
        _upload(door, server)
        assert _stored(server)
        assert server.count("PATCH") == 4
        assert (server.count("POST"), server.count("PUT")) == (2, 2)
        other = BLOB + b"!"
        door.upload_blob(server.repository(), sha256(other), iter([other]), len(other))
        assert server.registry.blob(server.repository(), sha256(other)) == other
    assert (server.count("POST"), server.count("PUT")) == (3, 3)
    assert server.uploads == {}


def test_chunk_that_fails(server: RegistryServer, clock: MemoryClock) -> None:
    """Nobody knows how much of it arrived, so the upload starts again."""
    server.takes_whole_blobs = False
    server.fault("PATCH", "", loses_answer)
    with HttpRegistry(credentials=lambda r: None, clock=clock, chunk_bytes=10_000) as door:
        _upload(door, server)
    assert _stored(server)


def test_stream_to_a_registry_that_wants_chunks(server: RegistryServer, door: HttpRegistry) -> None:
    """The first stream is lost, with a hint; the next one goes."""
    server.takes_whole_blobs = False
    with pytest.raises(RegistryUnavailable) as caught:
        _upload(door, server, "iterator")
    assert "sent in several" in caught.value.hint
    _upload(door, server, "iterator")
    assert _stored(server)


@pytest.mark.parametrize("whole", [True, False])
def test_wrong_content_is_never_committed(
    server: RegistryServer, door: HttpRegistry, whole: bool
) -> None:
    """No commit is sent, and the upload is cancelled."""
    server.takes_whole_blobs = whole
    if not whole:
        _upload(door, server)
    wrong = [BLOB, b"!"]
    with pytest.raises(CheckFailed, match="the digest sha256:"):
        door.upload_blob(server.repository("x"), DIGEST, wrong, len(BLOB) + 1)
    wait_until(lambda: server.uploads == {})
    assert not server.registry.has_blob(server.repository("x"), DIGEST)
    assert server.count("PUT", "/x/") == 0


def test_error_of_the_content_is_its_own(server: RegistryServer, door: HttpRegistry) -> None:
    """What the source of a stream raises comes out as it is, not as the registry's fault."""

    def broken() -> Iterator[bytes]:
        yield BLOB
        raise FileNotFoundError("the export vanished")

    with pytest.raises(FileNotFoundError, match="the export vanished"):
        door.upload_blob(server.repository(), DIGEST, broken(), len(BLOB) + 1)
    assert door.resolve(server.repository(), "stable") == INDEX.digest


def test_slow_content_is_not_the_registrys_fault(server: RegistryServer) -> None:
    """A build that takes longer than the deadline to give its bytes is waited for."""

    def slow() -> Iterator[bytes]:
        for start in range(0, len(BLOB), 10_000):
            time.sleep(0.3)
            yield BLOB[start : start + 10_000]

    with quick_door(total_s=1) as door:
        door.upload_blob(server.repository(), DIGEST, slow(), len(BLOB))
    assert _stored(server)


def test_large_upload_gets_more_time(server: RegistryServer) -> None:
    """The total time grows with the size of the blob."""

    def slowly(handler: Handler, work: Work) -> None:
        time.sleep(0.4)
        handler.reply(work())

    server.fault("POST", "", slowly)
    with quick_door(total_s=0.2, slowest_bytes_per_s=len(BLOB) / 5) as door:
        _upload(door, server, "iterator")
    assert _stored(server)


def test_refused_mount_leaves_no_upload(server: RegistryServer, door: HttpRegistry) -> None:
    """A registry that opens an upload instead of mounting is told to forget it."""
    assert door.mount_blob(server.repository(), DIGEST, server.repository("other")) is False
    assert server.uploads == {}
    assert server.count("DELETE") == 1
