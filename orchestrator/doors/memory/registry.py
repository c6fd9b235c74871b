"""Every registry there is, in memory: the twin of `orchestrator.doors.registry.HttpRegistry`.

It behaves like Debian's docker-registry 2.8: content is addressed by digest, a manifest must not
name what the repository lacks, and there is no referrers API but only the fallback tag.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from orchestrator.errors import CheckFailed, RegistryUnavailable
from orchestrator.model.fingerprint import sha256
from orchestrator.model.manifest import MANIFEST_TYPES, Descriptor, Manifest
from orchestrator.model.names import Repository, is_digest, is_tag, parse_repository

#: Layers of these types are fetched from elsewhere, so a repository need not have them.
_FOREIGN = (".nondistributable.", ".foreign.")
_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryCall:
    """One call of a method of the door, as a fault sees it.

    Attributes:
        method: name of the method, e.g. ``put_manifest``.
        repository: that it is about.
        reference: tag or digest; empty for ``tags``.
        done: False before anything happens; True afterwards, when raising means that the answer
            was lost after the work was done.
        known: the digest that a ``resolve`` said it knows; empty: none.
    """

    method: str
    repository: Repository
    reference: str
    done: bool
    known: str = ""


@dataclass(slots=True)
class _Contents:
    manifests: dict[str, Manifest] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)


class MemoryRegistry:
    """Any number of registries, empty at first. Thread-safe.

    Args:
        deletes_tags: whether a tag alone can be removed; docker-registry 2.8 cannot.
        deletes_manifests: whether manifests can be removed; a registry may not allow it.
        lists_repositories: whether there is a list of them that we may read.
        fault: called before and after every call; what it raises, the call raises. Tests raise
            :class:`orchestrator.errors.RegistryUnavailable`, or change the registry under our
            feet.

    Attributes:
        counts: how often each method was called.
        puts: (repository, reference, digest) of every manifest stored, oldest first.
        lists_repositories: as given; tests may change it.
    """

    def __init__(
        self,
        *,
        deletes_tags: bool = False,
        deletes_manifests: bool = True,
        lists_repositories: bool = True,
        fault: Callable[[RegistryCall], None] | None = None,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.puts: list[tuple[Repository, str, str]] = []
        self.fault = fault
        self._deletes_tags = deletes_tags
        self._deletes_manifests = deletes_manifests
        self.lists_repositories = lists_repositories
        self._lock = threading.RLock()
        self._repositories: dict[Repository, _Contents] = {}

    def resolve(
        self, repository: Repository, reference: str, *, known: str | None = None
    ) -> str | None:
        """Return the digest a tag or digest names; None if absent. ``known`` spares nothing."""
        _require_reference(reference)
        if known is not None:
            _require_digest(known)
        with self._call("resolve", repository, reference, known or ""):
            found = self._find(repository, reference)
            return found.digest if found else None

    def manifest(self, repository: Repository, reference: str) -> Manifest | None:
        """Return the manifest or index; None if absent."""
        _require_reference(reference)
        with self._call("manifest", repository, reference):
            return self._find(repository, reference)

    def put_manifest(
        self,
        repository: Repository,
        reference: str,
        manifest: Manifest,
        *,
        before: Callable[[], None] | None = None,
    ) -> None:
        """Store a manifest under a tag or its digest, unconditionally; see the protocol.

        Raises:
            RegistryUnavailable: it names a blob or manifest that the repository lacks.
            ValueError: the reference is another digest than the manifest's.
        """
        _require_reference(reference)
        if is_digest(reference) and reference != manifest.digest:
            raise ValueError(f"{reference} is not the digest of manifest {manifest.digest}")
        if before is not None:
            before()
        with self._call("put_manifest", repository, reference):
            self._require_valid(repository, manifest)
            contents = self._repositories.setdefault(repository, _Contents())
            contents.manifests[manifest.digest] = manifest
            if is_tag(reference):
                contents.tags[reference] = manifest.digest
            self.puts.append((repository, reference, manifest.digest))

    def has_blob(self, repository: Repository, digest: str) -> bool:
        """Say whether the repository has the blob."""
        _require_digest(digest)
        with self._call("has_blob", repository, digest):
            return digest in self._contents(repository).blobs

    def blob(self, repository: Repository, digest: str) -> bytes:
        """Return a blob's bytes.

        Raises:
            RegistryUnavailable: it is absent.
        """
        _require_digest(digest)
        with self._call("blob", repository, digest):
            found = self._contents(repository).blobs.get(digest)
            if found is None:
                raise _no_blob(repository, digest)
            return found

    def read_blob(self, repository: Repository, digest: str) -> Iterator[bytes]:
        """Yield a blob in chunks.

        Raises:
            RegistryUnavailable: it is absent.
        """
        _require_digest(digest)
        return self._chunks(repository, digest)

    def _chunks(self, repository: Repository, digest: str) -> Iterator[bytes]:
        with self._call("read_blob", repository, digest):
            found = self._contents(repository).blobs.get(digest)
        if found is None:
            raise _no_blob(repository, digest)
        for start in range(0, len(found), _CHUNK_BYTES):
            yield found[start : start + _CHUNK_BYTES]

    def mount_blob(self, repository: Repository, digest: str, source: Repository) -> bool:
        """Take a blob over from another repository of the same registry; False: upload it."""
        _require_digest(digest)
        if source.registry != repository.registry:
            return False
        with self._call("mount_blob", repository, digest):
            found = self._contents(source).blobs.get(digest)
            if found is None:
                return False
            self._repositories.setdefault(repository, _Contents()).blobs[digest] = found
            return True

    def upload_blob(
        self,
        repository: Repository,
        digest: str,
        content: Iterable[bytes] | bytes,
        size_bytes: int,
    ) -> None:
        """Store a blob.

        Raises:
            CheckFailed: the content has not this digest or size; nothing was stored.
        """
        _require_digest(digest)
        # Before the lock: the content may come from a build that takes its time.
        whole = content if isinstance(content, bytes) else b"".join(content)
        with self._call("upload_blob", repository, digest):
            if len(whole) != size_bytes or sha256(whole) != digest:
                raise CheckFailed(
                    f"the content for blob {digest} has {len(whole)} bytes "
                    f"and the digest {sha256(whole)}"
                )
            self._repositories.setdefault(repository, _Contents()).blobs[digest] = whole

    def tags(self, repository: Repository) -> tuple[str, ...]:
        """Return every tag, sorted; empty when the repository is absent."""
        with self._call("tags", repository, ""):
            return tuple(sorted(self._contents(repository).tags))

    def repositories(self, registry: str) -> tuple[str, ...] | None:
        """Return every repository below ``HOST[:PORT]/PATH`` that ever held a manifest."""
        below = parse_repository(f"{registry}/any")
        prefix = below.path.removesuffix("any")
        with self._call("repositories", Repository(below.registry, prefix), ""):
            if not self.lists_repositories:
                return None
            return tuple(
                sorted(
                    str(repository)
                    for repository, contents in self._repositories.items()
                    if repository.registry == below.registry
                    and repository.path.startswith(prefix)
                    and contents.manifests
                )
            )

    def delete_tag(self, repository: Repository, tag: str) -> bool:
        """Remove a tag; False where the registry cannot. A tag that is not there is removed."""
        if not is_tag(tag):
            raise ValueError(f"{tag!r} is not a tag")
        with self._call("delete_tag", repository, tag):
            if not self._deletes_tags:
                return False
            self._contents(repository).tags.pop(tag, None)
            return True

    def delete_manifest(self, repository: Repository, digest: str) -> bool:
        """Remove a manifest and with it every tag on it; False where the registry cannot."""
        _require_digest(digest)
        with self._call("delete_manifest", repository, digest):
            if not self._deletes_manifests:
                return False
            contents = self._contents(repository)
            contents.manifests.pop(digest, None)
            for tag in [tag for tag, named in contents.tags.items() if named == digest]:
                del contents.tags[tag]
            return True

    def referrers(self, repository: Repository, digest: str) -> tuple[Descriptor, ...]:
        """Return what the fallback tag lists."""
        _require_digest(digest)
        with self._call("referrers", repository, digest):
            found = self._find(repository, digest.replace(":", "-"))
            return found.entries() if found else ()

    @contextmanager
    def _call(
        self, method: str, repository: Repository, reference: str, known: str = ""
    ) -> Iterator[None]:
        call = RegistryCall(
            method=method, repository=repository, reference=reference, done=False, known=known
        )
        with self._lock:
            self.counts[method] += 1
        self._inject(call)
        with self._lock:
            yield
        self._inject(replace(call, done=True))

    def _inject(self, call: RegistryCall) -> None:
        # Outside the lock: a fault may wait for another thread, or call this registry itself.
        if self.fault is not None:
            self.fault(call)

    def _contents(self, repository: Repository) -> _Contents:
        return self._repositories.get(repository) or _Contents()

    def _find(self, repository: Repository, reference: str) -> Manifest | None:
        contents = self._contents(repository)
        return contents.manifests.get(contents.tags.get(reference, reference))

    def _require_valid(self, repository: Repository, manifest: Manifest) -> None:
        contents = self._contents(repository)
        try:
            value = manifest.json()
        except ValueError as error:
            raise _refused(repository, f"MANIFEST_INVALID: {error}") from error
        if manifest.media_type not in MANIFEST_TYPES or value.get("schemaVersion") != 2:
            raise _refused(repository, f"MANIFEST_INVALID: {manifest.media_type}")
        children = [entry.digest for entry in manifest.entries()]
        missing = [digest for digest in children if digest not in contents.manifests]
        missing += [digest for digest in _blobs_of(value) if digest not in contents.blobs]
        if missing:
            raise _refused(repository, f"MANIFEST_BLOB_UNKNOWN: {', '.join(missing)}")


def _blobs_of(manifest: Mapping[str, object]) -> Iterator[str]:
    layers = manifest.get("layers")
    for part in [manifest.get("config"), *(layers if isinstance(layers, list) else [])]:
        if isinstance(part, dict) and not any(
            mark in str(part.get("mediaType")) for mark in _FOREIGN
        ):
            yield str(part.get("digest"))


def _no_blob(repository: Repository, digest: str) -> RegistryUnavailable:
    return RegistryUnavailable(
        f"registry {repository.registry} has no blob {repository.path}@{digest}", status=404
    )


def _refused(repository: Repository, why: str) -> RegistryUnavailable:
    return RegistryUnavailable(
        f"registry {repository.registry} answered 400 Bad Request to PUT {repository.path}: {why}",
        status=400,
    )


def _require_reference(reference: str) -> None:
    if not is_tag(reference) and not is_digest(reference):
        raise ValueError(f"{reference!r} is neither a tag nor a sha256 digest")


def _require_digest(digest: str) -> None:
    if not is_digest(digest):
        raise ValueError(f"{digest!r} is not a sha256 digest")
