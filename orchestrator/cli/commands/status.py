"""`orchestrate status`: what is published, and how far behind."""

from __future__ import annotations

from orchestrator.cli.command import command
from orchestrator.cli.session import Session
from orchestrator.cli.workplace import workplace


@command(
    "status",
    about="""Show, per image, what is current, its digest and age, and how far behind it is.""",
    examples=(
        ("orchestrate status", "every image"),
        ("orchestrate status -o json", "for a dashboard"),
    ),
)
def status(session: Session) -> int:
    """Look, and show."""
    from orchestrator import flow
    from orchestrator.render.json import status_json
    from orchestrator.render.text import status_text

    with workplace(session) as place:
        found = flow.status(place.hierarchy, place.doors)
    return session.answer(lambda style: status_text(found, style), lambda: status_json(found))
