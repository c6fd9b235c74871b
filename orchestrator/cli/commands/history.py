"""`orchestrate history`: past runs, and what they add up to."""

from __future__ import annotations

import click

from orchestrator.cli.command import WholeNumber, command
from orchestrator.cli.session import Session
from orchestrator.cli.workplace import diary
from orchestrator.errors import UsageError

#: Runs that are listed if nobody says how many.
_USUAL = 20


class Day(click.ParamType[str]):
    """A day, with an error that says how it is written."""

    name = "day"

    def convert(
        self, value: object, param: click.Parameter | None, context: click.Context | None
    ) -> str:
        """Return ``YYYY-MM-DD``.

        Raises:
            click.BadParameter: it is no such day.
        """
        from datetime import date

        text = str(value)
        try:
            if len(text) != len("YYYY-MM-DD"):
                raise ValueError(text)
            return date.fromisoformat(text).isoformat()
        except ValueError:
            self.fail(f"{text!r} is not a day as YYYY-MM-DD", param, context)


@command(
    "history",
    about="""List past runs, newest first: who, when, why, and how they ended.

    --saved tells instead how many builds were spared, and how long they would have taken: by the
    early cut-off, where what an image stands on came out unchanged, and by the build key, where
    the registry had the result already.

    --slo tells instead how long it took from the moment an upstream's change was first seen until
    the last image on it was promoted.
    """,
    examples=(
        ("orchestrate history", "the last twenty"),
        ("orchestrate history --limit 1 -o json", "the last one, for a script"),
        ("orchestrate history --saved --since 2026-11-01", "what this month's runs spared"),
        ("orchestrate history --slo", "how fast upstream fixes arrive everywhere"),
    ),
)
@click.option(
    "--limit",
    metavar="N",
    type=WholeNumber(100_000),
    help=f"At most N runs; {_USUAL} if not said.",
)
@click.option("--saved", is_flag=True, help="Count the builds that were spared.")
@click.option("--slo", is_flag=True, help="Show how long upstream changes took to arrive.")
@click.option(
    "--since",
    metavar="DATE",
    type=Day(),
    help="With --saved or --slo: only what began on DATE (YYYY-MM-DD, UTC) or later.",
)
def history(session: Session, limit: int | None, saved: bool, slo: bool, since: str | None) -> int:
    """Read, and list or count."""
    if ((saved or slo) and limit is not None) or (saved and slo):
        raise UsageError(
            "--limit, --saved and --slo exclude one another",
            hint="--since DATE bounds what --saved and --slo count",
        )
    if saved:
        return _saved(session, since or "")
    if slo:
        return _slo(session, since or "")
    if since is not None:
        raise UsageError(
            "--since is for --saved and --slo",
            hint="--limit N bounds the list of runs",
        )
    from orchestrator.render.json import history_json
    from orchestrator.render.text import history_text

    with diary(session) as past:
        runs = past.runs(limit or _USUAL)
    return session.answer(lambda style: history_text(runs, style), lambda: history_json(runs))


def _saved(session: Session, since: str) -> int:
    from orchestrator.explain.measure import savings
    from orchestrator.render.measure import saved_json, saved_text

    with diary(session) as past:
        found = savings(past.ended(), since)
    return session.answer(
        lambda style: saved_text(found, style, since), lambda: saved_json(found, since)
    )


def _slo(session: Session, since: str) -> int:
    from orchestrator.doors.clock import RealClock
    from orchestrator.explain.measure import changes
    from orchestrator.render.measure import slo_json, slo_text

    now_s = RealClock().now_s()
    with diary(session) as past:
        every = [
            change
            for hierarchy in past.hierarchies()
            for change in changes(hierarchy, past.sightings(hierarchy), now_s, since)
        ]
    found = tuple(sorted(every, key=lambda change: change.first_seen_at))
    return session.answer(
        lambda style: slo_text(found, style, since), lambda: slo_json(found, since)
    )
