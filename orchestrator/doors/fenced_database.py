"""A database that only whoever has the lease can write to.

Source: docs/adr/0021-lease-and-queue.md
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from orchestrator.doors.database import Answer, Connection, Database, Row
from orchestrator.doors.leases import require
from orchestrator.doors.process import Timekeeper
from orchestrator.model.lease import Lease

T = TypeVar("T")


class FencedDatabase:
    """A database in which one can write only as long as a lease is good; see the protocol.

    Args:
        database: what is written to.
        lease: without which nothing is.
    """

    def __init__(self, database: Database, lease: Lease) -> None:
        self._database = database
        self._lease = lease

    @property
    def name(self) -> str:
        """What people call it."""
        return self._database.name

    @property
    def clock(self) -> Timekeeper:
        """The clock that all who use it share."""
        return self._database.clock

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Hold the one transaction that may write.

        Raises:
            LeaseLost: another one has the lease; nothing is written.
        """
        with self._database.writing() as connection:
            # Inside: who takes the lease must wait for the end of this transaction.
            require(self._database, self._lease)
            yield connection

    def read(
        self,
        form: Callable[[Row], T],
        statement: str,
        values: tuple[object, ...] = (),
        *,
        since: int = 1,
    ) -> tuple[T, ...]:
        """Return what a question finds."""
        return self._database.read(form, statement, values, since=since)

    def expect_one(self, changed: Answer, what: str) -> None:
        """Refuse a change that found nothing to change."""
        self._database.expect_one(changed, what)
