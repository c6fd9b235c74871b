"""Runs the checks side by side; none can stop or hold up another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from orchestrator.doctor.deliveries import delivery_findings
from orchestrator.doctor.disks import disk_findings, engine_use_findings
from orchestrator.doctor.engine import build_findings, builder_findings, engine_findings
from orchestrator.doctor.files import git_findings, hierarchy_findings
from orchestrator.doctor.registries import (
    registries_of,
    registry_findings,
    upstream_findings,
    upstream_registries,
)
from orchestrator.doctor.state import cache_findings, database_findings, leftover_findings
from orchestrator.doctor.subject import HealthDoors, Subject
from orchestrator.errors import OrchestrateError
from orchestrator.model.finding import Area, Code, Finding, Level

__all__ = ["HealthDoors", "Subject", "diagnose"]

#: Longest wait for one check, in seconds. Doors give up earlier, with a better reason.
LIMIT_S = 120.0

Findings = Iterable[Finding]


@dataclass(slots=True, kw_only=True)
class _Check:
    """One check, while it runs.

    Attributes:
        code: of the finding where it gives none of its own.
        about: what it looks at, for people.
        look: gives findings one after another; what it found before it failed counts.
    """

    code: Code
    about: str
    look: Callable[[], Findings]
    found: list[Finding] = field(default_factory=list)
    thread: threading.Thread | None = None

    def start(self) -> None:
        # A daemon: a check that hangs for ever must not keep the process alive.
        self.thread = threading.Thread(target=self._run, name=f"doctor {self.code}", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            for finding in self.look():
                self.found.append(finding)
        except OrchestrateError as error:
            self.found.append(self._unknown(error.what, error.hint))
        except Exception as error:  # noqa: BLE001 - a check that breaks is a finding, too
            self.found.append(self._unknown(f"{type(error).__name__}: {error}", ""))

    def _unknown(self, why: str, hint: str) -> Finding:
        return Finding(code=self.code, level=Level.UNKNOWN, what=f"{self.about}: {why}", hint=hint)

    def end(self, limit_s: float) -> tuple[Finding, ...]:
        assert self.thread is not None
        self.thread.join(max(limit_s, 0.0))
        if not self.thread.is_alive():
            return tuple(self.found)
        return (*self.found, self._unknown("was not answered in time", "try again, or see why"))


def diagnose(
    doors: HealthDoors, subject: Subject, *, limit_s: float = LIMIT_S
) -> tuple[Finding, ...]:
    """Look at everything, and return what was found, by area.

    Each check runs in a thread of its own: one that fails becomes a finding of level ``unknown``,
    one that hangs too, once the time is over. Nothing is raised.

    Args:
        doors: the outside world.
        subject: what to look at.
        limit_s: longest time for all of it, in seconds.
    """
    checks = _checks(doors, subject)
    for check in checks:
        check.start()
    end_s = doors.clock.monotonic_s() + limit_s
    found = [f for check in checks for f in check.end(end_s - doors.clock.monotonic_s())]
    areas = list(Area)
    return tuple(sorted(found, key=lambda finding: areas.index(finding.area)))


def _checks(doors: HealthDoors, subject: Subject) -> list[_Check]:
    engine, machine, hierarchy = doors.engine, doors.machine, subject.hierarchy

    def check(code: Code, about: str, look: Callable[[], Findings]) -> _Check:
        return _Check(code=code, about=about, look=look)

    checks = [
        check(Code.ENGINE_ANSWER, "engine", lambda: engine_findings(engine)),
        check(Code.BUILDX_CLIENT, "buildx", lambda: builder_findings(engine, hierarchy)),
        *(
            check(
                Code.BUILDX_BUILD,
                f"a small build on {name or 'the current builder'}",
                lambda name=name: build_findings(engine, machine, hierarchy, name),  # type: ignore[misc]
            )
            for name in _builders(subject)
        ),
        check(Code.DISK_SPACE, "free room", lambda: disk_findings(doors, subject)),
        check(Code.DISK_ENGINE, "room of the engine", lambda: engine_use_findings(engine)),
        check(Code.DATABASE_OPEN, "database", lambda: database_findings(doors, subject)),
        check(Code.LEFTOVER_LOGS, "leftovers", lambda: leftover_findings(doors, subject)),
        check(Code.LEFTOVER_CACHE, "cache", lambda: cache_findings(machine, subject)),
        check(Code.FILES_HIERARCHY, "files", lambda: hierarchy_findings(subject)),
        check(Code.FILES_GIT, "git", lambda: git_findings(doors.git, hierarchy)),
        check(Code.DELIVERIES_DEAD, "notices", lambda: delivery_findings(doors, subject)),
    ]
    if hierarchy is None or subject.offline:
        return checks
    return [
        *checks,
        *(
            check(
                Code.REGISTRY_REACH,
                f"registry {address}",
                lambda address=address, repository=repository: registry_findings(  # type: ignore[misc]
                    doors.registry_health, address, repository
                ),
            )
            for address, repository in registries_of(hierarchy).items()
        ),
        *(
            check(
                Code.UPSTREAM_THERE,
                f"upstreams of {address}",
                lambda upstreams=upstreams: upstream_findings(doors.registry, upstreams),  # type: ignore[misc]
            )
            for address, upstreams in upstream_registries(hierarchy).items()
        ),
    ]


def _builders(subject: Subject) -> tuple[str | None, ...]:
    if subject.hierarchy is None:
        return (None,)
    return tuple(dict.fromkeys(builder.name for builder in subject.hierarchy.builders))
