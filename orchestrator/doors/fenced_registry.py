"""A registry in which tags move only as long as somebody may write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from orchestrator.doors.protocols import Registry
from orchestrator.errors import LeaseLost, StateUnavailable
from orchestrator.model.manifest import Descriptor, Manifest
from orchestrator.model.names import Repository, short_digest


class FencedRegistry:
    """A registry that asks before each request that changes what somebody else may see.

    Blobs, and manifests under their digests, are seen by nobody who does not know them: they are
    stored without asking.

    Args:
        registry: does everything.
        require: raises where nothing may be changed any more.
    """

    def __init__(self, registry: Registry, require: Callable[[], None]) -> None:
        self._registry = registry
        self._require = require

    def resolve(
        self, repository: Repository, reference: str, *, known: str | None = None
    ) -> str | None:
        """Return the digest a tag or digest names; see the protocol."""
        return self._registry.resolve(repository, reference, known=known)

    def manifest(self, repository: Repository, reference: str) -> Manifest | None:
        """Return the manifest or index; see the protocol."""
        return self._registry.manifest(repository, reference)

    def put_manifest(
        self,
        repository: Repository,
        reference: str,
        manifest: Manifest,
        *,
        before: Callable[[], None] | None = None,
    ) -> None:
        """Store a manifest under a tag or its digest; see the protocol.

        Raises:
            OrchestrateError: no tag may be written any more.
            LeaseLost: also where that was so only as the registry did it; then it names the tag.
        """
        if reference == manifest.digest:
            self._registry.put_manifest(repository, reference, manifest, before=before)
            return

        def look() -> None:
            self._require()
            if before is not None:
                before()

        # A registry may let us wait for a minute between two tries.
        self._registry.put_manifest(repository, reference, manifest, before=look)
        try:
            self._require()
        except LeaseLost as error:
            raise LeaseLost(
                f"{error.what}; {repository}:{reference} was put on "
                f"{short_digest(manifest.digest)} in the meantime",
                hint="this run writes nothing more; the next `orchestrate build` puts right what "
                "that tag should name, `orchestrate history` shows the other",
            ) from error
        except StateUnavailable:
            # The tag is there; who writes that down will be told.
            return

    def has_blob(self, repository: Repository, digest: str) -> bool:
        """Say whether the repository has the blob."""
        return self._registry.has_blob(repository, digest)

    def blob(self, repository: Repository, digest: str) -> bytes:
        """Return a blob's bytes; see the protocol."""
        return self._registry.blob(repository, digest)

    def read_blob(self, repository: Repository, digest: str) -> Iterator[bytes]:
        """Yield a blob in chunks; see the protocol."""
        return self._registry.read_blob(repository, digest)

    def mount_blob(self, repository: Repository, digest: str, source: Repository) -> bool:
        """Take a blob over from another repository; see the protocol."""
        return self._registry.mount_blob(repository, digest, source)

    def upload_blob(
        self, repository: Repository, digest: str, content: Iterable[bytes], size_bytes: int
    ) -> None:
        """Store a blob; see the protocol."""
        self._registry.upload_blob(repository, digest, content, size_bytes)

    def tags(self, repository: Repository) -> tuple[str, ...]:
        """Return every tag; see the protocol."""
        return self._registry.tags(repository)

    def repositories(self, registry: str) -> tuple[str, ...] | None:
        """Return every repository; see the protocol."""
        return self._registry.repositories(registry)

    def delete_tag(self, repository: Repository, tag: str) -> bool:
        """Remove a tag; see the protocol.

        Raises:
            OrchestrateError: no tag may be removed any more.
        """
        self._require()
        return self._registry.delete_tag(repository, tag)

    def delete_manifest(self, repository: Repository, digest: str) -> bool:
        """Remove a manifest and with it every tag on it; see the protocol.

        Raises:
            OrchestrateError: nothing may be removed any more.
        """
        self._require()
        return self._registry.delete_manifest(repository, digest)

    def referrers(self, repository: Repository, digest: str) -> tuple[Descriptor, ...]:
        """Return what refers to a manifest; see the protocol."""
        return self._registry.referrers(repository, digest)
