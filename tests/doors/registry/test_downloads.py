"""How blobs and lists of repositories are read from registries that break off, lie or refuse."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from orchestrator.doors.memory.clock import MemoryClock
from orchestrator.doors.registry import HttpRegistry
from orchestrator.errors import RegistryUnavailable
from tests.doors.registry.messages import Reply
from tests.doors.registry.misbehaviour import (
    answers,
    changes,
    resets,
    stops_short,
    with_body,
    with_headers,
)
from tests.doors.registry.sample import BLOB, DIGEST, INDEX
from tests.doors.registry.server import Handler, RegistryServer, Work

PART_BYTES = 10_000
PARTS = -(-len(BLOB) // PART_BYTES)


@pytest.fixture
def small(server: RegistryServer, clock: MemoryClock) -> Iterator[HttpRegistry]:
    """A door that reads small parts of the one blob that the server has."""
    server.registry.upload_blob(server.repository(), DIGEST, [BLOB], len(BLOB))
    with HttpRegistry(
        credentials=lambda registry: None, clock=clock, chunk_bytes=PART_BYTES
    ) as door:
        yield door


def _read(door: HttpRegistry, server: RegistryServer) -> bytes:
    return b"".join(door.read_blob(server.repository(), DIGEST))


@pytest.mark.parametrize("misbehave", [answers(503), resets, stops_short])
def test_only_the_part_that_failed_is_read_again(
    server: RegistryServer, small: HttpRegistry, misbehave: Callable[[Handler, Work], None]
) -> None:
    """A fault in the middle of a blob costs one part."""
    chunks = small.read_blob(server.repository(), DIGEST)
    first = next(chunks)
    server.fault("GET", "/blobs/", misbehave)
    assert first + b"".join(chunks) == BLOB
    assert server.count("GET", "/blobs/") == PARTS + 1


@pytest.mark.parametrize("misbehave", [None, answers(503), resets, stops_short])
def test_registry_that_knows_no_parts(
    server: RegistryServer,
    small: HttpRegistry,
    misbehave: Callable[[Handler, Work], None] | None,
) -> None:
    """A registry that always sends the whole blob is read too, again if it breaks off."""
    server.gives_parts = False
    if misbehave:
        server.fault("GET", "/blobs/", misbehave)
    assert _read(small, server) == BLOB


def test_registry_that_stops_giving_parts(server: RegistryServer, small: HttpRegistry) -> None:
    """When the whole comes in place of a later part, what was read before is not read twice."""
    chunks = small.read_blob(server.repository(), DIGEST)
    first = next(chunks)
    server.gives_parts = False
    assert first + b"".join(chunks) == BLOB


def test_parts_from_elsewhere(server: RegistryServer, small: HttpRegistry) -> None:
    """Each part may come from the storage that a registry redirects to."""
    with RegistryServer().running() as storage:
        storage.registry.upload_blob(storage.repository(), DIGEST, [BLOB], len(BLOB))
        server.storage = f"http://{storage.address}"
        assert _read(small, server) == BLOB
        assert storage.count("GET", "/storage/") == PARTS


@pytest.mark.parametrize(
    "lie",
    [
        with_body(b"x" * PART_BYTES),
        with_headers(content_range="bytes 5-10004/33000"),
        with_headers(content_range="bytes 0-9998/33000"),
        with_headers(content_range="no range at all"),
        changes(lambda reply: Reply(206, {}, reply.body)),
    ],
)
def test_lying_part_is_never_taken(
    server: RegistryServer, small: HttpRegistry, lie: Callable[[Handler, Work], None]
) -> None:
    """Bytes that are not the blob's end with an error, at the latest at the end."""
    server.fault("GET", "/blobs/", lie)
    with pytest.raises(RegistryUnavailable):
        _read(small, server)


def test_blob_on_the_host_it_is_copied_to(server: RegistryServer) -> None:
    """Many copies inside one registry that mounts nothing do not wait for one another for ever."""
    server.registry.upload_blob(server.repository(), DIGEST, [BLOB], len(BLOB))
    with HttpRegistry(
        credentials=lambda registry: None, per_host=2, chunk_bytes=PART_BYTES
    ) as door:

        class Again:
            def __iter__(self) -> Iterator[bytes]:
                return door.read_blob(server.repository(), DIGEST)

        def copy(number: int) -> None:
            door.upload_blob(server.repository(f"gold/copy{number}"), DIGEST, Again(), len(BLOB))

        threads = [threading.Thread(target=copy, args=(n,), daemon=True) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()
    copies = [server.repository(f"gold/copy{number}") for number in range(8)]
    assert all(server.registry.has_blob(repository, DIGEST) for repository in copies)


@pytest.mark.parametrize("status", [401, 403, 404, 405, 501])
def test_registry_without_a_list(server: RegistryServer, door: HttpRegistry, status: int) -> None:
    """Many registries keep no list of repositories, or not for us: that is no fault."""
    server.fault("GET", "/_catalog", answers(status, b"{}"), times=9)
    assert door.repositories(f"{server.address}/gold") is None


def test_list_that_breaks_off_is_not_whole(server: RegistryServer, door: HttpRegistry) -> None:
    """A list whose second page is refused raises: half of it would hide repositories."""
    server.registry.put_manifest(server.repository("gold/web"), "stable", INDEX)
    server.page_size = 1
    server.fault("GET", "/_catalog?last", answers(403), times=9)
    with pytest.raises(RegistryUnavailable):
        door.repositories(f"{server.address}/gold")


@pytest.mark.parametrize("status", [400, 429, 500, 503])
def test_fault_is_not_a_missing_list(
    server: RegistryServer, door: HttpRegistry, status: int
) -> None:
    """A registry that is in trouble is not taken for one without a list."""
    server.fault("GET", "/_catalog", answers(status), times=99)
    with pytest.raises(RegistryUnavailable) as caught:
        door.repositories(f"{server.address}/gold")
    assert caught.value.status == status
