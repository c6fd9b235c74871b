"""Upstreams in, what their registries show of them out: each is asked once. Reads only.

Source: docs/adr/0010-upstreams.md
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

from orchestrator.decide.soak import ledger_source
from orchestrator.doors.protocols import Registry
from orchestrator.errors import RegistryUnavailable, Unavailable
from orchestrator.model import image_config
from orchestrator.model.hierarchy import Hierarchy, Image, Track, Upstream
from orchestrator.model.manifest import Manifest
from orchestrator.model.names import Reference, Repository, is_platform, short_digest
from orchestrator.model.observation import Sighting, UpstreamState
from orchestrator.model.versions import is_in_range, shape_of, version_in

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a look-up of one upstream gave.

    Attributes:
        state: what is to be built on: what is pinned, else the newest; None: it cannot be had.
        newest: what its registry shows; None where nobody knows, which is no fault under a pin.
        why: why there is no state; empty where there is one.
    """

    state: UpstreamState | None
    newest: UpstreamState | None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a digest of an upstream can be had.

    Attributes:
        reference: the repository; with a tag where one is known.
        origin: where it came from, when that is its mirror; empty else.
        manifests: platform → manifest digest.
    """

    reference: str
    origin: str
    manifests: Mapping[str, str]


class Lookups:
    """The look-ups of one command: what was asked once is not asked again. Thread-safe.

    An upstream that did not change costs one HEAD; one that follows a range of versions a list of
    tags as well.

    Args:
        registry: where upstreams are.
        ledger: what was seen before; what it has need not be read again.
    """

    def __init__(self, registry: Registry, ledger: Iterable[Sighting] = ()) -> None:
        self._registry = registry
        self._ledger: dict[str, list[Sighting]] = {}
        self._known: dict[str, Mapping[str, str]] = {}
        for seen in ledger:
            self._ledger.setdefault(seen.source, []).append(seen)
            if seen.manifests:
                self._known[seen.digest] = seen.manifests
        self._hints: dict[tuple[Repository, str], str] = {}
        self._digests = _Once(self._resolve)
        self._contents = _Once(self._read)
        self._tags = _Once(registry.tags)

    def entries(self, upstream: Upstream) -> tuple[Sighting, ...]:
        """Return what the ledger has of an upstream, first seen first."""
        return tuple(self._ledger.get(ledger_source(upstream), ()))

    def remember(self, sightings: Iterable[Sighting]) -> None:
        """Take in what a mirror knows and the ledger does not."""
        for seen in sightings:
            entries = self._ledger.setdefault(seen.source, [])
            if all(entry.fingerprint != seen.fingerprint for entry in entries):
                entries.append(seen)
                entries.sort(key=lambda entry: entry.first_seen_s)
            self._known.setdefault(seen.digest, seen.manifests)

    def look(self, upstream: Upstream) -> Looked:
        """Return what an upstream's registry shows of it; never raises for what is not ours."""
        newest, why = self._try(self.newest, upstream)
        if upstream.pin is None:
            return Looked(state=newest, newest=newest, why=why)
        state, why = self._try(self.pinned, upstream)
        return Looked(state=state, newest=newest, why=why)

    def newest(self, upstream: Upstream) -> UpstreamState:
        """Return what an upstream's registry shows now.

        Raises:
            Unavailable: it is absent, or its registry answers nonsense.
            RegistryUnavailable: its registry does not answer.
        """
        place = self._newest_place(upstream)
        return self._state(upstream, place, self._digest_at(upstream, place))

    def pinned(self, upstream: Upstream) -> UpstreamState:
        """Return an upstream at the digest that it is pinned to.

        Raises:
            Unavailable: it is absent, or its registry answers nonsense.
            RegistryUnavailable: its registry does not answer.
        """
        place = _pinned_place(upstream)
        return self._state(upstream, place, self._digest_at(upstream, place))

    def is_there(self, upstream: Upstream) -> bool:
        """Say whether what is to be built on is there; one HEAD, and no manifest.

        Raises:
            Unavailable: no version is in the range that is followed.
            RegistryUnavailable: its registry does not answer.
        """
        pinned = upstream.pin is not None
        place = _pinned_place(upstream) if pinned else self._newest_place(upstream)
        return self._digest_at(upstream, place) is not None

    def place(self, upstream: Upstream, digest: str) -> Place | None:
        """Return where a digest that an upstream had before can be had; None: nowhere any more.

        Raises:
            Unavailable: a registry answers nonsense.
            RegistryUnavailable: a registry does not answer.
        """
        source = upstream.source.repository
        for repository in (upstream.mirror, source):
            if repository is None or self._digests((repository, digest)) is None:
                continue
            manifests = self._contents((repository, digest))
            if manifests is not None:
                # Which of its tags named it, nobody knows where a range is followed.
                tag = None if upstream.track is Track.SEMVER else upstream.source.tag or "latest"
                origin = str(Reference(source, tag))
                if repository == source:
                    return Place(reference=origin, origin="", manifests=manifests)
                return Place(reference=str(repository), origin=origin, manifests=manifests)
        return None

    def known(self, digest: str) -> Mapping[str, str]:
        """Return platform → manifest digest as the ledger has it; empty where it does not."""
        return self._known.get(digest, {})

    def _try(
        self, read: Callable[[Upstream], UpstreamState], upstream: Upstream
    ) -> tuple[UpstreamState | None, str]:
        try:
            return read(upstream), ""
        except Unavailable as error:
            return None, error.what

    def _newest_place(self, upstream: Upstream) -> Reference:
        source = upstream.source
        tag = self._highest(upstream) if upstream.track is Track.SEMVER else source.tag or "latest"
        return Reference(source.repository, tag, source.digest)

    def _digest_at(self, upstream: Upstream, place: Reference) -> str | None:
        question = place.repository, place.digest or str(place.tag)
        if place.digest is None:
            for seen in self.entries(upstream)[-1:]:
                self._hints.setdefault(question, seen.digest)
        return self._digests(question)

    def _state(self, upstream: Upstream, place: Reference, digest: str | None) -> UpstreamState:
        manifests = self._contents((place.repository, digest)) if digest else None
        if digest is None or manifests is None:
            raise Unavailable(
                f"{place if upstream.source.digest is None else upstream.source} is not there",
                hint="check `source:` under `upstreams:`",
            )
        return UpstreamState(
            name=upstream.name,
            reference=str(Reference(place.repository, place.tag or "latest")),
            digest=digest,
            manifests=manifests,
        )

    def _highest(self, upstream: Upstream) -> str:
        source = upstream.source
        shape = shape_of(source.tag or "")
        found = {
            tag: version
            for tag in self._tags(source.repository)
            if shape and (version := version_in(tag, shape))
        }
        # Two tags of one version, 24.4 and 24.04, must not take turns.
        for tag in sorted(found, key=lambda tag: (found[tag], tag), reverse=True):
            if is_in_range(found[tag], upstream.range):
                return tag
        raise Unavailable(
            f"no tag of {source.repository} that looks like {source.tag} is in {upstream.range}",
            hint="check `source:` and `track:` under `upstreams:`",
        )

    def _resolve(self, question: tuple[Repository, str]) -> str | None:
        return self._registry.resolve(*question, known=self._hints.get(question))

    def _read(self, question: tuple[Repository, str]) -> Mapping[str, str] | None:
        repository, digest = question
        if digest in self._known:
            return self._known[digest]
        manifest = self._registry.manifest(repository, digest)
        return platforms_of(self._registry, repository, manifest) if manifest else None


