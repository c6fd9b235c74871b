"""What changed between two digests of an image, as an event tells it.

Packages come from the SBOMs that are attached to images, and from nowhere else: to look into images
takes up to a minute each, and a notice should not wait for that. Where none is attached, the event
says so.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass, field, replace

from orchestrator.decide.verdicts import immutable_tag
from orchestrator.doors.protocols import Registry
from orchestrator.doors.protocols_sbom import SbomAnswer
from orchestrator.doors.protocols_scanner import Scanner
from orchestrator.errors import CheckFailed, OrchestrateError, RegistryUnavailable, Unavailable
from orchestrator.model.change import ImageChange, PlatformChange
from orchestrator.model.hierarchy import Hierarchy, Image
from orchestrator.model.manifest import Manifest
from orchestrator.model.names import Repository, is_tag, short_digest
from orchestrator.model.publication import Publication, read_publication
from orchestrator.notify.bounds import MOST_LISTED, listed
from orchestrator.observe.change import Comparing, Side, compare
from orchestrator.observe.lineage import Lineage, Manifests, lineage_of, places_of
from orchestrator.render.json_change import platform_json

#: Of what `orchestrate diff --files` tells; nobody asks for these here.
_NOT_TOLD = ("files", "unread")
_FIRST = "nothing of it was there before"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two digests of an image that an event is about.

    Attributes:
        image: whose.
        repository: where ``now`` is.
        was: digest before; empty: there was none; None: nobody knows.
        now: digest after.
    """

    image: Image
    repository: Repository
    was: str | None
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """What it takes to look at a pair.

    Attributes:
        hierarchy: knows where images are.
        registry: the door.
        indexes: what of it was read already; one image is the parent of many.
        scanner: looks up vulnerabilities; None: none is configured.
        cancelled: set it to stop.
    """

    hierarchy: Hierarchy
    registry: Registry
    indexes: Manifests
    scanner: Scanner | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What the registry has of a pair.

    Attributes:
        index: what ``now`` names; None: it is gone, or was not read.
        gone: ``now`` is not in the registry any more.
        change: platform by platform; None: nobody knows, and ``unknown`` says why.
        lineage: of ``now``.
        immutable: the tag that names ``now`` for ever; empty: none that anybody knows does.
        unknown: why it is not known what changed, one sentence; empty: it is, as far as the
            platforms say.
    """

    index: Manifest | None = None
    gone: bool = False
    change: ImageChange | None = None
    lineage: Lineage = field(default_factory=Lineage)
    immutable: str = ""
    unknown: str = ""

    @property
    def publication(self) -> Publication | None:
        """What the index says of itself; None: it is none of ours, or gone."""
        return read_publication(self.index) if self.index else None


class _AttachedOnly:
    def document(
        self, repository: Repository, digest: str, *, cancelled: threading.Event
    ) -> SbomAnswer:
        """Return that there is none: what is attached was looked for before this is asked."""
        return SbomAnswer(
            problem=f"{short_digest(digest)} has no SBOM attached",
            hint="`sbom: syft` attaches one",
        )


def look_at(pair: Pair, looking: Looking, *, insist: bool) -> Looked:
    """Return what the registry has of a pair.

    Args:
        pair: which.
        looking: the doors.
        insist: raise where a registry may answer later, instead of saying that it did not.

    Raises:
        RegistryUnavailable: it may answer later.
        Unavailable: it was stopped.
    """
    try:
        if looking.cancelled.is_set():
            raise Unavailable("there was no time left to ask for what changed")
        return _look_at(pair, looking)
    except (RegistryUnavailable, CheckFailed) as error:
        # Who is asked to be quick may have given up too early, and what is told stays told.
        if (insist and error.transient) or looking.cancelled.is_set():
            raise
        said = _sentence(error)
        return Looked(unknown=said, lineage=Lineage(unknown=said))


def _look_at(pair: Pair, looking: Looking) -> Looked:
    registry = looking.registry
    index = looking.indexes.manifest(pair.repository, pair.now)
    if index is None:
        said = f"{short_digest(pair.now)} is not in the registry any more"
        return Looked(gone=True, unknown=said, lineage=Lineage(unknown=said))
    try:
        index.platforms()
    except ValueError as error:
        raise CheckFailed(f"{pair.repository}@{pair.now}: {error}") from error
    publication = read_publication(index)
    lineage = Lineage(unknown=f"{short_digest(pair.now)} is no build of ours")
    immutable = ""
    if publication is not None:
        lineage = lineage_of(publication, looking.hierarchy, looking.indexes)
        # By another template than that of its run, it may be the name of nothing.
        tag = immutable_tag(pair.image, publication)
        if is_tag(tag) and registry.resolve(pair.repository, tag) == pair.now:
            immutable = tag
    unknown, before = "", None
    if pair.was is None:
        unknown = "nobody knows what was there before"
    elif pair.was:
        before = _side_of(pair.was, pair, looking.indexes)
        if before is None:
            unknown = f"{short_digest(pair.was)} is not in the registry any more"
    comparing = Comparing(
        registry=registry,
        sboms=_AttachedOnly(),
        scanner=looking.scanner,
        cancelled=looking.cancelled,
    )
    change: ImageChange | None
    try:
        after = Side(repository=pair.repository, digest=pair.now, top=index)
        change = compare(before, after, comparing)
    except CheckFailed as error:
        change, unknown = None, unknown or _sentence(error)
    return Looked(index=index, change=change, lineage=lineage, immutable=immutable, unknown=unknown)


def _side_of(digest: str, pair: Pair, indexes: Manifests) -> Side | None:
    for place in dict.fromkeys((pair.repository, *places_of(pair.image))):
        if (top := indexes.manifest(place, digest)) is not None:
            return Side(repository=place, digest=digest, top=top)
    return None


def _sentence(error: OrchestrateError) -> str:
    return "; ".join(filter(None, (error.what, error.hint)))


def change_data(
    pair: Pair, looked: Looked, security_updates: Collection[str] = ()
) -> dict[str, object]:
    """Return the ``change`` of an event.

    Args:
        pair: what it is about.
        looked: of it.
        security_updates: names of packages for whose security fixes it was built.
    """
    platforms = _told(pair, looked)
    every = platforms.values()
    packages = _packages(pair, every)
    arrived = _arrived(packages, every, security_updates)
    urgent = {*arrived, *(fault.package for one in every for fault in one.fixed or ())}
    return {
        "platforms": {name: _platform(one, urgent) for name, one in platforms.items()},
        "packages": packages,
        "security": _security(packages, every, arrived),
        "security_updates": sorted(arrived)[:MOST_LISTED],
        "unknown": looked.unknown,
    }


def _platform(one: PlatformChange, urgent: Set[str]) -> dict[str, object]:
    said = {key: said for key, said in platform_json(one).items() if key not in _NOT_TOLD}
    return listed(said, urgent)


def _told(pair: Pair, looked: Looked) -> Mapping[str, PlatformChange]:
    """Return platform → what changed there; where there is nothing to compare, nothing is said."""
    found = looked.change.platforms if looked.change else {}
    told: dict[str, PlatformChange] = {}
    for name, one in found.items():
        why = looked.unknown
        if not why and not pair.was:
            why = _FIRST
        elif not why and one.was_bytes is None:
            why = "the platform is new"
        elif not why and one.now_bytes is None:
            why = "the platform is gone"
        told[name] = (
            replace(one, packages=None, unknown=why, settings=(), fixed=None, introduced=None)
            if why
            else one
        )
    return told


def _packages(pair: Pair, platforms: Iterable[PlatformChange]) -> bool | None:
    """Say whether packages changed; None: nobody can tell."""
    every = list(platforms)
    if pair.was == "" or any(one.packages for one in every):
        return True
    return False if every and all(one.packages == () for one in every) else None


def _arrived(
    packages: bool | None, platforms: Collection[PlatformChange], updates: Iterable[str]
) -> frozenset[str]:
    """Return the updates that are in the image, as far as anybody knows, by the names there."""
    if packages is False:
        return frozenset()
    changed = {package.name for one in platforms for package in one.packages or ()}
    unsaid = not platforms or any(one.packages is None for one in platforms)
    found: set[str] = set()
    for name in updates:
        # Of a foreign architecture apt says which.
        there = [each for each in (name, name.partition(":")[0]) if each in changed]
        found.update(there[:1] or ([name] if unsaid else []))
    return frozenset(found)


def _security(
    packages: bool | None, platforms: Collection[PlatformChange], arrived: Collection[str]
) -> bool | None:
    """Say whether known vulnerabilities were fixed; None: nobody can tell."""
    if packages is False:
        return False  # The same packages have the same faults.
    if arrived or any(one.fixed for one in platforms):
        return True
    return False if platforms and all(one.fixed == () for one in platforms) else None
