"""A plan is data: what would be done to every image, and every reason for it.

The JSON form is frozen: docs/adr/0005-plan.md, orchestrator/schema/plan.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from orchestrator.model.behind import Behind
from orchestrator.model.hierarchy import ParentKind, Promote
from orchestrator.model.packages import PackageState, Update


class Verdict(StrEnum):
    """What is to be done with an image.

    FAIL: nobody can say, because something from outside that it is made of cannot be had; what is
    published of it stays.
    """

    KEEP = "keep"
    BUILD = "build"
    AWAIT = "await"
    RETAG = "retag"
    FAIL = "fail"


class Cause(StrEnum):
    """Why; one constant for every line that decides.

    The causes named like a part of the build key say that this part differs from what is current.
    """

    NEVER_PUBLISHED = "never-published"
    FOREIGN = "foreign"
    INCOMPLETE = "incomplete"
    KEY_TAG_MISSING = "key-tag-missing"
    FORCED = "forced"
    VERSION = "version"
    LABELS = "labels"
    DOCKERFILE = "dockerfile"
    CONTEXT = "context"
    TARGET = "target"
    ARGS = "args"
    OPTIONS = "options"
    SECRETS = "secrets"
    PLATFORMS = "platforms"
    EPOCH = "epoch"
    PARENT_MOVED = "parent-moved"
    PARENT_ADDED = "parent-added"
    PARENT_REMOVED = "parent-removed"
    UPSTREAM_MOVED = "upstream-moved"
    PARENT_PENDING = "parent-pending"
    TAG_MISSING = "tag-missing"
    TAG_ELSEWHERE = "tag-elsewhere"
    REJECTED = "rejected"
    DIRTY = "dirty"
    COPY_BEHIND = "copy-behind"
    COPY_UNKNOWN = "copy-unknown"
    RENAMED = "renamed"
    TAKEN_BACK = "taken-back"
    RETIRED = "retired"
    PARENT_ENDED = "parent-ended"
    PARENT_UNUSABLE = "parent-unusable"
    NOT_SELECTED = "not-selected"
    PACKAGES = "packages"
    HELD = "held"
    TOLD_ONLY = "told-only"
    NOT_FINAL = "not-final"
    SOAKING = "soaking"
    UNSOAKED = "unsoaked"
    UPSTREAM_UNUSABLE = "upstream-unusable"
    SOURCE_UNUSABLE = "source-unusable"
    PAUSED = "paused"
    UNPROMOTED = "unpromoted"
    CANARY = "canary"


#: What is told of an image that is kept, though nothing of it is held back.
ADVISORY = frozenset((Cause.RENAMED, Cause.RETIRED, Cause.NOT_SELECTED, Cause.CANARY))

#: What is told beside whatever else is decided: a parent has moved, and the image does not follow.
WAITING = frozenset((Cause.HELD, Cause.TOLD_ONLY, Cause.NOT_FINAL, Cause.SOAKING))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One typed reason.

    Attributes:
        cause: the kind of reason.
        subject: what it speaks of: a parent, an upstream, a file, a tag, the image that it is a
            canary of, the run that holds it; may be empty.
        was: the value before, a digest or a word; empty when there was none.
        now: the value now; empty when there is none, or it is not known yet.
        until: for what waits: RFC 3339 UTC, or ``YYYY-MM-DD`` of the last day; empty else.
        because: what somebody wrote, or a registry answered: of an upstream the tag that is
            followed, where its name has another one; of what waits for its promotion, RFC 3339 UTC
            since when; empty else.
    """

    cause: Cause
    subject: str = ""
    was: str = ""
    now: str = ""
    until: str = ""
    because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What happens to one image, and why.

    Attributes:
        image: image id.
        verdict: what is to be done.
        reasons: all of them, most telling first; empty for a plain keep.
        current: digest of what was last promoted; None where nothing was.
        key: the build key, where it is known.
        digest: for retag: the digest the tags are put on; else None.
    """

    image: str
    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    current: str | None = None
    key: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepParent:
    """One parent as the step will use it.

    Attributes:
        name: the key of ``--build-context``.
        subject: image id or upstream name.
        kind: image or upstream.
        final: the final stage stands on it.
        reference: repository (with tag, for an upstream) that the digest belongs to.
        digest: index digest to pin; None while the parent's own step is not done.
        manifests: platform → manifest digest; empty while the digest is None.
        first_name: for an image that was renamed, the id it had first; empty else.
        judged: effective digest that the image is judged on while only other parents are awaited:
            it follows this parent when it is built, and is not built because of it; empty: the
            parent's own.
        origin: of an upstream: where it came from, when ``reference`` is its mirror; empty else.
    """

    name: str
    subject: str
    kind: ParentKind
    final: bool
    reference: str
    digest: str | None
    manifests: Mapping[str, str]
    first_name: str = ""
    judged: str = ""
    origin: str = ""

    @property
    def identity(self) -> str:
        """The name that build keys and records know it by, which no renaming changes."""
        return self.first_name or self.subject


@dataclass(frozen=True, slots=True, kw_only=True)
class TagMove:
    """A floating tag that ends on the step's digest.

    Attributes:
        tag: the tag.
        expects: the digest the plan saw there; None: absent. The move is refused if it differs.
    """

    tag: str
    expects: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One image's work in a plan.

    A step is *resolved* when its key is known, else *conditional*: all parts of the key are known
    but the digests of the steps it needs.

    Attributes:
        image: image id.
        verdict: build, await or retag.
        needs: image ids whose steps come first.
        repository: where it is published.
        platforms: all that the index must have.
        parts: digests of the key's parts; ``parents`` is missing while conditional.
        key: the build key, None while conditional.
        epoch: refresh epoch.
        parents: in the Dockerfile's order.
        immutable: the tag; ``<key>`` and ``<run>`` stand for what is not known yet.
        floating: tags to move at the end of the run.
        current: digest of what was last promoted, None where nothing was.
        digest: for retag: what the tags are put on; else None.
        updates: packages that must have arrived in what is built.
        copies: further repositories that get the result, in order.
    """

    image: str
    verdict: Verdict
    needs: tuple[str, ...]
    repository: str
    platforms: tuple[str, ...]
    parts: Mapping[str, str]
    key: str | None
    epoch: str
    parents: tuple[StepParent, ...]
    immutable: str
    floating: tuple[TagMove, ...]
    current: str | None
    digest: str | None = None
    updates: tuple[Update, ...] = ()
    copies: tuple[str, ...] = ()

    def final_parent(self) -> StepParent | None:
        """Return the parent whose layers come first; None for FROM scratch."""
        return next((parent for parent in self.parents if parent.final), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorCopy:
    """An upstream's digest that is copied into our registry before anything is built.

    Attributes:
        upstream: its name.
        source: ``REPOSITORY@sha256:…`` to copy from.
        repository: where to.
        digest: of the index.
        tag: carries the time at which the digest was first seen.
    """

    upstream: str
    source: str
    repository: str
    digest: str
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A team that a run of the plan would tell.

    Attributes:
        team: who.
        images: ids it subscribes to and that may change, parents before children.
        channels: the kinds of channels that it would hear through: ``webhook``, ``email``.
    """

    team: str
    images: tuple[str, ...]
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run would do, in an order in which it can be done.

    Attributes:
        id: sortable id, also the refresh epoch of what is forced.
        hierarchy: its name.
        created: RFC 3339 UTC.
        date: ``YYYYMMDD``, which is what ``{date}`` stands for.
        revision: commit with ``-dirty`` if so; empty outside git.
        decisions: one for every image, parents before children.
        steps: parents before children; images that are kept, or fail, have none.
        selection: what was asked for, as on the command line (``--exclude`` and ``--since`` with
            their dashes); empty: everything.
        mirrors: copies that come before every step.
        told: the teams that would hear of it.
        expires: RFC 3339 UTC time after which nobody may apply it; empty: never.
        behind: image id → upstreams whose newest content is not in what is published of it; only
            images that lack any.
        packages: image id → what is known of the packages in what is published of it; only images
            that declare some.
        unsoaked: names of the upstreams whose newest digest was asked for, however new it was.
        promote: which floating tags are moved at the end.
        canaries: image id → ids of the images that must pass before its floating tags move; of
            images that have a step.
    """

    id: str
    hierarchy: str
    created: str
    date: str
    revision: str
    decisions: tuple[Decision, ...]
    steps: tuple[Step, ...]
    selection: tuple[str, ...] = ()
    mirrors: tuple[MirrorCopy, ...] = ()
    told: tuple[Told, ...] = ()
    expires: str = ""
    behind: Mapping[str, tuple[Behind, ...]] = field(default_factory=dict)
    packages: Mapping[str, PackageState] = field(default_factory=dict)
    unsoaked: tuple[str, ...] = ()
    promote: Promote = Promote.PASSED
    canaries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def summary(self) -> dict[str, int]:
        """Return how many images each verdict has, every verdict named."""
        counts = dict.fromkeys((str(v) for v in Verdict), 0)
        for decision in self.decisions:
            counts[decision.verdict] += 1
        return counts

    @property
    def is_empty(self) -> bool:
        """Whether nothing would be done: neither to an image nor to a mirror."""
        return not self.steps and not self.mirrors

    def step_of(self, image: str) -> Step | None:
        """Return the image's step; None when it is kept, or fails."""
        return next((step for step in self.steps if step.image == image), None)
