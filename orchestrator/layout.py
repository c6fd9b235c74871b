"""A build's output: an OCI layout as a tar stream → manifests, configurations and blobs.

The index comes last in the stream, so nobody knows what a blob is while it passes: what looks
like JSON is kept, everything else is handed on at once.

Source: the OCI image layout specification, and what BuildKit's exporter writes.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import BinaryIO

from orchestrator.errors import CheckFailed
from orchestrator.model import image_config
from orchestrator.model.manifest import Descriptor, Manifest, descriptor_from

#: A blob above this size is no manifest and no configuration.
MAX_JSON_BYTES = 4 << 20

_BLOBS = "blobs/sha256/"
_CHUNK_BYTES = 1 << 20
_BLOCK_BYTES = 512
_REGULAR = (tarfile.REGTYPE, tarfile.AREGTYPE)

#: Digest, size in bytes, content in chunks.
TakeBlob = Callable[[str, int, Iterator[bytes]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a build gave, except for what was handed on while it passed.

    Attributes:
        entries: what the index lists, in its order, attestations included; the one manifest of a
            build without an index, with the platform that its configuration says. An attestation's
            digest may stand there more than once.
        manifests: digest → manifest, of every entry.
        blobs: digest → content of every other blob that was kept: configurations and the
            attestations' statements. The registry needs them as it needs the layers.
    """

    entries: tuple[Descriptor, ...]
    manifests: Mapping[str, Manifest]
    blobs: Mapping[str, bytes]


def read_layout(stream: BinaryIO, take_blob: TakeBlob) -> Layout:
    """Read an OCI layout to the stream's end.

    Args:
        stream: the tar, not compressed.
        take_blob: called for every blob that is not kept, in the stream's order. It may leave the
            content unread where the registry has the blob; what it leaves is skipped, unverified.
            Of what it reads one chunk at a time is in memory, and the chunk that would complete
            a blob whose bytes do not fit its digest is not given.

    Returns:
        A layout whose manifests, configurations and layers were all in the stream.

    Raises:
        CheckFailed: the stream is damaged or incomplete, the bytes of a blob do not fit its
            digest, or there is not exactly one image.
    """
    kept: dict[str, bytes] = {}
    passed: set[str] = set()
    root: bytes | None = None
    for name, size_bytes, content in _members(stream):
        if name == "index.json":
            root = b"".join(content)
        elif name.startswith(_BLOBS):
            digest = "sha256:" + name.removeprefix(_BLOBS)
            passed.add(digest)
            first = next(content, b"")
            verified = _verified(digest, size_bytes, chain((first,), content))
            if first.startswith(b"{") and size_bytes <= MAX_JSON_BYTES:
                kept[digest] = b"".join(verified)
            else:
                take_blob(digest, size_bytes, verified)
    if root is None:
        raise CheckFailed("the build's output ends before its index.json")
    try:
        return _layout(root, kept, passed)
    except ValueError as error:
        raise CheckFailed(f"the build's output is damaged: {error}") from error


def _layout(root: bytes, kept: dict[str, bytes], passed: set[str]) -> Layout:
    entries = _image_entries(root, kept)
    manifests: dict[str, Manifest] = {}
    listed: list[Descriptor] = []
    for entry in entries:
        manifest = Manifest.of(_kept(entry.digest, kept), entry.media_type)
        manifests[entry.digest] = manifest
        config = manifest.config_digest()
        for digest in (config, *(layer.digest for layer in manifest.layers())):
            if digest not in passed:
                raise ValueError(f"{digest}, which manifest {entry.digest} names, is missing")
        if len(entries) == 1 and not entry.platform:
            entry = replace(entry, platform=image_config.platform(_kept(config, kept)))
        listed.append(entry)
    blobs = {digest: content for digest, content in kept.items() if digest not in manifests}
    blobs.pop(_only_descriptor(root).digest, None)
    return Layout(entries=tuple(listed), manifests=manifests, blobs=blobs)


def _image_entries(root: bytes, kept: dict[str, bytes]) -> tuple[Descriptor, ...]:
    only = _only_descriptor(root)
    top = Manifest.of(_kept(only.digest, kept), only.media_type)
    entries = top.entries() if top.is_index else (only,)
    if not entries:
        raise ValueError("its index lists no manifest")
    return entries


def _only_descriptor(root: bytes) -> Descriptor:
    value = json.loads(root)
    listed = value.get("manifests") if isinstance(value, dict) else None
    if not isinstance(listed, list):
        raise ValueError("index.json lists no manifests")
    found = {entry.digest: entry for entry in map(descriptor_from, listed)}
    if len(found) != 1:
        raise ValueError(f"index.json lists {len(found)} images where one was built")
    return next(iter(found.values()))


def _kept(digest: str, kept: dict[str, bytes]) -> bytes:
    if digest not in kept:
        raise ValueError(f"{digest} is missing")
    return kept[digest]


def _verified(digest: str, size_bytes: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the chunks; the last one only if all of them together fit the digest."""
    hasher, seen = hashlib.sha256(), 0
    for chunk in chunks:
        hasher.update(chunk)
        seen += len(chunk)
        if seen == size_bytes and digest != f"sha256:{hasher.hexdigest()}":
            raise CheckFailed(
                f"{digest} in the build's output has other bytes than its digest says",
                hint="something damaged the stream; build again",
            )
        yield chunk


def _members(stream: BinaryIO) -> Iterator[tuple[str, int, Iterator[bytes]]]:
    """Yield name, size and content of every regular file in a tar, then read on to its end.

    ``tarfile`` does the same with five times the CPU for what is skipped, and all but the newest
    of an image's layers are skipped.
    """
    extended: dict[str, str] = {}
    while any(block := _exactly(stream, _BLOCK_BYTES)):
        try:
            header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
            size_bytes = int(extended.pop("size", header.size))
        except (tarfile.HeaderError, ValueError) as error:
            raise CheckFailed(f"the build's output is no tar: {error}") from error
        name = extended.pop("path", header.name)
        content = _chunks(stream, size_bytes)
        if header.type == tarfile.XHDTYPE:
            extended = _pax_records(b"".join(content))
        elif header.type in _REGULAR:
            yield name, size_bytes, content
        for _ in content:
            pass
        _exactly(stream, -size_bytes % _BLOCK_BYTES)
    while stream.read(_CHUNK_BYTES):
        pass


def _pax_records(content: bytes) -> dict[str, str]:
    """Return the records of an extended header, ``LENGTH NAME=VALUE`` and a newline each.

    Go writes one for a file of 8 GiB or more.
    """
    records: dict[str, str] = {}
    while content:
        size, _, _ = content.partition(b" ")
        if not size.isdigit() or not 0 < int(size) <= len(content):
            raise CheckFailed("the build's output has a damaged extended tar header")
        record, content = content[: int(size)], content[int(size) :]
        name, _, value = record.partition(b" ")[2].rstrip(b"\n").partition(b"=")
        records[name.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
    return records


def _chunks(stream: BinaryIO, size_bytes: int) -> Iterator[bytes]:
    while size_bytes:
        chunk = stream.read(min(size_bytes, _CHUNK_BYTES))
        if not chunk:
            raise CheckFailed("the build's output ends in the middle of a file")
        size_bytes -= len(chunk)
        yield chunk


def _exactly(stream: BinaryIO, size_bytes: int) -> bytes:
    return b"".join(_chunks(stream, size_bytes))
