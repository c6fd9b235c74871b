"""`orchestrate status`: what is published, and how far behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestrator.cli.command import command
from orchestrator.cli.selecting import ABOUT_SELECTORS, choose, selection_options
from orchestrator.cli.session import Session
from orchestrator.cli.workplace import workplace

if TYPE_CHECKING:
    from orchestrator.decide.select import Selection


@command(
    "status",
    about=f"""Show, per image, what is current, its digest and age, and how far behind it is;
    what is published and in no file any more, what teams are still to be told, and who is at
    work.

    {ABOUT_SELECTORS}
    """,
    examples=(
        ("orchestrate status", "every image"),
        ("orchestrate status tier:base +hello", "the bases, and hello with what it stands on"),
        ("orchestrate status -o json", "for a dashboard"),
    ),
)
@click.option("--all", "every", is_flag=True, help="List every image, however many there are.")
@selection_options
def status(session: Session, selection: Selection, every: bool) -> int:
    """Look, and show."""
    from orchestrator import questions
    from orchestrator.render.deliveries import backlog_json, backlog_text
    from orchestrator.render.json import status_json
    from orchestrator.render.orphans import orphans_json, orphans_text
    from orchestrator.render.standing import standing_json, standing_text
    from orchestrator.render.text import status_text

    with workplace(session) as place:
        chosen = choose(session, place, selection)
        found = questions.status(place.hierarchy, place.doors, chosen)
        # Whoever asks for some images does not ask what else there is.
        orphans = None if chosen.terms else questions.orphans(place.hierarchy, place.doors)
        standing = place.doors.history.leases.standing(place.hierarchy.name)
        outbox = place.doors.history.outbox
        backlog = outbox.backlog(place.hierarchy.name)
        receivers = outbox.receivers(place.hierarchy.name)
    every = every or session.settings.verbose
    return session.answer(
        lambda style: (
            status_text(found, style, every=every)
            + (orphans_text(orphans, style) if orphans else "")
            + backlog_text(backlog, receivers, style)
            + standing_text(standing, style)
        ),
        lambda: {
            **status_json(found),
            **orphans_json(orphans),
            **backlog_json(backlog, receivers),
            **standing_json(standing),
        },
    )
