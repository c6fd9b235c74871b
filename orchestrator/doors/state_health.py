"""The state database as a file: whether it is sound, writable, and who never came back."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from orchestrator.doors.formats import newest_format
from orchestrator.doors.history import SqliteHistory
from orchestrator.doors.sqlite import applied_format, explained, open_for_reading
from orchestrator.errors import StateUnavailable
from orchestrator.model.health import StateFacts
from orchestrator.model.run import Run

#: Faults that are shown; a damaged database can have thousands.
_MOST_FAULTS = 5


class SqliteHealth:
    """Answers to :class:`orchestrator.doors.protocols_health.StateHealth`.

    Args:
        path: the database file.
        busy_timeout_s: how long to wait for a process that writes.
    """

    def __init__(self, path: Path, *, busy_timeout_s: float = 5.0) -> None:
        self._path = path
        self._busy_timeout_s = busy_timeout_s

    def facts(self) -> StateFacts:
        """Return how it is; see the protocol."""
        with explained(self._path):
            connection = open_for_reading(self._path, self._busy_timeout_s)
            if connection is None:
                return self._absent()
            with closing(connection):
                complaints = connection.execute(f"PRAGMA quick_check({_MOST_FAULTS})").fetchall()
                running = connection.execute(
                    "SELECT id FROM runs WHERE state = 'running' ORDER BY started_at DESC"
                ).fetchall()
                return StateFacts(
                    size_bytes=self._size_bytes(),
                    format=applied_format(connection, self._path),
                    newest_format=newest_format(),
                    faults=tuple(said for (said,) in complaints if said != "ok"),
                    running=self._runs([name for (name,) in running]),
                    refusal=self._refusal(connection),
                )

    def _runs(self, ids: list[str]) -> tuple[Run, ...]:
        with SqliteHistory(self._path, busy_timeout_s=self._busy_timeout_s) as history:
            return tuple(run for name in ids if (run := history.run(name)))

    def _absent(self) -> StateFacts:
        return StateFacts(
            size_bytes=0,
            format=0,
            newest_format=newest_format(),
            faults=(),
            refusal=self._folder_refusal(),
            running=(),
        )

    def _folder_refusal(self) -> str:
        folder = self._path.absolute().parent
        while not folder.exists():
            folder = folder.parent
        if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
            return ""
        return f"this user cannot write in {folder}"

    def _refusal(self, connection: sqlite3.Connection) -> str:
        # Its log stands beside it, so the directory counts too.
        refusal = self._folder_refusal()
        if refusal:
            return refusal
        try:
            with explained(self._path):
                # Takes the lock of a writer, and writes nothing.
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
        except StateUnavailable as error:
            return error.what
        return ""

    def _size_bytes(self) -> int:
        size = 0
        for suffix in ("", "-wal"):
            with suppress(FileNotFoundError):
                size += os.stat(f"{self._path}{suffix}").st_size
        return size
