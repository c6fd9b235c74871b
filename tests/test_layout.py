"""Reading an OCI layout as it streams: what is kept, what is handed on, and what is refused."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from collections.abc import Iterator
from typing import BinaryIO

import pytest

from orchestrator.doors.memory.layout import MemoryLayout, tar_of
from orchestrator.errors import CheckFailed
from orchestrator.layout import MAX_JSON_BYTES, Layout, read_layout
from orchestrator.model.fingerprint import sha256
from orchestrator.model.image_config import diff_ids
from orchestrator.model.manifest import OCI_INDEX, OCI_MANIFEST, Descriptor

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


class Taken:
    """Takes blobs as a registry would, or leaves them."""

    def __init__(self, *, leave: bool = False) -> None:
        self.leave = leave
        self.offered: list[tuple[str, int]] = []
        self.blobs: dict[str, bytes] = {}

    def __call__(self, digest: str, size_bytes: int, content: Iterator[bytes]) -> None:
        self.offered.append((digest, size_bytes))
        if not self.leave:
            self.blobs[digest] = b"".join(content)


def two_platforms() -> BinaryIO:
    """Return a layout with two images, their attestations, and a layer that both share."""
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
    return layout.tar(build=1)


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


def tar(files: dict[str, bytes], *descriptors: dict[str, object]) -> BinaryIO:
    """Return a layout's tar with these images in its index.json."""
    root = json.dumps({"schemaVersion": 2, "manifests": list(descriptors)}).encode()
    return io.BytesIO(tar_of({**files, "index.json": root}))


def read(stream: BinaryIO) -> Layout:
    """Read a layout whose layers nobody wants."""
    return read_layout(stream, Taken(leave=True))


def test_every_entry_of_the_index_is_there_in_its_order_with_its_manifest() -> None:
    """Platforms first, then attestations, as the builder listed them; all manifests are kept."""
    layout = read(two_platforms())
    assert [entry.platform for entry in layout.entries] == ["linux/amd64", "linux/arm64", "", ""]
    assert set(layout.manifests) == {entry.digest for entry in layout.entries}
    assert all(sha256(m.content) == digest for digest, m in layout.manifests.items())
    assert all(m.media_type == OCI_MANIFEST for m in layout.manifests.values())
    assert {entry.annotations.get("vnd.docker.reference.digest") for entry in layout.entries} == {
        None,
        layout.entries[0].digest,
        layout.entries[1].digest,
    }


def test_what_is_needed_beside_the_manifests_is_kept_or_handed_on() -> None:
    """Configurations and statements are kept, layers are handed on; nothing is both or neither."""
    taken = Taken()
    layout = read_layout(two_platforms(), taken)
    needed = {
        digest
        for manifest in layout.manifests.values()
        for digest in (manifest.config_digest(), *(layer.digest for layer in manifest.layers()))
    }
    assert needed == set(layout.blobs) | set(taken.blobs)
    assert not set(layout.blobs) & set(taken.blobs)
    assert all(sha256(content) == digest for digest, content in layout.blobs.items())
    assert [len(taken.blobs[digest]) for digest, _ in taken.offered] == [
        size for _, size in taken.offered
    ]
    amd64 = layout.manifests[layout.entries[0].digest]
    (layer,) = amd64.layers()
    assert sha256(gzip.decompress(taken.blobs[layer.digest])) in diff_ids(
        layout.blobs[amd64.config_digest()]
    )


def test_blobs_that_are_left_are_skipped() -> None:
    """A layer that the registry has need not be read for the rest to be right."""
    assert read_layout(two_platforms(), Taken(leave=True)) == read_layout(two_platforms(), Taken())


def test_blob_may_be_left_half_read() -> None:
    """An upload that stops early does not throw the reader off its place in the stream."""
    manifest, files = one_image(layer=os.urandom(3 << 20))
    sizes: list[int] = []
    layout = read_layout(
        tar(files, manifest), lambda _digest, _size, content: sizes.append(len(next(content)))
    )
    assert sizes == [1 << 20]
    assert len(layout.entries) == 1


def test_single_manifest_gets_its_platform_from_its_configuration() -> None:
    """A build for one platform without attestations has no index, and no platform beside it."""
    manifest, files = one_image()
    layout = read(tar(files, manifest))
    assert layout.entries == (
        Descriptor(
            media_type=OCI_MANIFEST,
            digest=str(manifest["digest"]),
            size_bytes=int(str(manifest["size"])),
            platform="linux/arm64",
        ),
    )


def test_same_image_listed_under_two_names_is_one() -> None:
    """An exporter that lists a digest once per tag still gives one image."""
    manifest, files = one_image(platform={"os": "linux", "architecture": "arm64"})
    assert len(read(tar(files, manifest, {**manifest, "annotations": {"a": "b"}})).entries) == 1


def test_large_blob_that_looks_like_json_is_handed_on() -> None:
    """What no registry would take as a manifest is never held in memory."""
    layer = b"{" + b" " * MAX_JSON_BYTES
    manifest, files = one_image(layer=layer)
    taken = Taken()
    read_layout(tar(files, manifest), taken)
    assert taken.blobs == {sha256(layer): layer}


