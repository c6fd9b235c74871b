"""What `doctor` needs of the outside world. Nothing here builds, publishes or decides."""

from __future__ import annotations

from typing import Protocol

from orchestrator.model.health import (
    BuilderFacts,
    Disk,
    EngineFacts,
    EngineUse,
    Entry,
    Login,
    Reached,
    StateFacts,
)
from orchestrator.model.names import Repository


class Engine(Protocol):
    """The container engine and its tools, as the docker client reaches them. Thread-safe.

    Every method raises :class:`orchestrator.errors.BuilderUnavailable`, also when there is no
    answer in time, and shows no credentials in what it raises.
    """

    def client_version(self) -> str:
        """Return the docker client's version."""

    def facts(self) -> EngineFacts:
        """Return what the engine says of itself."""

    def buildx_version(self) -> str:
        """Return buildx's version."""

    def builders(self) -> tuple[BuilderFacts, ...]:
        """Return every builder, in the order ``docker buildx ls`` has."""

    def current_builder(self) -> str:
        """Return the name of the builder that is used where none is named."""

    def try_build(self, builder: str | None, platform: str) -> bool:
        """Build and run a program of a platform as a run would, and throw the result away.

        It needs no network and publishes nothing; about 16 kB stay in the build cache.

        Args:
            builder: None for the current one.
            platform: ``os/arch[/variant]``.

        Returns:
            Whether a program ran; False: this version has none for that architecture.

        Raises:
            BuildFailed: the build failed; cause ``command`` where only the program did not run.
        """

    def use(self) -> tuple[EngineUse, ...]:
        """Return the room that the engine uses."""


class Machine(Protocol):
    """This machine: disks, directories, processes. Thread-safe."""

    host: str
    """Its name, as history keeps it behind a user's."""

    spool_dir: str
    """Where blobs lie between builder and registry."""

    def disk(self, path: str) -> Disk:
        """Return the disk a path is on, or would be on.

        Raises:
            Unavailable: it cannot be asked.
        """

    def entries(self, directory: str) -> tuple[Entry, ...]:
        """Return what is in a directory, sorted by name; empty where it is absent.

        Raises:
            Unavailable: it cannot be read.
        """

    def remove(self, path: str) -> None:
        """Remove a file, or a directory with all that is in it; it may be gone already.

        Raises:
            Unavailable: it cannot be removed.
        """

    def move_aside(self, path: str) -> str:
        """Give a database's file another name beside it, with its logs, and return the name.

        Raises:
            Unavailable: that cannot be done.
        """

    def size_bytes(self, directory: str) -> int:
        """Return how much the files below a directory take; 0 where it is absent."""

    def other_orchestrators(self) -> int | None:
        """Return how many other processes of this program run here; None: nobody can tell."""

    def emulator_command(self, architecture: str) -> str:
        """Return what registers an installed emulator with the kernel; empty for none there."""


class RegistryHealth(Protocol):
    """What a registry lets us do. Thread-safe.

    Every method raises :class:`orchestrator.errors.RegistryUnavailable` (or ``AccessDenied``)
    after one short try.
    """

    def reach(self, registry: str) -> Reached:
        """Ask a registry whether it is there, without credentials."""

    def login(self, registry: str) -> Login:
        """Log in with what Docker's configuration has.

        Raises:
            AccessDenied: the credentials were refused.
            RegistryUnavailable: the configuration or its helper is broken.
        """

    def try_push(self, repository: Repository) -> None:
        """Open an upload and take it back: nothing stays.

        Raises:
            AccessDenied: this user must not push there.
        """

    def deletes_tags(self, repository: Repository) -> bool:
        """Say whether this user may delete tags, by deleting one that does not exist."""


class StateHealth(Protocol):
    """The state database as a file."""

    def facts(self) -> StateFacts:
        """Return how it is. Nothing is written, and none is made.

        Raises:
            StateUnavailable: it cannot be read, or is not ours.
        """
