"""The formats of the state database: the statements of each, and which may be opened."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from pathlib import Path

from orchestrator.errors import StateUnavailable

_MIGRATIONS = Path(__file__).with_name("migrations")
#: What every format has; a table of migrations alone is kept by many programs.
_OURS = frozenset({"migrations", "runs", "claims"})


def newest_format() -> int:
    """Return the number of the migration that this version writes."""
    return len(_scripts())


def statements(number: int) -> Iterator[str]:
    """Yield the statements of one migration, each alone: some drivers take no two at once."""
    statement = ""
    for line in _scripts()[number - 1].read_text(encoding="utf-8").splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def is_empty(tables: Collection[str], name: str, *, elsewhere: str) -> bool:
    """Say whether a place is free for our tables; False: they are there.

    Args:
        tables: those that are there.
        name: of the place, for people.
        elsewhere: how another one is named.

    Raises:
        StateUnavailable: it is another program's.
    """
    if not tables:
        return True
    if not set(tables) >= _OURS:
        raise StateUnavailable(f"{name} is another program's database", hint=elsewhere)
    return False


def refuse_newer(number: int, name: str, *, elsewhere: str) -> int:
    """Return the number of a format that this version can use.

    Raises:
        StateUnavailable: a newer version wrote it.
    """
    known = newest_format()
    if number > known:
        raise StateUnavailable(
            f"the state database {name} was written by a newer orchestrate "
            f"(format {number}, this one knows {known})",
            hint=f"use that version, or {elsewhere}",
        )
    return number


def _scripts() -> list[Path]:
    return sorted(_MIGRATIONS.glob("[0-9]*.sql"))
