"""What every step of a run shares."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from orchestrator.doors.protocols import Builder, Clock, Files, Registry, Spool
from orchestrator.doors.protocols_crash import NO_CRASH, CrashPoints
from orchestrator.doors.protocols_history import History
from orchestrator.doors.protocols_packages import PackageManagers
from orchestrator.doors.protocols_sbom import NO_SBOMS, Sboms
from orchestrator.model.event import Notice, StepProgress
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.source import Revision
from orchestrator.run.fleet import Fleet


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The doors that steps use, and the facts of the run.

    Attributes:
        revision: where the tree stands in git; None outside.
        run: id of the run.
        planned: day of the plan, ``YYYYMMDD``.
        log_dir: directory of the builds' logs.
        packages: the package managers inside what was built.
        progress: told what a running build does, and what people should know; called from any
            thread.
        cancelled: set when the run is to stop at once.
        fleet: the builders; a platform is built where it has a place.
        until_s: the clock's monotonic time after which no build starts; None: there is none.
        stopping: set when nothing new is to start.
        crash: told where a test may kill the process.
        sboms: looks into what was built, and lists its packages.
        fail_fast: the first failure stops the run.
    """

    hierarchy: Hierarchy
    files: Files
    registry: Registry
    builder: Builder
    history: History
    spool: Spool
    clock: Clock
    packages: PackageManagers
    revision: Revision | None
    run: str
    planned: str
    log_dir: str
    progress: Callable[[StepProgress | Notice], None]
    cancelled: threading.Event
    fleet: Fleet
    until_s: float | None = None
    stopping: threading.Event = field(default_factory=threading.Event)
    crash: CrashPoints = NO_CRASH
    sboms: Sboms = NO_SBOMS
    fail_fast: bool = False
