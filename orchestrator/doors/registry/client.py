"""The registry door over HTTP: any registry that keeps to the OCI distribution specification."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from orchestrator.doors.clock import RealClock
from orchestrator.doors.protocols import Clock
from orchestrator.doors.registry.answers import Answer, Call, nonsense, subject_of
from orchestrator.doors.registry.cache import ContentCache
from orchestrator.doors.registry.credentials import CredentialSource, docker_credentials
from orchestrator.doors.registry.download import Downloads
from orchestrator.doors.registry.retry import Deadline, Deadlines, Retries
from orchestrator.doors.registry.session import Session
from orchestrator.doors.registry.upload import BlobContent, Uploads
from orchestrator.doors.registry.wire import (
    blob_call,
    content_type,
    entries_in,
    manifest_call,
    manifest_in,
    media_type_in,
    next_page,
    object_in,
    require_digest,
    verify,
)
from orchestrator.errors import AccessDenied, RegistryUnavailable
from orchestrator.model.manifest import MANIFEST_TYPES, OCI_INDEX, Descriptor, Manifest
from orchestrator.model.names import Repository, is_digest, is_tag, parse_repository

_PAGE_LIMIT_BYTES = 8 * 1024 * 1024

PAGE_SIZE = 1000
MAX_PAGES = 1000

#: Answers of registries that do not have an operation at all.
_UNSUPPORTED = (405, 501)
#: Answers of registries that keep no list of their repositories, or not for us.
_NO_CATALOG = (401, 403, 404, *_UNSUPPORTED)


class HttpRegistry:
    """Any OCI registry; keeps the promises of :class:`orchestrator.doors.protocols.Registry`.

    Args:
        plain_http: registries (host or host:port) spoken to over HTTP; loopback ones always are.
        cache_dir: where manifests and configurations are kept by digest; None for nowhere. What
            is there is not asked for again, so use :meth:`resolve` to learn whether a registry
            has a manifest.
        credentials: how to log in; None for Docker's own configuration.
        per_host: requests to one host at the same time.
        guest_of: registries that are somebody else's, where upstreams come from: fewer requests
            at the same time, and none while they say that there were enough.
        deadlines: how long a registry may take.
        retries: how often to try.
        chunk_bytes: how much of a large blob is read at once, or sent at once to registries that
            refuse it in one request.
        clock: None for the machine's.
        hurry: once it is set nobody waits between tries any more; None: nobody sets it.
    """

    def __init__(
        self,
        *,
        plain_http: Collection[str] = (),
        cache_dir: Path | None = None,
        credentials: CredentialSource | None = None,
        per_host: int = 8,
        guest_of: Collection[str] = (),
        deadlines: Deadlines | None = None,
        retries: Retries | None = None,
        chunk_bytes: int = 8 * 1024 * 1024,
        clock: Clock | None = None,
        hurry: threading.Event | None = None,
    ) -> None:
        self._session = Session(
            plain_http=plain_http,
            credentials=credentials or docker_credentials,
            per_host=per_host,
            guest_of=guest_of,
            deadlines=deadlines or Deadlines(),
            retries=retries or Retries(),
            clock=clock or RealClock(),
            hurry=hurry,
        )
        self._uploads = Uploads(self._session, chunk_bytes)
        self._downloads = Downloads(self._session, chunk_bytes)
        self._cache = ContentCache(cache_dir)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection; the door must not be used afterwards."""
        self._session.close()

    def resolve(
        self, repository: Repository, reference: str, *, known: str | None = None
    ) -> str | None:
        """Return the digest a tag or digest names, by HEAD; None if absent.

        A registry whose HEAD does not say a digest is asked for the manifest.

        Args:
            repository: where.
            reference: tag or digest.
            known: the digest it named before: a registry may answer that it still does.
        """
        call = manifest_call("HEAD", repository, reference, expect=(200, 404), unless=known)
        answer = self._session.send(call)
        if answer.status == 404:
            return None
        digest = answer.headers.get("docker-content-digest", "")
        if answer.status == 304:
            if digest not in ("", known):
                raise nonsense(call, answer, f"unchanged, and another digest, {digest}")
            return known
        if not is_digest(digest) or content_type(answer) not in ("", *MANIFEST_TYPES):
            manifest = self._fetch_manifest(repository, reference)
            return manifest.digest if manifest else None
        if is_digest(reference) and digest != reference:
            raise nonsense(call, answer, f"another digest, {digest}")
        return digest

    def manifest(self, repository: Repository, reference: str) -> Manifest | None:
        """Return the manifest or index, its digest verified; None if absent.

        By digest it may come from the cache, without asking the registry.
        """
        cached = self._cache.get(reference) if is_digest(reference) else None
        if cached is not None and (media_type := media_type_in(cached)):
            return Manifest(media_type=media_type, content=cached, digest=reference)
        manifest = self._fetch_manifest(repository, reference)
        # The cache keeps no media type, so only what says its own can come back from it.
        if manifest and media_type_in(manifest.content) == manifest.media_type:
            self._cache.put(manifest.digest, manifest.content)
        return manifest

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
            RegistryUnavailable: refused, or stored under another digest.
            ValueError: the reference is another digest than the manifest's.
        """
        if is_digest(reference) and reference != manifest.digest:
            raise ValueError(f"{reference} is not the digest of manifest {manifest.digest}")
        call = manifest_call(
            "PUT", repository, reference, expect=(200, 201, 202), manifest=manifest
        )

        def put(deadline: Deadline) -> Answer:
            if before is not None:
                before()
            return self._session.send_once(call, deadline)

        answer = self._session.run(call.registry, put)
        stored = answer.headers.get("docker-content-digest") or self.resolve(
            repository, manifest.digest
        )
        if stored != manifest.digest:
            raise nonsense(call, answer, f"{stored or 'no digest'} in place of {manifest.digest}")

    def has_blob(self, repository: Repository, digest: str) -> bool:
        """Say whether the repository has the blob."""
        return self._session.send(blob_call("HEAD", repository, digest)).status == 200

    def blob(self, repository: Repository, digest: str) -> bytes:
        """Return a blob's bytes, verified; meant for configurations (at most 16 MiB).

        Raises:
            RegistryUnavailable: also when it is absent: a manifest that names it is damaged.
        """
        call = blob_call("GET", repository, digest)
        content = self._cache.get(digest)
        if content is not None:
            return content
        answer = self._session.send(call)
        if answer.status == 404:
            raise RegistryUnavailable(
                f"registry {repository.registry} has no {call.subject}",
                status=404,
                hint="a manifest names it, so the repository is damaged: publish it again",
            )
        verify(call, answer, digest)
        self._cache.put(digest, answer.content)
        return answer.content

    def read_blob(self, repository: Repository, digest: str) -> Iterator[bytes]:
        """Yield a blob of any size in chunks; its digest is verified at the end.

        Raises:
            RegistryUnavailable: also when it is absent, cut short or damaged.
            Unavailable: the registry gives it only as a whole, for which there is no room on disk.
        """
        require_digest(digest)
        return self._downloads.read(repository, digest)

    def mount_blob(self, repository: Repository, digest: str, source: Repository) -> bool:
        """Take a blob over from another repository of the same registry; False: upload it."""
        require_digest(digest)
        if source.registry != repository.registry:
            return False
        return self._uploads.mount(repository, digest, source)

    def upload_blob(
        self,
        repository: Repository,
        digest: str,
        content: Iterable[bytes] | bytes,
        size_bytes: int,
    ) -> None:
        """Store a blob; the digest is verified here before the last byte leaves, and there.

        A ``content`` that is ``bytes`` or gives a new iterator each time is sent again after a
        fault; an iterator cannot be, and then the fault raises.

        Raises:
            CheckFailed: the content has not this digest or size; nothing was stored.
            RegistryUnavailable: refused, or out of tries.
        """
        call = blob_call("HEAD", repository, digest)

        def has_blob(deadline: Deadline) -> bool:
            return self._session.send_once(call, deadline).status == 200

        self._uploads.send(repository, BlobContent(content, digest, size_bytes), has_blob)

    def tags(self, repository: Repository) -> tuple[str, ...]:
        """Return every tag, sorted, all pages; empty when the repository is absent."""
        found: set[str] = set()
        target = f"/v2/{repository.path}/tags/list?n={PAGE_SIZE}"
        for value, call, answer in self._pages(repository, target, f"tags of {repository.path}"):
            listed = value.get("tags") or []
            if not isinstance(listed, list) or not all(
                isinstance(tag, str) and is_tag(tag) for tag in listed
            ):
                raise nonsense(call, answer, "a tag list with something else in it")
            found.update(listed)
        return tuple(sorted(found))

    def repositories(self, registry: str) -> tuple[str, ...] | None:
        """Return every repository below ``HOST[:PORT]/PATH``, sorted, with the registry's name.

        None where the registry keeps no list that we may read; many do not.
        """
        below = parse_repository(f"{registry}/any")
        prefix = below.path.removesuffix("any")
        found: set[str] = set()
        target, listed = f"/v2/_catalog?n={PAGE_SIZE}", False
        try:
            for value, call, answer in self._pages(
                Repository(below.registry, ""),
                target,
                "the list of repositories",
                absent=_NO_CATALOG,
                scopes=("registry:catalog:*",),
            ):
                listed = True
                names = value.get("repositories") or []
                if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
                    raise nonsense(call, answer, "a list with something else than names in it")
                found.update(name for name in names if name.startswith(prefix))
        except AccessDenied:
            if listed:
                raise
            return None
        return tuple(sorted(f"{below.registry}/{name}" for name in found)) if listed else None

    def delete_tag(self, repository: Repository, tag: str) -> bool:
        """Remove a tag; False where the registry cannot. A tag that is not there is removed.

        Raises:
            ValueError: it is not a tag; a digest would take every tag on it away.
        """
        if not is_tag(tag):
            raise ValueError(f"{tag!r} is not a tag")
        return self._delete(repository, tag, unsupported=(400, *_UNSUPPORTED))

    def delete_manifest(self, repository: Repository, digest: str) -> bool:
        """Remove a manifest and with it every tag on it; False where the registry cannot."""
        require_digest(digest)
        return self._delete(repository, digest, unsupported=_UNSUPPORTED)

    def referrers(self, repository: Repository, digest: str) -> tuple[Descriptor, ...]:
        """Return what refers to a manifest, by the API or, where there is none, the fallback tag.

        Source: the distribution specification 1.1, "Listing Referrers".
        """
        require_digest(digest)
        target = f"/v2/{repository.path}/referrers/{digest}"
        subject = f"referrers of {subject_of(repository, digest)}"
        found: dict[str, Descriptor] = {}
        has_api = False
        for value, call, answer in self._pages(
            repository, target, subject, absent=(400, 404, *_UNSUPPORTED)
        ):
            has_api = True
            if content_type(answer) != OCI_INDEX:
                raise nonsense(call, answer, "something else than an index")
            index = Manifest.of(json.dumps(value).encode(), OCI_INDEX)
            found.update(entries_in(call, answer, index))
        if not has_api:
            call = manifest_call("GET", repository, digest.replace(":", "-"), expect=(200, 404))
            answer = self._session.send(call)
            if answer.status == 200:
                found.update(entries_in(call, answer, manifest_in(call, answer)))
        return tuple(found.values())

    def _fetch_manifest(self, repository: Repository, reference: str) -> Manifest | None:
        call = manifest_call("GET", repository, reference, expect=(200, 404))
        answer = self._session.send(call)
        if answer.status == 404:
            return None
        manifest = manifest_in(call, answer)
        if is_digest(reference):
            verify(call, answer, reference)
        return manifest

    def _delete(
        self, repository: Repository, reference: str, *, unsupported: tuple[int, ...]
    ) -> bool:
        call = Call(
            method="DELETE",
            repository=repository,
            subject=subject_of(repository, reference),
            target=f"/v2/{repository.path}/manifests/{reference}",
            scopes=(f"repository:{repository.path}:delete,pull,push",),
            expect=(200, 202, 204, 404, *unsupported),
        )
        status = self._session.send(call).status
        # To some registries 404 is how they do not support it.
        return status not in unsupported and (
            status != 404 or self.resolve(repository, reference) is None
        )

    def _pages(
        self,
        repository: Repository,
        target: str,
        subject: str,
        absent: tuple[int, ...] = (404,),
        scopes: tuple[str, ...] = (),
    ) -> Iterator[tuple[Mapping[str, object], Call, Answer]]:
        """Yield the pages of a list; none when the registry has no such list."""
        seen: set[str] = set()
        while target not in seen and len(seen) < MAX_PAGES:
            call = Call(
                method="GET",
                repository=repository,
                subject=subject,
                target=target,
                scopes=scopes or (f"repository:{repository.path}:pull",),
                # A list that ends with "absent" in its middle is not whole.
                expect=(200,) if seen else (200, *absent),
                limit_bytes=_PAGE_LIMIT_BYTES,
            )
            answer = self._session.send(call)
            if answer.status in absent:
                return
            yield object_in(call, answer), call, answer
            seen.add(target)
            following = next_page(self._session.base_url(repository.registry), call, answer)
            if following is None:
                return
            target = following
        raise RegistryUnavailable(
            f"registry {repository.registry} lists {subject} without end",
            hint=f"more than {MAX_PAGES} pages, or one that names itself as the next",
        )
