"""Opens the state: a file of SQLite's, or a database on a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NoReturn, TypeVar

from orchestrator.doors.database import Answer, Connection, Database, Row
from orchestrator.doors.process import Timekeeper
from orchestrator.doors.protocols_health import StateHealth
from orchestrator.doors.state_url import is_url
from orchestrator.errors import StateUnavailable
from orchestrator.model.health import StateFacts

T = TypeVar("T")


def open_database(state: str, password: str = "", *, busy_timeout_s: float = 30.0) -> Database:
    """Return the database of a file, or of an address; nothing is asked before it is used.

    Args:
        state: a path, or an address without a password.
        password: of the address; empty where libpq finds one, or needs none.
        busy_timeout_s: how long to wait for another process that writes.
    """
    if is_url(state):
        try:
            from orchestrator.doors.postgres import PostgresDatabase
        except ImportError as error:
            return WithoutDriver(state, error)
        return PostgresDatabase(state, password, busy_timeout_s=busy_timeout_s)
    from orchestrator.doors.sqlite import SqliteDatabase

    return SqliteDatabase(Path(state), busy_timeout_s=busy_timeout_s)


def open_health(state: str, password: str = "", *, busy_timeout_s: float = 5.0) -> StateHealth:
    """Return what `doctor` asks about the same; see :func:`open_database`."""
    if is_url(state):
        try:
            from orchestrator.doors.postgres_health import PostgresHealth
        except ImportError as error:
            return WithoutDriver(state, error)
        return PostgresHealth(state, password, busy_timeout_s=busy_timeout_s)
    from orchestrator.doors.state_health import SqliteHealth

    return SqliteHealth(Path(state), busy_timeout_s=busy_timeout_s)


class WithoutDriver:
    """Answers for PostgreSQL where psycopg is not installed: always with how to install it."""

    def __init__(self, name: str, error: ImportError) -> None:
        self._name = name
        self._error = error

    @property
    def name(self) -> str:
        """The address."""
        return self._name

    @property
    def clock(self) -> Timekeeper:
        """A clock that refuses as well."""
        return Timekeeper(name="server", now_s=self._refuse)

    def close(self) -> None:
        """Do nothing: nothing is open."""

    def writing(self) -> AbstractContextManager[Connection]:
        """Refuse."""
        self._refuse()

    def read(
        self,
        form: Callable[[Row], T],
        statement: str,
        values: tuple[object, ...] = (),
        *,
        since: int = 1,
    ) -> tuple[T, ...]:
        """Refuse."""
        self._refuse()

    def expect_one(self, changed: Answer, what: str) -> None:
        """Refuse."""
        self._refuse()

    def facts(self) -> StateFacts:
        """Refuse."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise StateUnavailable(
            f"the state database {self._name} needs a driver that is not installed: {self._error}",
            hint="pip install 'gold-orchestrator[postgres]'",
        ) from self._error
