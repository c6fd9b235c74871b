"""`orchestrate build`: plan, show the plan, carry it out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestrator.cli.building_locally import build_locally, require_sense
from orchestrator.cli.command import command
from orchestrator.cli.holding import asked, joined_answer, no_wait_option, taking_turns
from orchestrator.cli.notifying import Notify, notify_options
from orchestrator.cli.planning import make_plan, nothing_to_do, preview, wish_options
from orchestrator.cli.reports import Reports, report_options, reporting
from orchestrator.cli.running import (
    fail_fast_option,
    follow,
    grace_option,
    intent,
    intent_options,
    slots_option,
)
from orchestrator.cli.selecting import ABOUT_SELECTORS, selection_options
from orchestrator.cli.session import Session
from orchestrator.cli.workplace import workplace

if TYPE_CHECKING:
    from orchestrator.decide.select import Selection


@command(
    "build",
    about=f"""Build, check and publish whatever changed, and what stands on it, in order.

    What failed blocks only what stands on it. Floating tags move at the end. Where nothing
    changed, nothing happens. An image that is left out is built upon as it is published. Where
    another run of the hierarchy is at work this one waits; where one waits already, that one does
    this one's work too.

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
@fail_fast_option
@grace_option
@no_wait_option
@intent_options
@notify_options
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
    fail_fast: bool,
    grace: int,
    no_wait: bool,
    because: str,
    trigger: str | None,
    notify: Notify,
    reports: Reports,
) -> int:
    """Plan, and run."""
    from orchestrator import flow

    target = require_sense(no_publish=no_publish, platform=platform)
    if no_publish:
        with workplace(session) as place:
            return build_locally(
                session, place, selection, platform=target, slots=slots, fail_fast=fail_fast
            )
    ask = asked(
        session,
        "build",
        selection,
        trigger=trigger or session.environment.trigger,
        because=because,
        force=force,
        no_soak=no_soak,
        how={"allow_dirty": allow_dirty, "fail_fast": fail_fast},
    )
    with (
        reporting(session, reports) as reporter,
        taking_turns(session, ask, no_wait=no_wait) as turn,
    ):
        if turn.joined:
            return joined_answer(reporter.session, turn)
        place, ask = turn.place, turn.ask
        made, seen = make_plan(
            session,
            place,
            ask.forced,
            turn.selection,
            allow_dirty=allow_dirty,
            no_soak=ask.unsoaked,
        )
        if made.is_empty:
            return nothing_to_do(reporter.session, made, place, seen, notify)
        preview(session, made, place)
        wanted = intent(
            session,
            place,
            "build",
            because=ask.because,
            trigger=trigger,
            slots=slots,
            fail_fast=fail_fast,
        )
        events = flow.run(made, place.hierarchy, place.doors, wanted, seen)
        return follow(reporter.session, place, events, reporter, grace_s=grace, notify=notify)
