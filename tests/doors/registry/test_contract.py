"""What every registry door promises: the real one, over a local server and a real registry; its
twin in memory.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from orchestrator.doors.memory.registry import MemoryRegistry
from orchestrator.doors.protocols import Registry
from orchestrator.doors.registry import HttpRegistry, Retries
from orchestrator.errors import CheckFailed, RegistryUnavailable
from orchestrator.model.fingerprint import sha256
from orchestrator.model.manifest import (
    DOCKER_LIST,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
    compose_index,
)
from orchestrator.model.names import Repository
from tests.doors.registry.server import RegistryServer

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
ABSENT = "sha256:" + "0" * 64


@dataclass(frozen=True)
class Place:
    """A door and where it leads."""

    door: Registry
    address: str

    def repository(self, name: str = "base") -> Repository:
        """Return a repository that nobody else uses."""
        return Repository(self.address, f"contract-{uuid.uuid4().hex}/{name}")


@pytest.fixture(params=["memory", "http", pytest.param("real", marks=pytest.mark.engine)])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Each kind of registry in turn."""
    if request.param == "memory":
        yield Place(MemoryRegistry(), "registry.example:5000")
    elif request.param == "http":
        server = RegistryServer()
        server.page_size = 10
        with server.running(), _door() as door:
            yield Place(door, server.address)
    else:
        with _door() as door:
            yield Place(door, request.getfixturevalue("registry_url"))


def _door() -> HttpRegistry:
    return HttpRegistry(
        credentials=lambda registry: None, retries=Retries(first_s=0.01), chunk_bytes=1024 * 1024
    )


def _image(place: Place, repository: Repository, text: str = "one") -> Manifest:
    """Upload what an image is made of and return its manifest, which is not stored yet."""
    config = json.dumps({"architecture": "amd64", "os": "linux", "text": text}).encode()
    layer = f"layer of {text}".encode()
    for content in (config, layer):
        place.door.upload_blob(repository, sha256(content), [content], len(content))
    value = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": CONFIG, "digest": sha256(config), "size": len(config)},
        "layers": [{"mediaType": LAYER, "digest": sha256(layer), "size": len(layer)}],
    }
    return Manifest.of(json.dumps(value).encode(), OCI_MANIFEST)


def _index(*manifests: Manifest) -> Manifest:
    platforms = ("linux/amd64", "linux/arm64")
    return compose_index(
        tuple(
            Descriptor(
                media_type=manifest.media_type,
                digest=manifest.digest,
                size_bytes=len(manifest.content),
                platform=platform,
            )
            for manifest, platform in zip(manifests, platforms, strict=False)
        ),
        {"org.opencontainers.image.version": "12"},
    )


def test_what_was_never_stored_is_absent(place: Place) -> None:
    """Tags, digests, blobs and whole repositories that nobody made are absent, not errors."""
    repository = place.repository()
    assert place.door.resolve(repository, "stable") is None
    assert place.door.resolve(repository, ABSENT) is None
    assert place.door.manifest(repository, "stable") is None
    assert place.door.manifest(repository, ABSENT) is None
    assert place.door.has_blob(repository, ABSENT) is False
    assert place.door.tags(repository) == ()
    assert place.door.referrers(repository, ABSENT) == ()


def test_absent_tag_in_a_repository_that_exists(place: Place) -> None:
    """A repository with other tags does not have this one."""
    repository = place.repository()
    place.door.put_manifest(repository, "stable", _image(place, repository))
    assert place.door.resolve(repository, "other") is None
    assert place.door.manifest(repository, ABSENT) is None


def test_manifest_comes_back_byte_for_byte(place: Place) -> None:
    """A tag gives the bytes, media type and digest that were stored under it."""
    repository = place.repository()
    manifest = _image(place, repository)
    place.door.put_manifest(repository, "12-abc", manifest)
    assert place.door.resolve(repository, "12-abc") == manifest.digest
    assert place.door.manifest(repository, "12-abc") == manifest
    assert place.door.manifest(repository, manifest.digest) == manifest


