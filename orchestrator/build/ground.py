"""What an image that is built for this machine alone stands on: names to pin, layers to compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.build.prepare import read_manifest
from orchestrator.doors.protocols import Registry
from orchestrator.errors import Unavailable
from orchestrator.model.hierarchy import Hierarchy, Image, Parent, ParentKind
from orchestrator.model.names import Repository, parse_reference
from orchestrator.model.observation import Found
from orchestrator.observe.mirror import had_now
from orchestrator.observe.observations import current_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A parent that is published.

    Attributes:
        pin: ``REPOSITORY@sha256:…``.
        config: its image configuration on the platform that is built.
    """

    pin: str
    config: bytes


def with_needed(
    hierarchy: Hierarchy, wanted: frozenset[str], registry: Registry
) -> tuple[frozenset[str], Mapping[str, Found]]:
    """Return the images that have to be built so that those wanted can be.

    What lies between two of them is built, too: the upper one is to stand on the lower one. So is
    a parent that was never published.

    Returns:
        Ids, and for every parent that is left out what of it is current.

    Raises:
        RegistryUnavailable: a registry does not answer; it is asked only for what is left out.
    """
    chosen, currents = wanted, dict[str, Found]()
    while True:
        chosen |= _between(hierarchy, chosen)
        left = {p for i in chosen for p in hierarchy.images[i].image_parents()} - chosen
        missing = set()
        for parent in sorted(left - currents.keys()):
            found = current_of(registry, hierarchy.images[parent])
            if found is None:
                missing.add(parent)
            else:
                currents[parent] = found
        if not missing:
            return chosen, {p: found for p, found in currents.items() if p not in chosen}
        chosen |= missing


def _between(hierarchy: Hierarchy, chosen: frozenset[str]) -> set[str]:
    """Return the images that stand on a chosen one, and that a chosen one stands on."""
    above: set[str] = set()
    for image in hierarchy.images.values():  # Parents come before children.
        if any(parent in chosen or parent in above for parent in image.image_parents()):
            above.add(image.id)
    below: set[str] = set()
    for image in reversed(tuple(hierarchy.images.values())):
        if image.id in chosen or image.id in below:
            below.update(image.image_parents())
    return above & below


def grounds(
    image: Image,
    hierarchy: Hierarchy,
    currents: Mapping[str, Found],
    registry: Registry,
    platform: str,
) -> Mapping[str, Ground]:
    """Return name in the Dockerfile → the parent, of all that an image takes from a registry.

    Raises:
        Unavailable: an upstream is absent, or a parent is not there for the platform.
        RegistryUnavailable: a registry does not answer.
    """
    return {
        parent.name: _ground(image, parent, hierarchy, currents, registry, platform)
        for parent in image.parents
        if parent.kind is ParentKind.UPSTREAM or parent.subject in currents
    }


def _ground(
    image: Image,
    parent: Parent,
    hierarchy: Hierarchy,
    currents: Mapping[str, Found],
    registry: Registry,
    platform: str,
) -> Ground:
    if parent.kind is ParentKind.UPSTREAM:
        state = had_now(registry, hierarchy.upstreams[parent.subject], platform)
        repository, digest = parse_reference(state.reference).repository, state.digest
        manifests = state.manifests
    else:
        found = currents[parent.subject]
        repository = _repository(found, hierarchy.images[parent.subject])
        digest, manifests = (
            found.digest,
            read_manifest(registry, repository, found.digest).platforms(),
        )
    if platform not in manifests:
        raise Unavailable(
            f"{image.id} stands on {parent.name}, which is not there for {platform}",
            hint=f"it is there for {', '.join(sorted(manifests)) or 'nothing'}: --platform",
        )
    manifest = read_manifest(registry, repository, manifests[platform])
    return Ground(
        pin=f"{repository}@{digest}", config=registry.blob(repository, manifest.config_digest())
    )


def _repository(found: Found, image: Image) -> Repository:
    return parse_reference(found.elsewhere).repository if found.elsewhere else image.repository