def _pinned_place(upstream: Upstream) -> Reference:
    return Reference(upstream.source.repository, upstream.source.tag, upstream.pin)


def used_upstreams(hierarchy: Hierarchy, images: Iterable[Image]) -> dict[str, Upstream]:
    """Return the upstreams that images stand on, by name, each once."""
    names = {name: None for image in images for name in image.upstream_parents()}
    return {name: hierarchy.upstreams[name] for name in names}


class _Once(Generic[K, V]):
    """Answers each question once; whoever asks it meanwhile waits. Thread-safe."""

    def __init__(self, answer: Callable[[K], V]) -> None:
        self._answer = answer
        self._lock = threading.Lock()
        self._answers: dict[K, Future[V]] = {}

    def __call__(self, question: K) -> V:
        mine: Future[V] = Future()
        with self._lock:
            found = self._answers.setdefault(question, mine)
        if found is mine:
            try:
                mine.set_result(self._answer(question))
            except Exception as error:  # noqa: BLE001  # raised again right below
                mine.set_exception(error)
        return found.result()


def platforms_of(
    registry: Registry, repository: Repository, manifest: Manifest
) -> Mapping[str, str]:
    """Return platform → manifest digest of an index, or of an image without one.

    Raises:
        Unavailable: it is nonsense, or names no platform.
        RegistryUnavailable: the registry does not answer.
    """
    what = f"{repository}@sha256:{short_digest(manifest.digest)}…"
    try:
        if manifest.is_index:
            found = manifest.platforms()
        else:
            config = registry.blob(repository, manifest.config_digest())
            found = {image_config.platform(config): manifest.digest}
    except (ValueError, RecursionError) as error:
        raise Unavailable(f"{what} makes no sense: {error}") from error
    usable = {platform: digest for platform, digest in found.items() if is_platform(platform)}
    if not usable:
        raise Unavailable(f"{what} names no platform")
    return usable


def upstream_state(registry: Registry, upstream: Upstream) -> UpstreamState:
    """Return what of an upstream is to be built on, whatever soaks.

    Raises:
        Unavailable: it is absent, or its registry answers nonsense.
        RegistryUnavailable: its registry does not answer.
    """
    lookups = Lookups(registry)
    try:
        return lookups.newest(upstream) if upstream.pin is None else lookups.pinned(upstream)
    except RegistryUnavailable:
        raise
    except Unavailable as error:
        raise Unavailable(f"upstream {upstream.name}: {error.what}", hint=error.hint) from error
