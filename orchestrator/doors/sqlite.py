"""The state database as a file: opening, migrating, and what SQLite's complaints mean."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.errors import StateUnavailable
from orchestrator.model.time import rfc3339

_MIGRATIONS = Path(__file__).with_name("migrations")
_ELSEWHERE = "make it writable, or name another place with --state"
#: Beginning of SQLite's name for an error → what it means, and the way out.
_MEANINGS = (
    (("SQLITE_BUSY", "SQLITE_LOCKED"), "is locked", "another orchestrate writes to it; try again"),
    (("SQLITE_FULL",), "cannot grow", "free some room on its disk"),
    (
        ("SQLITE_NOTADB", "SQLITE_CORRUPT"),
        "is damaged",
        "move it away: the registry is the truth, only run history and claims start anew",
    ),
    (("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH"), "cannot be written", _ELSEWHERE),
    (("SQLITE_CANTOPEN",), "cannot be opened", _ELSEWHERE),
    (("SQLITE_IOERR",), "cannot be read or written", "look at the disk it is on"),
)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system raise inside into the error of our tree.

    Raises:
        StateUnavailable: with the path and a way out.
    """
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        for names, meaning, hint in _MEANINGS:
            if name.startswith(names):
                raise StateUnavailable(
                    f"the state database {path} {meaning}: {error}", hint=hint
                ) from error
        raise StateUnavailable(f"the state database {path} refused: {error}") from error
    except OSError as error:
        raise StateUnavailable(
            f"the state database {path} cannot be made: {error.strerror}", hint=_ELSEWHERE
        ) from error
    except (ValueError, TypeError, KeyError) as error:
        raise StateUnavailable(
            f"the state database {path} has something in it that is not ours: {error}",
            hint=_MEANINGS[2][2],
        ) from error


def open_for_reading(path: Path, busy_timeout_s: float) -> sqlite3.Connection | None:
    """Return a connection that changes nothing; None when there is nothing to read yet.

    Raises:
        StateUnavailable: it was written by a newer version, or by another program.
    """
    if not path.exists():
        return None
    connection = _connect(path, busy_timeout_s)
    try:
        is_empty = not applied_format(connection, path)
    except BaseException:
        connection.close()
        raise
    if is_empty:
        connection.close()
        return None
    return connection


def open_for_writing(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Return a connection to a database that is there and up to date, whatever was before.

    A new one is readable by its owner only.

    Raises:
        StateUnavailable: it was written by a newer version, or by another program.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    connection = _connect(path, busy_timeout_s)
    try:
        _use_wal(connection, busy_timeout_s)
        connection.execute("BEGIN IMMEDIATE")
        _migrate(connection, applied_format(connection, path))
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    # mode=rw: whether a file is made is decided above.
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=busy_timeout_s,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    # A claim that was acknowledged must survive a power cut.
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _use_wal(connection: sqlite3.Connection, busy_timeout_s: float) -> None:
    """Switch to write-ahead logging.

    Now and then SQLite refuses at once while another process does the same, whatever its busy
    timeout: 2 of 1,200 times when four processes made the same files.
    """
    deadline = time.monotonic() + busy_timeout_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def applied_format(connection: sqlite3.Connection, path: Path) -> int:
    """Return the number of the last migration that was applied; 0 for an empty database.

    Raises:
        StateUnavailable: it was written by a newer version, or by another program.
    """
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if not tables:
        return 0
    if "migrations" not in tables:
        raise StateUnavailable(
            f"{path} is another program's database",
            hint="name another file with --state, or with ORCHESTRATE_STATE",
        )
    (version,) = connection.execute("SELECT max(number) FROM migrations").fetchone()
    known = newest_format()
    if version > known:
        raise StateUnavailable(
            f"the state database {path} was written by a newer orchestrate "
            f"(format {version}, this one knows {known})",
            hint="use that version, or name another file with --state",
        )
    return int(version)


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    for number, script in enumerate(_scripts(), 1):
        if number > version:
            for statement in _statements(script.read_text(encoding="utf-8")):
                connection.execute(statement)
            connection.execute(
                "INSERT INTO migrations (number, applied_at) VALUES (?, ?)",
                (number, rfc3339(time.time())),
            )


def newest_format() -> int:
    """Return the number of the migration that this version writes."""
    return len(_scripts())


def _scripts() -> list[Path]:
    return sorted(_MIGRATIONS.glob("[0-9]*.sql"))


def _statements(script: str) -> Iterator[str]:
    # sqlite3's executescript() commits first, and then a migration could be half done.
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
