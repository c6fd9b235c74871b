"""Reading an OCI layout: what is kept, what is only looked at, and what is refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from orchestrator.content.layout import IN_TOTO, MAX_JSON_BYTES, Layout, Verified, read_layout
from orchestrator.doors.memory.layout import MemoryLayout, tar_of, write_files
from orchestrator.doors.spool import DiskOutput
from orchestrator.errors import CheckFailed
from orchestrator.model.fingerprint import sha256
from orchestrator.model.image_config import diff_ids
from orchestrator.model.manifest import OCI_INDEX, OCI_MANIFEST, Descriptor

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def two_platforms(where: Path) -> DiskOutput:
    """Write a layout with two images, their attestations, and a layer that both share."""
    layout = MemoryLayout()
    for platform in ("linux/amd64", "linux/arm64/v8"):
        layout.add_image(
            platform,
            layer=tar_of({"etc/platform": b"any"}),
            created_s=1_700_000_000,
            labels={},
            parent={},
            below=(),
        )
    layout.write(where, build=1)
    return DiskOutput(where)


def blob(content: bytes, media_type: str) -> tuple[dict[str, object], dict[str, bytes]]:
    """Return a descriptor and the file of a layout that it speaks of."""
    digest = sha256(content)
    described: dict[str, object] = {
        "mediaType": media_type,
        "digest": digest,
        "size": len(content),
    }
    return described, {f"blobs/{digest.replace(':', '/')}": content}


def one_image(
    *, layer: bytes = gzip.compress(b"layer"), platform: dict[str, str] | None = None
) -> tuple[dict[str, object], dict[str, bytes]]:
    """Return the descriptor and the files of an image without an index around it."""
    said = {"os": "linux", "architecture": "arm64", "variant": "v8", "rootfs": {"diff_ids": []}}
    config, config_file = blob(json.dumps(said).encode(), CONFIG)
    described, layer_file = blob(layer, LAYER)
    manifest, manifest_file = blob(
        json.dumps({"schemaVersion": 2, "config": config, "layers": [described]}).encode(),
        OCI_MANIFEST,
    )
    if platform is not None:
        manifest["platform"] = platform
    return manifest, config_file | layer_file | manifest_file


def read(where: Path, files: dict[str, bytes], *descriptors: dict[str, object]) -> Layout:
    """Read a layout with these files, and these images in its index.json."""
    root = json.dumps({"schemaVersion": 2, "manifests": list(descriptors)}).encode()
    write_files(where, {**files, "index.json": root})
    return read_layout(DiskOutput(where))


def test_every_entry_of_the_index_is_there_in_its_order_with_its_manifest(tmp_path: Path) -> None:
    """Platforms first, then attestations, as the builder listed them; all manifests are kept."""
    layout = read_layout(two_platforms(tmp_path))
    assert [entry.platform for entry in layout.entries] == ["linux/amd64", "linux/arm64", "", ""]
    assert set(layout.manifests) == {entry.digest for entry in layout.entries}
    assert all(sha256(m.content) == digest for digest, m in layout.manifests.items())
    assert all(m.media_type == OCI_MANIFEST for m in layout.manifests.values())
    assert {entry.annotations.get("vnd.docker.reference.digest") for entry in layout.entries} == {
        None,
        layout.entries[0].digest,
        layout.entries[1].digest,
    }


def test_configurations_and_statements_are_kept_and_layers_are_not(tmp_path: Path) -> None:
    """What the registry needs beside the manifests is either in memory or a layer in a file."""
    output = two_platforms(tmp_path)
    layout = read_layout(output)
    layers = {
        layer.digest: layer for manifest in layout.manifests.values() for layer in manifest.layers()
    }
    configs = {manifest.config_digest() for manifest in layout.manifests.values()}
    statements = {d for d, layer in layers.items() if layer.media_type == IN_TOTO}
    assert set(layout.blobs) == configs | statements
    assert statements
    assert all(sha256(content) == digest for digest, content in layout.blobs.items())
    amd64 = layout.manifests[layout.entries[0].digest]
    (layer,) = amd64.layers()
    content = b"".join(output.chunks(layer.digest))
    assert sha256(gzip.decompress(content)) in diff_ids(layout.blobs[amd64.config_digest()])


def test_layer_that_was_left_out_counts_as_there(tmp_path: Path) -> None:
    """A hole in a layer's place is not looked into."""
    layout = read_layout(two_platforms(tmp_path / "whole"))
    (layer,) = layout.manifests[layout.entries[0].digest].layers()
    output = DiskOutput(tmp_path / "hole")
    output.leave_out(layer.digest, layer.size_bytes)
    assert read_layout(two_platforms(tmp_path / "hole")) == layout
    assert b"".join(output.chunks(layer.digest)) == bytes(layer.size_bytes)


