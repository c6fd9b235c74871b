"""The state database on a PostgreSQL server, for runners on several machines.

Source: docs/adr/0020-postgresql.md
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from orchestrator.doors.database import Answer, Row, expect_one
from orchestrator.doors.formats import is_empty, newest_format, refuse_newer, statements
from orchestrator.doors.postgres_connection import (
    Inside,
    NamedRow,
    connect,
    lock_key,
    translated,
)
from orchestrator.doors.postgres_errors import ELSEWHERE, explained
from orchestrator.doors.process import Timekeeper
from orchestrator.errors import StateUnavailable
from orchestrator.model.time import rfc3339

T = TypeVar("T")
_Connection = psycopg.Connection[NamedRow]

_OWN_SCHEMA = (
    "give it a schema of its own: CREATE SCHEMA gold; "
    "and add ?options=-csearch_path%3Dgold to the address"
)
# Said in full, because a server's or a user's defaults may be others: with an older snapshot than
# the lock we would not see what the writer before us wrote.
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT pg_advisory_xact_lock({}, {})"
#: Taking a number for the transaction lets us ask later what became of it.
_FORMAT = "SELECT max(number), pg_current_xact_id()::text FROM migrations"
_PAUSE_S = 0.1
_STANDBY = (psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.FeatureNotSupported)


class PostgresDatabase:
    """One database, and the one connection of this process to it; see the protocol.

    A connection that was lost is made again by the next use; a server that was there before gets
    some time to come back. What is lost in the middle of a transaction is an error, and nothing of
    that transaction is written.

    Args:
        url: the address, without a password.
        password: empty where libpq finds one, or needs none.
        busy_timeout_s: how long to wait for another process that writes, and for a server that was
            there to come back.
    """

    def __init__(self, url: str, password: str = "", *, busy_timeout_s: float = 30.0) -> None:
        self._url = url
        self._password = password
        self._busy_timeout_s = busy_timeout_s
        self._lock = threading.RLock()
        self._connection: _Connection | None = None
        self._begin = ""
        self._format = 0
        self._was_there = False

    @property
    def name(self) -> str:
        """The address, without a password."""
        return self._url

    @property
    def clock(self) -> Timekeeper:
        """The server's: those of the machines that use it differ."""
        return Timekeeper(name="server", now_s=self._server_s)

    def close(self) -> None:
        """Close the connection; it is opened again when something is asked."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            self._format = 0

    @contextmanager
    def writing(self) -> Iterator[Inside]:
        """Hold the one transaction that may write; see the protocol."""
        with self._lock, explained(self._url, self._password):
            if self._is_inside():
                raise StateUnavailable(f"the state database {self._url} is being written to")
            number = self._once_more(self._begun)
            connection = self._opened()
            try:
                yield Inside(connection)
                self._commit(connection, number)
            except BaseException:
                self._give_up(connection)
                raise
            self._format = newest_format()

    def read(
        self,
        form: Callable[[Row], T],
        statement: str,
        values: tuple[object, ...] = (),
        *,
        since: int = 1,
    ) -> tuple[T, ...]:
        """Return what a question finds, each row in a form; see the protocol."""

        def ask(connection: _Connection) -> tuple[T, ...]:
            if self._format < since:
                self._format = self._applied(connection)
            if self._format < since:
                return ()
            return tuple(form(row) for row in Inside(connection).execute(statement, values))

        return self._asked(ask)

    def expect_one(self, changed: Answer, what: str) -> None:
        """Refuse a change that found nothing to change; see the protocol."""
        expect_one(changed, what, self._url)

    def format(self) -> int:
        """Return the number of the last migration; 0 where there are no tables.

        Raises:
            StateUnavailable: it cannot be reached, or it is a newer version's or another program's.
        """
        return self._asked(self._applied)

    def ask(self, statement: str, values: tuple[object, ...] = ()) -> tuple[Row, ...]:
        """Return what a question to the server finds, whether or not there are tables of ours.

        Raises:
            StateUnavailable: whatever it refuses.
        """

        def ask(connection: _Connection) -> tuple[Row, ...]:
            return tuple(Inside(connection).execute(statement, values))

        return self._asked(ask)

    def try_writing(self) -> None:
        """Begin the one transaction that may write, and write nothing.

        Raises:
            StateUnavailable: why that is not possible now.
        """
        with self._lock, explained(self._url, self._password):
            connection = self._opened()
            try:
                connection.execute(self._begin)
            finally:
                self._give_up(connection)

    def _server_s(self) -> float:
        (row,) = self.ask("SELECT extract(epoch FROM clock_timestamp())::float8")
        return float(row[0])

    def _asked(self, ask: Callable[[_Connection], T]) -> T:
        with self._lock, explained(self._url, self._password):
            if self._is_inside():
                # What fails here ends the transaction: nothing of it may be asked again.
                return ask(self._opened())
            return self._once_more(ask)

    def _is_inside(self) -> bool:
        return self._connection is not None and self._connection.info.transaction_status not in (
            TransactionStatus.IDLE,
            TransactionStatus.UNKNOWN,
        )

    def _once_more(self, ask: Callable[[_Connection], T]) -> T:
        """Return an answer; ask again where only then an old connection proves to be lost.

        Whatever was asked did not happen: the server rolls back what it cannot finish.
        """
        for again in (self._connection is not None, False):
            connection = self._opened()
            try:
                return ask(connection)
            except BaseException as error:
                self._give_up(connection)
                if isinstance(error, _STANDBY):
                    # Another server may be the primary by now, and the address names it too.
                    self.close()
                if not (again and isinstance(error, psycopg.Error) and self._connection is None):
                    raise
        raise AssertionError("unreachable")

    def _opened(self) -> _Connection:
        """Return the connection; of a server that was there before, as soon as it is back."""
        if self._connection is not None and not self._connection.closed:
            return self._connection
        self.close()
        connection = self._connected()
        try:
            self._begin = _BEGIN.format(*lock_key(self._schema(connection)))
        except BaseException:
            connection.close()
            raise
        self._connection, self._was_there = connection, True
        return connection

    def _connected(self) -> _Connection:
        deadline_s = time.monotonic() + (self._busy_timeout_s if self._was_there else 0)
        while True:
            try:
                return connect(self._url, self._password, self._busy_timeout_s)
            except psycopg.OperationalError:
                if time.monotonic() >= deadline_s:
                    raise
                time.sleep(_PAUSE_S)

    def _schema(self, connection: _Connection) -> str:
        row = connection.execute(
            "SELECT current_schema(), current_setting('server_encoding')"
        ).fetchone()
        assert row is not None
        schema, encoding = row
        if schema is None:
            raise StateUnavailable(
                f"the state database {self._url} has no schema that its search_path names",
                hint="CREATE SCHEMA gold; and ?options=-csearch_path%3Dgold in the address",
            )
        if encoding != "UTF8":
            raise StateUnavailable(
                f"the state database {self._url} has the encoding {encoding}, not UTF8",
                hint="createdb --encoding=UTF8 --template=template0 NAME",
            )
        return str(schema)

    def _begun(self, connection: _Connection) -> str:
        """Begin the transaction that may write, bring the tables up to date; return its number."""
        made = self._format == newest_format()
        cursor = connection.execute(f"{self._begin}; {_FORMAT}" if made else self._begin)
        if not made:
            _migrate(connection, self._applied(connection))
            cursor = connection.execute(_FORMAT)
        while cursor.nextset():
            pass
        row = cursor.fetchone()
        assert row is not None
        refuse_newer(row[0], self._url, elsewhere=ELSEWHERE)
        return str(row[1])

    def _applied(self, connection: _Connection) -> int:
        cursor = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
        )
        if is_empty([name for (name,) in cursor], self._url, elsewhere=_OWN_SCHEMA):
            return 0
        row = connection.execute("SELECT max(number) FROM migrations").fetchone()
        assert row is not None
        return refuse_newer(row[0], self._url, elsewhere=ELSEWHERE)

    def _commit(self, connection: _Connection, number: str) -> None:
        if connection.info.transaction_status == TransactionStatus.INERROR:
            # COMMIT would roll back, and call that a success.
            raise StateUnavailable(
                f"the state database {self._url} refused a statement, and with it all of them"
            )
        try:
            connection.execute("COMMIT")
        except psycopg.Error as error:
            if not connection.closed or not self._was_committed(number, error):
                raise

    def _was_committed(self, number: str, lost: psycopg.Error) -> bool:
        """Say what became of a transaction whose COMMIT was not answered.

        Raises:
            StateUnavailable: the server does not come back: nobody can tell.
        """
        deadline_s = time.monotonic() + self._busy_timeout_s
        status = None
        with suppress(psycopg.Error):
            while True:
                question = translated("SELECT pg_xact_status(?::xid8)")
                ((status,),) = self._opened().execute(question, (number,))
                if status != "in progress" or time.monotonic() >= deadline_s:
                    break
                time.sleep(_PAUSE_S)
        if status not in ("committed", "aborted"):
            raise StateUnavailable(
                f"the state database {self._url} was lost while it stored an entry: nobody can "
                "tell whether it is there",
                hint="the registry is the truth: run the same command again",
            ) from lost
        return bool(status == "committed")

    def _give_up(self, connection: _Connection) -> None:
        """Roll back. What cannot even be rolled back is closed, and the server does it."""
        self._format = 0
        if not connection.closed:
            with suppress(psycopg.Error):
                connection.execute("ROLLBACK")
                return
        self.close()


def _migrate(connection: _Connection, applied: int) -> None:
    for number in range(applied + 1, newest_format() + 1):
        for statement in statements(number):
            connection.execute(in_its_words(statement).encode())
        connection.execute(
            "INSERT INTO migrations (number, applied_at) VALUES (%s, %s)",
            (number, rfc3339(time.time())),
        )


def in_its_words(statement: str) -> str:
    """Return a statement of a migration as PostgreSQL has it.

    Text is compared by its bytes, whatever language the database was made for.
    """
    lines = [line for line in statement.splitlines() if not line.lstrip().startswith("--")]
    words = "\n".join(lines).replace(" STRICT;", ";")
    for ours, its in (
        (" INTEGER", " BIGINT"),
        (" REAL", " DOUBLE PRECISION"),
        (" TEXT", ' TEXT COLLATE "C"'),
    ):
        words = words.replace(ours, its)
    return words
