"""Free room: where blobs are held, logs and history are written, and the engine keeps its data."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.doctor.subject import HealthDoors, Subject
from orchestrator.doors.protocols_health import Engine
from orchestrator.errors import BuilderUnavailable
from orchestrator.model.finding import Code, Finding, Level
from orchestrator.model.health import Disk

_GIB = 1 << 30
#: Free bytes under which a build will fail, and under which it may: on a disk of ours, and on one
#: that has the engine's data too.
_OURS = (_GIB // 4, 2 * _GIB)
_ENGINES = (_GIB, 5 * _GIB)
#: Build cache that nothing uses from which on a word is worth it.
_MUCH_CACHE_BYTES = 50 * 10**9

_PRUNE = "docker buildx prune --filter until=24h"


def disk_findings(doors: HealthDoors, subject: Subject) -> Iterator[Finding]:
    """Yield how much room there is, once for each disk."""
    uses: dict[int, list[str]] = {}
    disks: dict[int, Disk] = {}
    for use, path in _places(doors, subject):
        disk = doors.machine.disk(path)
        disks.setdefault(disk.device, disk)
        uses.setdefault(disk.device, []).append(use)
    for device, disk in disks.items():
        yield _disk(disk, tuple(dict.fromkeys(uses[device])))


def _places(doors: HealthDoors, subject: Subject) -> Iterator[tuple[str, str]]:
    yield "spool", doors.machine.spool_dir
    if "://" not in subject.state:  # A server's disk is not to be seen from here.
        yield "history", subject.state
    yield "logs", subject.logs
    if subject.cache:
        yield "cache", subject.cache
    try:
        facts = doors.engine.facts()
    except BuilderUnavailable:
        return  # That is a finding of its own.
    # Another machine's, or a virtual one's, is not to be seen from here.
    if facts.is_local and doors.machine.disk(facts.root_dir).path == facts.root_dir:
        yield "engine", facts.root_dir


def _disk(disk: Disk, uses: tuple[str, ...]) -> Finding:
    least, little = _ENGINES if "engine" in uses else _OURS
    free = disk.free_bytes
    level = Level.ERROR if free < least else Level.WARNING if free < little else Level.OK
    wrong = level is not Level.OK
    by_engine = "engine" in uses
    return Finding(
        code=Code.DISK_SPACE,
        level=level,
        what=f"{free / _GIB:.1f} GiB free of {disk.total_bytes / _GIB:.0f} GiB on the disk of "
        f"{', '.join(uses)} ({disk.path})",
        hint="remove what is not needed; TMPDIR names another place for the spool, --state for "
        "history and logs"
        if wrong
        else "",
        command=(_PRUNE if by_engine else f"du -xh {disk.path} | sort -h | tail") if wrong else "",
        facts={
            "path": disk.path,
            "uses": uses,
            "free_bytes": free,
            "total_bytes": disk.total_bytes,
        },
    )


def engine_use_findings(engine: Engine) -> Iterator[Finding]:
    """Yield what the engine uses, and what of it nothing needs."""
    try:
        uses = engine.use()
    except BuilderUnavailable:
        return  # That it does not answer is a finding of its own.
    cache = sum(use.reclaimable_bytes for use in uses if use.kind == "Build Cache")
    total = sum(use.size_bytes for use in uses)
    free = sum(use.reclaimable_bytes for use in uses)
    much = cache >= _MUCH_CACHE_BYTES
    yield Finding(
        code=Code.DISK_ENGINE,
        level=Level.WARNING if much else Level.OK,
        what=f"the engine uses {total / 1e9:.1f} GB, of which {free / 1e9:.1f} GB can be reclaimed",
        hint="old build cache can go: the next build of what it was for takes longer"
        if much
        else "",
        command=_PRUNE if much else "",
        facts={"used_bytes": total, "reclaimable_bytes": free, "build_cache_bytes": cache},
    )
