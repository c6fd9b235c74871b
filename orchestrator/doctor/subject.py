"""What is looked at, and through which doors."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.doors.protocols import Clock, Git, Registry
from orchestrator.doors.protocols_channels import Secrets
from orchestrator.doors.protocols_health import Engine, Machine, RegistryHealth, StateHealth
from orchestrator.doors.protocols_history import History
from orchestrator.errors import OrchestrateError
from orchestrator.model.hierarchy import Hierarchy


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthDoors:
    """Everything outside that is asked, in one bundle without behaviour.

    Attributes:
        registry: gives up after one try, so that a registry that is down is known soon.
    """

    engine: Engine
    machine: Machine
    registry: Registry
    registry_health: RegistryHealth
    state: StateHealth
    history: History
    git: Git
    clock: Clock
    secrets: Secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is looked at.

    Attributes:
        hierarchy: what the files say; None where they cannot be loaded.
        problem: why not; None where they can.
        state: the database: a file, or an address without a password.
        logs: directory of the runs' logs.
        cache: directory that may be deleted at any time; None for nowhere.
        offline: leave out what needs a network.
    """

    hierarchy: Hierarchy | None
    problem: OrchestrateError | None
    state: str
    logs: str
    cache: str | None
    offline: bool = False
