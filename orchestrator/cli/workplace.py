"""Everything a command that looks at the world needs: the hierarchy, the doors, the places."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.cli.interrupts import Interrupts
from orchestrator.cli.session import Session, open_files, today

if TYPE_CHECKING:
    from orchestrator.doctor import HealthDoors
    from orchestrator.doors.protocols import Files
    from orchestrator.doors.protocols_history import History, Logs
    from orchestrator.doors.protocols_local import LocalBuilder
    from orchestrator.flow import Doors
    from orchestrator.model.hierarchy import Hierarchy


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where things are on this machine.

    Attributes:
        hierarchy_dir: the hierarchy file's directory; empty where no hierarchy is needed.
        state: the database: a file, or an address without a password.
        logs: directory that gets one directory of build logs for each run.
        cache: directory that may be deleted at any time; None for nowhere.
        state_password: of the address; empty where nobody said one.
    """

    hierarchy_dir: str
    state: str
    logs: str
    cache: str | None
    state_password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """How the outside is reached: for real, or by what a test passes.

    Attributes:
        doors: opens every door.
        history: opens the diary alone, which needs no hierarchy.
        logs: opens the build logs; None: for real.
        health: opens what `doctor` asks, also without a hierarchy; None: for real.
        local: gives the builder for this machine alone; None: for real.
    """

    doors: Callable[[Hierarchy, Files, Places], AbstractContextManager[Doors]]
    history: Callable[[Places], AbstractContextManager[History]]
    logs: Callable[[Places], Logs] | None = None
    health: Callable[[Hierarchy | None, Places], AbstractContextManager[HealthDoors]] | None = None
    local: Callable[[Places], LocalBuilder] | None = None


def places(session: Session, hierarchy_file: str = "") -> Places:
    """Return where things are.

    Raises:
        Unavailable: there is no place for history.
    """
    state = session.settings.state or session.environment.state_path()
    if "://" in state:  # Logs and caches stay on the machine.
        logs = session.environment.logs_dir()
    else:
        logs = os.path.join(os.path.dirname(state), "logs")
    return Places(
        hierarchy_dir=os.path.dirname(os.path.abspath(hierarchy_file)) if hierarchy_file else "",
        state=state,
        logs=logs,
        cache=session.environment.cache_dir(),
        state_password=session.settings.state_password,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """Everything a command that looks at the world needs.

    Attributes:
        hierarchy: as the files say.
        doors: to everything outside.
        places: where things are.
        logs: of builds that ran here.
        interrupts: what signals do.
    """

    hierarchy: Hierarchy
    doors: Doors
    places: Places
    logs: Logs
    interrupts: Interrupts


@contextmanager
def workplace(
    session: Session, *, fetch: bool = True, leave: Callable[[], None] | None = None
) -> Iterator[Workplace]:
    """Load the hierarchy and open the doors; signals are ours while it lasts.

    Args:
        session: says which hierarchy.
        fetch: bring the repositories here first that contexts are in; else they are as they were
            when somebody fetched last.
        leave: done before a signal ends the process at once; see ``Interrupts.take_leave``.

    Raises:
        InvalidInput: the files are wrong.
        Unavailable: a door cannot be opened.
    """
    from orchestrator.observe.load_files import load_files

    with Interrupts() as interrupts:
        if leave is not None:
            interrupts.take_leave(leave)
        files = open_files(session)
        hierarchy = load_files(files, session.settings.registry, today=today(), fetch=fetch)
        where = places(session, files.name)
        session.log("loaded", file=files.name, images=len(hierarchy.images), state=where.state)
        for warning in hierarchy.warnings:
            session.warn(warning)
        with _outside(session).doors(hierarchy, files, where) as doors:
            interrupts.hurry = doors.hurry
            yield Workplace(
                hierarchy=hierarchy,
                doors=doors,
                places=where,
                logs=open_logs(session, where),
                interrupts=interrupts,
            )


@contextmanager
def diary(session: Session) -> Iterator[History]:
    """Open the history alone."""
    with _outside(session).history(places(session)) as history:
        yield history


def open_logs(session: Session, where: Places) -> Logs:
    """Return the door to the logs of builds that ran here."""
    logs = _outside(session).logs
    if logs is not None:
        return logs(where)
    from orchestrator.doors.logs import DiskLogs

    return DiskLogs(where.logs)


def _outside(session: Session) -> Outside:
    if session.outside is not None:
        return session.outside
    from orchestrator.cli.doors import REAL

    return REAL
