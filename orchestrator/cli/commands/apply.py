"""`orchestrate apply`: carry out a plan that was saved and perhaps reviewed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import click

from orchestrator.cli.command import Duration, command
from orchestrator.cli.holding import holding, no_wait_option
from orchestrator.cli.notifying import Notify, notify_options
from orchestrator.cli.planning import nothing_to_do, preview
from orchestrator.cli.reports import Reporter, Reports, report_options, reporting
from orchestrator.cli.running import (
    fail_fast_option,
    follow,
    grace_option,
    intent,
    intent_options,
    slots_option,
)
from orchestrator.cli.saved_plan import saved_plan
from orchestrator.cli.session import Session
from orchestrator.cli.workplace import Workplace

if TYPE_CHECKING:
    from orchestrator.flow import Intent
    from orchestrator.model.plan import Plan


@command(
    "apply",
    about="""Carry out the plan in FILE, which `orchestrate plan --out FILE` wrote; - is standard
    input.

    Refuses, with exit code 4, when something the plan was made from is another one now: a file,
    the commit, an upstream, what is published, a tag. What the plan itself has done already
    counts as done, so it can be applied again after a failure; also on another machine.
    """,
    examples=(
        ("orchestrate apply plan.json", "what was planned, and nothing else"),
        ("orchestrate apply plan.json --max-age 4h", "unless it is older than that"),
        ("orchestrate apply plan.json --because 'approved in #42'", "and say why"),
    ),
)
@click.argument("plan_file", metavar="FILE")
@click.option(
    "--max-age",
    metavar="DURATION",
    type=Duration(),
    help="Refuse a plan that is older, e.g. 24h; else it is as old as it says it may be.",
)
@slots_option
@fail_fast_option
@grace_option
@no_wait_option
@intent_options
@notify_options
@report_options("apply")
def apply(
    session: Session,
    plan_file: str,
    max_age: float | None,
    slots: int | None,
    fail_fast: bool,
    grace: int,
    no_wait: bool,
    because: str,
    trigger: str | None,
    notify: Notify,
    reports: Reports,
) -> int:
    """Read, verify, and run."""
    with reporting(session, reports) as reporter:
        saved = saved_plan(plan_file if plan_file == "-" else session.settings.path(plan_file))
        wanted = partial(
            intent,
            command="apply",
            because=because,
            trigger=trigger,
            slots=slots,
            fail_fast=fail_fast,
        )
        return _carry_out(
            saved, reporter, wanted, max_age, no_wait=no_wait, grace_s=grace, notify=notify
        )


def _carry_out(
    saved: Plan,
    reporter: Reporter,
    wanted: Callable[[Session, Workplace], Intent],
    max_age_s: float | None,
    *,
    no_wait: bool,
    grace_s: float,
    notify: Notify,
) -> int:
    from orchestrator import flow

    session = reporter.session
    with holding(session, "apply", no_wait=no_wait) as place:
        seen = flow.verify(saved, place.hierarchy, place.doors, max_age_s)
        session.log("verified", plan=saved.id)
        if saved.is_empty:
            return nothing_to_do(session, saved, place, seen, notify)
        preview(session, saved, place)
        events = flow.run(saved, place.hierarchy, place.doors, wanted(session, place), seen)
        return follow(session, place, events, reporter, grace_s=grace_s, notify=notify)
