"""A build's OCI layout into the registry: only the blobs that it lacks, several at once.

The parents' layers are taken over as the registry has them, and never come out of the builder.
The times in the new ones are clamped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from orchestrator.build.prepare import Foundation
from orchestrator.content.clamp import clamped_tar, gzip_of, is_clampable, is_gzip
from orchestrator.content.layout import Layout, Verified, damaged, read_layout
from orchestrator.content.recompose import Layer, layers_of, recompose
from orchestrator.doors.protocols import Output, Registry, Spool
from orchestrator.model.image_config import diff_ids
from orchestrator.model.manifest import Descriptor
from orchestrator.model.names import Repository

#: Layers that are clamped at once, and requests at once, of one step: zlib, sha256 and waiting
#: let other threads run.
_AT_ONCE = 4
#: Sending a blob up to this size takes about as long as asking whether it is there.
_SENT_UNASKED_BYTES = 64 << 10

#: BuildKit writes OCI manifests, and a parent may have been pushed with Docker's names.
_OCI_TYPES = {
    "application/vnd.docker.image.rootfs.diff.tar": "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip": (
        "application/vnd.oci.image.layer.v1.tar+gzip"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """A build's manifests, stored by digest and without any tag.

    Attributes:
        entries: for the index: one per platform, then the attestations.
        configs: platform → image configuration.
        platform_bytes: platform → compressed size of its layers.
    """

    entries: tuple[Descriptor, ...]
    configs: Mapping[str, bytes]
    platform_bytes: Mapping[str, int]


def take_over(
    repository: Repository, registry: Registry, foundation: Foundation | None
) -> dict[str, int]:
    """Return digest → size in bytes of the parent's layers that the repository has, from now on.

    They are mounted where that can be done.
    """
    if foundation is None:
        return {}
    near = foundation.repository
    sizes = {blob.digest: blob.size_bytes for each in foundation.layers.values() for blob in each}

    def is_there(digest: str) -> bool:
        return (
            near.registry == repository.registry and registry.mount_blob(repository, digest, near)
        ) or registry.has_blob(repository, digest)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        there = dict(zip(sizes, pool.map(is_there, sizes), strict=True))
    return {digest: size_bytes for digest, size_bytes in sizes.items() if there[digest]}


def upload_layout(
    output: Output,
    repository: Repository,
    registry: Registry,
    spool: Spool,
    *,
    epoch_s: int,
    foundation: Foundation | None,
    taken: Iterable[str],
    published: Mapping[str, Descriptor],
) -> Uploaded:
    """Read a layout and store what it holds, manifests last.

    No time in a layer above the parent's is later than the epoch then. A layer that is in the
    registry under the same diff ID keeps the digest that it has there, and is not compressed.

    Args:
        output: where the layout is.
        repository: where to.
        registry: the door.
        spool: holds a compressed layer, so that it can be read and sent again.
        epoch_s: SOURCE_DATE_EPOCH.
        foundation: the final stage's parent; None for FROM scratch.
        taken: digests of the parent's layers that the repository has; see :func:`take_over`.
        published: diff ID → compressed layer of what is current in the repository.

    Raises:
        CheckFailed: the layout is damaged.
    """
    store = _Store(repository, registry, taken)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            layout = read_layout(output)
            held = _held(layout, output, store)
            clamping = _Clamping(store, spool, pool, held, epoch_s, published)
            layout = recompose(layout, clamping.settle(layers_of(layout), foundation))
        except ValueError as error:
            raise damaged(error) from error
        _all(pool, store.put, _blobs(layout, held))
        manifests = [(m.digest, m) for m in layout.manifests.values()]
        _all(pool, lambda digest, m: registry.put_manifest(repository, digest, m), manifests)
    platforms = {
        entry.platform: layout.manifests[entry.digest] for entry in layout.entries if entry.platform
    }
    return Uploaded(
        entries=layout.entries,
        configs={p: layout.blobs[m.config_digest()] for p, m in platforms.items()},
        platform_bytes={
            p: sum(layer.size_bytes for layer in m.layers()) for p, m in platforms.items()
        },
    )


def _held(layout: Layout, output: Output, store: _Store) -> dict[str, Iterable[bytes]]:
    """Return digest → content of the layers that came out of the builder."""
    return {
        layer.digest: Verified(layer, output.chunks(layer.digest))
        for manifest in layout.manifests.values()
        for layer in manifest.layers()
        if layer.digest not in layout.blobs and not store.is_known(layer.digest)
    }


def _blobs(
    layout: Layout, held: Mapping[str, Iterable[bytes]]
) -> list[tuple[str, Iterable[bytes], int]]:
    """Return digest, content and size of everything that the manifests name and we have."""
    found: dict[str, tuple[str, Iterable[bytes], int]] = {
        layer.digest: (layer.digest, held[layer.digest], layer.size_bytes)
        for manifest in layout.manifests.values()
        for layer in manifest.layers()
        if layer.digest in held
    }
    # The largest begins first.
    layers = sorted(found.values(), key=lambda each: -each[2])
    return layers + [(digest, (blob,), len(blob)) for digest, blob in layout.blobs.items()]


def _all(
    pool: ThreadPoolExecutor, work: Callable[..., None], arguments: Iterable[tuple[object, ...]]
) -> None:
    """Do all of it at once, as far as the pool goes; raise what the first failure raised."""
    for future in [pool.submit(work, *each) for each in arguments]:
        future.result()


class _Store:
    """The blobs of one repository, asked for once each. Thread-safe.

    Args:
        repository: where to.
        registry: the door.
        known: digests of blobs that it has.
    """

    def __init__(self, repository: Repository, registry: Registry, known: Iterable[str]) -> None:
        self._repository = repository
        self._registry = registry
        self._there = dict.fromkeys(known, True)

    def is_known(self, digest: str) -> bool:
        """Say whether it was seen or put there."""
        return self._there.get(digest, False)

    def has(self, digest: str) -> bool:
        """Say whether the repository has a blob."""
        if digest not in self._there:
            self._there[digest] = self._registry.has_blob(self._repository, digest)
        return self._there[digest]

    def put(self, digest: str, content: Iterable[bytes], size_bytes: int) -> None:
        """Store a blob that the repository may lack."""
        if self.is_known(digest) or (size_bytes > _SENT_UNASKED_BYTES and self.has(digest)):
            return
        self._registry.upload_blob(self._repository, digest, content, size_bytes)
        self._there[digest] = True


class _Clamping:
    """What becomes of a build's layers.

    Args:
        store: where they go.
        spool: holds a compressed layer until its digest is known.
        pool: where layers are clamped.
        held: digest → content of what the build gave and nobody had.
        epoch_s: the latest time that stays.
        published: diff ID → layer that the repository should have.
    """

    def __init__(
        self,
        store: _Store,
        spool: Spool,
        pool: ThreadPoolExecutor,
        held: Mapping[str, Iterable[bytes]],
        epoch_s: int,
        published: Mapping[str, Descriptor],
    ) -> None:
        self._store = store
        self._spool = spool
        self._pool = pool
        self._held = held
        self._epoch_s = epoch_s
        self._published = published

    def settle(
        self, built: Mapping[str, tuple[Layer, ...]], foundation: Foundation | None
    ) -> dict[str, tuple[Layer, ...]]:
        """Return platform → the layers to publish; of those, the changed ones are stored."""
        below = {platform: _layers_below(foundation, platform) for platform in built}
        shared = {platform: _shared(below[platform], built[platform]) for platform in built}
        new = {
            layer.blob.digest: layer.blob
            for platform, layers in built.items()
            for layer in layers[shared[platform] :]
            if layer.blob.digest in self._held and is_clampable(layer.blob.media_type)
        }
        clamped = dict(zip(new, self._pool.map(self._diff_id, new.values()), strict=True))
        # Equal layers, of several platforms for example, are compressed once.
        first = {clamped[digest]: blob for digest, blob in reversed(new.items())}
        given = {layer.blob.digest: layer.diff_id for layers in built.values() for layer in layers}
        stored = self._pool.map(
            lambda each: self._blob(each[1], each[0], given[each[1].digest]), first.items()
        )
        blobs = dict(zip(first, stored, strict=True))
        return {
            platform: (
                *map(self._parents, layers[: shared[platform]], below[platform]),
                *(
                    Layer(blob=blobs[diff_id], diff_id=diff_id)
                    if (diff_id := clamped.get(layer.blob.digest))
                    else layer
                    for layer in layers[shared[platform] :]
                ),
            )
            for platform, layers in built.items()
        }

    def _parents(self, layer: Layer, original: Layer) -> Layer:
        """Return the parent's own layer, where another engine had compressed it otherwise."""
        if layer.blob.digest == original.blob.digest or not self._store.has(original.blob.digest):
            return layer
        said = original.blob.media_type
        return replace(original, blob=replace(original.blob, media_type=_OCI_TYPES.get(said, said)))

    def _tar(self, blob: Descriptor) -> Iterator[bytes]:
        return clamped_tar(self._held[blob.digest], blob.media_type, self._epoch_s)

    def _diff_id(self, blob: Descriptor) -> str:
        hasher = hashlib.sha256()
        for chunk in self._tar(blob):
            hasher.update(chunk)
        return f"sha256:{hasher.hexdigest()}"

    def _blob(self, blob: Descriptor, diff_id: str, before: str) -> Descriptor:
        """Return the blob with a diff ID, stored if it is another than the build's."""
        there = self._published.get(diff_id)
        if there is not None and self._store.has(there.digest):
            return there
        if diff_id == before:
            return blob
        hasher, size_bytes = hashlib.sha256(), 0

        def chunks() -> Iterator[bytes]:
            nonlocal size_bytes
            for chunk in gzip_of(self._tar(blob)) if is_gzip(blob.media_type) else self._tar(blob):
                hasher.update(chunk)
                size_bytes += len(chunk)
                yield chunk

        with self._spool.hold(chunks(), blob.size_bytes) as content:
            digest = f"sha256:{hasher.hexdigest()}"
            self._store.put(digest, content, size_bytes)
        return Descriptor(media_type=blob.media_type, digest=digest, size_bytes=size_bytes)


def _layers_below(foundation: Foundation | None, platform: str) -> tuple[Layer, ...]:
    if foundation is None or platform not in foundation.configs:
        return ()
    ids = diff_ids(foundation.configs[platform])
    blobs = foundation.layers[platform]
    return tuple(Layer(blob=blob, diff_id=i) for blob, i in zip(blobs, ids, strict=False))


def _shared(below: tuple[Layer, ...], layers: tuple[Layer, ...]) -> int:
    """Return how many of the lowest layers are the parent's; the step's check wants all of them."""
    pairs = zip(below, layers, strict=False)
    return next(
        (n for n, (one, other) in enumerate(pairs) if one.diff_id != other.diff_id),
        min(len(below), len(layers)),
    )
