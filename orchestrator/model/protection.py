"""What keeps a published digest from being deleted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Guard(StrEnum):
    """One kind of reason to keep a digest.

    FLOATING: a tag that people pull names it. CURRENT: it is what was last promoted. CANDIDATE:
    the files of now lead to it. ROLLBACK: taking back a recent run goes back to it. DESCENDANT:
    what is current of another image was built on it; of a digest in a mirror, anything that is
    kept. PLAN: a saved plan speaks of it. NEWEST: it is in a mirror, and the newest of its upstream
    or what will be built on next.
    """

    FLOATING = "floating"
    CURRENT = "current"
    CANDIDATE = "candidate"
    DESCENDANT = "descendant"
    ROLLBACK = "rollback"
    PLAN = "plan"
    NEWEST = "newest"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Protection:
    """One reason to keep a digest.

    Attributes:
        guard: the kind.
        subject: tag, image id, run id, plan id or upstream.
    """

    guard: Guard
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One digest that some tag of a repository names.

    Attributes:
        digest: of the index or manifest.
        tags: that people use, sorted.
        keys: tags of build keys that led to it, sorted.
        attached: tags of what belongs to it: signatures, attestations, lists of referrers.
        image: id of the image, as it says itself; empty where it is not ours.
        created: RFC 3339 UTC, in a mirror the time it was first seen; empty where it does not say.
        age_s: seconds since then; None when unknown.
        rejected: it was rolled back, and nobody asked for it since.
        protections: every reason to keep it; none: nothing protects it.
    """

    digest: str
    tags: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    attached: tuple[str, ...] = ()
    image: str = ""
    created: str = ""
    age_s: float | None = None
    rejected: bool = False
    protections: tuple[Protection, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """One repository.

    Attributes:
        repository: where.
        images: ids of the images that are published there.
        digests: newest first; those whose age is not known last.
        upstreams: names of those that it is the mirror of.
    """

    repository: str
    images: tuple[str, ...]
    digests: tuple[Stored, ...]
    upstreams: tuple[str, ...] = ()
