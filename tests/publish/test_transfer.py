"""Content copied from one repository into another, by digest."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest

from orchestrator.doors.memory.registry import MemoryRegistry, RegistryCall
from orchestrator.errors import CheckFailed, RegistryUnavailable, Unavailable
from orchestrator.model.fingerprint import sha256
from orchestrator.model.manifest import (
    OCI_MANIFEST,
    Descriptor,
    Manifest,
    compose_index,
)
from orchestrator.model.names import Repository
from orchestrator.publish.transfer import TELLS, Transfer, copy_index
from tests.world import OCI_CONFIG, OCI_LAYER, PLATFORMS, put_image

SOURCE = Repository("one.example", "gold/base")
TARGET = Repository("two.example", "mirror/base")


@pytest.fixture
def registry() -> MemoryRegistry:
    return MemoryRegistry()


@pytest.fixture
def digest(registry: MemoryRegistry) -> str:
    """An index of two platforms in the source."""
    return put_image(registry, f"{SOURCE}:12", "base 12")


def _transfer(registry: MemoryRegistry, target: Repository = TARGET) -> Transfer:
    return Transfer(registry=registry, source=SOURCE, target=target)


def _put_artifact(registry: MemoryRegistry, subject: str, text: str) -> Manifest:
    """Attach a signature, as cosign does where there is no referrers API."""
    config, layer = b"{}", text.encode()
    for blob in (config, layer):
        registry.upload_blob(SOURCE, sha256(blob), blob, len(blob))
    value = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "application/vnd.example.signature",
        "config": {"mediaType": OCI_CONFIG, "digest": sha256(config), "size": len(config)},
        "layers": [{"mediaType": OCI_LAYER, "digest": sha256(layer), "size": len(layer)}],
        "subject": {"mediaType": OCI_MANIFEST, "digest": subject, "size": 1},
    }
    manifest = Manifest.of(json.dumps(value).encode(), OCI_MANIFEST)
    registry.put_manifest(SOURCE, manifest.digest, manifest)
    entry = Descriptor(
        media_type=OCI_MANIFEST, digest=manifest.digest, size_bytes=len(manifest.content)
    )
    before = registry.referrers(SOURCE, subject)
    registry.put_manifest(SOURCE, subject.replace(":", "-"), compose_index((*before, entry), {}))
    return manifest


def test_everything_arrives_under_the_same_digests(registry: MemoryRegistry, digest: str) -> None:
    """The target has the index, every platform and every blob, and no tag."""
    copied = copy_index(digest, _transfer(registry))
    assert registry.manifest(TARGET, digest) == copied
    assert set(copied.platforms()) == set(PLATFORMS)
    for platform in copied.platforms().values():
        manifest = registry.manifest(TARGET, platform)
        assert manifest is not None
        assert registry.has_blob(TARGET, manifest.config_digest())
        assert all(registry.has_blob(TARGET, layer.digest) for layer in manifest.layers())
    assert registry.tags(TARGET) == ()


def test_index_comes_last(registry: MemoryRegistry, digest: str) -> None:
    """Until all that it lists is there, nobody can pull the index."""
    registry.puts.clear()
    copy_index(digest, _transfer(registry))
    assert [put[2] for put in registry.puts][-1] == digest
    assert len(registry.puts) == 1 + len(PLATFORMS)


def test_second_copy_sends_nothing(registry: MemoryRegistry, digest: str) -> None:
    """What the target has is neither read nor sent."""
    copy_index(digest, _transfer(registry))
    registry.counts.clear()
    copy_index(digest, _transfer(registry))
    assert not registry.counts.keys() & {"read_blob", "upload_blob", "put_manifest", "has_blob"}


def test_inside_one_registry_nothing_is_read(registry: MemoryRegistry, digest: str) -> None:
    """Blobs are mounted where source and target share a registry."""
    target = Repository(SOURCE.registry, "other/base")
    registry.counts.clear()
    copy_index(digest, _transfer(registry, target))
    assert registry.resolve(target, digest) == digest
    assert registry.counts["read_blob"] == registry.counts["upload_blob"] == 0


def test_neighbours_save_sending(registry: MemoryRegistry, digest: str) -> None:
    """A parent's layers that the target's registry has in another repository are mounted."""
    copy_index(digest, _transfer(registry))
    registry.counts.clear()
    target = Repository(TARGET.registry, "mirror/python")
    copy_index(digest, replace(_transfer(registry, target), near=(TARGET,)))
    assert registry.resolve(target, digest) == digest
    assert registry.counts["upload_blob"] == 0


def test_single_manifest_is_copied_too(registry: MemoryRegistry, digest: str) -> None:
    """What is no index, as plain builds push it, is copied as it is."""
    index = registry.manifest(SOURCE, digest)
    assert index is not None
    one = index.platforms()["linux/arm64"]
    copy_index(one, _transfer(registry))
    assert registry.resolve(TARGET, one) == one
    assert registry.resolve(TARGET, digest) is None


def test_signatures_come_along(registry: MemoryRegistry, digest: str) -> None:
    """What refers to the index, and to that in turn, is found under the target's digest too."""
    first = _put_artifact(registry, digest, "signed")
    second = _put_artifact(registry, first.digest, "countersigned")
    copy_index(digest, _transfer(registry))
    assert [each.digest for each in registry.referrers(TARGET, digest)] == [first.digest]
    assert [each.digest for each in registry.referrers(TARGET, first.digest)] == [second.digest]
    listed = registry.manifest(TARGET, digest.replace(":", "-"))
    assert listed is not None
    (entry,) = json.loads(listed.content)["manifests"]
    assert entry["artifactType"] == "application/vnd.example.signature"
    assert "platform" not in entry


