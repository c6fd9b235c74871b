"""Repositories in, every digest that their tags name out, and what protects it. Reads only.

A digest that a rollback would go back to is listed though no tag may name it any more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from orchestrator.doors.protocols import Registry
from orchestrator.doors.protocols_history import History
from orchestrator.explain.protect import (
    Evidence,
    Reasons,
    protected,
    protected_in_mirrors,
    protections,
)
from orchestrator.model.fingerprint import key_tag
from orchestrator.model.hierarchy import Hierarchy, Image
from orchestrator.model.manifest import Manifest
from orchestrator.model.mirror import read_mirror_tag
from orchestrator.model.names import Repository, parse_repository
from orchestrator.model.observation import Observations
from orchestrator.model.plan import Plan
from orchestrator.model.protection import Protection, Shelf, Stored
from orchestrator.model.publication import Publication, read_publication
from orchestrator.model.run import JournalledMove, MoveState
from orchestrator.model.tags import is_cache_tag
from orchestrator.model.time import rfc3339, seconds_of
from orchestrator.observe.observations import rejected_tag

#: Requests under way at once.
PARALLEL = 8
#: Runs whose rollback is kept possible, counted among those that moved tags.
RUNS = 5
#: Runs that are looked at to find these.
_REMEMBERED = 200

#: Tags that cosign and the referrers' fallback give to what belongs to a digest.
_ATTACHED = re.compile(r"sha256-([0-9a-f]{64})(?:\.\w+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stocktaking:
    """What it takes.

    Attributes:
        hierarchy: what should be.
        seen: what is, of every image.
        registry: the door.
        history: for what a rollback would go back to.
        plans: saved ones.
        now_s: seconds since 1970 UTC.
    """

    hierarchy: Hierarchy
    seen: Observations
    registry: Registry
    history: History
    plans: tuple[Plan, ...]
    now_s: float


def take_stock(taking: Stocktaking, images: frozenset[str]) -> tuple[Shelf, ...]:
    """Return the repositories of some images, each once, in the hierarchy's order; then mirrors.

    Of the mirrors, those of what these images are built on.

    Raises:
        RegistryUnavailable: the registry answers neither yes nor 404.
        StateUnavailable: the history cannot be read.
    """
    every: dict[Repository, list[Image]] = {}
    for image in taking.hierarchy.images.values():
        every.setdefault(image.repository, []).append(image)
    wanted = {place: of for place, of in every.items() if any(i.id in images for i in of)}
    evidence = Evidence(
        hierarchy=taking.hierarchy,
        seen=taking.seen,
        runs=_undoable(taking.history, taking.hierarchy.name),
        plans=taking.plans,
    )
    reasons = protected(evidence)
    before = _left_behind(evidence)
    with ThreadPoolExecutor(PARALLEL, "stock") as pool:
        shelves = [
            _shelf(repository, of, taking, reasons, before.get(str(repository), set()), pool)
            for repository, of in wanted.items()
        ]
        mirrors = _mirrors_of(taking.hierarchy, images)
        if mirrors:
            reasons = protected_in_mirrors(evidence, _kept(evidence, taking.registry))
        for repository, upstreams in mirrors.items():
            shelf = _shelf(repository, (), taking, reasons, set(), pool)
            shelves.append(replace(shelf, upstreams=upstreams))
        return tuple(shelves)


def _undoable(
    history: History, hierarchy: str
) -> tuple[tuple[str, tuple[JournalledMove, ...]], ...]:
    found = []
    for run in history.runs(_REMEMBERED):
        if run.hierarchy == hierarchy and (moves := history.moves(run.id)):
            found.append((run.id, moves))
            if len(found) == RUNS:
                break
    return tuple(found)


def _shelf(
    repository: Repository,
    images: Sequence[Image],
    taking: Stocktaking,
    reasons: Reasons,
    before: set[str],
    pool: ThreadPoolExecutor,
) -> Shelf:
    registry = taking.registry
    names = [tag for tag in registry.tags(repository) if not is_cache_tag(tag)]
    resolved = pool.map(lambda tag: registry.resolve(repository, tag), names)
    tags = {tag: digest for tag, digest in zip(names, resolved, strict=True) if digest}
    named = {digest for tag, digest in tags.items() if not _ATTACHED.fullmatch(tag)}
    untagged = {digest for digest in before - named if registry.resolve(repository, digest)}
    digests = sorted(named | untagged)
    read = pool.map(lambda digest: registry.manifest(repository, digest), digests)
    manifests = {d: m for d, m in zip(digests, read, strict=True) if m is not None}
    attached, loose = _attached(tags, manifests)
    kept = protections(reasons, images, tags)
    stored = [
        _stored(digest, manifest, tags, attached.get(digest, ()), kept, taking.now_s)
        for digest, manifest in manifests.items()
    ]
    stored += [Stored(digest=tags[tag], tags=(tag,)) for tag in loose]
    stored.sort(key=lambda each: (each.age_s is None, each.age_s or 0.0, each.digest))
    return Shelf(
        repository=str(repository),
        images=tuple(image.id for image in images),
        digests=tuple(stored),
    )


def _mirrors_of(hierarchy: Hierarchy, images: frozenset[str]) -> dict[Repository, tuple[str, ...]]:
    """Return the mirrors of what some images are built on, and the upstreams of each."""
    every: dict[Repository, tuple[str, ...]] = {}
    for name, upstream in hierarchy.upstreams.items():
        if upstream.mirror is not None:
            every[upstream.mirror] = (*every.get(upstream.mirror, ()), name)
    used = {name for image in images for name in hierarchy.images[image].upstream_parents()}
    return {place: names for place, names in every.items() if used & set(names)}


def _kept(evidence: Evidence, registry: Registry) -> Iterator[Publication]:
    """Yield what is published and may not go: what is current, what it would be, what it was."""
    for found in (*evidence.seen.currents.values(), *evidence.seen.candidates.values()):
        if found and found.publication and not found.rejected:
            yield found.publication
    before = {
        (move.repository, move.was)
        for _, moves in evidence.runs
        for move in moves
        if move.was and move.state is MoveState.MOVED
    }
    for place, digest in sorted(before):
        manifest = registry.manifest(parse_repository(place), digest)
        publication = read_publication(manifest) if manifest else None
        if publication:
            yield publication


def _left_behind(evidence: Evidence) -> dict[str, set[str]]:
    """Return repository → digests that a rollback would go back to; no tag may name them."""
    found: dict[str, set[str]] = {}
    for _, moves in evidence.runs:
        for move in moves:
            if move.was:
                found.setdefault(move.repository, set()).add(move.was)
    return found


def _attached(
    tags: Mapping[str, str], manifests: Mapping[str, Manifest]
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Return digest → tags of what belongs to it, and those that belong to nothing here."""
    owners = {
        entry.digest: digest
        for digest, manifest in manifests.items()
        for entry in manifest.entries()
    } | {digest: digest for digest in manifests}
    found: dict[str, tuple[str, ...]] = {}
    loose = []
    for tag in sorted(tags):
        said = _ATTACHED.fullmatch(tag)
        if said is None:
            continue
        owner = owners.get(f"sha256:{said[1]}")
        if owner is None:
            loose.append(tag)
        else:
            found[owner] = (*found.get(owner, ()), tag)
    return found, tuple(loose)


def _stored(
    digest: str,
    manifest: Manifest,
    tags: Mapping[str, str],
    attached: Iterable[str],
    kept: Mapping[str, tuple[Protection, ...]],
    now_s: float,
) -> Stored:
    named = sorted(tag for tag, one in tags.items() if one == digest)
    ours = [tag for tag in named if tag.startswith(key_tag(""))]
    marks = [tag for tag in named if tag.startswith(rejected_tag(""))]
    publication = read_publication(manifest)
    seen_s = [stamp.first_seen_s for tag in named if (stamp := read_mirror_tag(tag))]
    created = publication.created if publication else rfc3339(min(seen_s)) if seen_s else ""
    return Stored(
        digest=digest,
        tags=tuple(t for t in named if t not in {*ours, *marks} and not _ATTACHED.fullmatch(t)),
        keys=tuple(ours),
        attached=tuple(attached),
        image=publication.image if publication else "",
        created=created,
        age_s=_age_s(created, now_s),
        rejected=rejected_tag(digest) in marks,
        protections=kept.get(digest, ()),
    )


def _age_s(created: str, now_s: float) -> float | None:
    try:
        return max(0.0, now_s - seconds_of(created)) if created else None
    except ValueError:
        return None
