"""A world whose health a test decides."""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator.doctor import HealthDoors, Subject, diagnose
from orchestrator.doors.memory.channels import MemorySecrets
from orchestrator.doors.memory.health import (
    MemoryEngine,
    MemoryMachine,
    MemoryRegistryHealth,
    MemoryStateHealth,
)
from orchestrator.errors import OrchestrateError
from orchestrator.model.finding import Code, Finding
from tests.world import World


@dataclass
class Ward:
    """Everything `doctor` looks at; all is well until a test says otherwise."""

    world: World = field(default_factory=World)
    engine: MemoryEngine = field(default_factory=MemoryEngine)
    machine: MemoryMachine = field(default_factory=MemoryMachine)
    registries: MemoryRegistryHealth = field(default_factory=MemoryRegistryHealth)
    state: MemoryStateHealth = field(default_factory=MemoryStateHealth)
    secrets: MemorySecrets = field(default_factory=lambda: MemorySecrets({}))
    problem: OrchestrateError | None = None
    offline: bool = False

    @property
    def doors(self) -> HealthDoors:
        """The twins in one bundle."""
        return HealthDoors(
            engine=self.engine,
            machine=self.machine,
            registry=self.world.registry,
            registry_health=self.registries,
            state=self.state,
            history=self.world.history,
            git=self.world.git,
            clock=self.world.clock,
            secrets=self.secrets,
        )

    @property
    def subject(self) -> Subject:
        """What is looked at."""
        return Subject(
            hierarchy=None if self.problem else self.world.hierarchy(),
            problem=self.problem,
            state="/state/state.db",
            logs="/state/logs",
            cache="/cache",
            offline=self.offline,
        )

    def look(self, limit_s: float = 10.0) -> tuple[Finding, ...]:
        """Return every finding."""
        return diagnose(self.doors, self.subject, limit_s=limit_s)

    def found(self, code: Code) -> Finding:
        """Return the one finding of a code."""
        (finding,) = [finding for finding in self.look() if finding.code is code]
        return finding

    def levels(self) -> dict[str, str]:
        """Return code → level of everything that is not well."""
        return {str(f.code): str(f.level) for f in self.look() if f.level != "ok"}
