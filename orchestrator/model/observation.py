"""What was seen of the files, the registry and the upstreams at the start of a command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.model.packages import PackageState, Update
from orchestrator.model.plan import MirrorCopy, Reason
from orchestrator.model.publication import Publication
from orchestrator.model.source import Revision, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamState:
    """An upstream as its registry shows it now.

    Attributes:
        name: as Dockerfiles spell it.
        reference: where it is to be had, without digest.
        digest: of the index or manifest found there.
        manifests: platform → manifest digest.
        origin: where it was looked up, when ``reference`` is its mirror; empty else.
    """

    name: str
    reference: str
    digest: str
    manifests: Mapping[str, str]
    origin: str = ""

    @property
    def other_tag(self) -> str:
        """The tag it was found under; empty where that is the one in its name."""
        found, named = _tag_of(self.origin or self.reference), _tag_of(self.name)
        return "" if found == (named or "latest") else found


def _tag_of(reference: str) -> str:
    return reference.partition("@")[0].rpartition("/")[2].partition(":")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One content of an upstream, and when it was first seen: a row of the ledger.

    Attributes:
        source: where it is looked up, without digest; and the range of versions, if one is
            followed: see :func:`orchestrator.decide.soak.ledger_source`.
        fingerprint: :func:`orchestrator.model.fingerprint.effective_digest` over the platforms
            that the hierarchy needs of it.
        digest: of the index that had it first.
        manifests: platform → manifest digest of that index.
        first_seen_s: seconds since 1970 UTC.
        absorbed_at: RFC 3339 UTC time at which the last descendant was promoted on it, or on a
            newer one; empty: not yet.
    """

    source: str
    fingerprint: str
    digest: str
    manifests: Mapping[str, str]
    first_seen_s: float
    absorbed_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A parent as an image has it, which it keeps though the newest is another one.

    Attributes:
        digest: of the index that the image was built on.
        manifests: platform → manifest digest; empty when that index is gone.
        effective: what it is to the image, see ``effective_digest``.
        reference: repository (with tag, for an upstream) that the digest belongs to.
        reason: which of :data:`orchestrator.model.plan.WAITING`, with old and newest digest.
        firm: also what is built for another reason stays on it; else that takes the newest.
        origin: of an upstream: where it came from, when ``reference`` is its mirror; empty else.
    """

    digest: str
    manifests: Mapping[str, str]
    effective: str
    reference: str
    reason: Reason
    firm: bool
    origin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a tag of ours points at.

    Attributes:
        digest: of the manifest or index the tag names.
        publication: what it says of itself; None when it is not one of ours.
        rejected: it was rolled back, and nobody asked for it since.
        elsewhere: it is not in the image's repository, but in this one: where the image was
            published under a former id, or a copy that outlived it; empty else.
    """

    digest: str
    publication: Publication | None
    rejected: bool = False
    elsewhere: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """Everything deciding needs, read once.

    Where only some images are looked at, the maps by image id hold these, and ``currents`` their
    parents too.

    Attributes:
        sources: image id → hashes of its files; nothing of images that are retired.
        upstreams: upstream name → what is to be built on; only those that some image stands on
            and that can be had.
        held: image id → parent's identity → what it is judged on instead of the newest.
        unusable: image id → why it cannot be decided on: FAIL.
        notes: image id → what is told beside the decision.
        updates: image id → packages that are this image's to update.
        packages: image id → what is known of its packages; of images that have some.
        mirrors: copies of upstreams that are still to be made.
        sightings: the upstreams' contents as they are now, with the time each was first seen; a
            command that may write adds them to the ledger.
        currents: image id → what was last promoted; None where nothing was.
        tags: image id → tag → digest it names now, None where absent. Holds every floating tag,
            and the immutable tag that what is current should have.
        candidates: build key → what its key tag names; absent where there is no such tag. Keys
            are computed on the parents' grounds.
        waiting: image id → what it was built into and waits until somebody promotes it; empty
            where runs promote.
        copies: image id → repository → tag → digest it names there now, None where absent; of
            every repository that gets copies and could be looked at, and the tags that ``tags``
            has.
        revision: where the tree stands in git; None outside git.
        date: today as ``YYYYMMDD``, UTC.
    """

    sources: Mapping[str, Source]
    upstreams: Mapping[str, UpstreamState]
    currents: Mapping[str, Found | None]
    tags: Mapping[str, Mapping[str, str | None]]
    candidates: Mapping[str, Found]
    waiting: Mapping[str, Found] = field(default_factory=dict)
    copies: Mapping[str, Mapping[str, Mapping[str, str | None]]] = field(default_factory=dict)
    held: Mapping[str, Mapping[str, Held]] = field(default_factory=dict)
    unusable: Mapping[str, tuple[Reason, ...]] = field(default_factory=dict)
    notes: Mapping[str, tuple[Reason, ...]] = field(default_factory=dict)
    updates: Mapping[str, tuple[Update, ...]] = field(default_factory=dict)
    packages: Mapping[str, PackageState] = field(default_factory=dict)
    mirrors: tuple[MirrorCopy, ...] = ()
    sightings: tuple[Sighting, ...] = ()
    revision: Revision | None = None
    date: str = ""

    def ground(self, image: str) -> Found | None:
        """Return what is built on of an image: what waits for its promotion, else what is current.

        A run builds on candidates; where nobody has promoted them yet, the next one still does.
        """
        return self.waiting.get(image) or self.currents[image]
