"""Files, registry and upstreams in, :class:`Observations` out. Reads only, in parallel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from orchestrator.decide.pending import digests_that_count, package_states, updates_of
from orchestrator.decide.soak import needed_platforms
from orchestrator.decide.verdicts import floating_tags, immutable_tag
from orchestrator.decide.want import is_complete
from orchestrator.doors.protocols import Clock, Files, Git, Registry
from orchestrator.model.fingerprint import key_tag
from orchestrator.model.hierarchy import Hierarchy, Image, ParentKind
from orchestrator.model.names import Repository
from orchestrator.model.observation import Found, Observations, Sighting
from orchestrator.model.packages import PackageAnswer
from orchestrator.model.publication import read_publication
from orchestrator.model.time import day
from orchestrator.observe.candidates import Asking, find_candidates
from orchestrator.observe.held import held_edges
from orchestrator.observe.mirror import look_into, with_mirrors
from orchestrator.observe.outside import Soaking, with_outside
from orchestrator.observe.reach import Reach
from orchestrator.observe.sources import read_sources
from orchestrator.observe.standby import with_standbys
from orchestrator.observe.upstreams import Lookups, used_upstreams
from orchestrator.run.abreast import Abreast

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
    answers: Callable[[tuple[str, ...]], tuple[PackageAnswer, ...]] = lambda _: (),
    ledger: tuple[Sighting, ...] = (),
    unsoaked: frozenset[str] = frozenset(),
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
        answers: returns what indexes with these digests last said of their packages.
        ledger: what was seen of upstreams before, first seen first.
        unsoaked: names of upstreams whose newest digest is wanted now, however new it is.

    Raises:
        InvalidInput: files beside the hierarchy file that cannot be read, all of them named.
        RegistryUnavailable: a registry answers neither yes nor 404; but one of copies, of which
            nothing is known then, or one of upstreams, which fails the images on them.
    """
    images, bystanders = _to_look_at(hierarchy, selected)
    by_id = {image.id: image for image in images}
    every_id = by_id | {image.id: image for image in bystanders}
    reach, lookups = Reach(registry), Lookups(registry, ledger)
    with Abreast(PARALLEL, "observe") as look:
        used = used_upstreams(hierarchy, images)
        asked = look.begin(used, lookups.look)
        needed = needed_platforms(hierarchy)
        reflected = look.begin(
            {name: upstream for name, upstream in used.items() if upstream.mirror},
            lambda u: look_into(registry, u, needed.get(u.name, ()), lookups.entries(u)),
        )
        looked = look.begin(every_id, lambda image: _floating(registry, image))
        # Files are read while registries answer.
        sources, lost = read_sources(images, files)
        outside = asked.wait()
        tags = looked.wait()
        currents = look.each(every_id, lambda i: _current(registry, i, tags[i.id], reach))
        soaking = Soaking(
            hierarchy=hierarchy, lookups=lookups, unsoaked=unsoaked, now_s=clock.now_s()
        )
        packages = package_states(
            hierarchy, currents, answers(digests_that_count(hierarchy, currents))
        )
        plain = Observations(
            sources=sources,
            upstreams={},
            currents=currents,
            tags=tags,
            candidates={},
            unusable=lost,
            updates=updates_of(packages),
            packages=packages,
            revision=git.revision(),
            date=day(soaking.now_s),
        )
        mirrors = reflected.wait()
        for mirrored in mirrors.values():
            lookups.remember(mirrored.sightings)
        plain, outside = with_standbys(plain, images, outside, mirrors, hierarchy)
        seen = with_outside(plain, images, outside, soaking)
        by_id = {name: image for name, image in by_id.items() if name not in seen.unusable}
        made = find_candidates(
            by_id,
            seen,
            Asking(
                hierarchy=hierarchy,
                look=look,
                edges=lambda i, so_far: held_edges(i, hierarchy, so_far, registry, lookups),
                find=lambda i, key: _candidate(registry, i, key, currents[i.id], reach),
                epochs=dict.fromkeys(forced, epoch),
            ),
        )
        seen, keys, found = made.seen, made.keys, made.found
        immutables = look.each(by_id, lambda i: _immutable(registry, i, found[i.id]))
        every = {i.id: {**tags[i.id], **immutables.get(i.id, {})} for i in images}
        copied = {image.id: image for image in images if image.copies}
        copies = look.each(copied, lambda i: reach.tags(i, tuple(every[i.id])))
    seen = replace(
        seen,
        tags=every,
        candidates={
            key: candidate
            for image in by_id
            if (key := keys[image].key) and (candidate := found[image])
        },
        copies=copies,
    )
    return with_mirrors(seen, hierarchy, outside, mirrors, registry, soaking.now_s)


def _to_look_at(
    hierarchy: Hierarchy, selected: frozenset[str] | None
) -> tuple[tuple[Image, ...], tuple[Image, ...]]:
    """Return the images to decide on, and those of which only what is current counts."""
    asked = [i for i in hierarchy.images.values() if selected is None or i.id in selected]
    images = {image.id: image for image in asked if not image.retired}
    beside = {image.id for image in asked if image.retired}
    beside.update(parent for image in images.values() for parent in image.image_parents())
    beside.update(above for i in images.values() if i.packages for above in _ground(hierarchy, i))
    beside -= images.keys()
    bystanders = tuple(image for image in hierarchy.images.values() if image.id in beside)
    return tuple(images.values()), bystanders


def _ground(hierarchy: Hierarchy, image: Image) -> Iterator[str]:
    """Yield what the final stage of an image stands on, whose the packages inside may be."""
    while (parent := image.final_parent()) and parent.kind is ParentKind.IMAGE:
        yield parent.subject
        image = hierarchy.images[parent.subject]


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
