"""Files, registry and upstreams in, :class:`Observations` out. Reads only, in parallel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from orchestrator.abreast import Abreast
from orchestrator.decide import floating_tags, immutable_tag
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
from orchestrator.reach import Reach
from orchestrator.want import Wanted, is_complete, published_parents, wanted

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
    selected: frozenset[str] | None = None,
) -> Observations:
    """Read everything that deciding needs.

    Every image's files are hashed, every tag that could move is looked up with one HEAD, and
    manifests are read by digest. Of images that are retired, and of parents that were not asked
    for, only what is current is read. Nothing is written anywhere.

    Args:
        hierarchy: what to look at.
        files: the hierarchy's directory.
        git: where it stands in version control.
        registry: where images and upstreams are.
        clock: for the date.
        forced: image ids whose key gets the new epoch.
        epoch: that epoch.
        selected: ids of the images that were asked for; None: all.

    Raises:
        InvalidInput: files that cannot be read, all of them named.
        RegistryUnavailable: a registry answers neither yes nor 404; but one of copies, of which
            nothing is known then.
        Unavailable: an upstream is absent or lacks a platform that an image needs.
    """
    images, bystanders = _to_look_at(hierarchy, selected)
    by_id = {image.id: image for image in images}
    every_id = by_id | {image.id: image for image in bystanders}
    reach = Reach(registry)
    with Abreast(PARALLEL, "observe") as look:
        asked = look.begin(
            _used_upstreams(hierarchy, images), lambda u: upstream_state(registry, u)
        )
        looked = look.begin(every_id, lambda image: _floating(registry, image))
        # Files are read while registries answer.
        sources = _sources(images, files)
        upstreams = asked.wait()
        _require_platforms(images, upstreams)
        tags = looked.wait()
        currents = look.each(every_id, lambda i: _current(registry, i, tags[i.id], reach))
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
        found = look.each(
            by_id, lambda i: _candidate(registry, i, keys[i.id].key, currents[i.id], reach)
        )
        immutables = look.each(by_id, lambda i: _immutable(registry, i, found[i.id]))
        every = {image.id: {**tags[image.id], **immutables[image.id]} for image in images}
        copied = {image.id: image for image in images if image.copies}
        copies = look.each(copied, lambda i: reach.tags(i, tuple(every[i.id])))
    return Observations(
        sources=sources,
        upstreams=upstreams,
        currents=currents,
        tags=every,
        candidates={
            key: candidate
            for image in images
            if (key := keys[image.id].key) and (candidate := found[image.id])
        },
        copies=copies,
        revision=seen.revision,
        date=seen.date,
    )


def _to_look_at(
    hierarchy: Hierarchy, selected: frozenset[str] | None
) -> tuple[tuple[Image, ...], tuple[Image, ...]]:
    """Return the images to decide on, and those of which only what is current counts."""
    asked = [i for i in hierarchy.images.values() if selected is None or i.id in selected]
    images = {image.id: image for image in asked if not image.retired}
    beside = {image.id for image in asked if image.retired}
    beside.update(parent for image in images.values() for parent in image.image_parents())
    beside -= images.keys()
    bystanders = tuple(image for image in hierarchy.images.values() if image.id in beside)
    return tuple(images.values()), bystanders


def _used_upstreams(hierarchy: Hierarchy, images: Iterable[Image]) -> dict[str, Upstream]:
    names = {name: None for image in images for name in image.upstream_parents()}
    return {name: hierarchy.upstreams[name] for name in names}


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
            hint="check `source:` under `upstreams:`",
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


def _require_platforms(images: Iterable[Image], upstreams: Mapping[str, UpstreamState]) -> None:
    for image in images:
        for name in image.upstream_parents():
            state = upstreams[name]
            missing = sorted(set(image.platforms) - set(state.manifests))
            if missing:
                raise Unavailable(
                    f"upstream {name} ({state.reference}) lacks {', '.join(missing)}, "
                    f"which {image.id} needs",
                    hint="take another upstream, or drop the platform from the image",
                )


def _sources(images: Iterable[Image], files: Files) -> dict[str, Source]:
    sources: dict[str, Source] = {}
    problems: list[Problem] = []
    # Variants of one image are made of the same files.
    known: dict[tuple[str, str], Source] = {}
    for image in images:
        where = image.context, image.dockerfile
        try:
            if where not in known:
                known[where] = files.context(*where).source
            sources[image.id] = known[where]
        except InvalidInput as error:
            problems.extend(error.problems)
    if problems:
        raise InvalidInput(tuple(dict.fromkeys(problems)))
    return sources


def _floating(registry: Registry, image: Image) -> dict[str, str | None]:
    return {tag: registry.resolve(image.repository, tag) for tag in floating_tags(image)}


def current_of(registry: Registry, image: Image) -> Found | None:
    """Return what of one image was last promoted; None where nothing was."""
    return _current(registry, image, _floating(registry, image), Reach(registry))


def _current(
    registry: Registry, image: Image, tags: Mapping[str, str | None], reach: Reach
) -> Found | None:
    found = _promoted(registry, image.repository, [tags[tag] for tag in floating_tags(image)])
    if found is not None:
        return found
    for repository, marks in former_places(image):
        found = _promoted(registry, repository, [registry.resolve(repository, m) for m in marks])
        # Another image may be published there by now.
        if found and found.publication and found.publication.image in image.names:
            return replace(found, elsewhere=_elsewhere(image, repository))
    marks = tuple(tags)
    return reach.taken_back(
        image,
        lambda place: _promoted(registry, place, [registry.resolve(place, m) for m in marks]),
    )


def _promoted(
    registry: Registry, repository: Repository, tagged: Iterable[str | None]
) -> Found | None:
    """Return what floating tags, in their order, say is current."""
    digests = tuple(dict.fromkeys(digest for digest in tagged if digest))
    if len(digests) > 1:
        # An interrupted promotion, or a rollback that could not remove the tags it should.
        digests = tuple(d for d in digests if not is_rejected(registry, repository, d))
    return look_up(registry, repository, digests[0]) if digests else None


def former_places(image: Image) -> Iterator[tuple[Repository, tuple[str, ...]]]:
    """Yield where an image was published under former ids, the newest first, and its tags there.

    Its repository may be the same one still, where only the mark of what is current differs.
    """
    marks = tuple(f"current-{former}" for former in reversed(image.formerly))
    if marks and not image.floating:
        yield image.repository, marks
    for repository in reversed(image.former_repositories):
        if repository != image.repository:
            yield repository, floating_tags(image) if image.floating else marks


def _elsewhere(image: Image, repository: Repository) -> str:
    return "" if repository == image.repository else str(repository)


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
    registry: Registry, image: Image, key: str | None, current: Found | None, reach: Reach
) -> Found | None:
    if key is None:
        return None
    found = candidate(registry, image, key, current)
    if found is not None or (current and not current.elsewhere):
        return found
    return former_candidate(registry, image, key) or reach.taken_back(
        image, lambda place: _led_to(registry, place, key)
    )


def former_candidate(registry: Registry, image: Image, key: str) -> Found | None:
    """Return what an image's key led to where it was published under a former id."""
    for repository in reversed(image.former_repositories):
        if repository != image.repository:
            found = _led_to(registry, repository, key)
            if found is not None:
                return replace(found, elsewhere=str(repository))
    return None


def candidate(registry: Registry, image: Image, key: str, current: Found | None) -> Found | None:
    """Return what an image's key tag names; None when the key was never built.

    Args:
        registry: where the image is published.
        image: the image.
        key: build key.
        current: what is promoted; it cannot be rejected, and need not be read again.
    """
    return _led_to(registry, image.repository, key, current)


def _led_to(
    registry: Registry, repository: Repository, key: str, current: Found | None = None
) -> Found | None:
    digest = registry.resolve(repository, key_tag(key))
    if digest is None:
        return None
    if current and digest == current.digest:
        return replace(current, elsewhere="")
    found = look_up(registry, repository, digest)
    if found is None:
        return None
    return replace(found, rejected=is_rejected(registry, repository, digest))


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