def test_manifest_stored_by_digest_has_no_tag(place: Place) -> None:
    """What is stored by digest can be resolved by it and is under no tag."""
    repository = place.repository()
    manifest = _image(place, repository)
    place.door.put_manifest(repository, manifest.digest, manifest)
    assert place.door.resolve(repository, manifest.digest) == manifest.digest
    assert place.door.tags(repository) == ()


@pytest.mark.parametrize("media_type", [OCI_INDEX, DOCKER_LIST])
def test_index_is_not_converted(place: Place, media_type: str) -> None:
    """Indexes of both kinds come back as they are, never as one platform's manifest."""
    repository = place.repository()
    images = [_image(place, repository, text) for text in ("amd64", "arm64")]
    for image in images:
        place.door.put_manifest(repository, image.digest, image)
    composed = _index(*images)
    index = Manifest.of(
        composed.content.replace(OCI_INDEX.encode(), media_type.encode()), media_type
    )
    place.door.put_manifest(repository, "12", index)
    assert place.door.resolve(repository, "12") == index.digest
    assert place.door.manifest(repository, "12") == index
    assert index.platforms() == {
        "linux/amd64": images[0].digest,
        "linux/arm64": images[1].digest,
    }


def test_index_whose_manifests_are_missing_is_refused(place: Place) -> None:
    """An index is stored only after everything it lists; a refusal stores nothing."""
    repository = place.repository()
    index = _index(_image(place, repository))
    with pytest.raises(RegistryUnavailable) as caught:
        place.door.put_manifest(repository, "12", index)
    assert (caught.value.status, caught.value.transient) == (400, False)
    assert place.door.resolve(repository, "12") is None
    assert place.door.resolve(repository, index.digest) is None


def test_manifest_whose_blobs_are_missing_is_refused(place: Place) -> None:
    """Blobs of another repository do not count: they have to be mounted."""
    manifest = _image(place, place.repository("other"))
    repository = place.repository()
    with pytest.raises(RegistryUnavailable) as caught:
        place.door.put_manifest(repository, "12", manifest)
    assert caught.value.status == 400
    assert place.door.resolve(repository, "12") is None


def test_tag_moves_when_it_is_put_again(place: Place) -> None:
    """A registry lets every tag move, and keeps what it named before."""
    repository = place.repository()
    first, second = (_image(place, repository, text) for text in ("first", "second"))
    for manifest in (first, second, second):
        place.door.put_manifest(repository, "stable", manifest)
    assert place.door.resolve(repository, "stable") == second.digest
    assert place.door.resolve(repository, first.digest) == first.digest


def test_what_is_known_changes_no_answer(place: Place) -> None:
    """Unchanged, moved or absent: a digest that was known makes no difference but in traffic."""
    repository = place.repository()
    first, second = (_image(place, repository, text) for text in ("first", "second"))
    assert place.door.resolve(repository, "stable", known=first.digest) is None
    for manifest in (first, second):
        place.door.put_manifest(repository, "stable", manifest)
        assert place.door.resolve(repository, "stable", known=first.digest) == manifest.digest
    with pytest.raises(ValueError, match="not a sha256 digest"):
        place.door.resolve(repository, "stable", known="12")


def test_manifest_under_a_digest_not_its_own(place: Place) -> None:
    """A manifest is never sent under another digest; a reference must be a tag or a digest."""
    repository = place.repository()
    manifest = _image(place, repository)
    with pytest.raises(ValueError, match="is not the digest of"):
        place.door.put_manifest(repository, ABSENT, manifest)
    for wrong in ("", "a/b", "../../x", "sha256:abc", "x" * 129):
        with pytest.raises(ValueError, match="neither a tag nor"):
            place.door.resolve(repository, wrong)
        with pytest.raises(ValueError, match="neither a tag nor"):
            place.door.put_manifest(repository, wrong, manifest)


