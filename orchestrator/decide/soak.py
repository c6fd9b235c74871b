"""When a new content of an upstream is old enough to be built on, and what to stay on till then.

Pure. Source: docs/adr/0010-upstreams.md
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from orchestrator.model.fingerprint import effective_digest
from orchestrator.model.hierarchy import Hierarchy, Track, Upstream
from orchestrator.model.names import Reference
from orchestrator.model.observation import Sighting, UpstreamState
from orchestrator.model.publication import ParentRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What an image is to stand on of an upstream.

    Attributes:
        content: the newest, or an older one that is ripe; None: what the image stands on now.
        until_s: when the newest is ripe, in seconds since 1970 UTC; what is past is ripe.
    """

    content: Sighting | None
    until_s: float


def ledger_source(upstream: Upstream) -> str:
    """Return the name that sightings of an upstream have: the same for all of its versions."""
    source = upstream.source
    place = str(Reference(source.repository, source.tag or "latest"))
    return f"{place} {upstream.range}" if upstream.track is Track.SEMVER else place


def soak_s(upstream: Upstream, unsoaked: frozenset[str]) -> int:
    """Return for how long a new digest is only looked at, in seconds; 0: it is used at once.

    Args:
        upstream: what the hierarchy says; a digest that it names itself is not a new one.
        unsoaked: names of upstreams whose newest digest is wanted now.
    """
    named = upstream.pin is not None or upstream.track is Track.DIGEST
    return 0 if named or upstream.urgent or upstream.name in unsoaked else upstream.soak_s


def needed_platforms(hierarchy: Hierarchy) -> Mapping[str, tuple[str, ...]]:
    """Return upstream → the platforms, sorted, that images need of it, whichever are asked for."""
    found: dict[str, set[str]] = {}
    for image in hierarchy.images.values():
        if not image.retired:
            for name in image.upstream_parents():
                found.setdefault(name, set()).update(image.platforms)
    return {name: tuple(sorted(platforms)) for name, platforms in found.items()}


def fingerprint(manifests: Mapping[str, str], platforms: tuple[str, ...]) -> str:
    """Return what a content of an upstream is to the hierarchy.

    Args:
        manifests: platform → manifest digest.
        platforms: that images need; those that are missing are left out.
    """
    return effective_digest(manifests, tuple(p for p in platforms if p in manifests))


def sighted(
    upstream: Upstream,
    newest: UpstreamState,
    entries: Iterable[Sighting],
    *,
    platforms: tuple[str, ...],
    now_s: float,
) -> Sighting:
    """Return the sighting of what an upstream's registry shows now.

    Args:
        upstream: what the hierarchy says.
        newest: what its registry shows.
        entries: what the ledger has of it.
        platforms: that the hierarchy needs of it, sorted.
        now_s: seconds since 1970 UTC.

    Returns:
        The one in the ledger, with a time that is not after now; else a new one, first seen now.
        The ledger knows a content also where it had been written for other platforms.
    """
    print_now = fingerprint(newest.manifests, platforms)
    same = [s for s in entries if fingerprint(s.manifests, platforms) == print_now]
    first_s = min([now_s, *(s.first_seen_s for s in same)])
    for seen in same:
        if seen.fingerprint == print_now:
            return replace(seen, first_seen_s=first_s)
    return Sighting(
        source=ledger_source(upstream),
        fingerprint=print_now,
        digest=newest.digest,
        manifests=newest.manifests,
        first_seen_s=first_s,
    )


def choose(
    newest: Sighting,
    in_use: ParentRecord | None,
    entries: Iterable[Sighting],
    *,
    platforms: tuple[str, ...],
    soak_s: int,
    now_s: float,
) -> Choice:
    """Return what an image is to stand on of an upstream that has another content than before.

    The newest is taken once it is ripe: first seen at least ``soak_s`` ago. Until then the image
    takes the newest ripe one that the ledger has, if that was seen after what it stands on; where
    anything about that is in doubt, it stays. So a ledger that is lost makes it wait, and nothing
    makes it go back to what its registry no longer shows. What stands on nothing yet takes the
    newest.

    Args:
        newest: what the registry shows, as the ledger has it or seen for the first time.
        in_use: what the image was built on; None: nothing.
        entries: what the ledger has of the upstream.
        platforms: the image's own, which the newest has: other ones are no change to it.
        soak_s: how long a content is only looked at.
        now_s: seconds since 1970 UTC; a time in the ledger that is after it counts as it.
    """
    first_s: dict[str, float] = {}
    contents: dict[str, Sighting] = {}
    digests: dict[str, str] = {}
    for seen in (*entries, newest):
        if set(platforms) <= set(seen.manifests):
            content = effective_digest(seen.manifests, platforms)
            time_s = min(seen.first_seen_s, now_s)
            first_s[content] = min(first_s.get(content, time_s), time_s)
            contents[content] = seen
            digests[seen.digest] = content
    latest = effective_digest(newest.manifests, platforms)
    until_s = first_s[latest] + soak_s
    if in_use is None or until_s <= now_s:
        return Choice(content=newest, until_s=until_s)
    used = digests.get(in_use.digest, in_use.effective)
    if used == latest:
        return Choice(content=newest, until_s=until_s)
    ripe = {content: at for content, at in first_s.items() if at + soak_s <= now_s}
    last_s = max(ripe.values(), default=now_s)
    candidates = [content for content, at in ripe.items() if at == last_s]
    if len(candidates) == 1 and first_s.get(used, now_s) < last_s:
        return Choice(content=contents[candidates[0]], until_s=until_s)
    return Choice(content=None, until_s=until_s)
