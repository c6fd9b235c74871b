"""The outbox in a database: facts that others are to be told, and messages on their way.

Source: docs/adr/0025-outbox.md
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from orchestrator.doors.database import Connection, Database, Row
from orchestrator.doors.history_rows import run_of
from orchestrator.model.announcement import Announcement, AnnouncementState, EventType
from orchestrator.model.delivery import Backlog, Delivery, DeliveryState, Queue, ReceiverState
from orchestrator.model.run import Run

#: Format of the database that has the tables.
SINCE = 4
#: Fewer than the values that any of our databases takes in one statement.
_AT_ONCE = 500
_ANNOUNCE = (
    "INSERT INTO announcements (id, hierarchy, run, type, subject, at, state, repository, "
    "build_key, digest, event) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
)


def expect(connection: Connection, announcement: Announcement) -> None:
    """Write in a transaction what may come true; what was pending is its run's from now on."""
    connection.execute(
        _ANNOUNCE + "ON CONFLICT (id) DO UPDATE SET run = excluded.run, at = excluded.at "
        "WHERE announcements.state = 'pending'",
        _announcement_values(announcement, AnnouncementState.PENDING),
    )


def give_up(connection: Connection, repository: str, key: str, digest: str) -> None:
    """Forget in a transaction what was pending of a digest that a key will not lead to."""
    connection.execute(
        "DELETE FROM announcements "
        "WHERE state = 'pending' AND repository = ? AND build_key = ? AND digest = ?",
        (repository, key, digest),
    )


