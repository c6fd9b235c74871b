"""What the verbs need of the outside world, and nothing more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from orchestrator.model.event import StepProgress
from orchestrator.model.health import BuilderFacts
from orchestrator.model.hierarchy import BuildCache, BuildOptions, Image, Secret
from orchestrator.model.manifest import Descriptor, Manifest
from orchestrator.model.names import Repository
from orchestrator.model.source import ImageFiles, Revision, Source
from orchestrator.model.tags import cache_tag


class Clock(Protocol):
    """Time, so that tests and simulations can own it."""

    def now_s(self) -> float:
        """Return seconds since 1970 UTC."""

    def monotonic_s(self) -> float:
        """Return seconds that never go back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    def wait(self, event: threading.Event, seconds: float, *others: threading.Event) -> bool:
        """Wait until one of the events is set, but no longer than so many seconds.

        Returns:
            Whether one is set.
        """


class Git(Protocol):
    """The version control that the hierarchy file lives in."""

    def revision(self) -> Revision | None:
        """Return where the tree stands; None outside git or without git or commits."""

    def files_since(self, reference: str, name: str) -> Files:
        """Return the hierarchy's directory as it was where this branch left another one.

        Args:
            reference: anything git takes for a commit; the tree is the merge base's.
            name: the hierarchy file's path as the user would write it.

        Raises:
            UsageError: there is no such commit, no common ancestor, or no git.
        """


class Context(Protocol):
    """One image's context as it was when it was hashed: what is hashed is what is sent."""

    source: Source
    dockerfile: str
    """Path of the Dockerfile inside the archive."""

    def archive(self) -> Iterator[bytes]:
        """Yield the tar's bytes, the same on every call.

        Raises:
            Conflict: a file changed since it was hashed.
        """


class Files(Protocol):
    """The hierarchy's directory.

    Attributes:
        name: the hierarchy file's path as the user would write it.
    """

    name: str

    def hierarchy_text(self) -> bytes:
        """Return the hierarchy file's bytes.

        Raises:
            InvalidInput: it cannot be read, is not a regular file, or is larger than 4 MiB.
        """

    def matching(self, pattern: str) -> tuple[str, ...]:
        """Return the files that a pattern names, sorted; never raises.

        Args:
            pattern: relative to the hierarchy's directory; ``*`` and ``?`` stay inside one name,
                ``**`` stands for any directories. They leave names alone that start with a dot,
                and do not enter directories that are symlinks.

        Returns:
            Paths relative to that directory; also of what is there and no regular file, cannot
            be looked into, or is a symlink on the way, so that :meth:`text` says so.
        """

    def text(self, path: str) -> bytes:
        """Return the bytes of a file that :meth:`matching` named.

        Raises:
            InvalidInput: it cannot be read, is not a regular file, or is larger than 4 MiB.
        """

    def image_files(self, context: str, dockerfile: str) -> ImageFiles:
        """Return what loading needs to know of one image's files; never raises.

        Those in a repository elsewhere are as they were when somebody fetched last.
        """

    def fetch(self, contexts: Iterable[str]) -> None:
        """Bring the repositories here that contexts are in, each once; never raises.

        What could not be fetched is told by :meth:`image_files`. Thread-safe.
        """

    def context(self, context: str, dockerfile: str) -> Context:
        """Read, filter, normalise and hash one image's context.

        Raises:
            InvalidInput: a file cannot be read or vanished; every such file is named.
            Unavailable: it is in a repository elsewhere that cannot be had.
        """


