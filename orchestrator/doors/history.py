"""The diary in a file: runs, steps, claims, the journal of tag moves and the ledger, in SQLite.

Deleting it may cost an explanation; it never changes what is built.
Source: docs/adr/0006-state.md
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Self

from orchestrator.doors import ledger
from orchestrator.doors.database import Database
from orchestrator.model.measure import Ended
from orchestrator.model.observation import Sighting
from orchestrator.model.packages import PackageAnswer
from orchestrator.model.run import (
    Failure,
    FailureCause,
    JournalledMove,
    MoveState,
    Outcome,
    Run,
    RunState,
    StepResult,
    Streak,
)
from orchestrator.model.time import rfc3339


class SqliteHistory:
    """The diary in one file, which any number of threads and processes may use at once.

    The file is made by the first write. Where there is none, all there is to read is empty.

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
        self._database = Database(path, busy_timeout_s)
        self._now_s = now_s

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; it is opened again when something is asked."""
        self._database.close()

    def begin_run(self, run: Run) -> None:
        """Write a run that starts."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO runs (id, hierarchy, command, who, trigger_word, because, revision, "
                "started_at, finished_at, state, plan) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(run.id, run.hierarchy, run.command, run.who, run.trigger, run.because),
                    *(run.revision, run.started_at, run.finished_at, str(run.state), run.plan),
                ),
            )

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
                    _failure_json(result.failure),
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

    def claim(self, repository: str, key: str, digest: str, run_id: str) -> str:
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
            return str(winner)

    def replace_claim(
        self, repository: str, key: str, *, lost: str, digest: str, run_id: str
    ) -> bool:
        """Replace a claim whose digest is not in the registry, if it still says ``lost``."""
        with self._database.writing() as connection:
            changed = connection.execute(
                "UPDATE claims SET digest = ?, run = ?, claimed_at = ? "
                "WHERE repository = ? AND build_key = ? AND digest = ?",
                (digest, run_id, rfc3339(self._now_s()), repository, key, lost),
            )
            return changed.rowcount == 1

    def journal(self, run_id: str, moves: tuple[JournalledMove, ...]) -> None:
        """Write moves before any of them is done; all of them or, with an error, none."""
        with self._database.writing() as connection:
            (seq,) = connection.execute(
                "SELECT coalesce(max(seq), 0) + 1 FROM tag_moves WHERE run = ?", (run_id,)
            ).fetchone()
            connection.executemany(
                "INSERT INTO tag_moves (run, seq, image, repository, tag, digest_was, digest_now, "
                "state) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (run_id, n, m.image, m.repository, m.tag, m.was, m.now, str(m.state))
                    for n, m in enumerate(moves, seq)
                ],
            )

    def settle(self, run_id: str, move: JournalledMove, state: MoveState) -> None:
        """Write how one move ended."""
        with self._database.writing() as connection:
            changed = connection.execute(
                "UPDATE tag_moves SET state = ? WHERE run = ? AND seq = (SELECT max(seq) FROM "
                "tag_moves WHERE run = ? AND image = ? AND repository = ? AND tag = ?)",
                (str(state), run_id, run_id, move.image, move.repository, move.tag),
            )
            self._database.expect_one(
                changed, f"move of {move.repository}:{move.tag} in run {run_id}"
            )

    def moves(self, run_id: str) -> tuple[JournalledMove, ...]:
        """Return a run's moves, in the order they were written."""
        return self._database.read(
            _move, "SELECT * FROM tag_moves WHERE run = ? ORDER BY seq", (run_id,)
        )

    def runs(self, limit: int = 20) -> tuple[Run, ...]:
        """Return the newest runs, newest first."""
        return self._database.read(
            _run, "SELECT * FROM runs ORDER BY started_at DESC, id DESC LIMIT ?", (limit,)
        )

    def run(self, run_id: str) -> Run | None:
        """Return one run by its id or an unambiguous prefix of it."""
        # The run with exactly this id has the shortest one that begins like it.
        found = self._database.read(
            _run,
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
            lambda row: _result(row, manifests.get(row["seq"], {}), sizes.get(row["seq"], {})),
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
        rows = self._database.read(
            tuple,
            "SELECT steps.image, steps.duration_s FROM steps JOIN "
            "(SELECT image, max(run) AS run FROM steps "
            "WHERE outcome IN ('built', 'unchanged') GROUP BY image) AS newest "
            "ON steps.image = newest.image AND steps.run = newest.run "
            "WHERE steps.outcome IN ('built', 'unchanged') ORDER BY steps.seq",
        )
        return dict(rows)

    def ended(self) -> tuple[Ended, ...]:
        """Return how every step of every run ended, in the order of the runs; every try is one."""
        return self._database.read(
            _ended,
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


def _run(row: sqlite3.Row) -> Run:
    return Run(
        id=row["id"],
        hierarchy=row["hierarchy"],
        command=row["command"],
        who=row["who"],
        trigger=row["trigger_word"],
        because=row["because"],
        revision=row["revision"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        state=RunState(row["state"]),
        plan=row["plan"],
    )


def _ended(row: sqlite3.Row) -> Ended:
    return Ended(
        hierarchy=row["hierarchy"],
        image=row["image"],
        outcome=Outcome(row["outcome"]),
        changed=row["digest"] not in ("", row["was"]),
        duration_s=row["duration_s"],
        run_started_at=row["started_at"],
    )


def _move(row: sqlite3.Row) -> JournalledMove:
    return JournalledMove(
        image=row["image"],
        repository=row["repository"],
        tag=row["tag"],
        was=row["digest_was"],
        now=row["digest_now"],
        state=MoveState(row["state"]),
    )


def _result(
    row: sqlite3.Row, manifests: Mapping[str, str], platform_bytes: Mapping[str, int]
) -> StepResult:
    return StepResult(
        image=row["image"],
        outcome=Outcome(row["outcome"]),
        key=row["build_key"],
        digest=row["digest"],
        was=row["was"],
        immutable=row["immutable_tag"],
        manifests=manifests,
        size_bytes=row["size_bytes"],
        platform_bytes=platform_bytes,
        started_at=row["started_at"],
        duration_s=row["duration_s"],
        blocked_by=row["blocked_by"],
        failure=_failure(row["failure"]),
    )


def _failure_json(failure: Failure | None) -> str | None:
    if failure is None:
        return None
    return json.dumps({**asdict(failure), "cause": str(failure.cause)})


def _failure(text: str | None) -> Failure | None:
    if text is None:
        return None
    said = json.loads(text)
    return Failure(
        cause=FailureCause(said["cause"]),
        what=said["what"],
        hint=said["hint"],
        log_tail=tuple(said["log_tail"]),
        log_path=said["log_path"],
        exit_code=said["exit_code"],
    )
