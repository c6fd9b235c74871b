"""Registry and history in, published repositories that are in no file out. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from orchestrator.doors.protocols import Registry
from orchestrator.doors.protocols_history import History
from orchestrator.errors import RegistryUnavailable
from orchestrator.model.fingerprint import key_tag
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.names import Repository, parse_repository
from orchestrator.model.orphan import Orphan, Orphans
from orchestrator.model.publication import Publication, read_publication

#: Requests under way at once.
PARALLEL = 8
#: Unknown repositories that are looked into, at most: a registry may be shared with many others.
MOST = 500
#: Tags of one repository that are read before it is taken for somebody else's.
_MOST_TAGS = 3


def find_orphans(hierarchy: Hierarchy, registry: Registry, history: History) -> Orphans:
    """Return the repositories that hold images of this hierarchy, and are of no image in a file.

    Candidates are what the registries list below the hierarchy's own paths, and where past runs
    moved tags there. Only what says of itself that this hierarchy published it counts.

    Raises:
        StateUnavailable: the history cannot be read.
    """
    known = _known(hierarchy)
    below = tuple(f"{place}/" for place in hierarchy.registries)
    # What was once published elsewhere, with --registry for a trial, is nobody's worry.
    past = {name for name in history.repositories(hierarchy.name) if name.startswith(below)}
    remembered = past - known
    listed: set[str] = set()
    unlisted: list[str] = []
    for place in dict.fromkeys(hierarchy.registries):
        found = _listed(registry, place)
        if found is None:
            unlisted.append(place)
        else:
            listed.update(found)
    # What the history knows of first: that is the likeliest.
    asked = [*sorted(remembered), *sorted(listed - known - remembered)]
    with ThreadPoolExecutor(PARALLEL, "orphans") as pool:
        looked = pool.map(lambda name: _orphan(registry, name, hierarchy.name), asked[:MOST])
        orphans = [orphan for orphan in looked if orphan is not None]
    return Orphans(
        found=tuple(sorted(orphans, key=lambda orphan: orphan.repository)),
        unlisted=tuple(unlisted),
        passed_over=max(0, len(asked) - MOST),
    )


def _known(hierarchy: Hierarchy) -> set[str]:
    return (
        {
            str(repository)
            for image in hierarchy.images.values()
            for repository in (
                image.repository,
                *image.copies,
                *image.former_repositories,
                *image.aliases,
            )
        }
        | {
            # A renamed image had copies too, which its rename leaves where they are.
            f"{place}/{path}"
            for image in hierarchy.images.values()
            for repository in image.former_repositories
            for path in (str(repository).removeprefix(f"{hierarchy.registries[0]}/"),)
            for place in hierarchy.registries
        }
        | {str(upstream.mirror) for upstream in hierarchy.upstreams.values() if upstream.mirror}
    )


def _listed(registry: Registry, place: str) -> tuple[str, ...] | None:
    try:
        return registry.repositories(place)
    except RegistryUnavailable:
        # How images stand is told all the same; that this list is missing is told too.
        return None


def _orphan(registry: Registry, name: str, hierarchy: str) -> Orphan | None:
    try:
        repository = parse_repository(name)
        publication = _published(registry, repository)
    except (ValueError, RegistryUnavailable):
        return None
    if publication is None or publication.hierarchy != hierarchy:
        return None
    return Orphan(repository=name, image=publication.image)


def _published(registry: Registry, repository: Repository) -> Publication | None:
    """Return what some tag's index says of itself; None when it is nobody's of ours."""
    for tag in _likeliest(registry.tags(repository)):
        manifest = registry.manifest(repository, tag)
        publication = read_publication(manifest) if manifest else None
        if publication is not None:
            return publication
    return None


def _likeliest(tags: Iterable[str]) -> list[str]:
    """Return a few tags, those of build keys first: only we write these."""
    ours = sorted(tags, key=lambda tag: (not tag.startswith(key_tag("")), tag))
    return ours[:_MOST_TAGS]