def test_large_blob_comes_in_chunks() -> None:
    """No more than a mebibyte of a layer is in memory at a time."""
    layer = os.urandom((5 << 20) + 3)
    manifest, files = one_image(layer=layer)
    chunks: list[bytes] = []
    read_layout(tar(files, manifest), lambda _digest, _size, content: chunks.extend(content))
    assert b"".join(chunks) == layer
    assert max(map(len, chunks)) <= 1 << 20


def test_empty_blob_is_a_blob() -> None:
    """A layer of no bytes is handed on like any other."""
    manifest, files = one_image(layer=b"")
    taken = Taken()
    read_layout(tar(files, manifest), taken)
    assert taken.blobs == {sha256(b""): b""}


def test_stream_is_read_to_its_end() -> None:
    """A builder that pads its tar is not left writing to nobody."""
    stream = io.BytesIO(two_platforms().read() + b"\0" * 100_000)
    read(stream)
    assert stream.read() == b""


@pytest.mark.parametrize("damaged", ["manifest", "layer"])
def test_bytes_that_do_not_fit_their_digest_are_refused(damaged: str) -> None:
    """A flipped byte is noticed in what is kept and in what is handed on."""
    manifest, files = one_image(layer=b"x" * 100_000)
    name = max(files, key=lambda n: len(files[n]))
    if damaged == "manifest":
        name = f"blobs/{str(manifest['digest']).replace(':', '/')}"
    files[name] = files[name][:-1] + b"~"
    with pytest.raises(CheckFailed, match="other bytes than its digest says"):
        read_layout(tar(files, manifest), Taken())


def test_damaged_layer_is_not_given_to_its_end() -> None:
    """Whoever stores a blob as it passes is stopped before it is complete."""
    manifest, files = one_image(layer=b"x" * (2 << 20))
    name = max(files, key=lambda n: len(files[n]))
    files[name] = files[name][:-1] + b"~"
    got: list[bytes] = []
    with pytest.raises(CheckFailed):
        read_layout(tar(files, manifest), lambda _digest, _size, content: got.extend(content))
    assert sum(map(len, got)) == 1 << 20


@pytest.mark.parametrize("end", [0, 300, 512, 700, 5_000, -1_500])
def test_stream_that_ends_early_is_refused(end: int) -> None:
    """A builder that dies in the middle never gives half an image."""
    content = two_platforms().read().rstrip(b"\0")
    with pytest.raises(CheckFailed, match="ends in the middle"):
        read_layout(io.BytesIO(content[:end]), Taken())


def test_tar_without_an_index_is_refused() -> None:
    """A tar that is whole but has no index.json is not a layout."""
    _, files = one_image()
    with pytest.raises(CheckFailed, match=r"ends before its index\.json"):
        read(io.BytesIO(tar_of(files)))


def test_something_that_is_no_tar_is_refused() -> None:
    """An error page in place of a tar is an error with a name."""
    with pytest.raises(CheckFailed, match="is no tar"):
        read(io.BytesIO(b"<html>" * 1000))


def test_missing_pieces_are_named() -> None:
    """A manifest, a configuration or a layer that never came is named by its digest."""
    manifest, files = one_image()
    for name in files:
        rest = {other: content for other, content in files.items() if other != name}
        digest = name.removeprefix("blobs/").replace("/", ":")
        with pytest.raises(CheckFailed, match=f"{digest}.* is missing"):
            read(tar(rest, manifest))


def test_no_image_or_several_are_refused() -> None:
    """One build gives one image; anything else is not guessed at."""
    one, files = one_image()
    other, more = one_image(layer=b"another")
    with pytest.raises(CheckFailed, match="lists 2 images"):
        read(tar(files | more, one, other))
    with pytest.raises(CheckFailed, match="lists 0 images"):
        read(tar(files))
    empty, index = blob(json.dumps({"schemaVersion": 2, "manifests": []}).encode(), OCI_INDEX)
    with pytest.raises(CheckFailed, match="lists no manifest"):
        read(tar(index, empty))


def test_file_with_an_extended_header_has_the_size_and_name_said_there() -> None:
    """A layer of 8 GiB or more has its size in a PAX record, and 0 in the plain header."""
    manifest, files = one_image()
    files["index.json"] = json.dumps({"manifests": [manifest]}).encode()
    stream = io.BytesIO()
    for name, content in files.items():
        records = pax_record("comment", "ä" * 300) + pax_record("path", name)
        records += pax_record("size", str(len(content)))
        for header, data in (("x", records), ("0", content)):
            member = tarfile.TarInfo("short")
            member.type, member.size = header.encode(), len(data) if header == "x" else 0
            stream.write(member.tobuf() + data + bytes(-len(data) % 512))
    stream.write(bytes(1024))
    stream.seek(0)
    assert [entry.digest for entry in read(stream).entries] == [manifest["digest"]]


def pax_record(name: str, value: str) -> bytes:
    """Return ``LENGTH NAME=VALUE`` and a newline, where the length counts itself."""
    rest = f" {name}={value}\n".encode()
    length = len(rest) + 1
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


def test_damaged_extended_header_is_refused() -> None:
    """A record whose length cannot be is an error, not a loop without end."""
    for records in (b"0 path=x\n", b"999 path=x\n", b"x path=x\n"):
        header = tarfile.TarInfo("pax")
        header.type, header.size = tarfile.XHDTYPE, len(records)
        stream = io.BytesIO(header.tobuf() + records.ljust(512, b"\0") + b"\0" * 1024)
        with pytest.raises(CheckFailed, match="extended tar header"):
            read(stream)
