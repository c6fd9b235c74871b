"""What is published by others, checked: may it be recorded as current, or must it be rebuilt?

Reads only. The files are taken for what it was built from: nothing published proves that. What
can be checked is: every platform is there, and its layers start with those of the parent of now.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from orchestrator.build.prepare import read_manifest
from orchestrator.decide.verdicts import floating_tags
from orchestrator.decide.want import is_complete
from orchestrator.doors.protocols import Registry
from orchestrator.errors import CheckFailed
from orchestrator.model import image_config
from orchestrator.model.adoption import Adoption, AdoptionState
from orchestrator.model.fingerprint import build_key, effective_digest, key_parts
from orchestrator.model.hierarchy import Hierarchy, Image, Parent, ParentKind
from orchestrator.model.manifest import Manifest
from orchestrator.model.names import Repository, parse_reference, short_digest
from orchestrator.model.observation import Observations
from orchestrator.observe.observations import candidate

#: Requests under way at once.
PARALLEL = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """An image that somebody published, as far as it must be known.

    Attributes:
        manifest: the index, or the manifest of an image for one platform.
        manifests: platform → manifest digest.
        configs: platform → configuration, of the platforms that the hierarchy has.
    """

    manifest: Manifest
    manifests: Mapping[str, str]
    configs: Mapping[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """One image after all checks.

    Attributes:
        adoption: what was found.
        content: what can be adopted; None where there is nothing that could.
        parts: the build key's, of the files and parents of now; empty without content.
        tags: floating tag → digest it names, None where absent.
    """

    adoption: Adoption
    content: Content | None = None
    parts: Mapping[str, str]
    tags: Mapping[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What was looked at, and what was found.

    Attributes:
        seen: what is.
        images: parents before children.
    """

    seen: Observations
    images: tuple[Examined, ...]

    @property
    def adoptable(self) -> bool:
        """Whether there is anything to adopt."""
        return any(each.content is not None for each in self.images)


class Refused(Exception):
    """A check failed; the text is for people. Never leaves this module."""


def examine(
    hierarchy: Hierarchy, seen: Observations, registry: Registry, images: frozenset[str]
) -> tuple[Examined, ...]:
    """Return what can be adopted of some images, and why the others cannot.

    Args:
        hierarchy: what should be.
        seen: what is; holds at least the images, and the currents of their parents.
        registry: to read manifests and configurations from.
        images: ids to look at.

    Returns:
        One for each, parents before children.

    Raises:
        RegistryUnavailable: the registry answers neither yes nor 404.
    """
    contents = _contents(hierarchy, seen, registry, images)
    done: dict[str, Examined] = {}
    for image in hierarchy.images.values():
        if image.id in images:
            done[image.id] = _examine_one(image, hierarchy, seen, registry, contents, done)
    return tuple(done.values())


def _examine_one(
    image: Image,
    hierarchy: Hierarchy,
    seen: Observations,
    registry: Registry,
    contents: Mapping[tuple[Repository, str], Content | str],
    done: Mapping[str, Examined],
) -> Examined:
    tags = {tag: seen.tags.get(image.id, {}).get(tag) for tag in floating_tags(image)}
    there = tuple(tag for tag, digest in tags.items() if digest)
    current = seen.currents.get(image.id)

    def told(state: AdoptionState, why: str = "") -> Examined:
        adoption = Adoption(
            image=image.id,
            repository=str(image.repository),
            state=state,
            tags=there,
            found=current.digest if current else "",
            why=why,
        )
        return Examined(adoption=adoption, parts={}, tags=tags)

    if image.retired:
        return told(AdoptionState.RETIRED)
    if current is None or not there:
        return told(AdoptionState.NOTHING, f"no tag {' or '.join(tags)}")
    publication = current.publication
    if publication is not None and publication.image in image.names:
        return told(AdoptionState.OURS)
    try:
        if publication is not None:
            raise Refused(f"{there[0]} is image {publication.image} of {publication.hierarchy}")
        for reason in seen.unusable.get(image.id, ()):
            raise Refused(f"{reason.subject} cannot be had: {reason.because}")
        content = _usable(contents[image.repository, current.digest])
        _require_agreement(image, tags, content, registry)
        _require_platforms(image, content)
        parents = {p.identity: _parent(p, image, hierarchy, seen, done) for p in image.parents}
        _require_layers(image, hierarchy, content, seen, contents)
        parts = key_parts(image, seen.sources[image.id], parents=parents, epoch="")
        _require_unbuilt(image, content, build_key(parts), registry)
    except Refused as refusal:
        return told(AdoptionState.REFUSED, str(refusal))
    return Examined(
        adoption=told(AdoptionState.ADOPTABLE).adoption, content=content, parts=parts, tags=tags
    )


def _require_agreement(
    image: Image, tags: Mapping[str, str | None], content: Content, registry: Registry
) -> None:
    """Refuse tags under which people pull different things; another index around it is none."""
    named = {tag: digest for tag, digest in tags.items() if digest}
    for digest in set(named.values()) - {content.manifest.digest}:
        other = registry.manifest(image.repository, digest)
        if other is None or other.platforms() != content.manifests:
            said = ", ".join(f"{tag} is {short_digest(one)}…" for tag, one in named.items())
            raise Refused(f"its tags disagree: {said}")


