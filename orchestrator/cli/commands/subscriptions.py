"""`orchestrate subscriptions`: who hears of what, and where that is said."""

from __future__ import annotations

import click

from orchestrator.cli.command import command
from orchestrator.cli.session import Session, open_files, today
from orchestrator.errors import UsageError


@command(
    "subscriptions",
    about="""Show who hears of what: all teams, or TEAM.

    Of each subscription which images it means now, of which events and changes it is, through
    which channels, and which file says so. Secrets are never shown, only where they are; of
    addresses the user and the query are left out.

    Needs no network. `orchestrate plan` says who would hear of what is about to be built.
    """,
    examples=(
        ("orchestrate subscriptions", "everybody"),
        ("orchestrate subscriptions payments", "what one team hears of"),
        ("orchestrate subscriptions -o json", "for a program"),
    ),
)
@click.argument("team", metavar="[TEAM]", required=False)
def subscriptions(session: Session, team: str | None) -> int:
    """Load, and list."""
    from orchestrator.observe.load_files import load_files
    from orchestrator.plan.interest import interested_of
    from orchestrator.render.subscriptions import subscriptions_json, subscriptions_text

    now = today()
    hierarchy = load_files(open_files(session), session.settings.registry, today=now)
    found = [each for each in interested_of(hierarchy) if team in (None, each[0].team)]
    if team is not None and not found:
        raise _nobody(team, {each.team for each in hierarchy.subscriptions})
    return session.answer(
        lambda style: subscriptions_text(found, style, now),
        lambda: subscriptions_json(found, now),
    )


def _nobody(team: str, known: set[str]) -> UsageError:
    from difflib import get_close_matches

    near = get_close_matches(team, known, 1, 0.5)
    hint = f"did you mean {near[0]}?" if near else "`orchestrate subscriptions` shows who does"
    if not known:
        hint = f"`orchestrate subscribe {team} --image IMAGE …` adds the first one"
    return UsageError(f"no team {team!r} subscribes to anything", hint=hint)