def test_single_manifest_gets_its_platform_from_its_configuration(tmp_path: Path) -> None:
    """A build for one platform without attestations has no index, and no platform beside it."""
    manifest, files = one_image()
    assert read(tmp_path, files, manifest).entries == (
        Descriptor(
            media_type=OCI_MANIFEST,
            digest=str(manifest["digest"]),
            size_bytes=int(str(manifest["size"])),
            platform="linux/arm64",
        ),
    )


def test_same_image_listed_under_two_names_is_one(tmp_path: Path) -> None:
    """An exporter that lists a digest once per tag still gives one image."""
    manifest, files = one_image(platform={"os": "linux", "architecture": "arm64"})
    layout = read(tmp_path, files, manifest, {**manifest, "annotations": {"a": "b"}})
    assert len(layout.entries) == 1


def test_what_is_too_large_for_a_manifest_is_refused(tmp_path: Path) -> None:
    """What no registry would take is never held in memory."""
    large, files = blob(b"{" + b" " * MAX_JSON_BYTES, OCI_MANIFEST)
    with pytest.raises(CheckFailed, match="too large"):
        read(tmp_path, files, large)


def test_manifest_with_other_bytes_than_its_digest_says_is_refused(tmp_path: Path) -> None:
    """A flipped byte is noticed in what is kept."""
    manifest, files = one_image()
    name = f"blobs/{str(manifest['digest']).replace(':', '/')}"
    files[name] = files[name][:-1] + b"~"
    with pytest.raises(CheckFailed, match="other bytes than its digest says"):
        read(tmp_path, files, manifest)


def test_damaged_layer_is_not_given_to_its_end() -> None:
    """Whoever stores a blob as it is read is stopped before it is complete."""
    chunks = [b"x" * 1000, b"x" * 1000, b"~"]
    whole = Descriptor(media_type=LAYER, digest=sha256(b"x" * 2001), size_bytes=2001)
    got: list[bytes] = []
    with pytest.raises(CheckFailed, match="other bytes than its digest says"):
        got.extend(Verified(whole, chunks))
    assert sum(map(len, got)) <= 2000
    right = Verified(whole, [*chunks[:2], b"x"])
    assert [b"".join(right), b"".join(right)] == [b"x" * 2001] * 2


def test_output_without_an_index_is_refused(tmp_path: Path) -> None:
    """A builder that dies in the middle never gives half an image."""
    _, files = one_image()
    write_files(tmp_path, files)
    with pytest.raises(CheckFailed, match=r"no index\.json"):
        read_layout(DiskOutput(tmp_path))


def test_missing_pieces_are_named(tmp_path: Path) -> None:
    """A manifest, a configuration or a layer that never came is named by its digest."""
    manifest, files = one_image()
    for n, name in enumerate(files):
        rest = {other: content for other, content in files.items() if other != name}
        digest = name.removeprefix("blobs/").replace("/", ":")
        with pytest.raises(CheckFailed, match=f"{digest}.* is missing"):
            read(tmp_path / str(n), rest, manifest)


def test_layer_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    """A disk that was full while it was written does not go unnoticed."""
    manifest, files = one_image(layer=b"x" * 500)
    name = max(files, key=lambda n: files[n].startswith(b"xxx"))
    files[name] = files[name][:-1]
    with pytest.raises(CheckFailed, match="has 499 bytes"):
        read(tmp_path, files, manifest)


def test_no_image_or_several_are_refused(tmp_path: Path) -> None:
    """One build gives one image; anything else is not guessed at."""
    one, files = one_image()
    other, more = one_image(layer=b"another")
    with pytest.raises(CheckFailed, match="lists 2 images"):
        read(tmp_path / "2", files | more, one, other)
    with pytest.raises(CheckFailed, match="lists 0 images"):
        read(tmp_path / "0", files)
    empty, index = blob(json.dumps({"schemaVersion": 2, "manifests": []}).encode(), OCI_INDEX)
    with pytest.raises(CheckFailed, match="lists no manifest"):
        read(tmp_path / "empty", index, empty)


def test_digest_that_names_another_place_is_refused(tmp_path: Path) -> None:
    """Nothing outside the directory is read or written, whatever a manifest says."""
    (tmp_path / "secret").write_text("{}")
    evil = {"mediaType": OCI_MANIFEST, "digest": "sha256:../../../secret", "size": 2}
    with pytest.raises(CheckFailed, match="no digest"):
        read(tmp_path / "layout", {}, evil)
    with pytest.raises(CheckFailed, match="no digest"):
        DiskOutput(tmp_path / "layout").leave_out("sha256:../../../made", 1)
    assert not (tmp_path / "made").exists()