class Registry(Protocol):
    """Any OCI registry. Only a 404 is "absent"; everything else that is not a success raises.

    Every method raises :class:`orchestrator.errors.RegistryUnavailable` (or ``AccessDenied``).
    Thread-safe.
    """

    def resolve(
        self, repository: Repository, reference: str, *, known: str | None = None
    ) -> str | None:
        """Return the digest a tag or digest names, by HEAD; None if absent.

        Args:
            repository: where.
            reference: tag or digest.
            known: the digest it named before; a registry may then say that it still does.
        """

    def manifest(self, repository: Repository, reference: str) -> Manifest | None:
        """Return the manifest or index, its digest verified; None if absent."""

    def put_manifest(
        self,
        repository: Repository,
        reference: str,
        manifest: Manifest,
        *,
        before: Callable[[], None] | None = None,
    ) -> None:
        """Store a manifest under a tag or its digest, unconditionally.

        Args:
            repository: where.
            reference: a tag, or its digest.
            manifest: what.
            before: called before every try; what it raises ends the operation.

        Raises:
            RegistryUnavailable: refused, or stored under another digest.
        """

    def has_blob(self, repository: Repository, digest: str) -> bool:
        """Say whether the repository has the blob."""

    def blob(self, repository: Repository, digest: str) -> bytes:
        """Return a blob's bytes, verified; meant for configurations (at most 16 MiB).

        Raises:
            RegistryUnavailable: also when it is absent: a manifest that names it is damaged.
        """

    def read_blob(self, repository: Repository, digest: str) -> Iterator[bytes]:
        """Yield a blob of any size in chunks; its digest is verified at the end.

        Raises:
            RegistryUnavailable: also when it is absent, cut short or damaged.
        """

    def mount_blob(self, repository: Repository, digest: str, source: Repository) -> bool:
        """Take a blob over from another repository of the same registry; False: upload it."""

    def upload_blob(
        self, repository: Repository, digest: str, content: Iterable[bytes], size_bytes: int
    ) -> None:
        """Store a blob; the registry verifies the digest.

        A ``content`` that can be iterated more than once is sent again after a fault; with an
        iterator, which cannot, the fault raises.
        """

    def tags(self, repository: Repository) -> tuple[str, ...]:
        """Return every tag, all pages; empty when the repository is absent."""

    def repositories(self, registry: str) -> tuple[str, ...] | None:
        """Return every repository below ``HOST[:PORT]/PATH``, sorted, with the registry's name.

        None where the registry keeps no list that we may read; many do not.
        """

    def delete_tag(self, repository: Repository, tag: str) -> bool:
        """Remove a tag; False where the registry cannot."""

    def delete_manifest(self, repository: Repository, digest: str) -> bool:
        """Remove a manifest and with it every tag on it; False where the registry cannot."""

    def referrers(self, repository: Repository, digest: str) -> tuple[Descriptor, ...]:
        """Return what refers to a manifest, by the API or the fallback tag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """One ``docker buildx build``, of one platform.

    Attributes:
        image: what is built: target, labels and options are taken from it.
        platform: the one that is built; the image may have more.
        dockerfile: path of the Dockerfile inside the context archive.
        build_args: (name, value), the image's own and then ours.
        secrets: by reference.
        pins: (name in the Dockerfile, ``REPOSITORY@sha256:…``).
        source_epoch_s: SOURCE_DATE_EPOCH.
        builder: buildx builder, or docker context; None for the current builder.
        cached: whether results of earlier builds may be used.
        timeout_s: after as many seconds the build is stopped; None: it may take for ever.
        cache: where the cache is kept beside the builder's own.
        current: ``REPOSITORY@sha256:…`` of what is published, which may hold an inline cache; None:
            nothing is.
    """

    image: Image
    platform: str
    dockerfile: str
    build_args: tuple[tuple[str, str], ...]
    secrets: tuple[Secret, ...]
    pins: tuple[tuple[str, str], ...]
    source_epoch_s: int
    builder: str | None = None
    cached: bool = True
    timeout_s: float | None = None
    cache: BuildCache = BuildCache.NONE
    current: str | None = None

    @property
    def cache_reference(self) -> str | None:
        """What the cache is read from, and with ``BuildCache.REGISTRY`` written to; or None."""
        if self.cache is BuildCache.REGISTRY:
            return f"{self.image.repository}:{cache_tag(self.image.id, self.platform)}"
        return self.current if self.cache is BuildCache.INLINE else None

    @property
    def options(self) -> BuildOptions:
        """The image's build options."""
        return self.image.options


class Builder(Protocol):
    """What turns a context into an OCI layout."""

    def build(
        self,
        request: BuildRequest,
        context: Iterable[bytes],
        output: str,
        *,
        log_path: str,
        progress: Callable[[StepProgress], None],
        cancelled: threading.Event,
    ) -> None:
        """Run one build and export its result, an OCI layout, into a directory.

        A blob for which the directory has a file already, whatever is in it, is not exported.

        Args:
            request: what to build.
            context: the context's tar.
            output: path of the directory, which is there.
            log_path: file for the whole log.
            progress: called from another thread.
            cancelled: when set, the build is stopped on the engine too.

        Raises:
            BuildFailed: the build failed, or was cancelled (cause ``cancelled``), or took longer
                than it may (cause ``timeout``). With cause ``builder`` the builder was lost while
                it worked: nothing is known of the image, and another builder may well build it.
            BuilderUnavailable: there is no usable docker, buildx or engine.
        """

    def facts(self, name: str | None) -> BuilderFacts:
        """Return what a builder is, natively and otherwise; an answer means that it is well.

        One that only sleeps is woken, which may take a minute.

        Args:
            name: as in a request.

        Raises:
            BuilderUnavailable: it does not answer, or not in time, or there is none.
        """


class Output(Protocol):
    """A directory for one build's OCI layout.

    Every method raises :class:`orchestrator.errors.Unavailable` when the disk does not let it.

    Attributes:
        path: where it is.
    """

    path: str

    def leave_out(self, digest: str, size_bytes: int) -> None:
        """Put a file without content in a blob's place, so that the blob is not exported."""

    def index(self) -> bytes | None:
        """Return the layout's ``index.json``; None if it is not there."""

    def size_bytes(self, digest: str) -> int | None:
        """Return a blob's size; None if it is not there."""

    def chunks(self, digest: str) -> Iterable[bytes]:
        """Return a blob's bytes, in chunks that start at the beginning each time."""


class Spool(Protocol):
    """Room on disk for what is between the builder and the registry."""

    def output(self, size_bytes: int) -> AbstractContextManager[Output]:
        """Make an empty directory for a build's result; gone with all that is in it at the end.

        Args:
            size_bytes: how much room is probably needed; checked at once.

        Raises:
            Unavailable: there is not enough room.
        """

    def hold(
        self, content: Iterator[bytes], size_bytes: int
    ) -> AbstractContextManager[Iterable[bytes]]:
        """Keep a stream's bytes so that they can be read more than once; gone at the end.

        Args:
            content: read to its end.
            size_bytes: how much room is needed; checked before the first byte is written.

        Returns:
            On entering: an iterable of chunks that starts at the beginning each time.

        Raises:
            Unavailable: there is not enough room.
        """
