"""The database and what runs leave behind: logs, temporary files, caches, runs that never ended."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from orchestrator.doctor.server import connections_finding, writable_finding
from orchestrator.doctor.subject import HealthDoors, Subject
from orchestrator.doctor.wording import counted
from orchestrator.doors.protocols_health import Machine
from orchestrator.doors.protocols_history import History
from orchestrator.errors import StateUnavailable
from orchestrator.model.finding import Code, Fact, Finding, Level
from orchestrator.model.health import Entry, StateFacts
from orchestrator.model.run import Run

_DAY_S = 24 * 3600.0
_LOCAL_S = 7 * _DAY_S
_MUCH_CACHE_BYTES = 1 << 30
#: What a command line names; the rest follows when these are gone.
_MOST_NAMED = 20
_REST = (
    "what else a killed run may leave mends itself: nobody waits for a process that is gone; the "
    "next build of an image replaces a claim whose digest is not in the registry; the next run "
    "copies again what a mirror has only half; the next `orchestrate patch` removes containers "
    "that were asked for packages"
)
#: How names of temporary files of ours begin.
_OURS = ("orchestrate-", ".orchestrate-")


def database_findings(doors: HealthDoors, subject: Subject) -> Iterator[Finding]:
    """Yield whether the database opens, is sound and can be written, and who never came back."""
    path, on_server = subject.state, "://" in subject.state
    try:
        facts = doors.state.facts()
    except StateUnavailable as error:
        look = f"ls -l {shlex.quote(path)}"
        yield Finding(
            code=Code.DATABASE_OPEN,
            level=Level.ERROR,
            what=error.what,
            hint=error.hint,
            command="" if on_server else _moved_away(path) if "damaged" in error.what else look,
            facts={"path": path},
        )
        return
    yield _opened(path, facts)
    if on_server:
        yield connections_finding(path, facts)
        yield writable_finding(path, facts)
    else:
        if facts.format:
            yield _sound(path, facts)
        yield _writable(path, facts)
    if facts.format:
        yield _runs(path, leftover_runs(doors, facts.running), running=len(facts.running))


def _opened(path: str, facts: StateFacts) -> Finding:
    if not facts.format:
        said = f"there is no database at {path} yet; the first run makes it"
        if facts.server:
            said = f"{facts.server} answers at {path}; the first run makes its tables"
    else:
        said = f"database {path} opens: format {facts.format}, {facts.size_bytes / 1e6:.1f} MB"
        said += f", {facts.server}" if facts.server else ""
        if facts.format < facts.newest_format:
            said += f"; the next run brings it to format {facts.newest_format}"
    return _ok(
        Code.DATABASE_OPEN,
        said,
        path=path,
        format=facts.format,
        newest_format=facts.newest_format,
        size_bytes=facts.size_bytes,
        server=facts.server,
    )


def _sound(path: str, facts: StateFacts) -> Finding:
    if not facts.faults:
        return _ok(Code.DATABASE_SOUND, "database is sound (quick check)", path=path)
    return Finding(
        code=Code.DATABASE_SOUND,
        level=Level.ERROR,
        what=f"database {path} is damaged: {facts.faults[0]}",
        hint="move it away: the registry is the truth; "
        "run history, claims and unsent notices are lost",
        command=_moved_away(path),
        facts={"path": path, "faults": facts.faults},
    )


def _moved_away(path: str) -> str:
    return f"mv {shlex.quote(path)} {shlex.quote(f'{path}.aside')}"


def _writable(path: str, facts: StateFacts) -> Finding:
    if not facts.refusal:
        return _ok(Code.DATABASE_WRITE, "database can be written", path=path)
    locked = "locked" in facts.refusal
    folder = shlex.quote(path.rpartition("/")[0] or ".")
    return Finding(
        code=Code.DATABASE_WRITE,
        level=Level.WARNING if locked else Level.ERROR,
        what=f"database {path} cannot be written: {facts.refusal}",
        hint="another orchestrate writes to it; try again"
        if locked
        else "make it writable for this user, or name another place with --state",
        command="" if locked else f'sudo chown -R "$(id -u)" {folder}',
        facts={"path": path},
    )


def _runs(path: str, left: tuple[Run, ...], *, running: int) -> Finding:
    if not left:
        said = f"{running} of them under way" if running else "none is under way"
        return _ok(
            Code.DATABASE_RUNS, f"every run ended or is looked after; {said}", running=running
        )
    names = ", ".join(run.id for run in left[:_MOST_NAMED])
    return Finding(
        code=Code.DATABASE_RUNS,
        level=Level.WARNING,
        what=f"{counted(len(left), 'run')} began and never ended, and nobody is at it: {names}",
        hint="a killed process leaves such; the next run of the hierarchy settles what it left",
        command=f"orchestrate --state {shlex.quote(path)} doctor --repair",
        facts={"runs": tuple(run.id for run in left), "running": running},
    )


def leftover_runs(doors: HealthDoors, running: tuple[Run, ...]) -> tuple[Run, ...]:
    """Return the runs that nobody carries out any more: nobody is at work for their hierarchy."""
    leases = doors.history.leases
    idle = {name for name in {run.hierarchy for run in running} if not leases.standing(name).active}
    return tuple(run for run in running if run.hierarchy in idle)


def leftover_findings(doors: HealthDoors, subject: Subject) -> Iterator[Finding]:
    """Yield log directories without a run, and temporary files that nobody came back for."""
    machine = doors.machine
    logs = [entry for entry in machine.entries(subject.logs) if entry.is_dir]
    lost = lost_logs(doors, subject)
    yield _left(
        Code.LEFTOVER_LOGS,
        lost,
        subject.logs,
        f"{_folders(lost)} of logs in {subject.logs} whose run is not in the history",
        f"{_folders(logs)} of logs in {subject.logs}, none left behind",
    )
    spool, files = machine.spool_dir, lost_files(doors)
    yield _left(
        Code.LEFTOVER_FILES,
        files,
        spool,
        f"{counted(len(files), 'temporary file')} of ours in {spool}, older than a day",
        f"no temporary files of ours in {spool} older than a day",
    )
    yield _ok(Code.LEFTOVER_REST, _REST)


def lost_logs(doors: HealthDoors, subject: Subject) -> tuple[Entry, ...]:
    """Return the directories of logs whose run is not in the history, and that are old."""
    now_s = doors.clock.now_s()
    logs = [entry for entry in doors.machine.entries(subject.logs) if entry.is_dir]
    old = [entry for entry in logs if now_s - entry.modified_s > _kept_s(entry)]
    return tuple(entry for entry in old if _is_forgotten(doors.history, entry))


def lost_files(doors: HealthDoors) -> tuple[Entry, ...]:
    """Return the temporary files and directories of ours that are older than a day."""
    now_s = doors.clock.now_s()
    return tuple(
        entry
        for entry in doors.machine.entries(doors.machine.spool_dir)
        if entry.name.startswith(_OURS) and now_s - entry.modified_s > _DAY_S
    )


def _folders(entries: Sequence[Entry]) -> str:
    return counted(len(entries), "directory", "directories")


def _kept_s(entry: Entry) -> float:
    # Of builds for this machine alone, which no history knows, the logs may still be read.
    return _LOCAL_S if entry.name.startswith("local-") else _DAY_S


def _is_forgotten(history: History, entry: Entry) -> bool:
    run = history.run(entry.name)
    return run is None or run.id != entry.name


def _left(code: Code, entries: tuple[Entry, ...], folder: str, some: str, none: str) -> Finding:
    if not entries:
        return _ok(code, none, path=folder, count=0)
    names = " ".join(shlex.quote(f"{folder}/{entry.name}") for entry in entries[:_MOST_NAMED])
    return Finding(
        code=code,
        level=Level.WARNING,
        what=some,
        hint="nobody reads them again"
        + (f"; these are the first {_MOST_NAMED}" if len(entries) > _MOST_NAMED else ""),
        command=f"rm -r -- {names}",
        facts={"path": folder, "count": len(entries)},
    )


def cache_findings(machine: Machine, subject: Subject) -> Iterator[Finding]:
    """Yield how large the cache is."""
    if subject.cache is None:
        yield _ok(Code.LEFTOVER_CACHE, "there is no cache: no home directory", size_bytes=0)
        return
    size = machine.size_bytes(subject.cache)
    much = size >= _MUCH_CACHE_BYTES
    yield Finding(
        code=Code.LEFTOVER_CACHE,
        level=Level.WARNING if much else Level.OK,
        what=f"the cache {subject.cache} takes {size / 1e6:.1f} MB",
        hint="it may be deleted at any time: the next plan takes a little longer" if much else "",
        command=f"rm -r -- {shlex.quote(subject.cache)}" if much else "",
        facts={"path": subject.cache, "size_bytes": size},
    )


def _ok(code: Code, what: str, **facts: Fact) -> Finding:
    return Finding(code=code, level=Level.OK, what=what, facts=facts)
