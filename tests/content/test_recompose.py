"""Manifests written anew: only what changed, and attestations of every kind."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from orchestrator.content.layout import IN_TOTO, Layout
from orchestrator.content.recompose import Layer, layers_of, recompose
from orchestrator.model.fingerprint import canonical_json, sha256
from orchestrator.model.manifest import OCI_MANIFEST, Descriptor, Manifest

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OLD, NEW = "sha256:" + "1" * 64, "sha256:" + "2" * 64
NEW_BLOB = Descriptor(media_type=LAYER, digest="sha256:" + "3" * 64, size_bytes=7)


def layout_of(statement: dict[str, object], **attestation: object) -> Layout:
    """Return an image of one layer, and one attestation with a statement and more fields."""
    config = canonical_json({"rootfs": {"diff_ids": [OLD]}, "a": 1.5})
    layer = {"mediaType": LAYER, "digest": OLD, "size": 1, "urls": ["u"]}
    image = manifest(config, layer)
    said = canonical_json(json.loads(json.dumps(statement).replace("IMAGE", image.digest[7:])))
    empty = b"{}"
    named = {"mediaType": IN_TOTO, "digest": sha256(said), "size": len(said), "annotations": {}}
    fields = json.loads(json.dumps(attestation).replace("IMAGE", image.digest))
    about = manifest(empty, named, **fields)
    entries = (
        entry(image, platform="linux/amd64"),
        entry(about, annotations={"vnd.docker.reference.digest": image.digest}),
    )
    return Layout(
        entries=entries,
        manifests={image.digest: image, about.digest: about},
        blobs={sha256(blob): blob for blob in (config, said, empty, b'{"orphan":1}')},
    )


def manifest(config: bytes, *layers: dict[str, object], **fields: object) -> Manifest:
    described = {"mediaType": "c", "digest": sha256(config), "size": len(config)}
    value = {"config": described, "layers": list(layers), **fields}
    return Manifest.of(json.dumps(value, indent=2).encode(), OCI_MANIFEST)


def entry(
    of: Manifest, platform: str = "", annotations: dict[str, str] | None = None
) -> Descriptor:
    return Descriptor(
        media_type=of.media_type,
        digest=of.digest,
        size_bytes=len(of.content),
        platform=platform,
        annotations=annotations or {},
    )


def with_new_layer(layout: Layout) -> Layout:
    return recompose(layout, {"linux/amd64": (Layer(blob=NEW_BLOB, diff_id=NEW),)})


def statement_of(layout: Layout) -> dict[str, object]:
    (layer,) = layout.manifests[layout.entries[1].digest].layers()
    found: dict[str, object] = json.loads(layout.blobs[layer.digest])
    return found


SUBJECT = {"name": "app", "digest": {"sha256": "IMAGE", "sha512": "x"}}
OTHER = {"name": "other", "digest": {"sha256": "0" * 64}}


def test_same_layers_change_nothing() -> None:
    """Entries, manifests and blobs stay, byte for byte; what nobody names is left out."""
    layout = layout_of({"subject": [SUBJECT]})
    same = recompose(layout, layers_of(layout))
    assert same.entries == layout.entries
    assert same.manifests == layout.manifests
    assert set(layout.blobs) - set(same.blobs) == {sha256(b'{"orphan":1}')}


def test_image_names_its_new_layer_and_configuration() -> None:
    """The manifest names what is stored; everything else in both stays."""
    layout = with_new_layer(layout_of({"subject": [SUBJECT]}))
    image = layout.manifests[layout.entries[0].digest]
    assert image.layers() == (NEW_BLOB,)
    config = json.loads(layout.blobs[image.config_digest()])
    assert config == {"rootfs": {"diff_ids": [NEW]}, "a": 1.5}
    assert layout.entries[0].platform == "linux/amd64"
    assert layout.entries[0].size_bytes == len(image.content)
    assert layers_of(layout) == {"linux/amd64": (Layer(blob=NEW_BLOB, diff_id=NEW),)}


def test_only_the_subject_that_is_the_image_changes() -> None:
    """A statement may speak of several things, under several digests."""
    layout = with_new_layer(layout_of({"subject": [OTHER, SUBJECT], "predicate": {"p": "IMAGE"}}))
    new = layout.entries[0].digest[7:]
    same = {"name": "app", "digest": {"sha256": new, "sha512": "x"}}
    assert statement_of(layout)["subject"] == [OTHER, same]


@pytest.mark.parametrize("statement", [{"subject": []}, {"subject": None}, {}])
def test_statement_without_a_subject_gets_one(statement: dict[str, object]) -> None:
    """BuildKit writes none for a build without a name; even where no layer changed."""
    layout = layout_of(statement)
    for done in (recompose(layout, layers_of(layout)), with_new_layer(layout)):
        named = [{"name": "_", "digest": {"sha256": done.entries[0].digest[7:]}}]
        assert statement_of(done)["subject"] == named


def test_attestation_that_refers_to_its_image_still_does() -> None:
    """Newer builders write attestations as OCI artifacts with a subject and an empty config."""
    subject = {"mediaType": OCI_MANIFEST, "digest": "IMAGE", "size": 1}
    layout = with_new_layer(layout_of({"subject": [SUBJECT]}, subject=subject, artifactType="t"))
    image, about = layout.entries
    value = layout.manifests[about.digest].json()
    assert value["subject"] == {
        "mediaType": OCI_MANIFEST,
        "digest": image.digest,
        "size": image.size_bytes,
    }
    assert value["artifactType"] == "t"


def test_attestation_of_something_else_stays() -> None:
    """An entry that speaks of no image of this index is none of our business."""
    layout = layout_of({"subject": [OTHER]})
    stranger = {"vnd.docker.reference.digest": OLD}
    entries = (layout.entries[0], replace(layout.entries[1], annotations=stranger))
    assert with_new_layer(replace(layout, entries=entries)).entries[1] == entries[1]


def test_configuration_must_fit_its_manifest() -> None:
    """As many diff IDs as layers, or nobody knows which is which."""
    config = canonical_json({"rootfs": {"diff_ids": []}})
    image = manifest(config, {"mediaType": LAYER, "digest": OLD, "size": 1})
    layout = Layout(
        entries=(entry(image, platform="linux/amd64"),),
        manifests={image.digest: image},
        blobs={sha256(config): config},
    )
    with pytest.raises(ValueError, match="1 layers and 0 diff IDs"):
        layers_of(layout)
    with pytest.raises(ValueError, match="configuration"):
        layers_of(replace(layout, blobs={}))
