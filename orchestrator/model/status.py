"""What people ask between runs: how images stand, and why."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.model.behind import Behind
from orchestrator.model.packages import PackageState
from orchestrator.model.plan import Decision
from orchestrator.model.publication import Publication


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageStatus:
    """How one image stands.

    Attributes:
        image: image id.
        tier: free word, may be empty.
        depth: how many images of the hierarchy it stands on, at the longest; 0 for a base.
        repository: where it is published.
        current: digest of what was last promoted; empty when there is none.
        publication: what current says of itself; None when there is none or it is foreign.
        age_s: seconds since current was built; None when unknown.
        immutable: tag that names current for ever; empty when unknown.
        candidate: digest its key led to, when that is not current; empty else.
        decision: what a run would do now, and why: how far behind it is.
        behind: upstreams whose newest content is not in it yet, the longest first.
        packages: what is known of the packages in current; None for an image without.
    """

    image: str
    tier: str
    depth: int
    repository: str
    current: str
    publication: Publication | None
    age_s: float | None
    immutable: str
    candidate: str
    decision: Decision
    behind: tuple[Behind, ...] = ()
    packages: PackageState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartComparison:
    """One part of the build key, as published and as it would be.

    Attributes:
        part: name of the part.
        was: its digest in what is current; empty when nothing is.
        now: its digest now; empty while a parent's digest is not known.
    """

    part: str
    was: str
    now: str

    @property
    def same(self) -> bool:
        """Whether this part asks for nothing."""
        return self.was == self.now


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why an image would be built or why not, part by part.

    Attributes:
        status: how it stands.
        parts: every part of the key; none for an image that is retired or cannot be had.
        key: the key it would get; empty while a parent's digest is not known.
        parents: (subject, digest it was built on, digest now); empty strings where unknown.
    """

    status: ImageStatus
    parts: tuple[PartComparison, ...]
    key: str
    parents: tuple[tuple[str, str, str], ...]
