"""A build's layout into the registry: what is clamped, what is taken over, what is sent."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.build.prepare import Foundation, published_layers, read_manifest
from orchestrator.build.upload import Uploaded, take_over, upload_layout
from orchestrator.doors.memory.layout import OCI_LAYER
from orchestrator.doors.memory.registry import MemoryRegistry, RegistryCall
from orchestrator.doors.spool import DiskSpool
from orchestrator.errors import CheckFailed
from orchestrator.model.fingerprint import canonical_json, sha256
from orchestrator.model.hierarchy import ParentKind
from orchestrator.model.image_config import diff_ids
from orchestrator.model.manifest import Descriptor, Manifest
from orchestrator.model.names import Repository
from orchestrator.model.plan import StepParent
from tests.outputs import Blob, Output, layer_of

EPOCH_S = 1_700_000_000
AMD, ARM = "linux/amd64", "linux/arm64"
HERE = Repository("localhost:5000", "gold/app")
PARENT = Repository("localhost:5000", "gold/base")
ELSEWHERE = Repository("other:5000", "gold/base")
ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"


class Spool(DiskSpool):
    """Counts what is held."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[int] = []
        self.now = 0

    @contextmanager
    def hold(self, content: Iterator[bytes], size_bytes: int) -> Iterator[Iterable[bytes]]:
        self.held.append(size_bytes)
        self.now += 1
        with super().hold(content, size_bytes) as chunks:
            yield chunks
        self.now -= 1


class Site:
    """A registry, and what went into it."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.mounted: list[str] = []
        self.registry = MemoryRegistry(fault=self._see)
        self.spool = Spool()

    def _see(self, call: RegistryCall) -> None:
        if call.done and call.method == "upload_blob":
            self.sent.append(call.reference)
        if call.done and call.method == "mount_blob":
            self.mounted.append(call.reference)

    def foundation(self, layers: tuple[Blob, ...], repository: Repository = PARENT) -> Foundation:
        """Put a parent's layers, the same on both platforms, into a repository."""
        for layer in layers:
            content = layer.content
            self.registry.upload_blob(repository, sha256(content), (content,), len(content))
        self.sent.clear()
        config = canonical_json({"rootfs": {"diff_ids": [sha256(layer.tar) for layer in layers]}})
        blobs = tuple(
            Descriptor(
                media_type=layer.media_type,
                digest=sha256(layer.content),
                size_bytes=len(layer.content),
            )
            for layer in layers
        )
        return Foundation(
            parent=StepParent(
                name="base",
                subject="base",
                kind=ParentKind.IMAGE,
                final=True,
                reference=str(repository),
                digest=None,
                manifests={},
            ),
            repository=repository,
            configs={AMD: config, ARM: config},
            layers={AMD: blobs, ARM: blobs},
        )

    def upload(
        self,
        output: Output,
        foundation: Foundation | None = None,
        published: Mapping[str, Descriptor] | None = None,
    ) -> Uploaded:
        self.sent.clear()
        taken = take_over(HERE, self.registry, foundation)
        with self.spool.output(0) as where:
            for digest, size_bytes in taken.items():
                where.leave_out(digest, size_bytes)
            output.write(Path(where.path))
            return upload_layout(
                where,
                HERE,
                self.registry,
                self.spool,
                epoch_s=EPOCH_S,
                foundation=foundation,
                taken=taken,
                published=published or {},
            )

    def manifest(self, entry: Descriptor) -> Manifest:
        return read_manifest(self.registry, HERE, entry.digest)

    def layers(self, uploaded: Uploaded, platform: str = AMD) -> tuple[Descriptor, ...]:
        (entry,) = [e for e in uploaded.entries if e.platform == platform]
        return self.manifest(entry).layers()


@pytest.fixture
def site() -> Site:
    """An empty registry."""
    return Site()


def both(*layers: Blob) -> Output:
    """Return a build with the same layers on both platforms."""
    return Output().image(AMD, layers).image(ARM, layers)


def test_builds_of_the_same_files_at_other_times_are_the_same_images(site: Site) -> None:
    """Configurations and manifests are equal, and they are those of a build at the epoch."""
    found = [
        site.upload(both(Blob(layer_of("a", mtime)), Blob(layer_of("b", 5))))
        for mtime in (EPOCH_S + 1, EPOCH_S + 2)
    ]
    platforms = [[e.digest for e in each.entries if e.platform] for each in found]
    assert platforms[0] == platforms[1]
    assert found[0].configs == found[1].configs
    ids = (sha256(layer_of("a", EPOCH_S)), sha256(layer_of("b", 5)))
    assert diff_ids(found[0].configs[ARM]) == ids
    (layer, _) = site.layers(found[0])
    content = site.registry.blob(HERE, layer.digest)
    assert len(content) == layer.size_bytes
    assert gzip.decompress(content) == layer_of("a", EPOCH_S)
    assert json.loads(found[0].configs[AMD])["config"] == {"Env": ["A=<&>"]}


