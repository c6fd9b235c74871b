"""Published content from one repository into another, by digest and with everything about it.

Blobs first, then manifests, an index after all that it lists: at no time is there half an image.
No tag is touched, but for the fallback tag that names referrers where a registry has no API.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from orchestrator.build.prepare import read_manifest
from orchestrator.doors.protocols import Registry
from orchestrator.errors import Unavailable
from orchestrator.model.manifest import Descriptor, Manifest, descriptor_from
from orchestrator.model.names import Repository
from orchestrator.publish.referrers import fallback_index, fallback_tag

#: Blobs under way at once; each holds a few MiB.
PARALLEL = 4
#: Times that progress is told.
TELLS = 20

#: Layers of these types are fetched from elsewhere, so a repository need not have them.
_FOREIGN = (".nondistributable.", ".foreign.")


def _silent(done_bytes: int, total_bytes: int) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Where content goes, and where it may be taken from.

    Attributes:
        registry: the door.
        source: holds everything.
        target: gets what it lacks.
        near: more repositories that may have a blob; those in the target's registry save sending.
        cancelled: when set, what is under way stops.
        progress: told bytes that are there and bytes in all; called from any thread, at most
            :data:`TELLS` times for an index and for each thing that refers to it.
    """

    registry: Registry
    source: Repository
    target: Repository
    near: tuple[Repository, ...] = ()
    cancelled: threading.Event = field(default_factory=threading.Event)
    progress: Callable[[int, int], None] = _silent


def copy_index(digest: str, transfer: Transfer) -> Manifest:
    """Copy an index or a manifest, what it lists, and what refers to any of it.

    What the target has is not sent; doing it again after a fault goes on where it stopped.

    Args:
        digest: of the index or manifest.
        transfer: from where to where.

    Returns:
        The index or manifest, which the target has now.

    Raises:
        CheckFailed: the source lacks a manifest that should be there.
        RegistryUnavailable: a request failed.
        Unavailable: it was cancelled.
    """
    registry, source, target = transfer.registry, transfer.source, transfer.target
    top = read_manifest(registry, source, digest)
    if source == target:
        return top
    if registry.resolve(target, digest) is None:
        _store(tuple(_below(top, registry, source)), transfer)
    for subject in (top, *(_listed(top, registry, source))):
        _copy_referrers(subject.digest, transfer, frozenset())
    return top


def _listed(index: Manifest, registry: Registry, source: Repository) -> Iterator[Manifest]:
    """Yield the images that an index lists; nobody refers to its attestations."""
    for entry in index.entries():
        if entry.platform:
            yield read_manifest(registry, source, entry.digest)


def _below(manifest: Manifest, registry: Registry, source: Repository) -> Iterator[Manifest]:
    """Yield what a manifest lists, to any depth, and last the manifest itself."""
    for entry in manifest.entries():
        yield from _below(read_manifest(registry, source, entry.digest), registry, source)
    yield manifest


def _store(manifests: tuple[Manifest, ...], transfer: Transfer) -> None:
    """Store manifests, each after what it names, and their blobs before all of them."""
    blobs = {blob.digest: blob for manifest in manifests for blob in _blobs_of(manifest)}
    tally = _Tally(sum(blob.size_bytes for blob in blobs.values()), transfer.progress)
    with ThreadPoolExecutor(PARALLEL, "transfer") as pool:
        for _ in pool.map(lambda blob: _copy_blob(blob, transfer, tally), blobs.values()):
            pass
    for manifest in dict.fromkeys(manifests):
        transfer.registry.put_manifest(transfer.target, manifest.digest, manifest)


def _blobs_of(manifest: Manifest) -> Iterator[Descriptor]:
    config = manifest.json().get("config")
    if not manifest.is_index and isinstance(config, dict):
        yield descriptor_from(config)
    for layer in manifest.layers():
        if not any(mark in layer.media_type for mark in _FOREIGN):
            yield layer


class _Tally:
    """How much of some blobs the target has; thread-safe.

    Args:
        total_bytes: of all of them.
        tell: told each time when another part of them is there.
    """

    def __init__(self, total_bytes: int, tell: Callable[[int, int], None]) -> None:
        self._total = total_bytes
        self._tell = tell
        self._lock = threading.Lock()
        self._there: dict[str, int] = {}
        self._told = 0

    def note(self, digest: str, size_bytes: int) -> None:
        """Take in how much of a blob is there; less than before where it is sent again."""
        with self._lock:
            self._there[digest] = size_bytes
            done = sum(self._there.values())
            part = done * TELLS // self._total if self._total else 0
            if part <= self._told:
                return
            self._told = part
        self._tell(done, self._total)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    """A blob's bytes, from the start each time they are iterated."""

    digest: str
    transfer: Transfer
    tally: _Tally

    def __iter__(self) -> Iterator[bytes]:
        transfer, read_bytes = self.transfer, 0
        for chunk in transfer.registry.read_blob(transfer.source, self.digest):
            _require_wanted(transfer)
            yield chunk
            read_bytes += len(chunk)
            self.tally.note(self.digest, read_bytes)


def _require_wanted(transfer: Transfer) -> None:
    if transfer.cancelled.is_set():
        raise Unavailable(f"copying to {transfer.target} was stopped")


def _copy_blob(blob: Descriptor, transfer: Transfer, tally: _Tally) -> None:
    _require_wanted(transfer)
    if not _is_there(blob, transfer):
        content = _Content(digest=blob.digest, transfer=transfer, tally=tally)
        transfer.registry.upload_blob(transfer.target, blob.digest, content, blob.size_bytes)
    tally.note(blob.digest, blob.size_bytes)


def _is_there(blob: Descriptor, transfer: Transfer) -> bool:
    """Say whether the target has a blob, or could take it over without sending."""
    registry, target = transfer.registry, transfer.target
    return any(
        near.registry == target.registry and registry.mount_blob(target, blob.digest, near)
        for near in (transfer.source, *transfer.near)
    ) or registry.has_blob(target, blob.digest)


def _copy_referrers(subject: str, transfer: Transfer, above: frozenset[str]) -> None:
    """Copy what refers to a manifest, signatures for example, and what refers to that."""
    registry, source, target = transfer.registry, transfer.source, transfer.target
    found = registry.referrers(source, subject)
    if not found:
        return
    there = {each.digest for each in registry.referrers(target, subject)}
    for each in found:
        if each.digest not in there:
            manifest = read_manifest(registry, source, each.digest)
            _store(tuple(_below(manifest, registry, source)), transfer)
        if each.digest not in above:
            _copy_referrers(each.digest, transfer, above | {subject})
    if there >= {each.digest for each in found}:
        return
    listed = registry.referrers(target, subject)
    missing = {each.digest for each in found} - {each.digest for each in listed}
    if missing:
        # It has no API that would have noticed them: whoever stores them keeps the list.
        every = (*listed, *(each for each in found if each.digest in missing))
        registry.put_manifest(
            target, fallback_tag(subject), fallback_index(every, registry, target)
        )
