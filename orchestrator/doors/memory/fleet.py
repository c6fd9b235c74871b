"""The machines of the builder's twin: named builders that have slots, die and come back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from orchestrator.errors import BuilderUnavailable, BuildFailed
from orchestrator.model.health import BuilderFacts, BuilderNode
from orchestrator.model.run import FailureCause

#: What an engine with every emulator says of itself.
NATIVE = ("linux/amd64",)
EMULATED = ("linux/386", "linux/arm/v7", "linux/arm64", "linux/ppc64le", "linux/s390x")


@dataclass(slots=True, kw_only=True)
class _Machine:
    """A builder as it stands.

    Attributes:
        slots: builds that it may run at once; None: as many as there are.
        dies_during: ids of images in whose next build it dies.
        running: number of a build → set when the builder dies.
        most: builds that it had at once.
    """

    native: tuple[str, ...] = NATIVE
    platforms: tuple[str, ...] = NATIVE + EMULATED
    driver: str = "docker"
    slots: int | None = None
    alive: bool = True
    dies_during: set[str] = field(default_factory=set)
    running: dict[int, threading.Event] = field(default_factory=dict)
    most: int = 0


class MemoryFleet:
    """Builders by name. Until one is added, every name is a builder that can do everything.

    Where some were added, None is the first of them. Thread-safe.

    Attributes:
        overbooked: what was wrong each time a builder got more builds than it has slots.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._machines: dict[str | None, _Machine] = {}
        self._is_open = True
        self._number = 0
        self.overbooked: list[str] = []

    def add(
        self,
        name: str,
        *,
        native: tuple[str, ...] = NATIVE,
        emulated: tuple[str, ...] = (),
        slots: int | None = None,
        driver: str = "docker",
    ) -> None:
        """Add a builder.

        Args:
            name: what requests call it.
            native: platforms that it runs without emulation.
            emulated: those that it runs with it.
            slots: builds that it may run at once; more are an error. None: any number.
            driver: as buildx calls it.
        """
        with self._lock:
            machine = _Machine(
                native=native, platforms=native + emulated, slots=slots, driver=driver
            )
            if self._is_open:
                self._is_open = False
                self._machines = {None: machine}
            self._machines[name] = machine

    def kill(self, name: str | None) -> None:
        """Let a builder die, and what it builds with it."""
        with self._lock:
            self._die(self._machine(name))

    def kill_during(self, name: str | None, image: str) -> None:
        """Let a builder die in the middle of its next build of an image."""
        with self._lock:
            self._machine(name).dies_during.add(image)

    def revive(self, name: str | None) -> None:
        """Let a builder answer again."""
        with self._lock:
            self._machine(name).alive = True

    def most_at_once(self, name: str | None) -> int:
        """Return how many builds a builder had at once."""
        with self._lock:
            return self._machine(name).most

    def facts(self, name: str | None) -> BuilderFacts:
        """Return what a builder is.

        Raises:
            BuilderUnavailable: it is dead, or there is none.
        """
        with self._lock:
            machine = self._answering(name)
            # One node for each native platform, which it names first.
            nodes = [
                BuilderNode(
                    endpoint=name or "default",
                    status="running",
                    platforms=(own, *(p for p in machine.platforms if p != own)),
                )
                for own in machine.native
            ]
            return BuilderFacts(name=name or "default", driver=machine.driver, nodes=tuple(nodes))

    @contextmanager
    def visit(self, name: str | None, image: str, platform: str) -> Iterator[threading.Event]:
        """Hold one of a builder's slots.

        Returns:
            On entering: an event that is set when the builder dies.

        Raises:
            BuilderUnavailable: it is dead, or there is none.
            AssertionError: it has no slot free.
        """
        with self._lock:
            machine = self._answering(name)
            self._number += 1
            number, dead = self._number, threading.Event()
            machine.running[number] = dead
            machine.most = max(machine.most, len(machine.running))
            if machine.slots is not None and len(machine.running) > machine.slots:
                del machine.running[number]
                wrong = f"{image} for {platform} is one build too many on {name}"
                self.overbooked.append(wrong)
                raise AssertionError(wrong)
        try:
            yield dead
        finally:
            with self._lock:
                machine.running.pop(number, None)

    def reach_middle(self, name: str | None, image: str) -> None:
        """Say that a build is in its middle, where its builder may have to die."""
        with self._lock:
            machine = self._machine(name)
            if image in machine.dies_during:
                machine.dies_during.discard(image)
                self._die(machine)

    def can_run(self, name: str | None, platform: str) -> bool:
        """Say whether a builder can run a platform's programs."""
        with self._lock:
            return self._is_open or platform in self._machine(name).platforms

    def _die(self, machine: _Machine) -> None:
        machine.alive = False
        for dead in machine.running.values():
            dead.set()

    def _answering(self, name: str | None) -> _Machine:
        machine = self._machine(name)
        if not machine.alive:
            raise BuilderUnavailable(f"builder {name} does not answer", hint="start it")
        return machine

    def _machine(self, name: str | None) -> _Machine:
        if self._is_open:
            return self._machines.setdefault(name, _Machine())
        if name not in self._machines:
            raise BuilderUnavailable(
                f'no builder "{name}" found', hint="`docker buildx ls` lists them"
            )
        return self._machines[name]


def lost(name: str | None) -> BuildFailed:
    """Return the error of a build whose builder died."""
    return BuildFailed(
        f"the builder was lost: {name} went away", cause=FailureCause.BUILDER, transient=True
    )
