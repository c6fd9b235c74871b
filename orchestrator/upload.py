"""An OCI layout as it streams out of a build, into the registry: only the blobs that it lacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from orchestrator.doors.protocols import Registry, Spool
from orchestrator.layout import read_layout
from orchestrator.model.manifest import Descriptor
from orchestrator.model.names import Repository


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """A build's manifests, stored by digest and without any tag.

    Attributes:
        entries: for the index: one per platform, then the attestations.
        configs: platform → image configuration.
        size_bytes: compressed size of the layers over all platforms.
    """

    entries: tuple[Descriptor, ...]
    configs: Mapping[str, bytes]
    size_bytes: int


def upload_layout(
    stream: BinaryIO,
    repository: Repository,
    registry: Registry,
    spool: Spool,
    *,
    parents: frozenset[str],
    parent: Repository | None,
) -> Uploaded:
    """Read a layout to its end and store what it holds, manifests last.

    Args:
        stream: the OCI layout as a tar.
        repository: where to.
        registry: the door.
        spool: holds a blob while it is uploaded, so that it can be sent again after a fault.
        parents: digests of the parent's layers, which are mounted instead of uploaded.
        parent: the parent's repository, if it is in the same registry.
    """

    def take(digest: str, size_bytes: int, chunks: Iterator[bytes]) -> None:
        near = parent if parent and parent.registry == repository.registry else None
        if near and digest in parents and registry.mount_blob(repository, digest, near):
            return
        if registry.has_blob(repository, digest):
            return
        with spool.hold(chunks, size_bytes) as held:
            registry.upload_blob(repository, digest, held, size_bytes)

    layout = read_layout(stream, take)
    for digest, content in layout.blobs.items():
        if not registry.has_blob(repository, digest):
            registry.upload_blob(repository, digest, (content,), len(content))
    for manifest in layout.manifests.values():
        registry.put_manifest(repository, manifest.digest, manifest)
    platforms = {
        entry.platform: layout.manifests[entry.digest] for entry in layout.entries if entry.platform
    }
    return Uploaded(
        entries=layout.entries,
        configs={p: layout.blobs[m.config_digest()] for p, m in platforms.items()},
        size_bytes=sum(layer.size_bytes for m in platforms.values() for layer in m.layers()),
    )
