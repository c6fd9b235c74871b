"""Mirrors of upstreams: what they hold, and what is still to be copied into them. Reads only.

Source: docs/adr/0011-mirrors.md
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from orchestrator.decide.soak import ledger_source
from orchestrator.doors.protocols import Registry
from orchestrator.errors import RegistryUnavailable, Unavailable
from orchestrator.model.fingerprint import effective_digest
from orchestrator.model.hierarchy import Hierarchy, Upstream
from orchestrator.model.mirror import Stamp, mark_of, mirror_tag, read_mirror_tag
from orchestrator.model.names import (
    Repository,
    parse_reference,
    parse_repository,
    short_digest,
)
from orchestrator.model.observation import Observations, Sighting, UpstreamState
from orchestrator.model.plan import MirrorCopy, Plan
from orchestrator.observe.upstreams import Looked, platforms_of, upstream_state
from orchestrator.run.abreast import Abreast

#: Requests under way at once.
PARALLEL = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrored:
    """What of one upstream is in its mirror.

    Attributes:
        repository: the mirror.
        tags: first 12 hexadecimal digits of a digest → the oldest tag that carries them.
        sightings: every content that is there with all needed platforms, first seen first.
        ledger: what was seen of it, whether it is there or not.
    """

    repository: Repository
    tags: Mapping[str, str]
    sightings: tuple[Sighting, ...]
    ledger: tuple[Sighting, ...] = ()


def look_into(
    registry: Registry,
    upstream: Upstream,
    platforms: tuple[str, ...],
    ledger: Sequence[Sighting],
) -> Mirrored:
    """Return what of an upstream is in its mirror.

    One request lists the tags. Only what the ledger does not know is looked at, several at a time,
    so that a lost ledger is restored, and a whole one costs nothing.

    Args:
        registry: the door.
        upstream: one that has a mirror.
        platforms: all that images need of it, sorted.
        ledger: what was seen of it.

    Raises:
        RegistryUnavailable: the mirror's registry answers neither yes nor 404.
    """
    repository = upstream.mirror
    assert repository is not None  # that is what the caller asks for
    stamps = _oldest(registry.tags(repository), upstream)
    known = {short_digest(seen.digest): seen for seen in ledger}
    usable = [seen for seen in known.values() if set(platforms) <= set(seen.manifests)]
    found = [seen for seen in usable if short_digest(seen.digest) in stamps]
    fresh = {tag: stamp for digits, (tag, stamp) in stamps.items() if digits not in known}
    times = {seen.fingerprint: seen.first_seen_s for seen in ledger}
    if fresh:
        with Abreast(PARALLEL, "mirror") as look:
            restored = look.each(
                {tag: (tag, stamp) for tag, stamp in fresh.items()},
                lambda pair: _restored(registry, upstream, repository, *pair, platforms),
            )
        found += [
            replace(seen, first_seen_s=times.get(seen.fingerprint, seen.first_seen_s))
            for seen in restored.values()
            if seen is not None
        ]
    return Mirrored(
        repository=repository,
        tags={digits: tag for digits, (tag, _) in stamps.items()},
        sightings=_once_each(found),
        ledger=tuple(ledger),
    )


def _oldest(tags: Iterable[str], upstream: Upstream) -> dict[str, tuple[str, Stamp]]:
    """Return a digest's 12 digits → its tag and what that says; the oldest of several."""
    found: dict[str, tuple[str, Stamp]] = {}
    for tag in sorted(tags):
        stamp = read_mirror_tag(tag)
        if stamp is not None and stamp.mark == mark_of(upstream):
            found.setdefault(stamp.digits, (tag, stamp))
    return found


def _once_each(sightings: Iterable[Sighting]) -> tuple[Sighting, ...]:
    found: dict[str, Sighting] = {}
    for seen in sorted(sightings, key=lambda seen: (seen.first_seen_s, seen.digest)):
        found.setdefault(seen.fingerprint, seen)
    return tuple(found.values())


