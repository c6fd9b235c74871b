"""SBOMs that are attached to what is published, and read back."""

from __future__ import annotations

import json
import threading

import pytest

from orchestrator.content.sbom import ATTESTATION_OF, ATTESTATION_TYPE, SPDX_PREDICATE
from orchestrator.doors.memory.registry import MemoryRegistry, RegistryCall
from orchestrator.doors.memory.sbom import MemorySboms
from orchestrator.errors import RegistryUnavailable
from orchestrator.model.change import Package
from orchestrator.model.fingerprint import sha256
from orchestrator.model.manifest import OCI_MANIFEST, Descriptor, Manifest, compose_index
from orchestrator.model.names import Repository
from orchestrator.observe.sboms import attached_sbom, inside
from orchestrator.publish.referrers import fallback_tag
from orchestrator.publish.sboms import attach_sboms
from orchestrator.publish.transfer import Transfer, copy_index
from tests.debian_images import put_debian
from tests.world import OCI_CONFIG, PLATFORMS

HERE = Repository("one.example", "gold/base")
THERE = Repository("two.example", "copies/base")
BASH = (Package(type="deb", name="bash", version="5.2"),)


class Shelf:
    """A published image with bash, on both platforms."""

    def __init__(self) -> None:
        self.registry = MemoryRegistry()
        self.sboms = MemorySboms(self.registry)
        self.digest = put_debian(self.registry, f"{HERE}:12", {"bash": "5.2"})
        index = self.registry.manifest(HERE, self.digest)
        assert index is not None
        self.index = index
        self.manifests = index.platforms()
        self.first = self.manifests[PLATFORMS[0]]
        self.cancelled = threading.Event()

    def attach(self) -> tuple[str, ...]:
        return attach_sboms(
            HERE,
            self.manifests,
            registry=self.registry,
            sboms=self.sboms,
            cancelled=self.cancelled,
        )

    def packages(self, index: Manifest | None = None) -> tuple[tuple[Package, ...] | None, str]:
        found = inside(
            HERE,
            self.first,
            index or self.index,
            registry=self.registry,
            sboms=self.sboms,
            cancelled=self.cancelled,
        )
        return found.packages, found.unknown


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def test_what_is_attached_is_read_and_made_no_more(shelf: Shelf) -> None:
    """Of every platform; neither reading nor attaching again looks into the image."""
    assert shelf.attach() == ()
    assert sorted(shelf.sboms.asked) == sorted(shelf.manifests.values())
    puts = list(shelf.registry.puts)
    assert shelf.attach() == ()
    assert shelf.packages() == (BASH, "")
    assert len(shelf.sboms.asked) == 2
    assert shelf.registry.puts == puts


def test_a_referrer_is_what_other_tools_look_for(shelf: Shelf) -> None:
    """An OCI artifact with a subject, of type application/spdx+json, and that document alone."""
    shelf.attach()
    (entry,) = shelf.registry.referrers(HERE, shelf.first)
    manifest = shelf.registry.manifest(HERE, entry.digest)
    assert manifest is not None
    value = manifest.json()
    assert value["artifactType"] == "application/spdx+json"
    assert value["subject"] == {
        "mediaType": OCI_MANIFEST,
        "digest": shelf.first,
        "size": len(shelf.registry.manifest(HERE, shelf.first).content),  # type: ignore[union-attr]
    }
    (layer,) = manifest.layers()
    assert layer.media_type == "application/spdx+json"
    assert json.loads(shelf.registry.blob(HERE, layer.digest))["spdxVersion"] == "SPDX-2.3"


def test_nothing_attached_it_is_looked_into(shelf: Shelf) -> None:
    """And nothing is written by who only asks."""
    puts = list(shelf.registry.puts)
    assert shelf.packages() == (BASH, "")
    assert shelf.registry.puts == puts


def test_what_cannot_be_looked_into_is_a_sentence(shelf: Shelf) -> None:
    """For each platform; with what helps."""
    shelf.sboms.problem, shelf.sboms.hint = "syft is not installed", "install syft"
    why = "syft is not installed; install syft"
    assert shelf.attach() == tuple(f"{p} has no SBOM: {why}" for p in sorted(PLATFORMS))
    assert shelf.packages() == (None, why)


def test_a_registry_that_is_down_is_a_sentence(shelf: Shelf) -> None:
    """A run goes on; asked later, it goes on where it stopped."""

    def fail(call: RegistryCall) -> None:
        if call.method == "upload_blob":
            raise RegistryUnavailable("registry one.example answered 503", status=503)

    shelf.registry.fault = fail
    assert [text.partition(": ")[2] for text in shelf.attach()] == [
        "registry one.example answered 503"
    ] * 2
    shelf.registry.fault = None
    assert shelf.attach() == ()
    assert attached_sbom(shelf.registry, HERE, shelf.first) == BASH


