"""The state database in one file of SQLite's: opening, migrating, what its complaints mean."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from orchestrator.doors.database import Answer, Row, expect_one
from orchestrator.doors.formats import is_empty, newest_format, refuse_newer, statements
from orchestrator.doors.process import Timekeeper, machine_time
from orchestrator.errors import StateUnavailable
from orchestrator.model.time import rfc3339

T = TypeVar("T")

_ANOTHER = "name another file with --state, or with ORCHESTRATE_STATE"
_ELSEWHERE = "make it writable, or name another place with --state"
#: Beginning of SQLite's name for an error → what it means, and the way out.
_MEANINGS = (
    (("SQLITE_BUSY", "SQLITE_LOCKED"), "is locked", "another orchestrate writes to it; try again"),
    (("SQLITE_FULL",), "cannot grow", "free some room on its disk"),
    (
        ("SQLITE_NOTADB", "SQLITE_CORRUPT"),
        "is damaged",
        "move it away: the registry is the truth; run history, claims and unsent notices are lost",
    ),
    (("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH"), "cannot be written", _ELSEWHERE),
    (("SQLITE_CANTOPEN",), "cannot be opened", _ELSEWHERE),
    (("SQLITE_IOERR",), "cannot be read or written", "look at the disk it is on"),
)


class SqliteDatabase:
    """One file, and the one connection of this process to it; see the protocol.

    Args:
        path: the database file.
        busy_timeout_s: how long to wait for another process that writes.
    """

    def __init__(self, path: Path, *, busy_timeout_s: float = 30.0) -> None:
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._writable = False
        self._file: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """The file's path."""
        return str(self._path)

    @property
    def clock(self) -> Timekeeper:
        """This machine's: processes of others cannot use the file."""
        return machine_time()

    def close(self) -> None:
        """Close the file; it is opened again when something is asked."""
        with self._lock, explained(self._path):
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            self._writable = False

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the one transaction that may write; see the protocol."""
        with self._lock, explained(self._path):
            self._close_what_was_replaced()
            if self._connection is None or not self._writable:
                self.close()
                self._connection = open_for_writing(self._path, self._busy_timeout_s)
                self._writable, self._file = True, file_at(self._path)
            connection = self._connection
            connection.execute("BEGIN IMMEDIATE")
            try:
                # A newer version may have come since this process opened it.
                applied_format(connection, self._path)
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def read(
        self,
        form: Callable[[Row], T],
        statement: str,
        values: tuple[object, ...] = (),
        *,
        since: int = 1,
    ) -> tuple[T, ...]:
        """Return what a question finds, each row in a form; see the protocol."""
        with self._lock, explained(self._path):
            self._close_what_was_replaced()
            if self._connection is None:
                self._connection = open_for_reading(self._path, self._busy_timeout_s)
                self._file = file_at(self._path)
            if self._connection is None:
                return ()
            if since > 1 and applied_format(self._connection, self._path) < since:
                return ()
            return tuple(form(row) for row in self._connection.execute(statement, values))

    def expect_one(self, changed: Answer, what: str) -> None:
        """Refuse a change that found nothing to change; see the protocol."""
        expect_one(changed, what, self.name)

    def _close_what_was_replaced(self) -> None:
        """Open what is at the path from now on, if that is another file, or none.

        Else we would go on in a file that nobody else can open, and others in the new one.
        """
        if self._connection is None or self._connection.in_transaction:
            return
        if file_at(self._path) != self._file:
            self.close()


def file_at(path: Path) -> tuple[int, int] | None:
    """Return what tells the file at a path from every other one; None: there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


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
    except (ValueError, TypeError, LookupError) as error:
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
    if is_empty(tables, str(path), elsewhere=_ANOTHER):
        return 0
    (version,) = connection.execute("SELECT max(number) FROM migrations").fetchone()
    return refuse_newer(int(version), str(path), elsewhere="name another file with --state")


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    for number in range(version + 1, newest_format() + 1):
        # sqlite3's executescript() commits first, and then a migration could be half done.
        for statement in statements(number):
            connection.execute(statement)
        connection.execute(
            "INSERT INTO migrations (number, applied_at) VALUES (?, ?)",
            (number, rfc3339(time.time())),
        )