def _restored(
    registry: Registry,
    upstream: Upstream,
    repository: Repository,
    tag: str,
    stamp: Stamp,
    platforms: tuple[str, ...],
) -> Sighting | None:
    """Return the sighting that a tag stands for; None where it is not as it was put there."""
    digest = registry.resolve(repository, tag)
    # A tag that somebody moved says nothing of what it names now.
    if digest is None or short_digest(digest) != stamp.digits:
        return None
    manifest = registry.manifest(repository, digest)
    try:
        manifests = platforms_of(registry, repository, manifest) if manifest else {}
    except RegistryUnavailable:
        raise
    except Unavailable:
        return None
    if not set(platforms) <= set(manifests):
        return None
    return Sighting(
        source=ledger_source(upstream),
        fingerprint=effective_digest(manifests, platforms),
        digest=digest,
        manifests=manifests,
        first_seen_s=stamp.first_seen_s,
    )


def holds(registry: Registry, mirrored: Mirrored, digest: str) -> bool:
    """Say whether a digest is in a mirror under a tag with its time; one HEAD where it may be."""
    tag = mirrored.tags.get(short_digest(digest))
    return tag is not None and registry.resolve(mirrored.repository, tag) == digest


def had_now(registry: Registry, upstream: Upstream, platform: str) -> UpstreamState:
    """Return what of an upstream can be built on without copying anything.

    From its mirror, where that has it; and the newest that it has, where the source has none.

    Args:
        registry: the door.
        upstream: what the hierarchy says.
        platform: that is built.

    Raises:
        Unavailable: it is absent.
        RegistryUnavailable: its registry does not answer.
    """
    try:
        state = upstream_state(registry, upstream)
    except Unavailable:
        fixed = upstream.pin or upstream.source.digest
        mirrored = look_into(registry, upstream, (platform,), ()) if upstream.mirror else None
        found = [s for s in mirrored.sightings if fixed in (None, s.digest)] if mirrored else []
        if not found:
            raise
        digest, manifests = found[-1].digest, found[-1].manifests
        place, origin = str(upstream.mirror), str(upstream.source)
        return UpstreamState(
            name=upstream.name, reference=place, digest=digest, manifests=manifests, origin=origin
        )
    if upstream.mirror and registry.resolve(upstream.mirror, state.digest):
        return replace(state, reference=str(upstream.mirror), origin=state.reference)
    return state


def with_mirrors(
    seen: Observations,
    hierarchy: Hierarchy,
    looked: Mapping[str, Looked],
    mirrors: Mapping[str, Mirrored],
    registry: Registry,
    now_s: float,
) -> Observations:
    """Return observations in which what is in a mirror is had from there, and the rest is listed.

    To be copied are the newest content of an upstream, also while it soaks, what it is pinned to,
    and all that images stay on. What the mirrors tell of first-seen times is new to the ledger.

    Args:
        seen: upstreams and what is held, as they are at their sources.
        hierarchy: what should be.
        looked: upstream → what its look-up gave.
        mirrors: upstream name → what is in its mirror; of those that have one.
        registry: tells what is in the mirrors.
        now_s: seconds since 1970 UTC, for what was not seen before.

    Raises:
        RegistryUnavailable: the mirrors' registry answers neither yes nor 404.
    """
    if not mirrors:
        return seen
    wanted = {name: _contents(name, seen, looked.get(name)) for name in mirrors}
    pairs = [(name, digest) for name, contents in wanted.items() for digest in contents]
    with ThreadPoolExecutor(PARALLEL, "mirror") as pool:
        there = pool.map(lambda pair: holds(registry, mirrors[pair[0]], pair[1]), pairs)
        held = {pair for pair, yes in zip(pairs, there, strict=True) if yes}
    return replace(
        seen,
        upstreams={
            name: _moved_in(state, mirrors[name]) if (name, state.digest) in held else state
            for name, state in seen.upstreams.items()
        },
        held={
            image: {
                identity: replace(
                    parent,
                    reference=str(mirrors[parent.reason.subject].repository),
                    origin=parent.origin or parent.reference,
                )
                if (parent.reason.subject, parent.digest) in held
                else parent
                for identity, parent in parents.items()
            }
            for image, parents in seen.held.items()
        },
        sightings=(*seen.sightings, *_restored_by(mirrors.values(), seen.sightings)),
        mirrors=tuple(
            _copy(
                hierarchy.upstreams[name], digest, wanted[name][digest], mirrors[name], seen, now_s
            )
            for name, digest in pairs
            if (name, digest) not in held
        ),
    )


