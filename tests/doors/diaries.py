"""Diaries in a server's database."""

from __future__ import annotations

from orchestrator.doors.history import DatabaseHistory
from orchestrator.doors.open_state import open_database


def history_at(url: str, password: str = "", *, busy_timeout_s: float = 30.0) -> DatabaseHistory:
    """Return the diary at an address."""
    return DatabaseHistory(open_database(url, password, busy_timeout_s=busy_timeout_s))
