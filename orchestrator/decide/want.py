"""Image, files and parents in, the parts of its build key out, as far as they are known. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.decide.pending import epoch_of
from orchestrator.model.fingerprint import build_key, effective_digest, key_parts
from orchestrator.model.hierarchy import Image, ParentKind
from orchestrator.model.observation import Held, Observations, UpstreamState
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


def judged(image: Image, seen: Observations, *, forced_epoch: str | None = None) -> Wanted:
    """Return what an image is judged on: what it should be made of if nothing else is pending.

    Parents that it does not follow count as it has them.

    Args:
        image: one that can be had: ``seen.unusable`` does not name it.
        seen: what is.
        forced_epoch: the refresh epoch of an image that is forced; None: it is not.
    """
    return _on_currents(image, seen, seen.held.get(image.id, {}), forced_epoch)


def followed(image: Image, seen: Observations, *, forced_epoch: str | None = None) -> Wanted:
    """Return what a build would be made of: the newest also of parents that are no reason for it.

    Args:
        image: one that can be had: ``seen.unusable`` does not name it.
        seen: what is.
        forced_epoch: the refresh epoch of an image that is forced; None: it is not.
    """
    return _on_currents(image, seen, stayed_on(image, seen), forced_epoch)


def _on_currents(
    image: Image, seen: Observations, held: Mapping[str, Held], forced_epoch: str | None
) -> Wanted:
    return wanted(
        image,
        seen.sources[image.id],
        upstreams=seen.upstreams,
        parents=published_parents(image, seen),
        epoch=epoch_for(image, seen, forced_epoch),
        held=held,
    )


def epoch_for(image: Image, seen: Observations, forced_epoch: str | None = None) -> str:
    """Return the refresh epoch: forced, for pending packages, or as it is published.

    Source: docs/adr/0002-build-key.md
    """
    if forced_epoch is not None:
        return forced_epoch
    current = seen.currents[image.id]
    before = current.publication.epoch if current and current.publication else ""
    updates = seen.updates.get(image.id)
    return epoch_of(updates, before) if updates else before


def stayed_on(image: Image, seen: Observations) -> Mapping[str, Held]:
    """Return the parents that an image stays on also when it is built, by identity."""
    held = seen.held.get(image.id, {})
    return {identity: parent for identity, parent in held.items() if parent.firm}


def wanted(
    image: Image,
    source: Source,
    *,
    upstreams: Mapping[str, UpstreamState],
    parents: Mapping[str, Publication | None],
    epoch: str,
    held: Mapping[str, Held],
) -> Wanted:
    """Return the parts of an image's key and, where every parent is known, the key.

    Args:
        image: what the hierarchy says.
        source: hashes of its files.
        upstreams: by name; holds the image's, but those in ``held``.
        parents: image id → what the image would be built on; None: not known, or not usable.
        epoch: refresh epoch.
        held: parent's identity → what counts instead.
    """
    effective = _effective_parents(image, upstreams, parents, held)
    parts = key_parts(image, source, parents=effective, epoch=epoch)
    return Wanted(parts=parts, key=build_key(parts) if effective is not None else None, epoch=epoch)


def _effective_parents(
    image: Image,
    upstreams: Mapping[str, UpstreamState],
    parents: Mapping[str, Publication | None],
    held: Mapping[str, Held],
) -> dict[str, str] | None:
    found: dict[str, str] = {}
    for parent in image.parents:
        if parent.identity in held:
            found[parent.identity] = held[parent.identity].effective
            continue
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
    """Return what an image's parents are built on as; None where nothing usable is published."""
    grounds = {parent: seen.ground(parent) for parent in image.image_parents()}
    return {parent: found.publication if found else None for parent, found in grounds.items()}
