"""Leases in a database: who is at work for a hierarchy, and who waits.

Source: docs/adr/0021-lease-and-queue.md
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

from orchestrator.doors.database import Connection, Database, Row
from orchestrator.doors.process import Timekeeper, is_gone
from orchestrator.errors import LeaseLost
from orchestrator.model.lease import Ask, Holder, Lease, Place, Standing
from orchestrator.model.time import rfc3339

T = TypeVar("T")

#: Format of the database that has the tables.
SINCE = 3
_ENDS_IN_TIME = (
    "SET expires_s = ? + lasts_s WHERE hierarchy = ? AND clock = ? AND expires_s > ? + lasts_s"
)


class DatabaseLeases:
    """Leases in a database; see the protocol.

    Args:
        database: where.
        clock: says what is over; all who share the database go by the same one.
        now_s: seconds since 1970 UTC, for people to read.
        is_gone: whether a process of this machine is known to be gone.
    """

    def __init__(
        self,
        database: Database,
        clock: Timekeeper,
        *,
        now_s: Callable[[], float] = time.time,
        is_gone: Callable[[str], bool] = is_gone,
    ) -> None:
        self._database = database
        self._clock = clock
        self._now_s = now_s
        self._is_gone = is_gone

    def acquire(self, hierarchy: str, holder: Holder, lasts_s: float) -> Lease | None:
        """Take the lease, unless somebody has it, or waits for it before; see the protocol."""
        # Whoever waits asks every second: a look must do where nothing has changed.
        seen_at_s = self._clock.now_s()
        if any(
            self._is_taken(row, seen_at_s, holder) and not _is_ahead(row, seen_at_s)
            for row in self._rows(hierarchy)
        ):
            return None
        with self._database.writing() as connection:
            now_s = self._clock.now_s()
            self._put_right(connection, hierarchy, now_s)
            active, waiting = self._both(hierarchy)
            if any(row and self._is_taken(row, now_s, holder) for row in (active, waiting)):
                return None
            lease = Lease(
                hierarchy=hierarchy,
                epoch=active.epoch + 1 if active else 1,
                holder=holder,
                since=rfc3339(self._now_s()),
                joined=waiting.asks[1:] if waiting else (),
            )
            connection.execute(
                "INSERT INTO leases (hierarchy, epoch, holder, since, clock, expires_s, lasts_s) "
                "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (hierarchy) DO UPDATE SET "
                "epoch = excluded.epoch, holder = excluded.holder, since = excluded.since, "
                "clock = excluded.clock, expires_s = excluded.expires_s, "
                "lasts_s = excluded.lasts_s",
                (
                    *(hierarchy, lease.epoch, _json(asdict(holder)), lease.since),
                    *(self._clock.name, now_s + lasts_s, float(lasts_s)),
                ),
            )
            # What joined stays, for whoever comes next, until a run has begun that does it.
            connection.execute(
                "UPDATE waiting SET clock = '' WHERE hierarchy = ?"
                if lease.joined
                else "DELETE FROM waiting WHERE hierarchy = ?",
                (hierarchy,),
            )
            return lease

    def renew(self, lease: Lease, lasts_s: float) -> None:
        """Keep a lease for longer; see the protocol."""
        with self._database.writing() as connection:
            self.require(lease)
            connection.execute(
                "UPDATE leases SET expires_s = ?, lasts_s = ? WHERE hierarchy = ?",
                (self._clock.now_s() + lasts_s, float(lasts_s), lease.hierarchy),
            )

    def require(self, lease: Lease) -> None:
        """Do nothing, if a lease is still good; see the protocol."""
        require(self._database, lease)

    def release(self, lease: Lease, *, undone: bool = False) -> None:
        """Give a lease back; see the protocol."""
        with self._database.writing() as connection:
            # Whose it was stays: the same epoch may be another one's, after a restore.
            changed = connection.execute(
                "UPDATE leases SET clock = '' "
                "WHERE hierarchy = ? AND epoch = ? AND holder = ? AND clock <> ''",
                (lease.hierarchy, lease.epoch, _json(asdict(lease.holder))),
            )
            if changed.rowcount != 1:
                return
            if undone:
                self._leave_to_next(connection, lease)
            else:
                take_on(self._database, connection, lease)

    def standing(self, hierarchy: str) -> Standing:
        """Return who is at work and who waits; see the protocol."""
        now_s = self._clock.now_s()
        active, waiting = self._both(hierarchy)
        return Standing(
            active=active.place if active and self._is_taken(active, now_s) else None,
            waiting=waiting.place if waiting and self._is_taken(waiting, now_s) else None,
        )

    def wait(self, hierarchy: str, holder: Holder, ask: Ask, lasts_s: float) -> bool:
        """Be the one who waits, or say that it still is; see the protocol."""
        with self._database.writing() as connection:
            now_s = self._clock.now_s()
            self._put_right(connection, hierarchy, now_s)
            _, waiting = self._both(hierarchy)
            if waiting and self._is_taken(waiting, now_s, holder):
                return False
            if waiting and waiting.holder == holder:
                since, asks = waiting.since, waiting.asks
            else:
                since, asks = rfc3339(self._now_s()), (ask, *(waiting.asks[1:] if waiting else ()))
            connection.execute("DELETE FROM waiting WHERE hierarchy = ?", (hierarchy,))
            connection.execute(
                "INSERT INTO waiting (hierarchy, holder, since, clock, expires_s, lasts_s, asks) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    *(hierarchy, _json(asdict(holder)), since, self._clock.name),
                    *(now_s + lasts_s, float(lasts_s), _asks_json(asks)),
                ),
            )
            return True

    def join(self, hierarchy: str, waiting: Holder, ask: Ask) -> bool:
        """Add to what the one who waits will do; False: that one waits no more."""
        with self._database.writing() as connection:
            _, row = self._both(hierarchy)
            if row is None or row.holder != waiting:
                return False
            if not self._is_taken(row, self._clock.now_s()):
                return False
            connection.execute(
                "UPDATE waiting SET asks = ? WHERE hierarchy = ?",
                (_asks_json((*row.asks, ask)), hierarchy),
            )
            return True

    def leave(self, hierarchy: str, holder: Holder) -> int:
        """Wait no more; see the protocol."""
        with self._database.writing() as connection:
            _, row = self._both(hierarchy)
            if row is None or row.holder != holder:
                return 0
            connection.execute(
                "UPDATE waiting SET clock = '' WHERE hierarchy = ?"
                if row.asks[1:]
                else "DELETE FROM waiting WHERE hierarchy = ?",
                (hierarchy,),
            )
            return len(row.asks) - 1

    def _leave_to_next(self, connection: Connection, lease: Lease) -> None:
        """Add what had joined a lease to what whoever waits has to do, or comes next."""
        _, waiting = self._both(lease.hierarchy)
        if waiting is not None:
            more = without(lease.joined, waiting.asks[1:])
            connection.execute(
                "UPDATE waiting SET asks = ? WHERE hierarchy = ?",
                (_asks_json((*waiting.asks, *more)), lease.hierarchy),
            )
            return
        if not lease.joined:
            return
        # The first is the wish of who waited, which went with it.
        own = Ask(command=lease.holder.command, who=lease.holder.who)
        connection.execute(
            "INSERT INTO waiting (hierarchy, holder, since, clock, expires_s, lasts_s, asks) "
            "VALUES (?, ?, ?, '', 0.0, 0.0, ?)",
            (
                *(lease.hierarchy, _json(asdict(lease.holder)), lease.since),
                _asks_json((own, *lease.joined)),
            ),
        )

    def _put_right(self, connection: Connection, hierarchy: str, now_s: float) -> None:
        """Let nothing last for longer from now on than it was to last from the first."""
        values = (now_s, hierarchy, self._clock.name, now_s)
        connection.execute("UPDATE leases " + _ENDS_IN_TIME, values)
        connection.execute("UPDATE waiting " + _ENDS_IN_TIME, values)

    def _is_taken(self, row: _Row, now_s: float, holder: Holder | None = None) -> bool:
        """Say whether somebody else than the holder is there, as far as anybody knows."""
        return (
            row.holder != holder
            and row.clock == self._clock.name
            and now_s < row.expires_s
            and not self._is_gone(row.holder.process)
        )

    def _rows(self, hierarchy: str) -> tuple[_Row, ...]:
        return tuple(row for row in self._both(hierarchy) if row is not None)

    def _both(self, hierarchy: str) -> tuple[_Row | None, _Row | None]:
        read, name = self._database.read, (hierarchy,)
        active = read(_lease_row, "SELECT * FROM leases WHERE hierarchy = ?", name, since=SINCE)
        waiting = read(_waiting_row, "SELECT * FROM waiting WHERE hierarchy = ?", name, since=SINCE)
        return (active[0] if active else None), (waiting[0] if waiting else None)


def require(database: Database, lease: Lease) -> None:
    """Do nothing, if a lease is still good.

    Raises:
        LeaseLost: another one has it.
    """
    statement = "SELECT * FROM leases WHERE hierarchy = ?"
    found = database.read(_lease_row, statement, (lease.hierarchy,), since=SINCE)
    # In another database, or an older copy of this one, somebody else may have the same epoch.
    if not found or (found[0].epoch, found[0].holder) != (lease.epoch, lease.holder):
        later = found and found[0].epoch >= lease.epoch
        raise lost(lease, found[0].place if later else None)


def take_on(database: Database, connection: Connection, lease: Lease) -> None:
    """Leave what joined a lease to nobody else any more: it is done, or a run has begun for it.

    Args:
        database: where.
        connection: of its transaction that writes.
        lease: that of the run.
    """
    if not lease.joined:
        return
    statement, name = "SELECT * FROM waiting WHERE hierarchy = ?", (lease.hierarchy,)
    for row in database.read(_waiting_row, statement, name, since=SINCE):
        asks = (row.asks[0], *without(row.asks[1:], lease.joined))
        if asks[1:] or row.clock:
            values = (_asks_json(asks), lease.hierarchy)
            connection.execute("UPDATE waiting SET asks = ? WHERE hierarchy = ?", values)
        else:
            connection.execute("DELETE FROM waiting WHERE hierarchy = ?", name)


def without(asks: tuple[Ask, ...], others: tuple[Ask, ...]) -> tuple[Ask, ...]:
    """Return asks without others, each of which takes one away; the order stays."""
    left = list(asks)
    for other in others:
        if other in left:
            left.remove(other)
    return tuple(left)


def lost(lease: Lease, other: Place | None) -> LeaseLost:
    """Return what whoever had a lease is told.

    Args:
        lease: which.
        other: who had it last; None: nobody since, so that the database is another one by now.
    """
    name = lease.hierarchy
    if other is None:
        return LeaseLost(
            f"the state database no longer knows that {lease.holder} is at work on {name}",
            hint="was it removed or replaced meanwhile? This run has stopped and writes nothing "
            "more; what it published counts",
        )
    return LeaseLost(
        f"{other.holder} took over {name} at {other.since}, while this one was away",
        hint="this run has stopped and writes nothing more; `orchestrate history` shows the other",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A row of either table; ``epoch`` is 0 in that of those who wait.

    One that was given up has no clock.
    """

    holder: Holder
    since: str
    clock: str
    expires_s: float
    lasts_s: float
    epoch: int = 0
    asks: tuple[Ask, ...] = ()

    @property
    def place(self) -> Place:
        """The row as people see it."""
        return Place(holder=self.holder, since=self.since, asks=self.asks)


def _is_ahead(row: _Row, now_s: float) -> bool:
    """Say whether a row is good for longer than it can be: the clock went back since."""
    return row.expires_s > now_s + row.lasts_s


def _lease_row(row: Row) -> _Row:
    return replace(_row(row), epoch=int(row["epoch"]))


def _waiting_row(row: Row) -> _Row:
    asks = json.loads(row["asks"])
    if not isinstance(asks, list) or not asks:
        raise ValueError(f"{row['asks']} is no list of what somebody waits for")
    return replace(_row(row), asks=tuple(map(_ask, asks)))


def _row(row: Row) -> _Row:
    return _Row(
        holder=Holder(**json.loads(row["holder"])),
        since=row["since"],
        clock=row["clock"],
        expires_s=float(row["expires_s"]),
        lasts_s=float(row["lasts_s"]),
    )


def _ask(said: object) -> Ask:
    if not isinstance(said, dict):
        raise TypeError(f"{said} is nothing that somebody waits for")
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in said.items()}
    # An unknown field is a TypeError, which counts as damage like the others.
    return Ask(**fields)


def _asks_json(asks: tuple[Ask, ...]) -> str:
    return _json([asdict(ask) for ask in asks])


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
