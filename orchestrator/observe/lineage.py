"""What a published image was built on, and that in turn, up to what comes from outside. Reads.

From the annotations of the indexes, not from the plan: what counts is what each was built on.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Protocol

from orchestrator.errors import RegistryUnavailable
from orchestrator.model.hierarchy import Hierarchy, Image, ParentKind
from orchestrator.model.manifest import Manifest
from orchestrator.model.names import Repository, short_digest
from orchestrator.model.publication import Publication, read_publication

#: Ancestors that are read; no hierarchy is so deep, and annotations are written by others too.
_MOST = 1000


class Manifests(Protocol):
    """Where manifests are read: a registry, or somebody who remembers what it said."""

    def manifest(self, repository: Repository, reference: str) -> Manifest | None:
        """Return what a digest names; None: it is not there.

        Raises:
            RegistryUnavailable: nobody knows.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Ancestor:
    """A parent, or a parent's parent, as it was built on.

    Attributes:
        name: image id, or the upstream's name.
        kind: an image of the hierarchy or an upstream.
        reference: repository that the digest belongs to, with its tag for an upstream.
        digest: of the index that was built on.
    """

    name: str
    kind: ParentKind
    reference: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """Everything below an image.

    Attributes:
        ancestors: the nearest first; each digest of each once.
        unknown: why it is not all of them, one sentence; empty: it is.
    """

    ancestors: tuple[Ancestor, ...] = ()
    unknown: str = ""


def lineage_of(publication: Publication, hierarchy: Hierarchy, manifests: Manifests) -> Lineage:
    """Return what a published image stands on; never raises for a registry.

    Where an ancestor cannot be read, what is below it is missing, and that is said.

    Args:
        publication: what its index says of itself.
        hierarchy: knows where ancestors are.
        manifests: where indexes are read.
    """
    by_identity = {image.identity: image for image in hierarchy.images.values()}
    found: dict[tuple[str, str], Ancestor] = {}
    unknown: list[str] = []
    waiting = deque([publication])
    while waiting and len(found) < _MOST:
        here = waiting.popleft()
        for identity, record in here.parents.items():
            if (identity, record.digest) in found:
                continue
            image = by_identity.get(identity)
            ancestor = _ancestor(identity, record.digest, image, here, hierarchy)
            found[identity, record.digest] = ancestor
            if image is None:
                continue
            below = _read(image, record.digest, manifests)
            if isinstance(below, Publication):
                waiting.append(below)
            else:
                unknown.append(below)
    return Lineage(ancestors=tuple(found.values()), unknown="; ".join(dict.fromkeys(unknown)))


def _ancestor(
    identity: str, digest: str, image: Image | None, child: Publication, hierarchy: Hierarchy
) -> Ancestor:
    if image is not None:
        place = str(image.repository)
        return Ancestor(name=image.id, kind=ParentKind.IMAGE, reference=place, digest=digest)
    upstream = hierarchy.upstreams.get(identity)
    reference = identity
    if child.base_name and child.base_digest == digest:
        reference = child.base_name.partition("@")[0]
    elif upstream is not None:
        reference = str(upstream.source).partition("@")[0]
    return Ancestor(name=identity, kind=ParentKind.UPSTREAM, reference=reference, digest=digest)


def _read(image: Image, digest: str, manifests: Manifests) -> Publication | str:
    """Return what a digest of an image says of itself, or why nobody knows."""
    said = f"{image.id} {short_digest(digest)}"
    try:
        for place in places_of(image):
            index = manifests.manifest(place, digest)
            if index is not None:
                return read_publication(index) or f"{said} is no build of ours"
    except RegistryUnavailable as error:
        return f"{said} could not be read: {error.what}"
    return f"{said} is not in the registry any more"


def places_of(image: Image) -> tuple[Repository, ...]:
    """Return where an image's digests may be, the likeliest first."""
    return (image.repository, *image.former_repositories, *image.copies)