def _restored_by(mirrors: Iterable[Mirrored], known: Iterable[Sighting]) -> Iterator[Sighting]:
    """Yield what mirrors know, and neither the ledger nor anybody else."""
    told = {(seen.source, seen.fingerprint) for seen in known}
    for mirrored in mirrors:
        told |= {(seen.source, seen.fingerprint) for seen in mirrored.ledger}
        for seen in mirrored.sightings:
            if (seen.source, seen.fingerprint) not in told:
                told.add((seen.source, seen.fingerprint))
                yield seen


def _contents(name: str, seen: Observations, looked: Looked | None) -> dict[str, Mapping[str, str]]:
    """Return what of an upstream belongs into its mirror: digest → platform → manifest digest."""
    states = (seen.upstreams.get(name), looked.newest if looked else None)
    found = {state.digest: state.manifests for state in states if state}
    for parents in seen.held.values():
        for parent in parents.values():
            if parent.reason.subject == name and parent.firm and parent.manifests:
                found.setdefault(parent.digest, parent.manifests)
    return found


def _moved_in(state: UpstreamState, mirrored: Mirrored) -> UpstreamState:
    return replace(
        state, reference=str(mirrored.repository), origin=state.origin or state.reference
    )


def _copy(
    upstream: Upstream,
    digest: str,
    manifests: Mapping[str, str],
    mirrored: Mirrored,
    seen: Observations,
    now_s: float,
) -> MirrorCopy:
    source = ledger_source(upstream)
    known = (*mirrored.ledger, *(s for s in seen.sightings if s.source == source))
    # Another digest of equal content is no newer; and a clock may have been wrong.
    times = [s.first_seen_s for s in known if s.digest == digest or s.manifests == manifests]
    return MirrorCopy(
        upstream=upstream.name,
        source=f"{upstream.source.repository}@{digest}",
        repository=str(mirrored.repository),
        digest=digest,
        tag=mirror_tag(min([now_s, *times]), digest, mark_of(upstream)),
    )


def lost_copies(saved: Plan, hierarchy: Hierarchy, registry: Registry) -> tuple[str, ...]:
    """Return a sentence for every copy of a saved plan that was not made and cannot be any more.

    Raises:
        RegistryUnavailable: the mirrors' registry answers neither yes nor 404.
    """
    lost = []
    for copy in saved.mirrors:
        target, source = parse_repository(copy.repository), parse_reference(copy.source)
        upstream = hierarchy.upstreams.get(copy.upstream)
        if upstream is None or upstream.mirror != target:
            lost.append(f"upstream {copy.upstream} is not mirrored at {copy.repository} any more")
            continue
        named = registry.resolve(target, copy.tag)
        if named == copy.digest:
            continue
        if named is not None:
            lost.append(f"{copy.repository}:{copy.tag} names {short_digest(named)} already")
            continue
        try:
            there = registry.resolve(source.repository, copy.digest)
        except RegistryUnavailable:
            continue  # The copy will say so, and fail only what needs it.
        if there is None:
            lost.append(f"upstream {copy.upstream}: {copy.source} is no longer there")
    return tuple(lost)
