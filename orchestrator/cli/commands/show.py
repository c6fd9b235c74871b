"""`orchestrate show`: one run."""

from __future__ import annotations

import click

from orchestrator.cli.command import command
from orchestrator.cli.past_run import past_run
from orchestrator.cli.session import Session
from orchestrator.cli.workplace import diary


@command(
    "show",
    about="""Show one run: what became of every image, the tags it moved, and its failures.

    RUN is an id from `orchestrate history`, or the beginning of one; the last run if not said.
    """,
    examples=(
        ("orchestrate show", "the last run"),
        ("orchestrate show 20261122T024631Z-3fa9", "that one"),
        ("orchestrate show 20261122 -o json", "the only one of that day"),
    ),
)
@click.argument("run", required=False)
def show(session: Session, run: str | None) -> int:
    """Read, and show."""
    from orchestrator.render.json import show_json
    from orchestrator.render.text import show_text

    with diary(session) as past:
        found = past_run(past, run)
        results, moves = past.results(found.id), past.moves(found.id)
    return session.answer(
        lambda style: show_text(found, results, moves, style),
        lambda: show_json(found, results, moves),
    )
