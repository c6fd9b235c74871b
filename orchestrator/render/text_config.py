"""Settings or fields, their values, and where they come from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from orchestrator.render.style import Style
from orchestrator.render.table import Cell, Row, table


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One setting or field.

    Attributes:
        name: what it is called.
        text: its value as people would write it; empty for none.
        value: the same for programs: a text, a boolean, a list, a map; None for none.
        source: who says so.
        file: where it is said; empty where that is no file.
        line: likewise, 1-based; 0 where that is no file.
    """

    name: str
    text: str
    value: Any
    source: str
    file: str = ""
    line: int = 0


def config_text(title: str, rows: Iterable[Told], style: Style, *, origin: bool) -> str:
    """Return a table.

    Args:
        title: of the first column.
        rows: what to show.
        style: how it may look.
        origin: show where values come from.
    """
    header = (title, "VALUE", "FROM") if origin else (title, "VALUE")
    made = [
        Row(
            cells=(
                Cell(text=row.name, paint=style.bold),
                Cell(text=row.text or "-"),
                Cell(text=_where(row), paint=style.dim),
            )[: len(header)]
        )
        for row in rows
    ]
    # Where it is from is what --origin asks for: there a long value gives way first.
    whole = frozenset({0, 2 if origin else 1})
    return "\n".join(table(header, made, style, whole=whole)) + "\n"


def _where(row: Told) -> str:
    return f"{row.source} ({row.file}:{row.line})" if row.line else row.source


def config_json(rows: Iterable[Told], *, origin: bool) -> dict[str, Any]:
    """Return the same as JSON: values have their types, and what is absent is null."""
    return {
        "format": 1,
        "kind": "config",
        "values": [
            {"name": row.name, "value": row.value, **(_origin(row) if origin else {})}
            for row in rows
        ],
    }


def _origin(row: Told) -> dict[str, Any]:
    return {"source": row.source, "file": row.file or None, "line": row.line or None}