class DatabaseOutbox:
    """The outbox in a database; see the protocol.

    Args:
        database: of the diary; a fenced one fences what is written here.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def release(self, announcement_id: str, run_id: str, at: str) -> None:
        """Write that what was pending is a fact now; see the protocol."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE announcements SET state = 'released', run = ?, at = ? "
                "WHERE id = ? AND state = 'pending'",
                (run_id, at, announcement_id),
            )

    def retract(self, announcement_id: str, run_id: str) -> None:
        """Forget what was pending for a run; see the protocol."""
        with self._database.writing() as connection:
            connection.execute(
                "DELETE FROM announcements WHERE id = ? AND run = ? AND state = 'pending'",
                (announcement_id, run_id),
            )

    def pending(self, hierarchy: str) -> tuple[Announcement, ...]:
        """Return what nobody knows yet whether it came true, the oldest first."""
        return self._database.read(
            _announcement,
            "SELECT * FROM announcements WHERE state = 'pending' AND hierarchy = ? ORDER BY at, id",
            (hierarchy,),
            since=SINCE,
        )

    def released(self, hierarchy: str) -> tuple[Announcement, ...]:
        """Return the facts of runs that have ended and that nobody was told, the oldest first."""
        return self._database.read(
            _announcement,
            "SELECT announcements.* FROM announcements "
            "LEFT JOIN runs ON runs.id = announcements.run "
            "WHERE announcements.state = 'released' AND announcements.hierarchy = ? "
            "AND coalesce(runs.state, '') <> 'running' "
            "ORDER BY announcements.at, announcements.id",
            (hierarchy,),
            since=SINCE,
        )

    def untold(self, hierarchy: str) -> tuple[Run, ...]:
        """Return the runs that have ended and of which nobody was told, the oldest first."""
        return self._database.read(
            run_of,
            "SELECT * FROM runs WHERE hierarchy = ? AND told = '' AND state <> 'running' "
            "ORDER BY started_at, id",
            (hierarchy,),
            since=SINCE,
        )

    def tell(
        self,
        announcements: Sequence[Announcement],
        deliveries: Sequence[Delivery],
        run_id: str = "",
    ) -> None:
        """Write facts as told, and the messages for everybody; see the protocol."""
        with self._database.writing() as connection:
            connection.executemany(
                _ANNOUNCE + "ON CONFLICT (id) DO UPDATE SET state = excluded.state, "
                "run = excluded.run, at = excluded.at, event = excluded.event "
                "WHERE announcements.state <> 'told'",
                [_announcement_values(each, AnnouncementState.TOLD) for each in announcements],
            )
            (seq,) = connection.execute(
                "SELECT coalesce(max(seq), 0) + 1 FROM deliveries"
            ).fetchone()
            connection.executemany(
                "INSERT INTO deliveries (id, seq, hierarchy, team, receiver, run, thread, subject, "
                "at, state, tries, next_at_s, why, recipients, images, events) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (id) DO NOTHING",
                [
                    (
                        *(each.id, n, each.hierarchy, each.team, each.receiver, each.run),
                        *(each.thread, each.subject, each.at, *_fate(each)),
                        *(_json(each.images), _json(each.events)),
                    )
                    for n, each in enumerate(deliveries, seq)
                ],
            )
            if run_id:
                changed = connection.execute("UPDATE runs SET told = 'yes' WHERE id = ?", (run_id,))
                self._database.expect_one(changed, f"run {run_id}")

    def deliveries(
        self,
        hierarchy: str,
        states: Sequence[DeliveryState],
        *,
        team: str = "",
        receiver: str = "",
        limit: int = 0,
    ) -> tuple[Delivery, ...]:
        """Return deliveries, the oldest first; see the protocol."""
        if not states:
            return ()
        # Not "or it is empty": no index would serve that.
        only = {"team": team, "receiver": receiver}
        chosen = {column: value for column, value in only.items() if value}
        found = self._database.read(
            _delivery,
            "SELECT * FROM deliveries WHERE hierarchy = ? "  # noqa: S608 - question marks only
            f"AND state IN ({_marks(states)}) "
            + "".join(f"AND {column} = ? " for column in chosen)
            + "ORDER BY seq DESC"
            + (" LIMIT ?" if limit else ""),
            (hierarchy, *map(str, states), *chosen.values(), *((limit,) if limit else ())),
            since=SINCE,
        )
        return found[::-1]

    def queues(self, hierarchy: str) -> tuple[Queue, ...]:
        """Return for whom something waits; see the protocol."""
        return self._database.read(
            lambda row: Queue(
                team=row["team"],
                receiver=row["receiver"],
                messages=row["messages"],
                tries=row["most_tries"],
            ),
            "SELECT team, receiver, count(*) AS messages, max(tries) AS most_tries "
            "FROM deliveries WHERE hierarchy = ? AND state = 'waiting' "
            "GROUP BY team, receiver ORDER BY min(seq)",
            (hierarchy,),
            since=SINCE,
        )

    def told(self, ids: Sequence[str]) -> frozenset[str]:
        """Return those ids whose facts were told, whether anybody wanted them or not."""
        wanted = list(dict.fromkeys(ids))
        found: set[str] = set()
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            found.update(
                self._database.read(
                    lambda row: str(row["id"]),
                    "SELECT id FROM announcements "  # noqa: S608 - question marks only
                    f"WHERE state = 'told' AND id IN ({_marks(some)})",
                    tuple(some),
                    since=SINCE,
                )
            )
        return frozenset(found)

    def events(self, ids: Sequence[str]) -> Mapping[str, Mapping[str, object]]:
        """Return id → event of announcements that were told; see the protocol."""
        wanted = list(dict.fromkeys(ids))
        found: dict[str, Mapping[str, object]] = {}
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            rows = self._database.read(
                lambda row: (str(row["id"]), _event(row["event"])),
                "SELECT id, event FROM announcements "  # noqa: S608 - question marks only
                f"WHERE event <> '' AND id IN ({_marks(some)})",
                tuple(some),
                since=SINCE,
            )
            found.update(rows)
        return found

    def record(self, deliveries: Sequence[Delivery]) -> None:
        """Write what became of deliveries; see the protocol."""
        with self._database.writing() as connection:
            connection.executemany(
                "UPDATE deliveries SET state = ?, tries = ?, next_at_s = ?, why = ?, "
                "recipients = ? WHERE id = ?",
                [(*_fate(each), each.id) for each in deliveries],
            )

    def receivers(self, hierarchy: str) -> tuple[ReceiverState, ...]:
        """Return the receivers of which anything is known, sorted by team and receiver."""
        return self._database.read(
            _receiver,
            "SELECT * FROM receivers WHERE hierarchy = ? ORDER BY team, receiver",
            (hierarchy,),
            since=SINCE,
        )

    def note_receiver(self, hierarchy: str, state: ReceiverState) -> None:
        """Write what is known of a receiver now; one without anything is forgotten."""
        with self._database.writing() as connection:
            connection.execute(
                "DELETE FROM receivers WHERE hierarchy = ? AND team = ? AND receiver = ?",
                (hierarchy, state.team, state.receiver),
            )
            if state.disabled_at or state.paused_until_s or state.why:
                connection.execute(
                    "INSERT INTO receivers (hierarchy, team, receiver, disabled_at, "
                    "paused_until_s, why) VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        *(hierarchy, state.team, state.receiver),
                        *(state.disabled_at, float(state.paused_until_s), state.why),
                    ),
                )

    def backlog(self, hierarchy: str) -> Backlog:
        """Return how much is still to be told."""
        counted = {
            str(state): (int(count), str(oldest_at))
            for state, count, oldest_at in self._database.read(
                tuple,
                "SELECT state, count(*), min(at) FROM deliveries "
                "WHERE hierarchy = ? AND state IN ('waiting', 'dead') GROUP BY state",
                (hierarchy,),
                since=SINCE,
            )
        }
        waiting, oldest_at = counted.get("waiting", (0, ""))
        return Backlog(waiting=waiting, dead=counted.get("dead", (0, ""))[0], oldest_at=oldest_at)

    def forget(self, hierarchy: str, before: str) -> None:
        """Delete what was delivered or dropped, and made before a time; see the protocol."""
        with self._database.writing() as connection:
            connection.execute(
                "DELETE FROM deliveries "
                "WHERE hierarchy = ? AND state IN ('delivered', 'dropped') AND at < ?",
                (hierarchy, before),
            )
            old = connection.execute(
                "SELECT id FROM announcements WHERE hierarchy = ? AND at < ? AND event <> ''",
                (hierarchy, before),
            ).fetchall()
            spare = {str(row[0]) for row in old}
            if not spare:
                return
            # What is left may be much; of one run most have the same.
            left = connection.execute(
                "SELECT DISTINCT events FROM deliveries WHERE hierarchy = ?", (hierarchy,)
            )
            for row in left:
                spare.difference_update(_texts(row[0]))
            connection.executemany(
                "UPDATE announcements SET event = '' WHERE id = ?",
                [(each,) for each in sorted(spare)],
            )


