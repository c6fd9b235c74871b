"""The state database as its users see it: one transaction that may write, and questions.

The same statements run in SQLite and in PostgreSQL. They are written for both:

- question marks stand for values; what text sorts after is its bytes;
- what is in a ``SELECT`` beside an aggregate is in ``GROUP BY``; upserts are ``ON CONFLICT``;
- a value has the type of its column: no truth value where a number belongs;
- a statement that fails ends the transaction, whoever catches the error.

Source: docs/adr/0020-postgresql.md
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from orchestrator.doors.process import Timekeeper
from orchestrator.errors import StateUnavailable

T = TypeVar("T")


class Row(Protocol):
    """One row; its values in order, by number and by the column's name."""

    def __getitem__(self, key: int | str, /) -> Any:
        """Return one value."""

    def __iter__(self) -> Iterator[Any]:
        """Yield the values."""

    def __len__(self) -> int:
        """Return how many there are."""


class Answer(Protocol):
    """What came of a statement."""

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""

    def fetchone(self) -> Any:
        """Return the next row; None after the last."""

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""

    def __iter__(self) -> Iterator[Any]:
        """Yield the rows that are left."""


class Connection(Protocol):
    """Inside a transaction. Whatever goes wrong leaves it as an error of the driver."""

    def execute(self, statement: str, values: tuple[object, ...] = ..., /) -> Answer:
        """Carry out one statement."""

    def executemany(self, statement: str, values: Sequence[tuple[object, ...]], /) -> Answer:
        """Carry out one statement once for each of the values."""


class Database(Protocol):
    """A database that any number of threads and processes read and write at once. Thread-safe.

    The tables are made, and brought up to date, by the first write. Where there are none, all there
    is to read is empty.
    """

    @property
    def name(self) -> str:
        """What people call it: the file's path, or the address without a password."""

    @property
    def clock(self) -> Timekeeper:
        """The clock that all who use the database share; asking it may take a question to it."""

    def close(self) -> None:
        """Close it; it is opened again when something is asked."""

    def writing(self) -> AbstractContextManager[Connection]:
        """Hold the one transaction that may write, from before the first read in it.

        Of all processes and machines one has it at a time; it sees what the one before it wrote.
        Inside, :meth:`read` sees what was just written; a second one inside is refused.

        Raises:
            StateUnavailable: whatever the database refuses; then nothing of it is written.
        """

    def read(
        self,
        form: Callable[[Row], T],
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
            StateUnavailable: whatever the database refuses, and what is in it that is not ours.
        """

    def expect_one(self, changed: Answer, what: str) -> None:
        """Refuse a change that found nothing to change.

        Raises:
            StateUnavailable: naming what is not known.
        """


def expect_one(changed: Answer, what: str, name: str) -> None:
    """Refuse a change that found nothing to change, in the database of a name.

    Raises:
        StateUnavailable: naming what is not known.
    """
    if changed.rowcount != 1:
        raise StateUnavailable(
            f"the state database {name} does not know {what}",
            hint="was it replaced while the run was going on?",
        )
