"""`orchestrate history`: past runs."""

from __future__ import annotations

import click

from orchestrator.cli.command import WholeNumber, command
from orchestrator.cli.session import Session
from orchestrator.cli.workplace import diary


@command(
    "history",
    about="""List past runs, newest first: who, when, why, and how they ended.""",
    examples=(
        ("orchestrate history", "the last twenty"),
        ("orchestrate history --limit 1 -o json", "the last one, for a script"),
    ),
)
@click.option(
    "--limit",
    metavar="N",
    type=WholeNumber(100_000),
    default=20,
    help="At most N runs; 20 if not said.",
)
def history(session: Session, limit: int) -> int:
    """Read, and list."""
    from orchestrator.render.json import history_json
    from orchestrator.render.text import history_text

    with diary(session) as past:
        runs = past.runs(limit)
    return session.answer(lambda style: history_text(runs, style), lambda: history_json(runs))
