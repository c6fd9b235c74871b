"""Files, registry and upstreams in, :class:`Observations` out. Reads only, in parallel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from orchestrator.decide import (
    Wanted,
    floating_tags,
    immutable_tag,
    is_complete,
    published_parents,
    wanted,
)
from orchestrator.doors.protocols import Clock, Files, Git, Registry
from orchestrator.errors import InvalidInput, Problem, Unavailable
from orchestrator.model import image_config
from orchestrator.model.fingerprint import key_tag
from orchestrator.model.hierarchy import Hierarchy, Image, Upstream
from orchestrator.model.manifest import Manifest
from orchestrator.model.names import Reference, Repository
from orchestrator.model.observation import Found, Observations, UpstreamState
from orchestrator.model.publication import read_publication
from orchestrator.model.source import Source
from orchestrator.model.time import day

A = TypeVar("A")
B = TypeVar("B")

#: Requests under way at once; more gains nothing against one registry.
PARALLEL = 8


def observe(
    hierarchy: Hierarchy,
    *,
    files: Files,
    git: Git,
    registry: Registry,
    clock: Clock,
    forced: frozenset[str] = frozenset(),
    epoch: str = "",
) -> Observations:
    """Read everything that deciding needs.

    Every image's files are hashed, every tag that could move is looked up with one HEAD, and
    manifests are read by digest. Nothing is written anywhere.

    Args:
        hierarchy: what to look at.
        files: the hierarchy's directory.
        git: where it stands in version control.
        registry: where images and upstreams are.
        clock: for the date.
        forced: image ids whose key gets the new epoch.
        epoch: that epoch.

    Raises:
        InvalidInput: files that cannot be read, all of them named.
        RegistryUnavailable: a registry answers neither yes nor 404.
        Unavailable: an upstream is absent or lacks a platform that an image needs.
    """
    with ThreadPoolExecutor(PARALLEL, "observe") as pool:
        upstreams = _each(pool, _used_upstreams(hierarchy), lambda u: upstream_state(registry, u))
        images = tuple(hierarchy.images.values())
        tags = _each(pool, images, lambda image: _floating(registry, image))
        sources = _sources(hierarchy, files)
        _require_platforms(hierarchy, upstreams)
        currents = _each(pool, images, lambda i: _current(registry, i, tags[i.id]))
        seen = Observations(
            sources=sources,
            upstreams=upstreams,
            currents=currents,
            tags=tags,
            candidates={},
            revision=git.revision(),
            date=day(clock.now_s()),
        )
        keys = {
            image.id: _provisional(image, seen, epoch if image.id in forced else None)
            for image in images
        }
        found = _each(pool, images, lambda i: _candidate(registry, i, keys[i.id].key, currents))
        immutables = _each(pool, images, lambda i: _immutable(registry, i, found[i.id]))
    return Observations(
        sources=sources,
        upstreams=upstreams,
        currents=currents,
        tags={image.id: {**tags[image.id], **immutables[image.id]} for image in images},
        candidates={
            key: candidate
            for image in images
            if (key := keys[image.id].key) and (candidate := found[image.id])
        },
        revision=seen.revision,
        date=seen.date,
    )


def _each(pool: ThreadPoolExecutor, items: Iterable[A], read: Callable[[A], B]) -> dict[str, B]:
    """Return id or name → what ``read`` gave; the first error is raised when all have ended."""
    started = [(item, pool.submit(read, item)) for item in items]
    return {
        item.id if isinstance(item, Image) else item.name: future.result()  # type: ignore[attr-defined]
        for item, future in started
    }


def _used_upstreams(hierarchy: Hierarchy) -> tuple[Upstream, ...]:
    names = {n: None for image in hierarchy.images.values() for n in image.upstream_parents()}
    return tuple(hierarchy.upstreams[name] for name in names)


def upstream_state(registry: Registry, upstream: Upstream) -> UpstreamState:
    """Return an upstream as its registry shows it now.

    Raises:
        Unavailable: it is absent.
        RegistryUnavailable: its registry does not answer.
    """
    source = upstream.source
    wanted_reference = source.digest or source.tag or "latest"
    digest = registry.resolve(source.repository, wanted_reference)
    manifest = registry.manifest(source.repository, digest) if digest else None
    if manifest is None:
        raise Unavailable(
            f"upstream {upstream.name}: {source} is not there",
            hint="check `source:` under `upstreams:`; for the sample, run `scripts/upstream`",
        )
    return UpstreamState(
        name=upstream.name,
        reference=str(Reference(source.repository, source.tag or "latest")),
        digest=manifest.digest,
        manifests=manifest.platforms() or _single(registry, source.repository, manifest),
    )


def _single(registry: Registry, repository: Repository, manifest: Manifest) -> dict[str, str]:
    """Return platform → digest of an image without an index; its configuration says which."""
    config = registry.blob(repository, manifest.config_digest())
    return {image_config.platform(config): manifest.digest}


def _require_platforms(hierarchy: Hierarchy, upstreams: Mapping[str, UpstreamState]) -> None:
    for image in hierarchy.images.values():
        for name in image.upstream_parents():
            state = upstreams[name]
            missing = sorted(set(image.platforms) - set(state.manifests))
            if missing:
                raise Unavailable(
                    f"upstream {name} ({state.reference}) lacks {', '.join(missing)}, "
                    f"which {image.id} needs",
                    hint="take another upstream, or drop the platform from the image",
                )


def _sources(hierarchy: Hierarchy, files: Files) -> dict[str, Source]:
    sources: dict[str, Source] = {}
    problems: list[Problem] = []
    for image in hierarchy.images.values():
        try:
            sources[image.id] = files.context(image.context, image.dockerfile).source
        except InvalidInput as error:
            problems.extend(error.problems)
    if problems:
        raise InvalidInput(tuple(problems))
    return sources


def _floating(registry: Registry, image: Image) -> dict[str, str | None]:
    return {tag: registry.resolve(image.repository, tag) for tag in floating_tags(image)}


def _current(registry: Registry, image: Image, tags: Mapping[str, str | None]) -> Found | None:
    digests = tuple(dict.fromkeys(d for tag in floating_tags(image) if (d := tags[tag])))
    if len(digests) > 1:
        # An interrupted promotion, or a rollback that could not remove the tags it should.
        digests = tuple(d for d in digests if not is_rejected(registry, image.repository, d))
    return look_up(registry, image.repository, digests[0]) if digests else None


def look_up(registry: Registry, repository: Repository, digest: str) -> Found | None:
    """Return what a digest is; None when the registry no longer has it."""
    manifest = registry.manifest(repository, digest)
    if manifest is None:
        return None
    return Found(digest=digest, publication=read_publication(manifest))


def _provisional(image: Image, seen: Observations, epoch: str | None) -> Wanted:
    """Return the key on the parents' currents: right unless a parent is about to move."""
    current = seen.currents[image.id]
    recorded = current.publication.epoch if current and current.publication else ""
    return wanted(
        image,
        seen.sources[image.id],
        upstreams=seen.upstreams,
        parents=published_parents(image, seen),
        epoch=recorded if epoch is None else epoch,
    )


