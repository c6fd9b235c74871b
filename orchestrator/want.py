"""Image, files and parents in, the parts of its build key out, as far as they are known. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.model.fingerprint import build_key, effective_digest, key_parts
from orchestrator.model.hierarchy import Image, ParentKind
from orchestrator.model.observation import Observations, UpstreamState
from orchestrator.model.publication import Publication
from orchestrator.model.source import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an image should be made of, as far as it is known.

    Attributes:
        parts: digests of the key's parts; without ``parents`` while one of them is not known.
        key: the build key; None while a parent is not known.
        epoch: refresh epoch.
    """

    parts: Mapping[str, str]
    key: str | None
    epoch: str


def wanted(
    image: Image,
    source: Source,
    *,
    upstreams: Mapping[str, UpstreamState],
    parents: Mapping[str, Publication | None],
    epoch: str,
) -> Wanted:
    """Return the parts of an image's key and, where every parent is known, the key.

    Args:
        image: what the hierarchy says.
        source: hashes of its files.
        upstreams: by name; holds the image's.
        parents: image id → what the image would be built on; None: not known, or not usable.
        epoch: refresh epoch.
    """
    effective = _effective_parents(image, upstreams, parents)
    parts = key_parts(image, source, parents=effective, epoch=epoch)
    return Wanted(parts=parts, key=build_key(parts) if effective is not None else None, epoch=epoch)


def _effective_parents(
    image: Image,
    upstreams: Mapping[str, UpstreamState],
    parents: Mapping[str, Publication | None],
) -> dict[str, str] | None:
    found: dict[str, str] = {}
    for parent in image.parents:
        if parent.kind is ParentKind.UPSTREAM:
            manifests = upstreams[parent.subject].manifests
        else:
            publication = parents[parent.subject]
            if publication is None or not can_stand_on(image, publication):
                return None
            manifests = publication.manifests
        found[parent.identity] = effective_digest(manifests, image.platforms)
    return found


def is_complete(publication: Publication, platforms: tuple[str, ...]) -> bool:
    """Say whether an index lists every one of the platforms."""
    return set(platforms) <= set(publication.manifests)


def can_stand_on(image: Image, parent: Publication | None) -> bool:
    """Say whether an image can be built on what is published of a parent."""
    return parent is not None and is_complete(parent, image.platforms)


def published_parents(image: Image, seen: Observations) -> dict[str, Publication | None]:
    """Return the currents of an image's parents; None where nothing usable is published."""
    currents = {parent: seen.currents[parent] for parent in image.image_parents()}
    return {parent: found.publication if found else None for parent, found in currents.items()}
