"""`orchestrate build`: plan, show the plan, carry it out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestrator.cli.building_locally import build_locally, require_sense
from orchestrator.cli.command import command
from orchestrator.cli.planning import make_plan, nothing_to_do, preview, wish_options
from orchestrator.cli.reports import Reports, report_options, reporting
from orchestrator.cli.running import follow, intent, intent_options, slots_option
from orchestrator.cli.selecting import ABOUT_SELECTORS, selection_options
from orchestrator.cli.session import Session
from orchestrator.cli.workplace import workplace

if TYPE_CHECKING:
    from orchestrator.decide.select import Selection


@command(
    "build",
    about=f"""Build, check and publish whatever changed, and what stands on it, in order.

    What failed blocks only what stands on it. Floating tags move at the end. Where nothing
    changed, nothing happens. An image that is left out is built upon as it is published.

    {ABOUT_SELECTORS}
    """,
    examples=(
        ("orchestrate build", "whatever changed"),
        ("orchestrate build 'team-*' +hello", "some images, and hello with what it stands on"),
        ("orchestrate build state:failed", "again what failed or was blocked the last time"),
        ("orchestrate build --because 'CVE-2026-1234'", "and say why, for the history"),
        ("orchestrate build --force base", "base whatever is there, and what stands on it"),
        ("orchestrate build --slots 4 --progress plain", "four at once; lines, for a log"),
        ("orchestrate build --trigger schedule -q", "for cron: silent unless it fails"),
        ("orchestrate build --no-publish hello", "hello for this machine alone, to try it"),
    ),
)
@wish_options
@selection_options
@slots_option
@intent_options
@report_options("build")
@click.option(
    "--platform",
    metavar="PLATFORM",
    help="With --no-publish: for PLATFORM instead of this machine's own.",
)
@click.option(
    "--no-publish",
    is_flag=True,
    help="Build what is named (else what would be built) into this machine's engine; nothing is "
    "written anywhere else.",
)
def build(
    session: Session,
    selection: Selection,
    no_publish: bool,
    platform: str | None,
    force: tuple[str, ...],
    no_soak: tuple[str, ...],
    allow_dirty: bool,
    slots: int | None,
    because: str,
    trigger: str | None,
    reports: Reports,
) -> int:
    """Plan, and run."""
    from orchestrator import flow

    target = require_sense(no_publish=no_publish, platform=platform)
    if no_publish:
        with workplace(session) as place:
            return build_locally(session, place, selection, platform=target, slots=slots)
    with reporting(session, reports) as reporter, workplace(session) as place:
        made, seen = make_plan(
            session, place, force, selection, allow_dirty=allow_dirty, no_soak=no_soak
        )
        if made.is_empty:
            return nothing_to_do(reporter.session, made, place, seen)
        preview(session, made, place)
        wanted = intent(session, place, "build", because=because, trigger=trigger, slots=slots)
        events = flow.run(made, place.hierarchy, place.doors, wanted, seen)
        return follow(reporter.session, place, events, reporter)
