"""Twins of what `doctor` asks: they say what a test gives them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from orchestrator.errors import AccessDenied, BuilderUnavailable, BuildFailed, RegistryUnavailable
from orchestrator.model.health import (
    BuilderFacts,
    BuilderNode,
    Disk,
    EngineFacts,
    EngineUse,
    Entry,
    Login,
    Reached,
    StateFacts,
)
from orchestrator.model.names import Repository
from orchestrator.model.run import FailureCause, Run

_GIB = 1 << 30
_ENGINE = EngineFacts(
    version="26.1.5",
    platform="linux/amd64",
    containerd_store=True,
    root_dir="/var/lib/docker",
    is_local=True,
    rootless=False,
)
_NODE = BuilderNode(endpoint="default", status="running", platforms=("linux/amd64", "linux/arm64"))
_BUILDER = BuilderFacts(name="default", driver="docker", nodes=(_NODE,))
_USE = EngineUse(kind="Build Cache", size_bytes=10**9, reclaimable_bytes=10**8)
_NO_STATE = StateFacts(size_bytes=0, format=0, newest_format=1, faults=(), refusal="", running=())


@dataclass(slots=True, kw_only=True)
class MemoryEngine:
    """An engine with one builder; its state is what a test sets.

    Attributes:
        missing: there is no docker client.
        silent: the engine does not answer.
        says: the client's words where it does not.
        runs: platforms whose programs run.
        broken: why no build works; empty: they do.
        tried: (builder, platform) of every small build.
    """

    missing: bool = False
    silent: bool = False
    says: str = "the engine does not answer"
    engine: EngineFacts = _ENGINE
    made: tuple[BuilderFacts, ...] = (_BUILDER,)
    runs: frozenset[str] = frozenset({"linux/amd64", "linux/arm64"})
    broken: str = ""
    uses: tuple[EngineUse, ...] = (_USE,)
    tried: list[tuple[str | None, str]] = field(default_factory=list)

    def client_version(self) -> str:
        """Return the docker client's version."""
        if self.missing:
            raise BuilderUnavailable("docker is not installed", hint="install it")
        return "26.1.5"

    def facts(self) -> EngineFacts:
        """Return what the engine says of itself."""
        self._answer()
        return self.engine

    def buildx_version(self) -> str:
        """Return buildx's version."""
        self.client_version()
        return "0.13.1"

    def builders(self) -> tuple[BuilderFacts, ...]:
        """Return every builder."""
        self.client_version()
        return self.made

    def current_builder(self) -> str:
        """Return the name of the builder that is used where none is named."""
        self.client_version()
        return self.made[0].name

    def try_build(self, builder: str | None, platform: str) -> bool:
        """Say whether a program of a platform would run."""
        self._answer()
        self.tried.append((builder, platform))
        if builder is not None and builder not in {known.name for known in self.made}:
            raise BuildFailed(f'no builder "{builder}" found', cause=FailureCause.BUILDER)
        if self.broken:
            raise BuildFailed(self.broken, cause=FailureCause.BUILDER)
        if platform not in self.runs:
            raise BuildFailed("exec format error", cause=FailureCause.COMMAND)
        return True

    def use(self) -> tuple[EngineUse, ...]:
        """Return the room that the engine uses."""
        self._answer()
        return self.uses

    def _answer(self) -> None:
        self.client_version()
        if self.silent:
            raise BuilderUnavailable(self.says, hint="start it")


@dataclass(slots=True, kw_only=True)
class MemoryMachine:
    """A machine with one disk; its state is what a test sets.

    Attributes:
        free_bytes: on the disk.
        folders: directory → what is in it.
        sizes: directory → bytes.
        others: other processes of this program.
        emulators: architectures whose emulator is installed.
        moved: databases that were moved aside.
    """

    host: str = "here"
    spool_dir: str = "/spool"
    free_bytes: int = 100 * _GIB
    folders: dict[str, tuple[Entry, ...]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    others: int | None = 0
    emulators: frozenset[str] = frozenset()
    moved: list[str] = field(default_factory=list)

    def disk(self, path: str) -> Disk:
        """Return the one disk."""
        return Disk(path=path, device=1, total_bytes=200 * _GIB, free_bytes=self.free_bytes)

    def entries(self, directory: str) -> tuple[Entry, ...]:
        """Return what is in a directory, sorted by name; empty where it is absent."""
        return tuple(sorted(self.folders.get(directory, ()), key=lambda entry: entry.name))

    def remove(self, path: str) -> None:
        """Remove something; it may be gone already."""
        folder, _, name = path.rpartition("/")
        left = tuple(entry for entry in self.folders.get(folder, ()) if entry.name != name)
        self.folders[folder] = left

    def move_aside(self, path: str) -> str:
        """Remember the path in :attr:`moved`."""
        self.moved.append(path)
        return f"{path}.damaged"

    def size_bytes(self, directory: str) -> int:
        """Return how much the files below a directory take; 0 where it is absent."""
        return self.sizes.get(directory, 0)

    def other_orchestrators(self) -> int | None:
        """Return how many other processes of this program run here."""
        return self.others

    def emulator_command(self, architecture: str) -> str:
        """Return what registers an installed emulator; empty for none there."""
        return f"register {architecture}" if architecture in self.emulators else ""


@dataclass(slots=True, kw_only=True)
class MemoryRegistryHealth:
    """Registries that all behave alike; their state is what a test sets.

    Attributes:
        down: addresses that do not answer.
        skew_s: our clock minus theirs.
        source: where credentials come from; empty: there are none.
        refuses_login: the credentials are wrong.
        refuses_push: this user may only read.
        deletes: tags can be deleted.
        uploads: repositories in which an upload was begun and taken back.
    """

    down: frozenset[str] = frozenset()
    skew_s: float | None = 0.0
    source: str = ""
    refuses_login: bool = False
    refuses_push: bool = False
    deletes: bool = True
    uploads: list[Repository] = field(default_factory=list)

    def reach(self, registry: str) -> Reached:
        """Say that a registry is there."""
        self._answer(registry)
        return Reached(status=200, plain_http=True, skew_s=self.skew_s)

    def login(self, registry: str) -> Login:
        """Log in."""
        self._answer(registry)
        if self.refuses_login:
            raise AccessDenied(f"registry {registry} answered 401", status=401, hint="log in")
        return Login(source=self.source)

    def try_push(self, repository: Repository) -> None:
        """Begin an upload and take it back."""
        self._answer(repository.registry)
        if self.refuses_push:
            raise AccessDenied(f"registry {repository.registry} answered 403", status=403)
        self.uploads.append(repository)

    def deletes_tags(self, repository: Repository) -> bool:
        """Say whether tags can be deleted."""
        self._answer(repository.registry)
        return self.deletes

    def _answer(self, registry: str) -> None:
        if registry in self.down:
            raise RegistryUnavailable(
                f"registry {registry} refuses the connection", transient=True, hint="start it"
            )


@dataclass(slots=True)
class MemoryStateHealth:
    """A database that is as a test says."""

    said: StateFacts = _NO_STATE

    def facts(self) -> StateFacts:
        """Return how it is."""
        return self.said

    def holds(self, running: Iterable[Run]) -> None:
        """Let it have runs that never ended."""
        self.said = replace(self.said, size_bytes=4096, format=1, running=tuple(running))