def _announcement_values(it: Announcement, state: AnnouncementState) -> tuple[str, ...]:
    return (
        *(it.id, it.hierarchy, it.run, str(it.type), it.subject, it.at, str(state)),
        *(it.repository, it.key, it.digest, _json(dict(it.event)) if it.event else ""),
    )


def _fate(it: Delivery) -> tuple[str, int, float, str, str]:
    return str(it.state), it.tries, float(it.next_at_s), it.why, _json(it.only)


def _announcement(row: Row) -> Announcement:
    return Announcement(
        id=row["id"],
        hierarchy=row["hierarchy"],
        run=row["run"],
        type=EventType(row["type"]),
        subject=row["subject"],
        at=row["at"],
        repository=row["repository"],
        key=row["build_key"],
        digest=row["digest"],
        event=_event(row["event"]) if row["event"] else {},
    )


def _delivery(row: Row) -> Delivery:
    return Delivery(
        id=row["id"],
        hierarchy=row["hierarchy"],
        team=row["team"],
        receiver=row["receiver"],
        run=row["run"],
        thread=row["thread"],
        subject=row["subject"],
        at=row["at"],
        images=_texts(row["images"]),
        events=_texts(row["events"]),
        state=DeliveryState(row["state"]),
        tries=row["tries"],
        next_at_s=row["next_at_s"],
        why=row["why"],
        only=_texts(row["recipients"]),
    )


def _receiver(row: Row) -> ReceiverState:
    return ReceiverState(
        team=row["team"],
        receiver=row["receiver"],
        disabled_at=row["disabled_at"],
        paused_until_s=row["paused_until_s"],
        why=row["why"],
    )


def _event(text: str) -> Mapping[str, object]:
    said = json.loads(text)
    if not isinstance(said, dict):
        raise TypeError(f"{text} is no event")
    return said


# The messages of one run tell many receivers the same.
@lru_cache(maxsize=64)
def _texts(text: str) -> tuple[str, ...]:
    said = json.loads(text)
    if not isinstance(said, list) or not all(isinstance(each, str) for each in said):
        raise TypeError(f"{text} is no list of texts")
    return tuple(said)


def _marks(values: Iterable[object]) -> str:
    """Return a question mark for each of some values."""
    return ", ".join("?" for _ in values)


def _json(value: object) -> str:
    # In ASCII: what comes out of a build may be no text that a database takes.
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
