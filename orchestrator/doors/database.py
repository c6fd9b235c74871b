"""One database file that any number of threads and processes read and write at once."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from orchestrator.doors.sqlite import (
    applied_format,
    explained,
    open_for_reading,
    open_for_writing,
)
from orchestrator.errors import StateUnavailable

T = TypeVar("T")


class Database:
    """The one connection to the file, and its transactions. Thread-safe.

    The file is made, and brought up to date, by the first write. Where there is none, all there is
    to read is empty.

    Args:
        path: the database file.
        busy_timeout_s: how long to wait for another process that writes.
    """

    def __init__(self, path: Path, busy_timeout_s: float) -> None:
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._writable = False

    def close(self) -> None:
        """Close the file; it is opened again when something is asked."""
        with self._lock, explained(self._path):
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            self._writable = False

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the one transaction that may write, from before the first read in it.

        Raises:
            StateUnavailable: whatever the file refuses; then nothing of it is written.
        """
        with self._lock, explained(self._path):
            if self._connection is None or not self._writable:
                self.close()
                self._connection = open_for_writing(self._path, self._busy_timeout_s)
                self._writable = True
            connection = self._connection
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def read(
        self,
        form: Callable[[sqlite3.Row], T],
        statement: str,
        values: tuple[object, ...] = (),
        *,
        since: int = 1,
    ) -> tuple[T, ...]:
        """Return what a question finds, each row in a form.

        Args:
            form: of a row.
            statement: the question.
            values: what stands for its question marks.
            since: format of the database that has the tables; an older one is not migrated by
                reading, and has nothing in them.

        Raises:
            StateUnavailable: whatever the file refuses, and what is in it that is not ours.
        """
        with self._lock, explained(self._path):
            if self._connection is None:
                self._connection = open_for_reading(self._path, self._busy_timeout_s)
            if self._connection is None:
                return ()
            if since > 1 and applied_format(self._connection, self._path) < since:
                return ()
            return tuple(form(row) for row in self._connection.execute(statement, values))

    def expect_one(self, changed: sqlite3.Cursor, what: str) -> None:
        """Refuse a change that found nothing to change.

        Raises:
            StateUnavailable: naming what is not known.
        """
        if changed.rowcount != 1:
            raise StateUnavailable(
                f"the state database {self._path} does not know {what}",
                hint="was it replaced while the run was going on?",
            )
