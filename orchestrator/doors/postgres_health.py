"""The state database on a server: whether it answers, can be written, and who never came back."""

from __future__ import annotations

from orchestrator.doors.database import Row
from orchestrator.doors.formats import newest_format
from orchestrator.doors.history import DatabaseHistory
from orchestrator.doors.postgres import PostgresDatabase
from orchestrator.errors import StateUnavailable
from orchestrator.model.health import StateFacts
from orchestrator.model.run import Run

_TABLES = (
    "SELECT to_regclass(format('%I.%I', schemaname, tablename)) AS id, tablename "
    "FROM pg_tables WHERE schemaname = current_schema()"
)
_SERVER = f"""
SELECT current_setting('server_version') AS version,
    pg_is_in_recovery() AS standby,
    has_schema_privilege(current_schema(), 'CREATE') AS creates,
    (SELECT coalesce(sum(pg_total_relation_size(id)), 0) FROM ({_TABLES}) AS ours) AS size_bytes,
    (SELECT coalesce(min(tablename), '') FROM ({_TABLES}) AS ours
        WHERE NOT (has_table_privilege(id, 'SELECT') AND has_table_privilege(id, 'INSERT')
        AND has_table_privilege(id, 'UPDATE') AND has_table_privilege(id, 'DELETE'))) AS kept_away,
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS used,
    current_setting('max_connections')::int
        - current_setting('superuser_reserved_connections')::int AS most
"""  # noqa: S608 - made of constants alone


class PostgresHealth:
    """Answers to :class:`orchestrator.doors.protocols_health.StateHealth`.

    Args:
        url: the address, without a password.
        password: empty where libpq finds one, or needs none.
        busy_timeout_s: how long to wait for a process that writes.
    """

    def __init__(self, url: str, password: str = "", *, busy_timeout_s: float = 5.0) -> None:
        self._url = url
        self._password = password
        self._busy_timeout_s = busy_timeout_s

    def facts(self) -> StateFacts:
        """Return how it is; see the protocol."""
        database = PostgresDatabase(self._url, self._password, busy_timeout_s=self._busy_timeout_s)
        with DatabaseHistory(database) as history:
            (server,) = database.ask(_SERVER)
            number = database.format()
            return StateFacts(
                size_bytes=server["size_bytes"],
                format=number,
                newest_format=newest_format(),
                faults=(),
                refusal=_refusal(database, server, number),
                running=_running(database, history),
                server=f"PostgreSQL {server['version'].partition(' ')[0]}",
                connections_used=server["used"],
                connections_most=server["most"],
            )


def _running(database: PostgresDatabase, history: DatabaseHistory) -> tuple[Run, ...]:
    names = database.read(
        lambda row: str(row[0]),
        "SELECT id FROM runs WHERE state = 'running' ORDER BY started_at DESC, id DESC",
    )
    return tuple(run for name in names if (run := history.run(name)))


def _refusal(database: PostgresDatabase, server: Row, number: int) -> str:
    if server["standby"]:
        return "it is a standby, which only reads"
    if number < newest_format() and not server["creates"]:
        return "this user may make no tables in its schema"
    if number and server["kept_away"]:
        return f"this user may not change the table {server['kept_away']}"
    try:
        database.try_writing()
    except StateUnavailable as error:
        return error.what
    return ""
