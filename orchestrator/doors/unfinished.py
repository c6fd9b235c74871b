"""The runs that somebody has to bring to their end, in the diary.

Source: docs/adr/0019-recovery.md
"""

from __future__ import annotations

from orchestrator.doors.database import Connection, Database
from orchestrator.doors.history_rows import run_of
from orchestrator.model.run import Run

#: Format of the database that has the tables.
SINCE = 3


def keep_plan(connection: Connection, run_id: str, plan: str) -> None:
    """Write the plan of a run that begins in the same transaction."""
    if plan:
        connection.execute("INSERT INTO run_plans (run, plan) VALUES (?, ?)", (run_id, plan))


def kept_plan(database: Database, run_id: str) -> str:
    """Return the plan that a run began with; see the protocol."""
    found = database.read(
        lambda row: str(row[0]), "SELECT plan FROM run_plans WHERE run = ?", (run_id,), since=SINCE
    )
    return found[0] if found else ""


def unsettled(database: Database, hierarchy: str) -> tuple[Run, ...]:
    """Return the runs that never ended, or whose moves never did; see the protocol."""
    return database.read(
        run_of,
        "SELECT * FROM runs WHERE hierarchy = ? AND (state = 'running' OR EXISTS "
        "(SELECT 1 FROM tag_moves WHERE tag_moves.run = runs.id AND tag_moves.state = 'planned')) "
        "ORDER BY started_at, id",
        (hierarchy,),
    )


def unfinished(database: Database, hierarchy: str) -> tuple[Run, ...]:
    """Return the runs that left something, and that no other one resumes; see the protocol."""
    return database.read(
        run_of,
        "SELECT * FROM runs WHERE hierarchy = ? AND state <> 'succeeded' "
        "AND NOT EXISTS (SELECT 1 FROM runs AS later WHERE later.resumes = runs.id) "
        "ORDER BY started_at DESC, id DESC",
        (hierarchy,),
        since=SINCE,
    )