def _usable(content: Content | str) -> Content:
    if isinstance(content, str):
        raise Refused(content)
    return content


def _require_platforms(image: Image, content: Content) -> None:
    missing = [p for p in image.platforms if p not in content.manifests]
    if missing:
        raise Refused(f"it lacks {', '.join(missing)}")


def _parent(
    parent: Parent,
    image: Image,
    hierarchy: Hierarchy,
    seen: Observations,
    done: Mapping[str, Examined],
) -> str:
    """Return the effective digest of a parent that is, or is about to be, ours."""
    if parent.kind is ParentKind.UPSTREAM:
        return effective_digest(seen.upstreams[parent.subject].manifests, image.platforms)
    below, examined = hierarchy.images[parent.subject], done.get(parent.subject)
    if examined and examined.content:
        return effective_digest(examined.content.manifests, image.platforms)
    current = seen.currents.get(below.id)
    publication = current.publication if current else None
    if publication is None or publication.image not in below.names:
        state = examined.adoption.state if examined else None
        said = "is not selected" if examined is None else _standing(state)
        raise Refused(f"its parent {below.id} {said}")
    if not is_complete(publication, image.platforms):
        raise Refused(f"its parent {below.id} lacks a platform")
    return effective_digest(publication.manifests, image.platforms)


def _standing(state: AdoptionState | None) -> str:
    words = {AdoptionState.NOTHING: "is not published", AdoptionState.RETIRED: "is retired"}
    return words.get(state, "cannot be adopted") if state else "is not selected"


def _require_layers(
    image: Image,
    hierarchy: Hierarchy,
    content: Content,
    seen: Observations,
    contents: Mapping[tuple[Repository, str], Content | str],
) -> None:
    """Refuse what does not stand on the final stage's parent as that is now."""
    parent = image.final_parent()
    place = _place(parent, hierarchy, seen) if parent else None
    if parent is None or place is None:
        return
    below = _usable(contents[place])
    for platform in image.platforms:
        try:
            lower = image_config.diff_ids(below.configs[platform])
            layers = image_config.diff_ids(content.configs[platform])
        except (KeyError, ValueError) as error:
            raise Refused(f"its configuration for {platform} is damaged: {error}") from None
        if layers[: len(lower)] != lower:
            name = parent.subject
            raise Refused(f"built on another {name}: other layers on {platform}")


def _require_unbuilt(image: Image, content: Content, key: str, registry: Registry) -> None:
    """Refuse where the same files led to something else already, which tags may go back to."""
    built = candidate(registry, image, key, None)
    publication = built.publication if built else None
    if built is None or publication is None:
        return
    if any(publication.manifests.get(p) != content.manifests[p] for p in image.platforms):
        raise Refused(f"these files were built already: {short_digest(built.digest)}…")


def _place(
    parent: Parent, hierarchy: Hierarchy, seen: Observations
) -> tuple[Repository, str] | None:
    """Return where a parent of now can be read; None where nothing is."""
    if parent.kind is ParentKind.UPSTREAM:
        state = seen.upstreams[parent.subject]
        return parse_reference(state.reference).repository, state.digest
    current = seen.currents.get(parent.subject)
    if current is None:
        return None
    image = hierarchy.images[parent.subject]
    former = parse_reference(current.elsewhere).repository if current.elsewhere else None
    return former or image.repository, current.digest


def _contents(
    hierarchy: Hierarchy, seen: Observations, registry: Registry, images: frozenset[str]
) -> dict[tuple[Repository, str], Content | str]:
    """Read what is to be compared: (repository, digest) → content, or what is wrong with it."""
    wanted: dict[tuple[Repository, str], None] = {}
    for image in hierarchy.images.values():
        current = seen.currents.get(image.id)
        if image.id not in images or image.retired or image.id in seen.unusable:
            continue
        if current is None or current.publication:
            continue
        wanted[image.repository, current.digest] = None
        parent = image.final_parent()
        place = _place(parent, hierarchy, seen) if parent else None
        if place is not None:
            wanted[place] = None
    platforms = frozenset(p for image in hierarchy.images.values() for p in image.platforms)
    with ThreadPoolExecutor(PARALLEL, "examine") as pool:
        read = pool.map(lambda place: _content(registry, place[0], place[1], platforms), wanted)
        return dict(zip(wanted, read, strict=True))


def _content(
    registry: Registry, repository: Repository, digest: str, platforms: frozenset[str]
) -> Content | str:
    try:
        manifest = read_manifest(registry, repository, digest)
        if not manifest.is_index:
            config = registry.blob(repository, manifest.config_digest())
            platform = image_config.platform(config)
            return Content(
                manifest=manifest, manifests={platform: digest}, configs={platform: config}
            )
        manifests = manifest.platforms()
        configs = {
            platform: registry.blob(
                repository, read_manifest(registry, repository, one).config_digest()
            )
            for platform, one in manifests.items()
            if platform in platforms
        }
    except (ValueError, CheckFailed) as error:
        return f"it is damaged: {error}"
    return Content(manifest=manifest, manifests=manifests, configs=configs)
