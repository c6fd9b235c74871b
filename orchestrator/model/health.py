"""What a machine, an engine, a registry and a database say about themselves."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.model.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFacts:
    """A container engine that answers.

    Attributes:
        version: as it calls itself.
        platform: its own, ``linux/amd64``.
        containerd_store: whether images are kept in containerd, which several platforms in one
            image and layouts need.
        root_dir: where it keeps its data, on the machine it runs on.
        is_local: it is reached over a socket of this machine.
        rootless: it runs without root's rights.
    """

    version: str
    platform: str
    containerd_store: bool
    root_dir: str
    is_local: bool
    rootless: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BuilderNode:
    """One machine of a builder.

    Attributes:
        endpoint: where it is, without credentials.
        status: ``running``, ``inactive``, ``stopped``…
        platforms: those it says it can build for, its own first; empty while it does not run.
        error: why it cannot be asked, empty where it can.
    """

    endpoint: str
    status: str
    platforms: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuilderFacts:
    """A ``docker buildx`` builder.

    Attributes:
        name: as ``docker buildx ls`` shows it.
        driver: ``docker``, ``docker-container``, ``kubernetes`` or ``remote``; empty where its
            engine does not answer.
        nodes: at least one.
        error: why it cannot be asked, empty where it can.
    """

    name: str
    driver: str
    nodes: tuple[BuilderNode, ...]
    error: str = ""

    @property
    def native(self) -> tuple[str, ...]:
        """Platforms that some machine of it runs without emulation, sorted."""
        return tuple(sorted({node.platforms[0] for node in self.nodes if node.platforms}))

    @property
    def platforms(self) -> tuple[str, ...]:
        """Platforms that it says it can build for, emulated ones too, sorted."""
        return tuple(sorted({each for node in self.nodes for each in node.platforms}))


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineUse:
    """Room that an engine uses.

    Attributes:
        kind: ``Images``, ``Containers``, ``Local Volumes`` or ``Build Cache``.
        size_bytes: in all.
        reclaimable_bytes: that nothing uses.
    """

    kind: str
    size_bytes: int
    reclaimable_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """The disk a path is on.

    Attributes:
        path: the path, or the nearest directory above it that is there.
        device: number that tells disks apart.
        total_bytes: in all.
        free_bytes: that this user may fill.
    """

    path: str
    device: int
    total_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something in a directory.

    Attributes:
        name: of it.
        is_dir: whether it is a directory, and no symlink to one.
        modified_s: seconds since 1970 UTC of its last change.
    """

    name: str
    is_dir: bool
    modified_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A registry that answers.

    Attributes:
        status: HTTP status of ``GET /v2/`` without credentials.
        plain_http: asked without TLS.
        skew_s: our clock minus the registry's, in seconds; None where it tells no time.
    """

    status: int
    plain_http: bool
    skew_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What is known of logging in to a registry.

    Attributes:
        source: where credentials were found: a file, or a helper's name; empty for none.
    """

    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StateFacts:
    """A state database that can be read.

    Attributes:
        size_bytes: of the file with its write-ahead log, or of the tables; 0 where there is none.
        format: number of the last migration; 0 where there is none yet.
        newest_format: the one this version writes.
        faults: what ``PRAGMA quick_check`` complains of; empty for nothing, and on a server.
        refusal: why it cannot be written; empty where it can.
        running: runs that began and never ended, newest first.
        server: its name and version; empty where the database is a file.
        connections_used: of everybody; 0 where the database is a file.
        connections_most: that the server lets its users have; likewise.
    """

    size_bytes: int
    format: int
    newest_format: int
    faults: tuple[str, ...]
    refusal: str
    running: tuple[Run, ...]
    server: str = ""
    connections_used: int = 0
    connections_most: int = 0
