"""One connection to PostgreSQL, that takes our statements and gives rows as SQLite's are."""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import psycopg
from psycopg.adapt import Buffer, Loader
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from orchestrator.doors.database import Answer
from orchestrator.errors import StateUnavailable

T = TypeVar("T")

#: The oldest server whose functions we use.
_OLDEST = 130000
#: Parameter of libpq → what we want, and the variable by which somebody may want something else.
#: A peer that is gone is noticed within a minute, also while nothing is sent.
_WANTED = (
    ("application_name", "orchestrate", "PGAPPNAME"),
    ("connect_timeout", "10", "PGCONNECT_TIMEOUT"),
    ("keepalives_idle", "15", ""),
    ("keepalives_interval", "5", ""),
    ("keepalives_count", "3", ""),
    ("tcp_user_timeout", "30000", ""),
)
#: How much longer than a statement may last we wait for its end, at most.
_LATER_S = 5.0
#: A process that is stopped between two statements of a transaction holds the lock no longer.
_IDLE_MS = 15_000
_SETTINGS = """
SELECT set_config('lock_timeout', %s, false), set_config('statement_timeout', %s, false),
    set_config('idle_in_transaction_session_timeout', %s, false),
    set_config('synchronous_commit', CASE current_setting('synchronous_commit')
        WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)
"""


class NamedRow:
    """One row; its values in order, by number and by the column's name."""

    __slots__ = ("_numbers", "_values")

    def __init__(self, numbers: Mapping[str, int], values: Sequence[Any]) -> None:
        self._numbers = numbers
        self._values = values

    def __getitem__(self, key: int | str, /) -> Any:
        """Return one value."""
        if isinstance(key, str) and key not in self._numbers:
            raise IndexError(f"no column {key}")  # As sqlite3.Row does.
        return self._values[self._numbers[key] if isinstance(key, str) else key]

    def __iter__(self) -> Iterator[Any]:
        """Yield the values."""
        return iter(self._values)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._values)


@dataclass(frozen=True, slots=True)
class Inside:
    """A transaction, for who writes in it; see :class:`orchestrator.doors.database.Connection`.

    Attributes:
        connection: that the transaction is on.
    """

    connection: psycopg.Connection[NamedRow]

    def execute(self, statement: str, values: tuple[object, ...] = (), /) -> Answer:
        """Carry out one statement."""
        return self.connection.execute(translated(statement), _values(values))

    def executemany(self, statement: str, values: Sequence[tuple[object, ...]], /) -> Answer:
        """Carry out one statement once for each of the values."""
        cursor = self.connection.cursor()
        cursor.executemany(translated(statement), [_values(each) for each in values])
        return cursor


class Impatient(psycopg.Connection[NamedRow]):
    """A connection that is closed when the server says nothing for too long.

    A server whose processes stand still keeps its time limits as little as it answers, and its
    machine goes on to say that the connection is well.

    Attributes:
        patience_s: how long it may say nothing while something is asked of it.
    """

    patience_s = 30.0

    def wait(self, gen: Generator[Any, Any, T], *more: Any, **options: Any) -> T:
        """Return what a conversation with the server gives.

        Raises:
            psycopg.OperationalError: it stopped answering.
        """
        try:
            return super().wait(_until_silence(gen, self.patience_s), *more, **options)
        except _Silence:
            self.close()
            raise


class _Silence(psycopg.OperationalError):
    """The server stopped answering."""


def _until_silence(gen: Generator[Any, Any, T], patience_s: float) -> Generator[Any, Any, T]:
    """Do what a generator of psycopg's does, as long as the server says something.

    Whoever drives it sends 0 several times a second where there is nothing to read or write.
    """
    until_s = time.monotonic() + patience_s
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if ready:
                until_s = time.monotonic() + patience_s
            elif time.monotonic() >= until_s:
                raise _Silence(f"it has said nothing for {patience_s:g} s")
            wanted = gen.send(ready)
    except StopIteration as end:
        given: T = end.value
        return given


def connect(url: str, password: str, timeout_s: float) -> psycopg.Connection[NamedRow]:
    """Return a connection, outside any transaction.

    What the address says itself goes before what we want.

    Args:
        url: without a password.
        password: empty where libpq finds one, or needs none.
        timeout_s: how long to wait for another process that writes; a statement gets twice that.

    Raises:
        psycopg.Error: there is none to be had.
        StateUnavailable: the server is too old.
    """
    said = conninfo_to_dict(url)
    wanted = {name: value for name, value, variable in _WANTED if variable not in os.environ}
    parameters = {**wanted, **said, "client_encoding": "UTF8"}
    if password:
        parameters["password"] = password
    connection = Impatient.connect(
        make_conninfo("", **parameters),
        # Prepared statements would not survive a pooler between us and the server.
        autocommit=True,
        prepare_threshold=None,
        row_factory=_row_factory,
    )
    try:
        version = connection.info.server_version
        if version < _OLDEST:
            raise StateUnavailable(
                f"the state database {url} is on PostgreSQL {version // 10000}, which is too old",
                hint=f"version {_OLDEST // 10000} or later is needed",
            )
        connection.adapters.register_loader("numeric", _NumberLoader)
        lock_ms = round(timeout_s * 1000)
        statement_ms = 2 * lock_ms + 1000
        connection.execute(_SETTINGS, (str(lock_ms), str(statement_ms), str(_IDLE_MS)))
        # A server that is well ends a statement itself, and says so.
        connection.patience_s = statement_ms / 1000 + min(timeout_s, _LATER_S)
    except BaseException:
        connection.close()
        raise
    return connection


def lock_key(schema: str) -> tuple[int, int]:
    """Return the two numbers of the lock that keeps writers of a schema apart."""
    return _signed(zlib.crc32(b"gold-orchestrator")), _signed(zlib.crc32(schema.encode()))


def _signed(number: int) -> int:
    return number - (1 << 32) if number >= 1 << 31 else number


@lru_cache(maxsize=256)
def translated(statement: str) -> bytes:
    """Return a statement with psycopg's marks for values in the place of question marks.

    What stands in quotes stays.
    """
    pieces = statement.replace("%", "%%").split("'")
    pieces[::2] = [piece.replace("?", "%s") for piece in pieces[::2]]
    return "'".join(pieces).encode()


def _values(values: tuple[object, ...]) -> tuple[object, ...]:
    # PostgreSQL's text has no place for a NUL, and an entry that fails would end a run.
    return tuple(v.replace("\0", "\ufffd") if isinstance(v, str) else v for v in values)


def _row_factory(cursor: psycopg.Cursor[Any]) -> Callable[[Sequence[Any]], NamedRow]:
    names = [column.name for column in cursor.description or ()]
    # Of two columns with one name the first counts, as in SQLite.
    numbers = {name: number for number, name in reversed(list(enumerate(names)))}
    return lambda values: NamedRow(numbers, values)


class _NumberLoader(Loader):
    """Sums of whole numbers are ``numeric`` there; here they are whole numbers again."""

    def load(self, data: Buffer) -> int | float:
        """Return the number."""
        text = bytes(data).decode()
        return int(text) if text.lstrip("-").isdigit() else float(text)
