"""The diary in a database: runs, steps, claims, the journal of tag moves and the ledger.

Deleting it may cost an explanation; it never changes what is built.
Source: docs/adr/0006-state.md
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from orchestrator.doors import ledger, outbox, unfinished
from orchestrator.doors.database import Database
from orchestrator.doors.fenced_database import FencedDatabase
from orchestrator.doors.history_rows import (
    ended_of,
    failure_json,
    move_of,
    result_of,
    run_of,
    state_columns,
)
from orchestrator.doors.leases import DatabaseLeases, take_on
from orchestrator.doors.sqlite import SqliteDatabase
from orchestrator.model.announcement import Announcement
from orchestrator.model.lease import Lease
from orchestrator.model.measure import Ended
from orchestrator.model.observation import Sighting
from orchestrator.model.packages import PackageAnswer
from orchestrator.model.run import (
    JournalledMove,
    MoveState,
    Outcome,
    Run,
    RunState,
    StepResult,
    Streak,
)
from orchestrator.model.time import rfc3339


class DatabaseHistory:
    """The diary in a database, which any number of threads and processes may use at once.

    The tables are made by the first write. Where there are none, all there is to read is empty.

    Args:
        database: is closed with the diary.
        now_s: seconds since 1970 UTC.

    Attributes:
        leases: who may write.
        outbox: what others are to be told.
    """

    def __init__(self, database: Database, *, now_s: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now_s = now_s
        self._lease: Lease | None = None
        self.leases = DatabaseLeases(database, database.clock, now_s=now_s)
        self.outbox = outbox.DatabaseOutbox(database)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database; it is opened again when something is asked."""
        self._database.close()

    def fenced(self, lease: Lease) -> DatabaseHistory:
        """Return the same diary, in which one can write only as long as a lease is good."""
        same = DatabaseHistory(FencedDatabase(self._database, lease), now_s=self._now_s)
        same._lease = lease
        return same

    def begin_run(self, run: Run, plan: str = "") -> None:
        """Write a run that starts, and with it the plan that it carries out."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO runs (id, hierarchy, command, who, trigger_word, because, revision, "
                "started_at, finished_at, state, plan, resumes) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(run.id, run.hierarchy, run.command, run.who, run.trigger, run.because),
                    *(run.revision, run.started_at, run.finished_at, str(run.state), run.plan),
                    run.resumes,
                ),
            )
            unfinished.keep_plan(connection, run.id, plan)
            if self._lease is not None:
                take_on(self._database, connection, self._lease)

    def kept_plan(self, run_id: str) -> str:
        """Return the plan that a run began with; empty where none is kept."""
        return unfinished.kept_plan(self._database, run_id)

    def unsettled(self, hierarchy: str) -> tuple[Run, ...]:
        """Return the runs that never ended, or whose moves never did; see the protocol."""
        return unfinished.unsettled(self._database, hierarchy)

    def unfinished(self, hierarchy: str) -> tuple[Run, ...]:
        """Return the runs that left something, and that no other one resumes."""
        return unfinished.unfinished(self._database, hierarchy)

    def finish_run(self, run_id: str, state: RunState, finished_at: str) -> None:
        """Write how a run ended."""
        with self._database.writing() as connection:
            changed = connection.execute(
                "UPDATE runs SET state = ?, finished_at = ? WHERE id = ?",
                (str(state), finished_at, run_id),
            )
            self._database.expect_one(changed, f"run {run_id}")

    def record_step(self, run_id: str, result: StepResult) -> None:
        """Write one step's result, with a row per platform; the same image again: one more try."""
        with self._database.writing() as connection:
            (seq,) = connection.execute(
                "SELECT coalesce(max(seq), 0) + 1 FROM steps WHERE run = ?", (run_id,)
            ).fetchone()
            (attempt,) = connection.execute(
                "SELECT count(*) + 1 FROM steps WHERE run = ? AND image = ?", (run_id, result.image)
            ).fetchone()
            connection.execute(
                "INSERT INTO steps (run, seq, image, attempt, outcome, build_key, digest, was, "
                "immutable_tag, size_bytes, started_at, duration_s, blocked_by, failure) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(run_id, seq, result.image, attempt, str(result.outcome), result.key),
                    *(result.digest, result.was, result.immutable, result.size_bytes),
                    *(result.started_at, float(result.duration_s), result.blocked_by),
                    failure_json(result.failure),
                ),
            )
            connection.executemany(
                "INSERT INTO step_platforms (run, seq, platform, digest, size_bytes) "
                "VALUES (?, ?, ?, ?, ?)",
                [
                    (run_id, seq, platform, digest, result.platform_bytes.get(platform, 0))
                    for platform, digest in result.manifests.items()
                ],
            )

    def claim(
        self,
        repository: str,
        key: str,
        digest: str,
        run_id: str,
        announcement: Announcement | None = None,
    ) -> str:
        """Claim a key once for all, or learn who did; see the protocol."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO claims (repository, build_key, digest, run, claimed_at) "
                "VALUES (?, ?, ?, ?, ?) ON CONFLICT (repository, build_key) DO NOTHING",
                (repository, key, digest, run_id, rfc3339(self._now_s())),
            )
            (winner,) = connection.execute(
                "SELECT digest FROM claims WHERE repository = ? AND build_key = ?",
                (repository, key),
            ).fetchone()
            if announcement is not None and winner == digest:
                outbox.expect(connection, announcement)
            return str(winner)

    def claimed(self, repository: str, key: str) -> str | None:
        """Return the digest that a key was claimed for; None where nobody has."""
        found = self._database.read(
            lambda row: str(row[0]),
            "SELECT digest FROM claims WHERE repository = ? AND build_key = ?",
            (repository, key),
        )
        return found[0] if found else None

    def replace_claim(
        self,
        repository: str,
        key: str,
        *,
        lost: str,
        digest: str,
        run_id: str,
        announcement: Announcement | None = None,
    ) -> bool:
        """Replace a claim whose digest cannot be published; see the protocol."""
        with self._database.writing() as connection:
            changed = connection.execute(
                "UPDATE claims SET digest = ?, run = ?, claimed_at = ? "
                "WHERE repository = ? AND build_key = ? AND digest = ?",
                (digest, run_id, rfc3339(self._now_s()), repository, key, lost),
            )
            if changed.rowcount != 1:
                return False
            outbox.give_up(connection, repository, key, lost)
            if announcement is not None:
                outbox.expect(connection, announcement)
            return True

    def journal(self, run_id: str, moves: tuple[JournalledMove, ...]) -> None:
        """Write moves before any of them is done; all of them or, with an error, none."""
        with self._database.writing() as connection:
            (seq,) = connection.execute(
                "SELECT coalesce(max(seq), 0) + 1 FROM tag_moves WHERE run = ?", (run_id,)
            ).fetchone()
            connection.executemany(
                "INSERT INTO tag_moves (run, seq, image, repository, tag, digest_was, digest_now, "
                "state, held_by, held_for) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (run_id, n, m.image, m.repository, m.tag, m.was, m.now, *state_columns(m))
                    for n, m in enumerate(moves, seq)
                ],
            )

    def settle(self, run_id: str, move: JournalledMove, state: MoveState) -> None:
        """Write how one move ended."""
        with self._database.writing() as connection:
            changed = connection.execute(
                "UPDATE tag_moves SET state = ?, held_by = ?, held_for = ? WHERE run = ? AND "
                "seq = (SELECT max(seq) FROM tag_moves "
                "WHERE run = ? AND image = ? AND repository = ? AND tag = ?)",
                (
                    *state_columns(replace(move, state=state)),
                    *(run_id, run_id, move.image, move.repository, move.tag),
                ),
            )
            self._database.expect_one(
                changed, f"move of {move.repository}:{move.tag} in run {run_id}"
            )

    def moves(self, run_id: str) -> tuple[JournalledMove, ...]:
        """Return a run's moves, in the order they were written."""
        return self._database.read(
            move_of, "SELECT * FROM tag_moves WHERE run = ? ORDER BY seq", (run_id,)
        )

    def held(self, hierarchy: str) -> tuple[tuple[str, JournalledMove], ...]:
        """Return (run, move) of everything that runs of a hierarchy held, the newest run first."""
        return self._database.read(
            lambda row: (str(row["run"]), move_of(row)),
            "SELECT tag_moves.* FROM tag_moves JOIN runs ON runs.id = tag_moves.run "
            "WHERE runs.hierarchy = ? AND tag_moves.state = 'held' "
            "ORDER BY tag_moves.run DESC, tag_moves.seq",
            (hierarchy,),
        )

    def runs(self, limit: int = 20) -> tuple[Run, ...]:
        """Return the newest runs, newest first."""
        return self._database.read(
            run_of, "SELECT * FROM runs ORDER BY started_at DESC, id DESC LIMIT ?", (limit,)
        )

    def run(self, run_id: str) -> Run | None:
        """Return one run by its id or an unambiguous prefix of it."""
        # The run with exactly this id has the shortest one that begins like it.
        found = self._database.read(
            run_of,
            "SELECT * FROM runs WHERE substr(id, 1, ?) = ? ORDER BY length(id) LIMIT 2",
            (len(run_id), run_id),
        )
        if len(found) == 1 or (found and found[0].id == run_id):
            return found[0]
        return None

    def results(self, run_id: str) -> tuple[StepResult, ...]:
        """Return a run's step results, in the order they ended; every try is one."""
        manifests: dict[int, dict[str, str]] = {}
        sizes: dict[int, dict[str, int]] = {}
        for seq, platform, digest, size_bytes in self._database.read(
            tuple,
            "SELECT seq, platform, digest, size_bytes FROM step_platforms WHERE run = ?",
            (run_id,),
        ):
            manifests.setdefault(seq, {})[platform] = digest
            if size_bytes:
                sizes.setdefault(seq, {})[platform] = size_bytes
        return self._database.read(
            lambda row: result_of(row, manifests.get(row["seq"], {}), sizes.get(row["seq"], {})),
            "SELECT * FROM steps WHERE run = ? ORDER BY seq",
            (run_id,),
        )

    def last_outcomes(self, hierarchy: str) -> Mapping[str, Outcome]:
        """Return image id → how its last step ended, over all runs of a hierarchy."""
        rows = self._database.read(
            tuple,
            "SELECT steps.image, steps.outcome FROM steps JOIN "
            "(SELECT steps.image AS image, max(steps.run) AS run FROM steps "
            "JOIN runs ON runs.id = steps.run WHERE runs.hierarchy = ? GROUP BY steps.image) "
            "AS newest ON steps.image = newest.image AND steps.run = newest.run "
            "ORDER BY steps.seq",
            (hierarchy,),
        )
        return {image: Outcome(outcome) for image, outcome in rows}

    def repositories(self, hierarchy: str) -> tuple[str, ...]:
        """Return every repository in which runs of a hierarchy moved a tag, sorted."""
        return self._database.read(
            lambda row: str(row[0]),
            "SELECT DISTINCT tag_moves.repository FROM tag_moves "
            "JOIN runs ON runs.id = tag_moves.run WHERE runs.hierarchy = ? ORDER BY 1",
            (hierarchy,),
        )

    def durations(self) -> Mapping[str, float]:
        """Return image id → seconds its last build took."""
        return {str(image): float(seconds) for image, seconds in self._last_built("duration_s")}

    def sizes(self) -> Mapping[str, int]:
        """Return image id → bytes that its layers had after its last build, compressed."""
        return {str(image): int(size_bytes) for image, size_bytes in self._last_built("size_bytes")}

    def _last_built(self, column: str) -> tuple[tuple[Any, ...], ...]:
        """Return image id and a column of each image's last build."""
        return self._database.read(
            tuple,
            f"SELECT steps.image, steps.{column} FROM steps JOIN "  # noqa: S608 - no one's input
            "(SELECT image, max(run) AS run FROM steps "
            "WHERE outcome IN ('built', 'unchanged') GROUP BY image) AS newest "
            "ON steps.image = newest.image AND steps.run = newest.run "
            "WHERE steps.outcome IN ('built', 'unchanged') ORDER BY steps.seq",
        )

    def ended(self) -> tuple[Ended, ...]:
        """Return how every step of every run ended, in the order of the runs; every try is one."""
        return self._database.read(
            ended_of,
            "SELECT runs.hierarchy, steps.image, steps.outcome, steps.digest, steps.was, "
            "steps.duration_s, runs.started_at FROM steps JOIN runs ON runs.id = steps.run "
            "ORDER BY steps.run, steps.seq",
        )

    def hierarchies(self) -> tuple[str, ...]:
        """Return the names of the hierarchies that have runs or a ledger, sorted."""
        with_runs = self._database.read(
            lambda row: str(row[0]), "SELECT DISTINCT hierarchy FROM runs"
        )
        return tuple(sorted({*with_runs, *ledger.hierarchies(self._database)}))

    def streaks(self, hierarchy: str) -> Mapping[str, Streak]:
        """Return image id → the nightly runs that it failed in, in a row; see the protocol."""
        rows = self._database.read(
            tuple,
            "SELECT steps.image, count(DISTINCT steps.run), max(runs.started_at) "
            "FROM steps JOIN runs ON runs.id = steps.run LEFT JOIN "
            "(SELECT steps.image AS image, max(steps.run) AS run FROM steps "
            "JOIN runs ON runs.id = steps.run "
            "WHERE runs.hierarchy = ? AND steps.outcome NOT IN "
            "('failed', 'blocked', 'cancelled', 'skipped') GROUP BY steps.image) "
            "AS good ON good.image = steps.image "
            "WHERE runs.hierarchy = ? AND runs.command = 'patch' AND steps.outcome = 'failed' "
            "AND (good.run IS NULL OR steps.run > good.run) GROUP BY steps.image",
            (hierarchy, hierarchy),
        )
        return {image: Streak(nights=nights, last_at=last_at) for image, nights, last_at in rows}

    def sightings(self, hierarchy: str) -> tuple[Sighting, ...]:
        """Return what was seen of a hierarchy's upstreams, first seen first."""
        return ledger.sightings(self._database, hierarchy)

    def see(self, hierarchy: str, sightings: tuple[Sighting, ...], now_s: float) -> None:
        """Add to the ledger what is not in it; see the protocol."""
        ledger.see(self._database, hierarchy, sightings, now_s)

    def absorb(self, hierarchy: str, source: str, fingerprint: str, at: str) -> None:
        """Write that every descendant stands on a content of an upstream; see the protocol."""
        ledger.absorb(self._database, hierarchy, source, fingerprint, at)

    def answers(self, digests: tuple[str, ...]) -> tuple[PackageAnswer, ...]:
        """Return the last answer of every platform of some images, by the index's digest."""
        return ledger.answers(self._database, digests)

    def keep_answers(self, answers: tuple[PackageAnswer, ...]) -> None:
        """Write answers in the place of the former ones of the same digest and platform."""
        ledger.keep_answers(self._database, answers)


class SqliteHistory(DatabaseHistory):
    """The diary in one file.

    Args:
        path: the database file.
        now_s: seconds since 1970 UTC.
        busy_timeout_s: how long to wait for another process that writes.
    """

    def __init__(
        self,
        path: Path,
        *,
        now_s: Callable[[], float] = time.time,
        busy_timeout_s: float = 30.0,
    ) -> None:
        super().__init__(SqliteDatabase(path, busy_timeout_s=busy_timeout_s), now_s=now_s)