def _candidate(
    registry: Registry, image: Image, key: str | None, currents: Mapping[str, Found | None]
) -> Found | None:
    if key is None:
        return None
    return candidate(registry, image, key, currents[image.id])


def candidate(registry: Registry, image: Image, key: str, current: Found | None) -> Found | None:
    """Return what an image's key tag names; None when the key was never built.

    Args:
        registry: where the image is published.
        image: the image.
        key: build key.
        current: what is promoted; it cannot be rejected, and need not be read again.
    """
    digest = registry.resolve(image.repository, key_tag(key))
    if digest is None:
        return None
    if current and digest == current.digest:
        return current
    found = look_up(registry, image.repository, digest)
    if found is None:
        return None
    rejected = is_rejected(registry, image.repository, digest)
    return Found(digest=digest, publication=found.publication, rejected=rejected)


def is_rejected(registry: Registry, repository: Repository, digest: str) -> bool:
    """Say whether a digest was rolled back, and nobody asked for it since."""
    return registry.resolve(repository, rejected_tag(digest)) == digest


def rejected_tag(digest: str) -> str:
    """Return the tag that marks a digest as rolled back, as long as it points at that digest."""
    return "rejected-" + digest.removeprefix("sha256:")


def _immutable(registry: Registry, image: Image, found: Found | None) -> dict[str, str | None]:
    if found is None or found.publication is None:
        return {}
    if not is_complete(found.publication, image.platforms):
        return {}
    tag = immutable_tag(image, found.publication)
    return {tag: registry.resolve(image.repository, tag)}
