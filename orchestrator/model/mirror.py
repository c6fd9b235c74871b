"""Mirrors of upstreams: tags that say when a digest was first seen, and steps that pull from them.

The tag is frozen: docs/adr/0011-mirrors.md. It restores the ledger where that was lost.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from orchestrator.model.fingerprint import sha256
from orchestrator.model.hierarchy import ParentKind, Track, Upstream
from orchestrator.model.names import short_digest
from orchestrator.model.plan import MirrorCopy, Step

_TIME = "%Y%m%dT%H%M%SZ"
_TAG = re.compile(r"seen-([0-9]{8}T[0-9]{6}Z)-([0-9a-f]{12})(?:-([A-Za-z0-9_][A-Za-z0-9._-]*))?")
#: Characters of a source's tag that fit behind time and digits, and what is kept of longer ones.
_ROOM, _KEPT = 93, 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What the tag of a mirrored digest says.

    Attributes:
        first_seen_s: seconds since 1970 UTC.
        digits: the digest's first 12 hexadecimal digits.
        mark: :func:`mark_of` the upstream that it was seen as.
    """

    first_seen_s: int
    digits: str
    mark: str = ""


def mirror_tag(first_seen_s: float, digest: str, mark: str) -> str:
    """Return the tag of a mirrored digest, ``seen-20261122T024631Z-4f1c09a1b2c3-bookworm``.

    Upstreams of one repository share their mirror: by the end of the tag they are told apart.

    Args:
        first_seen_s: seconds since 1970 UTC; a fraction is rounded up, so that a digest is never
            taken for older than it is.
        digest: of the index.
        mark: :func:`mark_of` the upstream.
    """
    seen = datetime.fromtimestamp(math.ceil(first_seen_s), UTC).strftime(_TIME)
    return f"seen-{seen}-{short_digest(digest)}" + (f"-{mark}" if mark else "")


def mark_of(upstream: Upstream) -> str:
    """Return what tells an upstream's digests in a mirror from those of others beside it.

    Nearly always the tag that it is looked up by; empty where it is a digest by itself.
    """
    source = upstream.source
    if upstream.track is Track.SEMVER:
        # Another range is another row of versions; what soaked in one is new in the other.
        return _fitting(f"{source.tag}-{short_digest(sha256(upstream.range.encode()))}")
    return "" if source.digest and not source.tag else _fitting(source.tag or "latest")


def _fitting(tag: str) -> str:
    if len(tag) <= _ROOM:
        return tag
    return f"{tag[:_KEPT]}-{short_digest(sha256(tag.encode()))}"


def read_mirror_tag(tag: str) -> Stamp | None:
    """Return what a tag of :func:`mirror_tag` says; None for any other."""
    found = _TAG.fullmatch(tag)
    if found is None:
        return None
    try:
        seen = datetime.strptime(found[1], _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
    return Stamp(first_seen_s=int(seen.timestamp()), digits=found[2], mark=found[3] or "")


def pulled_from_mirrors(step: Step, copies: Iterable[MirrorCopy]) -> Step:
    """Return the step with every parent that is copied first pulled from where it is copied to."""
    repositories = {(copy.upstream, copy.digest): copy.repository for copy in copies}
    if not repositories:
        return step
    parents = []
    for parent in step.parents:
        place = repositories.get((parent.subject, parent.digest or ""))
        if place and parent.kind is ParentKind.UPSTREAM and place != parent.reference:
            parents.append(
                replace(parent, reference=place, origin=parent.origin or parent.reference)
            )
        else:
            parents.append(parent)
    return replace(step, parents=tuple(parents))