def test_a_build_without_late_times_is_stored_as_it_is(site: Site) -> None:
    """Every entry keeps its digest, and every byte is the builder's."""
    output = both(Blob(layer_of("a", EPOCH_S)), Blob(layer_of("b", 5)))
    uploaded = site.upload(output)
    assert [e.digest for e in uploaded.entries] == [e["digest"] for e in output.entries]
    for entry in uploaded.entries:
        assert site.manifest(entry).content == output.blobs[entry.digest]


def test_attestations_speak_of_the_images_that_are_published(site: Site) -> None:
    """Annotation, subject, the statement's digest and the attestation's diff ID fit each other."""
    uploaded = site.upload(both(Blob(layer_of("a", EPOCH_S + 1))))
    images = {e.digest for e in uploaded.entries if e.platform}
    attestations = [e for e in uploaded.entries if not e.platform]
    assert {e.annotations["vnd.docker.reference.digest"] for e in attestations} == images
    assert len(attestations) == len(images) == 2
    for entry in attestations:
        manifest = site.manifest(entry)
        assert len(manifest.content) == entry.size_bytes
        (statement,) = manifest.layers()
        config = site.registry.blob(HERE, manifest.config_digest())
        assert diff_ids(config) == (statement.digest,)
        content = site.registry.blob(HERE, statement.digest)
        assert len(content) == statement.size_bytes
        (subject,) = json.loads(content)["subject"]
        about = entry.annotations["vnd.docker.reference.digest"]
        assert subject["digest"]["sha256"] == about.partition(":")[2]


def test_statement_too_large_for_memory_at_first_is_corrected_too(site: Site) -> None:
    """A list of packages can be larger than any manifest."""
    output = Output().image(AMD, [Blob(layer_of("a", EPOCH_S + 1))], padding=5 << 20)
    uploaded = site.upload(output)
    image, attestation = uploaded.entries
    (statement,) = site.manifest(attestation).layers()
    (subject,) = json.loads(site.registry.blob(HERE, statement.digest))["subject"]
    assert subject["digest"]["sha256"] == image.digest.partition(":")[2]


def test_parents_layers_are_mounted_and_never_held(site: Site) -> None:
    """They are neither read nor sent, nor clamped, whatever their times."""
    below = (Blob(layer_of("base", EPOCH_S + 9)), Blob(layer_of("more", 5)))
    foundation = site.foundation(below)
    uploaded = site.upload(both(*below, Blob(layer_of("new", EPOCH_S + 1))), foundation)
    digests = [sha256(layer.content) for layer in below]
    assert sorted(site.mounted) == sorted(digests)
    assert [layer.digest for layer in site.layers(uploaded)[:2]] == digests
    assert diff_ids(uploaded.configs[AMD])[:2] == tuple(sha256(layer.tar) for layer in below)
    assert not set(site.sent) & set(digests)
    # The new layer, compressed once for both platforms.
    assert len(site.spool.held) == 1
    assert site.spool.now == 0


def test_nothing_is_sent_twice_within_a_build(site: Site) -> None:
    """The platforms share layers."""
    uploaded = site.upload(both(Blob(layer_of("a", EPOCH_S + 1)), Blob(layer_of("b", 5))))
    assert len(site.sent) == len(set(site.sent))
    assert {layer.digest for layer in site.layers(uploaded)} <= set(site.sent)


def test_large_layer_that_the_registry_has_is_not_sent(site: Site) -> None:
    """Of what is small enough, asking would cost as much as sending it again."""
    text = "".join(f"{n * n * n:x}" for n in range(100_000))
    large, small = (Blob(layer_of(t, EPOCH_S + 1)) for t in (text, "b"))
    output = both(large, small)
    layers = [layer.digest for layer in site.layers(site.upload(output))]
    site.upload(output)
    assert layers[0] not in site.sent
    assert layers[1] in site.sent


def test_layer_that_lies_in_the_repository_by_chance_is_clamped_too(site: Site) -> None:
    """That a blob is there already says nothing of its times."""
    late = Blob(layer_of("a", EPOCH_S + 1))
    site.registry.upload_blob(HERE, sha256(late.content), (late.content,), len(late.content))
    uploaded = site.upload(both(late))
    assert diff_ids(uploaded.configs[AMD]) == (sha256(layer_of("a", EPOCH_S)),)


def test_layers_that_become_equal_are_compressed_once(site: Site) -> None:
    """The platforms' layers differ in times alone: one blob."""
    output = Output()
    for platform, mtime in ((AMD, EPOCH_S + 1), (ARM, EPOCH_S + 2)):
        output.image(platform, [Blob(layer_of("any", mtime))])
    uploaded = site.upload(output)
    assert site.layers(uploaded, AMD) == site.layers(uploaded, ARM)
    assert len(site.spool.held) == 1


def test_what_is_current_is_not_compressed_again(site: Site) -> None:
    """A layer that is published keeps its blob, however that was compressed."""
    published = site.foundation((Blob(layer_of("a", EPOCH_S), level=1),), HERE).layers[AMD]
    found = {sha256(layer_of("a", EPOCH_S)): published[0]}
    uploaded = site.upload(both(Blob(layer_of("a", EPOCH_S + 7))), None, found)
    assert site.layers(uploaded) == published
    again = site.upload(both(Blob(layer_of("a", EPOCH_S), level=1)), None, found)
    assert site.layers(again) == published
    assert site.spool.held == []


