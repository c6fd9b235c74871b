"""A build's output: an OCI layout in a directory → manifests, configurations and statements.

Source: the OCI image layout specification, and what BuildKit's exporter writes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from orchestrator.errors import CheckFailed
from orchestrator.model import image_config
from orchestrator.model.fingerprint import sha256
from orchestrator.model.manifest import Descriptor, Manifest, descriptor_from

#: Media type of an attestation's statements.
IN_TOTO = "application/vnd.in-toto+json"
#: A blob above this size is no manifest and no configuration.
MAX_JSON_BYTES = 4 << 20
#: A list of packages can be larger than any manifest; it is held in memory.
MAX_STATEMENT_BYTES = 256 << 20


class Files(Protocol):
    """Where a layout is; see :class:`orchestrator.doors.protocols.Output`."""

    def index(self) -> bytes | None:
        """Return the layout's ``index.json``; None if it is not there."""

    def size_bytes(self, digest: str) -> int | None:
        """Return a blob's size; None if it is not there."""

    def chunks(self, digest: str) -> Iterable[bytes]:
        """Return a blob's bytes, in chunks that start at the beginning each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a build gave, except for its layers.

    Attributes:
        entries: what the index lists, in its order, attestations included; the one manifest of a
            build without an index, with the platform that its configuration says. An attestation's
            digest may stand there more than once.
        manifests: digest → manifest, of every entry.
        blobs: digest → content of configurations and of the attestations' statements. The
            registry needs them as it needs the layers.
    """

    entries: tuple[Descriptor, ...]
    manifests: Mapping[str, Manifest]
    blobs: Mapping[str, bytes]


def read_layout(files: Files) -> Layout:
    """Read a layout; of its layers only that they are there, with the size they should have.

    Raises:
        CheckFailed: it is damaged or incomplete, the bytes of a blob do not fit its digest, or
            there is not exactly one image.
        Unavailable: the disk does not let it be read.
    """
    root = files.index()
    if root is None:
        raise CheckFailed("the build's output has no index.json")
    try:
        return _layout(root, files)
    except ValueError as error:
        raise damaged(error) from error


def damaged(error: ValueError) -> CheckFailed:
    """Return the error for a build's output that is not what it should be."""
    return CheckFailed(f"the build's output is damaged: {error}")


class Verified:
    """A blob's chunks, from the beginning each time; the last only if all of them fit the digest.

    Raises:
        CheckFailed: while iterating.
    """

    def __init__(self, blob: Descriptor, chunks: Iterable[bytes]) -> None:
        self._blob = blob
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        hasher, left_bytes = hashlib.sha256(), self._blob.size_bytes
        for chunk in self._chunks:
            hasher.update(chunk)
            left_bytes -= len(chunk)
            if left_bytes <= 0 and self._blob.digest != f"sha256:{hasher.hexdigest()}":
                raise _other_bytes(self._blob.digest)
            yield chunk


def _layout(root: bytes, files: Files) -> Layout:
    entries = _image_entries(root, files)
    manifests: dict[str, Manifest] = {}
    blobs: dict[str, bytes] = {}
    listed: list[Descriptor] = []
    for entry in entries:
        manifest = manifests[entry.digest] = _manifest(entry, files)
        config = manifest.config_digest()
        blobs[config] = _blob(config, files)
        for layer in manifest.layers():
            if layer.media_type == IN_TOTO:
                blobs[layer.digest] = _blob(layer.digest, files, MAX_STATEMENT_BYTES)
            elif (found := files.size_bytes(layer.digest)) != layer.size_bytes:
                problem = "is missing" if found is None else f"has {found} bytes"
                raise ValueError(f"{layer.digest}, which manifest {entry.digest} names, {problem}")
        if len(entries) == 1 and not entry.platform:
            entry = replace(entry, platform=image_config.platform(blobs[config]))
        listed.append(entry)
    return Layout(entries=tuple(listed), manifests=manifests, blobs=blobs)


def _image_entries(root: bytes, files: Files) -> tuple[Descriptor, ...]:
    only = _only_descriptor(root)
    top = _manifest(only, files)
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


def _manifest(entry: Descriptor, files: Files) -> Manifest:
    return Manifest.of(_blob(entry.digest, files), entry.media_type)


def _blob(digest: str, files: Files, limit_bytes: int = MAX_JSON_BYTES) -> bytes:
    size_bytes = files.size_bytes(digest)
    if size_bytes is None:
        raise ValueError(f"{digest} is missing")
    if size_bytes > limit_bytes:
        raise ValueError(f"{digest} has {size_bytes} bytes, which is too large")
    content = b"".join(files.chunks(digest))
    if sha256(content) != digest:
        raise _other_bytes(digest)
    return content


def _other_bytes(digest: str) -> CheckFailed:
    return CheckFailed(
        f"{digest} in the build's output has other bytes than its digest says",
        hint="something damaged the disk's content; build again",
    )
