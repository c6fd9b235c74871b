"""`orchestrate digests`: what is stored, and what protects it from deletion."""

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
    "digests",
    about=f"""List every digest that a tag names, and what protects it from being deleted: a
    floating tag, being current, being what the files of now lead to, an image that stands on it,
    a rollback of one of the last five runs that moved tags, a saved plan; of a mirror's copies
    also being the newest of the upstream.

    Nothing is deleted. Tags of build keys are listed with -v.

    {ABOUT_SELECTORS}
    """,
    examples=(
        ("orchestrate digests python", "what is stored of python"),
        ("orchestrate digests --plan release.plan", "and what that plan still needs"),
        ("orchestrate digests -o json", "for a script that cleans up"),
    ),
)
@selection_options
@click.option(
    "--plan",
    "plans",
    metavar="FILE",
    multiple=True,
    help="A saved plan that is still to be applied; may be repeated.",
)
def digests(session: Session, selection: Selection, plans: tuple[str, ...]) -> int:
    """Look, and list."""
    from orchestrator import questions
    from orchestrator.cli.saved_plan import saved_plan
    from orchestrator.render.digests import digests_json, digests_text

    saved = tuple(
        saved_plan(path if path == "-" else session.settings.path(path)) for path in plans
    )
    with workplace(session) as place:
        chosen = choose(session, place, selection)
        found = questions.digests(place.hierarchy, place.doors, chosen, saved)
    return session.answer(
        lambda style: digests_text(found, style, verbose=session.settings.verbose),
        lambda: digests_json(found),
    )