def test_signatures_that_are_there_cost_two_requests(registry: MemoryRegistry, digest: str) -> None:
    """One on either side: a night on which nothing moved stays cheap."""
    first = _put_artifact(registry, digest, "signed")
    copy_index(digest, _transfer(registry))
    asked: list[tuple[Repository, str]] = []

    def fault(call: RegistryCall) -> None:
        if call.method == "referrers" and not call.done:
            asked.append((call.repository, call.reference))

    registry.fault = fault
    copy_index(digest, _transfer(registry))
    assert len(asked) == len(set(asked))
    assert {(SOURCE, digest), (TARGET, digest), (SOURCE, first.digest)} <= set(asked)


def test_signature_made_later_is_added(registry: MemoryRegistry, digest: str) -> None:
    """A second copy brings what was attached since, and keeps what the target has of its own."""
    first = _put_artifact(registry, digest, "signed")
    copy_index(digest, _transfer(registry))
    second = _put_artifact(registry, digest, "scanned")
    copy_index(digest, _transfer(registry))
    there = {each.digest for each in registry.referrers(TARGET, digest)}
    assert there == {first.digest, second.digest}


@pytest.mark.parametrize("method", ["read_blob", "upload_blob", "put_manifest", "has_blob"])
@pytest.mark.parametrize("done", [False, True])
def test_fault_leaves_no_half_image(
    registry: MemoryRegistry, digest: str, method: str, done: bool
) -> None:
    """Whatever request fails, the target gets no index then, and doing it again succeeds."""
    left = 3

    def fault(call: RegistryCall) -> None:
        nonlocal left
        if call.method == method and call.done == done and call.reference != digest:
            left -= 1
            if left == 0:
                raise RegistryUnavailable("registry two.example fell silent", transient=True)

    registry.fault = fault
    try:
        copy_index(digest, _transfer(registry))
    except RegistryUnavailable:
        registry.fault = None
        assert registry.resolve(TARGET, digest) is None
        copy_index(digest, _transfer(registry))
    registry.fault = None
    assert registry.resolve(TARGET, digest) == digest


def test_damaged_source_is_said(registry: MemoryRegistry, digest: str) -> None:
    """An index whose manifest was deleted is not copied: the error names what is gone."""
    index = registry.manifest(SOURCE, digest)
    assert index is not None
    gone = index.platforms()["linux/arm64"]
    registry.delete_manifest(SOURCE, gone)
    with pytest.raises(CheckFailed, match=gone):
        copy_index(digest, _transfer(registry))
    assert registry.resolve(TARGET, digest) is None


def test_how_far_it_is_is_told(registry: MemoryRegistry, digest: str) -> None:
    """A few times, each time further, and in the end that all is there."""
    told: list[tuple[int, int]] = []
    copy_index(digest, replace(_transfer(registry), progress=lambda *said: told.append(said)))
    assert 1 < len(told) <= TELLS
    assert max(told)[0] == told[0][1]
    assert len({total for _, total in told}) == 1


def test_stopped_copy_ends_soon(registry: MemoryRegistry, digest: str) -> None:
    """A run that is told to stop does not wait for the rest of the blobs."""
    cancelled = threading.Event()

    def fault(call: RegistryCall) -> None:
        if call.method == "read_blob":
            cancelled.set()

    registry.fault = fault
    with pytest.raises(Unavailable, match="stopped"):
        copy_index(digest, replace(_transfer(registry), cancelled=cancelled))
    assert registry.resolve(TARGET, digest) is None


def test_repository_into_itself(registry: MemoryRegistry, digest: str) -> None:
    """Nothing is done where source and target are one."""
    registry.counts.clear()
    assert copy_index(digest, _transfer(registry, SOURCE)).digest == digest
    assert registry.counts["put_manifest"] == 0
