"""Opens what `doctor` looks at, whatever is missing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from orchestrator.cli.session import Session, open_files, today
from orchestrator.cli.workplace import Places, places
from orchestrator.doctor import HealthDoors, Subject
from orchestrator.errors import OrchestrateError

if TYPE_CHECKING:
    from orchestrator.model.hierarchy import Hierarchy


@contextmanager
def open_subject(session: Session, *, offline: bool) -> Iterator[tuple[HealthDoors, Subject]]:
    """Load what can be loaded, and open the doors; files that are wrong are a finding."""
    hierarchy, problem = _load(session)
    where = places(session, hierarchy.file if hierarchy else "")
    subject = Subject(
        hierarchy=hierarchy,
        problem=problem,
        state=where.state,
        logs=where.logs,
        cache=where.cache,
        offline=offline,
    )
    opened = session.outside.health if session.outside else None
    with (opened or real_health_doors)(hierarchy, where) as doors:
        yield doors, subject


def _load(session: Session) -> tuple[Hierarchy | None, OrchestrateError | None]:
    from orchestrator.observe.load_files import load_files

    try:
        return load_files(open_files(session), session.settings.registry, today=today()), None
    except OrchestrateError as error:
        return None, error


@contextmanager
def real_health_doors(hierarchy: Hierarchy | None, where: Places) -> Iterator[HealthDoors]:
    """Open the real doors that `doctor` needs; nothing is asked until it does."""
    from orchestrator.cli.doors import real_history
    from orchestrator.doors.clock import RealClock
    from orchestrator.doors.engine import DockerEngine
    from orchestrator.doors.git import RealGit
    from orchestrator.doors.machine import RealMachine
    from orchestrator.doors.open_state import open_health
    from orchestrator.doors.registry import Deadlines, HttpRegistry, Retries
    from orchestrator.doors.registry.health import HttpRegistryHealth
    from orchestrator.doors.secrets import RealSecrets

    plain_http = hierarchy.plain_http if hierarchy else ()
    registry = HttpRegistry(
        plain_http=plain_http,
        deadlines=Deadlines(connect_s=5.0, idle_s=10.0, total_s=15.0),
        retries=Retries(attempts=1, connect_attempts=1),
    )
    health = HttpRegistryHealth(plain_http=plain_http)
    with registry, health, real_history(where) as history:
        yield HealthDoors(
            engine=DockerEngine(),
            machine=RealMachine(),
            registry=registry,
            registry_health=health,
            state=open_health(where.state, where.state_password),
            history=history,
            git=RealGit(where.hierarchy_dir or os.curdir),
            clock=RealClock(),
            secrets=RealSecrets(os.environ, where.hierarchy_dir or os.curdir),
        )