def test_published_layer_that_the_registry_lost_is_sent_again(site: Site) -> None:
    """What is recorded is not trusted blindly."""
    tar = layer_of("a", EPOCH_S)
    gone = Descriptor(media_type=OCI_LAYER, digest="sha256:" + "0" * 64, size_bytes=1)
    uploaded = site.upload(both(Blob(layer_of("a", EPOCH_S + 7))), None, {sha256(tar): gone})
    (layer,) = site.layers(uploaded)
    assert gzip.decompress(site.registry.blob(HERE, layer.digest)) == tar


def test_parents_layer_that_the_engine_compressed_anew_stays_shared(site: Site) -> None:
    """Same diff ID, other digest: the parent's own blob is named, and nothing is sent for it."""
    docker = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    below = Blob(layer_of("base", EPOCH_S + 9), media_type=docker)
    foundation = site.foundation((below,))
    other = Blob(below.tar, level=1)
    assert other.content != below.content
    uploaded = site.upload(both(other, Blob(layer_of("new", 5))), foundation)
    first, _ = site.layers(uploaded)
    assert first.digest == sha256(below.content)
    assert first.size_bytes == len(below.content)
    assert first.media_type == OCI_LAYER
    assert diff_ids(uploaded.configs[AMD])[0] == sha256(below.tar)
    assert sha256(other.content) not in site.sent
    assert site.spool.held == []


def test_parents_layer_that_the_registry_lost_comes_out_of_the_builder(site: Site) -> None:
    """Nothing is left out on the word of a manifest alone."""
    below = Blob(layer_of("base", EPOCH_S + 9))
    foundation = Site().foundation((below,))
    uploaded = site.upload(both(below, Blob(layer_of("new", 5))), foundation)
    assert site.layers(uploaded)[0].digest == sha256(below.content)
    assert site.registry.blob(HERE, sha256(below.content)) == below.content


def test_parents_layer_of_another_registry_is_sent_as_it_is(site: Site) -> None:
    """It cannot be mounted, and its times are the parent's business; compressed anew or not."""
    below = Blob(layer_of("base", EPOCH_S + 9))
    foundation = site.foundation((below,), ELSEWHERE)
    anew = Blob(below.tar, level=1)
    for given, expected in ((anew, anew), (below, below), (anew, below)):
        uploaded = site.upload(both(given), foundation)
        assert diff_ids(uploaded.configs[AMD]) == (sha256(below.tar),)
        assert site.layers(uploaded)[0].digest == sha256(expected.content)
    assert site.mounted == []


def test_layer_on_another_parent_than_planned_is_new(site: Site) -> None:
    """Whatever is not the parent's is clamped; the step's check refuses the image then."""
    foundation = site.foundation((Blob(layer_of("base", 5)),))
    uploaded = site.upload(both(Blob(layer_of("stale", EPOCH_S + 1))), foundation)
    assert diff_ids(uploaded.configs[AMD]) == (sha256(layer_of("stale", EPOCH_S)),)


def test_other_compressions_stay_as_they_are(site: Site) -> None:
    """zstd is not read here; a plain tar is clamped and stays plain."""
    plain = Blob(layer_of("p", EPOCH_S + 1), 0, "application/vnd.oci.image.layer.v1.tar")
    zstd = Blob(layer_of("z", EPOCH_S + 1), 0, ZSTD)
    uploaded = site.upload(both(plain, zstd))
    ids = (sha256(layer_of("p", EPOCH_S)), sha256(zstd.tar))
    assert diff_ids(uploaded.configs[AMD]) == ids
    assert tuple(layer.digest for layer in site.layers(uploaded)) == ids


def test_damaged_layer_publishes_nothing(site: Site) -> None:
    """What cannot be read is not stored under any manifest, and nothing stays in the spool."""
    for damaged in (Blob(b"no tar" * 100), Blob(layer_of("a", 5), 0)):
        with pytest.raises(CheckFailed, match="damaged"):
            site.upload(both(damaged))
    assert site.registry.puts == []


def test_layers_of_what_is_current_are_read_from_the_registry(site: Site) -> None:
    """By diff ID, on every platform; a manifest that is gone has none."""
    assert published_layers(site.registry, HERE, [sha256(b"gone")]) == {}
    output = Output()
    for platform in (AMD, ARM):
        output.image(platform, [Blob(layer_of(platform, 5)), Blob(layer_of("any", 5))])
    uploaded = site.upload(output)
    manifests = [entry.digest for entry in uploaded.entries if entry.platform]
    found = published_layers(site.registry, HERE, manifests)
    tars = [layer_of(text, 5) for text in (AMD, ARM, "any")]
    assert {i: layer.digest for i, layer in found.items()} == {
        sha256(tar): sha256(Blob(tar).content) for tar in tars
    }
