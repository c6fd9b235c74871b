"""Further destinations: what the first registry got, the others get by digest, then its tags."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from orchestrator.decide.verdicts import immutable_tag
from orchestrator.doors.protocols import Registry
from orchestrator.errors import RegistryUnavailable
from orchestrator.model.fingerprint import key_tag
from orchestrator.model.hierarchy import Hierarchy, Image, ParentKind
from orchestrator.model.names import Repository, parse_repository
from orchestrator.model.publication import read_publication
from orchestrator.model.run import JournalledMove
from orchestrator.publish.tags import put_immutable_tag, put_tag
from orchestrator.publish.transfer import Transfer, copy_index

#: Requests under way at once.
PARALLEL = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Spreading:
    """What is to be everywhere.

    Attributes:
        image: whose it is.
        digest: of the index; the image's own repository has it.
        key: build key that leads to it; empty: only the one that it was published under.
    """

    image: Image
    digest: str
    key: str = ""


def spread(
    spreading: Spreading, hierarchy: Hierarchy, registry: Registry, cancelled: threading.Event
) -> None:
    """Copy an index to each of the image's further repositories; then its tags that do not move.

    Raises:
        TagConflict: an immutable tag there names something else.
        CheckFailed: the image's own repository lost a part of it.
        RegistryUnavailable: a request failed; what was done so far is safe to do again.
    """
    image = spreading.image
    for target in image.copies:
        index = copy_index(
            spreading.digest,
            Transfer(
                registry=registry,
                source=image.repository,
                target=target,
                near=near(image, hierarchy, target),
                cancelled=cancelled,
            ),
        )
        publication = read_publication(index)
        if publication is None:
            continue
        put_immutable_tag(registry, target, immutable_tag(image, publication), index)
        for key in dict.fromkeys((publication.key, spreading.key or publication.key)):
            put_tag(registry, target, key_tag(key), index)


def near(image: Image, hierarchy: Hierarchy, target: Repository) -> tuple[Repository, ...]:
    """Return where in the target's registry the layers of the image's parent should be."""
    parent = image.final_parent()
    if parent is None or parent.kind is not ParentKind.IMAGE:
        return ()
    below = hierarchy.images[parent.subject]
    return tuple(
        repository
        for repository in (below.repository, *below.copies)
        if repository.registry == target.registry and repository != target
    )


def copied_moves(
    first: Iterable[JournalledMove], hierarchy: Hierarchy, registry: Registry
) -> tuple[JournalledMove, ...]:
    """Return the moves that put floating tags everywhere where they are in the first registry.

    Args:
        first: tag moves in the images' own repositories, done or found done.
        hierarchy: knows the further repositories.
        registry: tells where the tags are now.
    """
    wanted = [
        JournalledMove(
            image=move.image, repository=str(target), tag=move.tag, was=None, now=move.now
        )
        for move in first
        for target in hierarchy.images[move.image].copies
    ]
    with ThreadPoolExecutor(PARALLEL, "spread") as pool:
        seen = list(pool.map(lambda move: _digest_there(move, registry), wanted))
    return tuple(
        JournalledMove(
            image=move.image, repository=move.repository, tag=move.tag, was=was, now=move.now
        )
        for move, was in zip(wanted, seen, strict=True)
        if was != move.now
    )


def _digest_there(move: JournalledMove, registry: Registry) -> str | None:
    try:
        return registry.resolve(parse_repository(move.repository), move.tag)
    except RegistryUnavailable:
        # The move itself will fail and say why: it touches no tag that is not where it expects.
        return None
