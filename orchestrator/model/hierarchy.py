"""What ``hierarchy.yaml`` and the Dockerfiles it names say, valid by construction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.model.names import Reference, Repository
from orchestrator.model.subscription import Subscription


class Track(StrEnum):
    """How an upstream's newest digest is found."""

    TAG = "tag"
    DIGEST = "digest"
    SEMVER = "semver"


class Policy(StrEnum):
    """What a parent's change means to one image that stands on it.

    FINAL_ONLY is left only on parents that feed build stages alone: the others cause a rebuild.
    """

    REBUILD = "rebuild"
    FINAL_ONLY = "final-only"
    NOTIFY = "notify"
    HOLD = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Until when an image stays on the parent it has, and why.

    Attributes:
        until: ``YYYY-MM-DD``, the last day; one that is past holds still, and is complained of.
        because: free text.
    """

    until: str
    because: str


class Promote(StrEnum):
    """Which floating tags a run moves at its end.

    PASSED: those of every image whose own chain passed. ALL: all of them if everything passed,
    else none. MANUAL: none; ``orchestrate promote`` moves them.
    """

    PASSED = "passed"
    ALL = "all"
    MANUAL = "manual"


class BuildCache(StrEnum):
    """Where a build's cache is kept beside the builder's own."""

    NONE = "none"
    REGISTRY = "registry"
    INLINE = "inline"


class Sbom(StrEnum):
    """What lists the packages of what is built, for everybody who reads it in the registry."""

    NONE = "none"
    SYFT = "syft"


class ParentKind(StrEnum):
    """Whether a parent is built here or comes from outside."""

    IMAGE = "image"
    UPSTREAM = "upstream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """One name outside the Dockerfile that its target stage reaches.

    Attributes:
        name: as the Dockerfile spells it after ARGs are expanded, which is the exact key that
            ``docker buildx build --build-context`` needs.
        kind: an image of the hierarchy or an upstream.
        subject: the image id, or the upstream's name.
        final: the final stage stands on it: its layers come first in the result.
        line: 1-based line of the Dockerfile that names it first.
        first_name: for an image that was renamed, the id it had first; empty else.
        policy: what a change of it means; the same for all names of one subject.
        hold: with ``Policy.HOLD``; None else.
    """

    name: str
    kind: ParentKind
    subject: str
    final: bool
    line: int
    first_name: str = ""
    policy: Policy = Policy.REBUILD
    hold: Hold | None = None

    @property
    def identity(self) -> str:
        """The name that build keys and records know it by, which no renaming changes."""
        return self.first_name or self.subject


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """The reviewed list of build options; all of them are in the build key.

    Attributes:
        network: ``default``, ``none`` or ``host``.
        add_hosts: ``NAME:ADDRESS`` pairs, in the file's order.
        ulimits: ``NAME=SOFT[:HARD]``, in the file's order.
        shm_size: bytes with an optional unit, as Docker takes it; empty for the default.
        no_cache_filter: stages that never use the cache.
    """

    network: str = "default"
    add_hosts: tuple[str, ...] = ()
    ulimits: tuple[str, ...] = ()
    shm_size: str = ""
    no_cache_filter: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image that this hierarchy builds.

    Attributes:
        id: its name in the file and in bare FROMs.
        version: the version people know it by.
        repository: where it is published.
        context: directory that is sent to the builder, relative to the hierarchy file's directory;
            or in a repository elsewhere: an :class:`orchestrator.model.address.Address` as text.
        dockerfile: path of the Dockerfile, relative to the hierarchy file's directory, or to the
            root of the context's repository.
        target: the stage to build; None for the last.
        tier: free word for grouping: base, runtime, app-server, application.
        platforms: sorted ``os/arch``; all of them or nothing is published.
        drop_platforms: platforms that may disappear from the published index.
        build_args: sorted (name, value).
        secrets: sorted names of the hierarchy's secrets that the build sees.
        labels: sorted (name, value), written into the image's configuration.
        options: build options.
        parents: in the Dockerfile's order; names are unique, subjects need not be.
        immutable: template of the tag that never moves; contains ``{key}``.
        floating: templates of the tags that move at the end of a run; may be empty.
        aliases: other repositories under which published Dockerfiles name this image.
        packages: ``apt``, ``apk`` or ``dnf``; None: the nightly run does not look inside.
        reproducible: whether an equal result may be taken for unchanged.
        copies: further repositories that get every digest and every tag of it, in order.
        formerly: ids it had before, the first one first.
        former_repositories: where it was published under these ids.
        variant: sorted (name, value) of the matrix that made it; empty for an image by itself.
        retired: it is no longer built; what is published stays. Its files may be gone, and then
            ``context`` and ``dockerfile`` are empty and it has no parents.
        replaced_by: id of the image to stand on instead; only for a retired one.
        eol: ``YYYY-MM-DD`` of its last supported day; None where nobody said.
        builder_labels: sorted (name, value) that a builder must have to build it.
        timeout_s: longest time of one build of it, in seconds.
        retries: further tries after a failure that may pass by itself.
        cache: where its build cache is kept beside the builder's own.
        canaries: ids of descendants that must pass before its floating tags move.
        sbom: what lists its packages once it is published.
        unusable: why its files cannot be had from their repository, so that nobody can decide
            on it; its parents are then those of older files, or none. Empty: they can.
        file: the file that declares it, as the user would write its path.
        line: 1-based line of that file.
    """

    id: str
    version: str
    repository: Repository
    context: str
    dockerfile: str
    target: str | None = None
    tier: str | None = None
    platforms: tuple[str, ...]
    drop_platforms: tuple[str, ...] = ()
    build_args: tuple[tuple[str, str], ...] = ()
    secrets: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    options: BuildOptions = BuildOptions()
    parents: tuple[Parent, ...] = ()
    immutable: str
    floating: tuple[str, ...] = ()
    aliases: tuple[Repository, ...] = ()
    packages: str | None = None
    reproducible: bool = True
    copies: tuple[Repository, ...] = ()
    formerly: tuple[str, ...] = ()
    former_repositories: tuple[Repository, ...] = ()
    variant: tuple[tuple[str, str], ...] = ()
    retired: bool = False
    replaced_by: str | None = None
    eol: str | None = None
    builder_labels: tuple[tuple[str, str], ...] = ()
    timeout_s: int = 7200
    retries: int = 2
    cache: BuildCache = BuildCache.NONE
    canaries: tuple[str, ...] = ()
    sbom: Sbom = Sbom.NONE
    unusable: str = ""
    file: str = ""
    line: int = 0

    @property
    def identity(self) -> str:
        """The name that build keys and records know it by, which no renaming changes."""
        return self.formerly[0] if self.formerly else self.id

    @property
    def names(self) -> tuple[str, ...]:
        """Every id it was ever published under, the newest first."""
        return (self.id, *reversed(self.formerly))

    def image_parents(self) -> tuple[str, ...]:
        """Return the ids of the hierarchy's images it stands on, each once, in order."""
        return self._subjects(ParentKind.IMAGE)

    def upstream_parents(self) -> tuple[str, ...]:
        """Return the names of the upstreams it stands on, each once, in order."""
        return self._subjects(ParentKind.UPSTREAM)

    def final_parent(self) -> Parent | None:
        """Return the parent whose layers come first; None for FROM scratch."""
        return next((parent for parent in self.parents if parent.final), None)

    def _subjects(self, kind: ParentKind) -> tuple[str, ...]:
        return tuple(dict.fromkeys(p.subject for p in self.parents if p.kind is kind))


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """An image that comes from outside.

    Attributes:
        name: as Dockerfiles spell it in FROM.
        source: where it is looked up.
        track: how its newest digest is found.
        range: with ``Track.SEMVER``: which versions, e.g. ``^1.27``; empty else.
        soak_s: a new digest is used only this long after it was first seen, in seconds.
        urgent: a new digest is used at once, whatever ``soak_s`` says.
        pin: the digest that is used whatever the registry shows; None: the newest.
        mirror: repository it is copied to and built from, below the first registry; None: it is
            built from where it comes from.
        line: 1-based line of the hierarchy file; 0 for one that only Dockerfiles name.
    """

    name: str
    source: Reference
    track: Track = Track.TAG
    range: str = ""
    soak_s: int = 0
    urgent: bool = False
    pin: str | None = None
    mirror: Repository | None = None
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A build secret by reference: its name is in the build key, its value nowhere.

    Attributes:
        name: the id that ``RUN --mount=type=secret,id=…`` uses.
        env: environment variable that holds the value, or None.
        file: file that holds the value, relative to the hierarchy file's directory, or None.
    """

    name: str
    env: str | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """A ``docker buildx`` builder.

    Attributes:
        name: as ``docker buildx ls`` shows it, or a docker context; None for the current one.
        slots: builds it may run at once; each platform of an image is one build.
        platforms: sorted ``os/arch`` that it builds natively; empty: nobody said, and it is asked.
        labels: sorted (name, value) that images may ask for.
    """

    name: str | None = None
    slots: int = 4
    platforms: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hierarchy:
    """A whole, valid hierarchy.

    Attributes:
        name: scopes leases, claims and annotations.
        file: path of the hierarchy file as the user would write it.
        images: by id, parents before children, otherwise in the file's order.
        upstreams: by the name Dockerfiles use.
        secrets: by name.
        builders: at least one; their names differ.
        promote: which floating tags a run moves at its end.
        registries: where images are published: the first is built to, the rest get copies.
        subscriptions: in the file's order, then those of the teams' own files.
        scanner: program and arguments that find vulnerabilities in an SBOM, ``{sbom}`` where its
            path goes; empty: none is configured.
        plain_http: registries (host or host:port) spoken to without TLS beside the loopback ones.
        warnings: one line each, for what is legal and probably not meant.
    """

    name: str
    file: str
    images: Mapping[str, Image]
    upstreams: Mapping[str, Upstream]
    secrets: Mapping[str, Secret]
    builders: tuple[Builder, ...]
    promote: Promote = Promote.PASSED
    registries: tuple[str, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    scanner: tuple[str, ...] = ()
    plain_http: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
