"""`orchestrate apply`: carry out a plan that was saved and perhaps reviewed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestrator.cli.command import command
from orchestrator.cli.planning import nothing_to_do, preview
from orchestrator.cli.reports import Reporter, Reports, report_options, reporting
from orchestrator.cli.running import follow, intent, intent_options, slots_option
from orchestrator.cli.saved_plan import saved_plan
from orchestrator.cli.session import Session
from orchestrator.cli.workplace import workplace

if TYPE_CHECKING:
    from orchestrator.model.plan import Plan


@command(
    "apply",
    about="""Carry out the plan in FILE, which `orchestrate plan --out FILE` wrote; - is standard
    input.

    Refuses, with exit code 4, when something the plan was made from is another one now. What
    the plan itself has done already counts as done, so it can be applied again after a failure.
    """,
    examples=(
        ("orchestrate apply plan.json", "what was planned, and nothing else"),
        ("orchestrate apply plan.json --because 'approved in #42'", "and say why"),
    ),
)
@click.argument("plan_file", metavar="FILE")
@slots_option
@intent_options
@report_options("apply")
def apply(
    session: Session,
    plan_file: str,
    slots: int | None,
    because: str,
    trigger: str | None,
    reports: Reports,
) -> int:
    """Read, verify, and run."""
    with reporting(session, reports) as reporter:
        saved = saved_plan(plan_file if plan_file == "-" else session.settings.path(plan_file))
        return _carry_out(saved, reporter, because=because, trigger=trigger, slots=slots)


def _carry_out(
    saved: Plan, reporter: Reporter, *, because: str, trigger: str | None, slots: int | None
) -> int:
    from orchestrator import flow

    session = reporter.session
    with workplace(session) as place:
        flow.verify(saved, place.hierarchy, place.doors)
        session.log("verified", plan=saved.id)
        if not saved.steps:
            return nothing_to_do(session, saved, place)
        preview(session, saved, place)
        wanted = intent(session, place, "apply", because=because, trigger=trigger, slots=slots)
        events = flow.run(saved, place.hierarchy, place.doors, wanted)
        return follow(session, place, events, reporter)