@pytest.mark.parametrize("size_bytes", [0, 1, 3 * 1024 * 1024 + 1])
@pytest.mark.parametrize("kind", ["bytes", "list", "iterator"])
def test_blob_comes_back_as_it_was_sent(place: Place, kind: str, size_bytes: int) -> None:
    """Blobs of any size, given whole, in parts or as a stream."""
    repository = place.repository()
    content = b"x" * size_bytes
    parts = [content[: size_bytes // 2], content[size_bytes // 2 :]]
    given = {"bytes": content, "list": parts, "iterator": iter(parts)}[kind]
    assert isinstance(given, bytes) is (kind == "bytes")
    place.door.upload_blob(repository, sha256(content), given, size_bytes)  # type: ignore[arg-type]
    assert place.door.has_blob(repository, sha256(content))
    assert place.door.blob(repository, sha256(content)) == content


@pytest.mark.parametrize(
    "content", [b"something else of the same size.", b"short", b"much longer than it should be" * 9]
)
def test_wrong_content_is_not_stored(place: Place, content: bytes) -> None:
    """Content that is not what its digest and size promise is refused and leaves nothing."""
    repository = place.repository()
    digest = sha256(b"what was promised is 32 bytes ok")
    with pytest.raises(CheckFailed):
        place.door.upload_blob(repository, digest, iter([content]), 32)
    assert place.door.has_blob(repository, digest) is False
    assert place.door.has_blob(repository, sha256(content)) is False


@pytest.mark.parametrize("off_by", [-1, 1])
def test_wrong_size_is_not_stored(place: Place, off_by: int) -> None:
    """The right bytes under a wrong size mean that somebody is confused."""
    repository, content = place.repository(), b"some content"
    with pytest.raises(CheckFailed):
        place.door.upload_blob(repository, sha256(content), [content], len(content) + off_by)
    assert place.door.has_blob(repository, sha256(content)) is False


def test_missing_blob_is_damage(place: Place) -> None:
    """Whoever reads a blob was told of it by a manifest, so its absence is an error."""
    with pytest.raises(RegistryUnavailable) as caught:
        place.door.blob(place.repository(), ABSENT)
    assert caught.value.status == 404


@pytest.mark.parametrize("size_bytes", [0, 1, 5000, 3 * 1024 * 1024])
def test_large_blob_is_read_in_chunks(place: Place, size_bytes: int) -> None:
    """A blob of any size comes back whole, and again from its start when it is asked for again."""
    repository, content = place.repository(), bytes(range(256)) * (size_bytes // 256 + 1)
    content = content[:size_bytes]
    place.door.upload_blob(repository, sha256(content), [content], size_bytes)
    for _ in range(2):
        assert b"".join(place.door.read_blob(repository, sha256(content))) == content
    with pytest.raises(RegistryUnavailable):
        list(place.door.read_blob(repository, ABSENT))


def test_repositories_below_a_path(place: Place) -> None:
    """Every repository below a registry's path is listed, and no neighbour of that path."""
    one = place.repository("one")
    corner = str(one).removesuffix("/one")
    names = [f"r{number:02}" for number in range(12)]
    for name in names:
        repository = Repository(one.registry, f"{one.path.removesuffix('/one')}/{name}")
        place.door.put_manifest(repository, "stable", _image(place, repository))
    neighbour = Repository(one.registry, f"{one.path.removesuffix('/one')}-other/r00")
    place.door.put_manifest(neighbour, "stable", _image(place, neighbour))
    assert place.door.repositories(corner) == tuple(f"{corner}/{name}" for name in names)
    assert place.door.repositories(f"{corner}-none") == ()


def test_mounted_blob_needs_no_upload(place: Place) -> None:
    """A blob of another repository of the registry is taken over."""
    source, repository = place.repository("parent"), place.repository("child")
    content = b"shared layer"
    place.door.upload_blob(source, sha256(content), content, len(content))  # type: ignore[arg-type]
    assert place.door.mount_blob(repository, sha256(content), source) is True
    assert place.door.blob(repository, sha256(content)) == content


def test_blob_that_cannot_be_mounted(place: Place) -> None:
    """False says to upload: the source lacks it, or is in another registry."""
    repository = place.repository()
    assert place.door.mount_blob(repository, ABSENT, place.repository("other")) is False
    namesake = place.repository("parent")
    content = b"shared layer"
    place.door.upload_blob(namesake, sha256(content), [content], len(content))
    elsewhere = Repository("elsewhere.example", namesake.path)
    assert place.door.mount_blob(repository, sha256(content), elsewhere) is False
    assert place.door.has_blob(repository, sha256(content)) is False


def test_every_tag_is_listed(place: Place) -> None:
    """All pages, sorted, each tag once."""
    repository = place.repository()
    manifest = _image(place, repository)
    tags = sorted(f"{number}-x" for number in range(25))
    for tag in tags:
        place.door.put_manifest(repository, tag, manifest)
    assert place.door.tags(repository) == tuple(tags)


def test_deleted_tag_is_gone_or_the_registry_cannot(place: Place) -> None:
    """The answer says which; the manifest and its other tags stay either way."""
    repository = place.repository()
    manifest = _image(place, repository)
    for tag in ("one", "two"):
        place.door.put_manifest(repository, tag, manifest)
    deleted = place.door.delete_tag(repository, "one")
    assert place.door.resolve(repository, "one") == (None if deleted else manifest.digest)
    assert place.door.resolve(repository, "two") == manifest.digest
    with pytest.raises(ValueError, match="is not a tag"):
        place.door.delete_tag(repository, manifest.digest)


def test_deleted_manifest_takes_its_tags_along(place: Place) -> None:
    """Its tags are absent afterwards; other manifests stay; doing it twice is no error."""
    repository = place.repository()
    manifest, other = (_image(place, repository, text) for text in ("one", "other"))
    place.door.put_manifest(repository, "one", manifest)
    place.door.put_manifest(repository, "other", other)
    assert place.door.delete_manifest(repository, manifest.digest) is True
    assert place.door.resolve(repository, "one") is None
    assert place.door.resolve(repository, manifest.digest) is None
    assert place.door.tags(repository) == ("other",)
    assert place.door.delete_manifest(repository, manifest.digest) is True


def test_referrers_from_the_fallback_tag(place: Place) -> None:
    """Where a registry has no referrers API, the tag that stands in for it is read."""
    repository = place.repository()
    manifest, signature = (_image(place, repository, text) for text in ("image", "signature"))
    place.door.put_manifest(repository, signature.digest, signature)
    listed = _index(signature)
    place.door.put_manifest(repository, manifest.digest.replace(":", "-"), listed)
    assert place.door.referrers(repository, manifest.digest) == listed.entries()


def test_many_threads(place: Place) -> None:
    """One door serves all threads; the same blob from many of them is no conflict."""
    repository = place.repository()

    def publish(number: int) -> bool:
        manifest = _image(place, repository, str(number % 4))
        place.door.put_manifest(repository, f"tag-{number}", manifest)
        return place.door.resolve(repository, f"tag-{number}") == manifest.digest

    with ThreadPoolExecutor(12) as pool:
        assert all(pool.map(publish, range(36)))
    assert len(place.door.tags(repository)) == 36


def test_twin_counts_and_remembers() -> None:
    """Tests can ask the twin how often it was called and what was put where."""
    place = Place(MemoryRegistry(), "registry.example")
    repository = place.repository()
    manifest = _image(place, repository)
    place.door.put_manifest(repository, "12", manifest)
    place.door.resolve(repository, "12")
    twin = place.door
    assert isinstance(twin, MemoryRegistry)
    assert twin.counts == {"upload_blob": 2, "put_manifest": 1, "resolve": 1}
    assert twin.puts == [(repository, "12", manifest.digest)]


@pytest.mark.parametrize("done", [False, True])
def test_twin_fails_before_or_after_the_work(done: bool) -> None:
    """A fault before the call leaves nothing; one after it is an answer that was lost."""
    twin = MemoryRegistry()
    place = Place(twin, "registry.example")
    repository = place.repository()
    manifest = _image(place, repository)

    def fault(call: object) -> None:
        if call.method == "put_manifest" and call.done is done:  # type: ignore[attr-defined]
            raise RegistryUnavailable("registry.example broke off", transient=True)

    twin.fault = fault
    with pytest.raises(RegistryUnavailable):
        place.door.put_manifest(repository, "12", manifest)
    assert twin.resolve(repository, "12") == (manifest.digest if done else None)
