"""What refers to a manifest, stored so that it is found."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.doors.memory.registry import MemoryRegistry, RegistryCall
from orchestrator.errors import Conflict, RegistryUnavailable
from orchestrator.model.fingerprint import sha256
from orchestrator.model.manifest import OCI_MANIFEST, Descriptor, Manifest, compose_index
from orchestrator.model.names import Repository
from orchestrator.publish.referrers import fallback_tag, refer
from tests.world import PLATFORMS, put_image

HERE = Repository("one.example", "gold/base")


@pytest.fixture
def registry() -> MemoryRegistry:
    return MemoryRegistry()


@pytest.fixture
def subject(registry: MemoryRegistry) -> str:
    """A platform's manifest."""
    put_image(registry, f"{HERE}:12", "base 12")
    index = registry.manifest(HERE, "12")
    assert index is not None
    return index.platforms()[PLATFORMS[0]]


def referrer(registry: MemoryRegistry, subject: str, text: str) -> Manifest:
    """Return a manifest that is not stored, though its blobs are."""
    for blob in (b"{}", text.encode()):
        registry.upload_blob(HERE, sha256(blob), blob, len(blob))
    value = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "text/plain",
        "config": {"mediaType": "x/empty", "digest": sha256(b"{}"), "size": 2},
        "layers": [{"mediaType": "text/plain", "digest": sha256(text.encode()), "size": len(text)}],
        "subject": {"mediaType": OCI_MANIFEST, "digest": subject, "size": 1},
    }
    return Manifest.of(json.dumps(value).encode(), OCI_MANIFEST)


def listed(registry: MemoryRegistry, subject: str) -> set[str]:
    return {each.digest for each in registry.referrers(HERE, subject)}


def test_a_referrer_is_found_beside_the_others(registry: MemoryRegistry, subject: str) -> None:
    """In a list under the fallback tag that says of what type each is; again it changes nothing."""
    first, second = (referrer(registry, subject, text) for text in ("one", "two"))
    refer(registry, HERE, subject, first)
    refer(registry, HERE, subject, second)
    assert listed(registry, subject) == {first.digest, second.digest}
    index = registry.manifest(HERE, fallback_tag(subject))
    assert index is not None
    said = index.json()["manifests"]
    assert isinstance(said, list)
    assert [entry["artifactType"] for entry in said] == ["text/plain"] * 2
    before = list(registry.puts)
    refer(registry, HERE, subject, first)
    assert registry.puts == before


def test_where_the_registry_keeps_the_list_no_tag_is_written(
    registry: MemoryRegistry, subject: str
) -> None:
    """It has the referrers API, and noticed the manifest by itself."""
    one = referrer(registry, subject, "one")
    there = Descriptor(media_type=OCI_MANIFEST, digest=one.digest, size_bytes=len(one.content))

    class WithApi(MemoryRegistry):
        def referrers(self, repository: Repository, digest: str) -> tuple[Descriptor, ...]:
            return (there,) if self.resolve(repository, one.digest) else ()

    with_api = WithApi()
    vars(with_api).update(vars(registry))
    refer(with_api, HERE, subject, one)
    assert fallback_tag(subject) not in with_api.tags(HERE)


def test_threads_that_write_one_list_lose_nothing(registry: MemoryRegistry, subject: str) -> None:
    """Each entry of twelve is in it."""
    every = [referrer(registry, subject, f"text {n}") for n in range(12)]
    start = threading.Barrier(4)

    def dawdle(call: RegistryCall) -> None:
        if call.method == "referrers" and call.done:
            time.sleep(0.005)  # So that without turns each writes what it read long ago.

    registry.fault = dawdle

    def put(own: list[Manifest]) -> None:
        start.wait()
        for each in own:
            refer(registry, HERE, subject, each)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, [every[n::4] for n in range(4)]))
    assert listed(registry, subject) == {each.digest for each in every}


def test_a_list_that_somebody_else_overwrote_is_written_again(
    registry: MemoryRegistry, subject: str
) -> None:
    """Both entries are in it."""
    ours, theirs = (referrer(registry, subject, text) for text in ("ours", "theirs"))
    registry.put_manifest(HERE, theirs.digest, theirs)
    entry = Descriptor(
        media_type=OCI_MANIFEST, digest=theirs.digest, size_bytes=len(theirs.content)
    )
    alone = compose_index((entry,), {})
    times = iter(range(1))

    def overwrite(call: RegistryCall) -> None:
        put = call.method == "put_manifest" and call.reference == fallback_tag(subject)
        if put and call.done and next(times, None) is not None:
            registry.put_manifest(HERE, fallback_tag(subject), alone)

    registry.fault = overwrite
    refer(registry, HERE, subject, ours)
    assert listed(registry, subject) == {ours.digest, theirs.digest}


def test_who_never_gets_to_write_says_so(registry: MemoryRegistry, subject: str) -> None:
    """After some tries."""
    ours = referrer(registry, subject, "ours")
    empty = compose_index((), {})

    def overwrite(call: RegistryCall) -> None:
        put = call.method == "put_manifest" and call.reference == fallback_tag(subject)
        if put and call.done and registry.puts[-1][2] != empty.digest:
            registry.put_manifest(HERE, fallback_tag(subject), empty)

    registry.fault = overwrite
    with pytest.raises(Conflict, match="written by somebody else all the time"):
        refer(registry, HERE, subject, ours)


def test_what_was_deleted_is_listed_no_more(registry: MemoryRegistry, subject: str) -> None:
    """A list that names what is not there would be refused."""
    old, new = (referrer(registry, subject, text) for text in ("old", "new"))
    refer(registry, HERE, subject, old)
    registry.delete_manifest(HERE, old.digest)
    refer(registry, HERE, subject, new)
    assert listed(registry, subject) == {new.digest}


def test_a_list_that_cannot_be_read_is_not_taken_for_empty(
    registry: MemoryRegistry, subject: str
) -> None:
    """Nothing is written then: only a 404 is absent."""
    ours = referrer(registry, subject, "ours")

    def fail(call: RegistryCall) -> None:
        if call.method == "referrers":
            raise RegistryUnavailable("registry one.example answered 500", status=500)

    registry.fault = fail
    with pytest.raises(RegistryUnavailable):
        refer(registry, HERE, subject, ours)
    assert fallback_tag(subject) not in registry.tags(HERE)