def test_a_run_that_stops_leaves_the_rest_without(shelf: Shelf) -> None:
    """And looks into nothing more."""
    shelf.cancelled.set()
    assert shelf.attach() == tuple(
        f"{p} has no SBOM: the run was stopped" for p in sorted(PLATFORMS)
    )
    assert shelf.sboms.asked == []


def test_copies_get_what_is_attached(shelf: Shelf) -> None:
    """Also when they were made before: the next copying takes along what is new."""
    transfer = Transfer(registry=shelf.registry, source=HERE, target=THERE)
    copy_index(shelf.digest, transfer)
    assert attached_sbom(shelf.registry, THERE, shelf.first) is None
    shelf.attach()
    copy_index(shelf.digest, transfer)
    assert attached_sbom(shelf.registry, THERE, shelf.first) == BASH


def artifact(shelf: Shelf, kind: str, layer_type: str, content: bytes, **layer: object) -> Manifest:
    """Push something that belongs to the first platform, as others would."""
    for blob in (b"{}", content):
        shelf.registry.upload_blob(HERE, sha256(blob), blob, len(blob))
    value = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": kind,
        "config": {"mediaType": OCI_CONFIG, "digest": sha256(b"{}"), "size": 2},
        "layers": [
            {"mediaType": layer_type, "digest": sha256(content), "size": len(content), **layer}
        ],
        "subject": {"mediaType": OCI_MANIFEST, "digest": shelf.first, "size": 1},
    }
    manifest = Manifest.of(json.dumps(value).encode(), OCI_MANIFEST)
    shelf.registry.put_manifest(HERE, manifest.digest, manifest)
    return manifest


def entry_of(manifest: Manifest, **annotations: str) -> Descriptor:
    return Descriptor(
        media_type=OCI_MANIFEST,
        digest=manifest.digest,
        size_bytes=len(manifest.content),
        annotations=annotations,
    )


def document(name: str) -> dict[str, object]:
    reference = {"referenceType": "purl", "referenceLocator": f"pkg:deb/debian/{name}"}
    package = {"name": name, "versionInfo": "1", "externalRefs": [reference]}
    return {"spdxVersion": "SPDX-2.3", "packages": [package]}


def test_the_attestation_of_a_build_is_read(shelf: Shelf) -> None:
    """`docker buildx build --sbom` leaves one in the index; nothing is looked into then."""
    statement = {"predicateType": SPDX_PREDICATE, "predicate": document("attested")}
    attestation = artifact(
        shelf,
        "",
        "application/vnd.in-toto+json",
        json.dumps(statement).encode(),
        annotations={"in-toto.io/predicate-type": SPDX_PREDICATE},
    )
    said = {ATTESTATION_TYPE[0]: ATTESTATION_TYPE[1], ATTESTATION_OF: shelf.first}
    index = compose_index((*shelf.index.entries(), entry_of(attestation, **said)), {})
    assert shelf.packages(index) == ((Package(type="deb", name="attested", version="1"),), "")
    other = compose_index(
        (entry_of(attestation, **{**said, ATTESTATION_OF: shelf.manifests[PLATFORMS[1]]}),), {}
    )
    assert shelf.packages(other) == (BASH, "")
    assert len(shelf.sboms.asked) == 1


@pytest.mark.parametrize(
    ("kind", "layer_type", "content"),
    [
        ("application/vnd.example.signature", "text/plain", b"signed"),
        ("application/spdx+json", "application/spdx+json", b"{}"),
        ("application/spdx+json", "application/spdx+json", b"\xff"),
        ("application/vnd.cyclonedx+json", "application/vnd.cyclonedx+json", b"{}"),
    ],
)
def test_what_others_attach_is_passed_over(
    shelf: Shelf, kind: str, layer_type: str, content: bytes
) -> None:
    """A signature is no SBOM, and neither is what cannot be read."""
    other = artifact(shelf, kind, layer_type, content)
    index = compose_index((entry_of(other),), {})
    shelf.registry.put_manifest(HERE, fallback_tag(shelf.first), index)
    assert shelf.packages() == (BASH, "")
    assert shelf.attach() == ()
    assert other.digest in {e.digest for e in shelf.registry.referrers(HERE, shelf.first)}
    assert attached_sbom(shelf.registry, HERE, shelf.first) == BASH


def test_a_list_may_name_what_is_about_something_else(shelf: Shelf) -> None:
    """Its own subject counts: the packages of another image are not believed."""
    shelf.attach()
    other = shelf.manifests[PLATFORMS[1]]
    wrong = shelf.registry.referrers(HERE, other)
    shelf.registry.put_manifest(HERE, fallback_tag(shelf.first), compose_index(wrong, {}))
    assert attached_sbom(shelf.registry, HERE, shelf.first) is None
