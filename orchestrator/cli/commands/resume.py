"""`orchestrate resume`: bring a run to its end that was killed or stopped."""

from __future__ import annotations

import click

from orchestrator.cli.command import command
from orchestrator.cli.holding import holding, no_wait_option
from orchestrator.cli.notifying import Notifier, Notify, complain, notify_options
from orchestrator.cli.planning import preview
from orchestrator.cli.reports import Reports, report_options, reporting
from orchestrator.cli.running import (
    fail_fast_option,
    follow,
    grace_option,
    intent,
    intent_options,
    slots_option,
)
from orchestrator.cli.session import Session
from orchestrator.cli.workplace import Workplace


@command(
    "resume",
    about="""Bring a run to its end that was killed, stopped by a signal, or lost its power: RUN,
    or the newest that is left.

    First its tag moves that were under way are settled, then what its plan left is done; what is
    published already is not built again. Refuses, with exit code 4, when something that the plan
    was made from is another one now, and says what to do instead. Where nothing is left, nothing
    happens. A run that failed is resumed only if nothing in it was at fault, as when a registry
    was away; for the others there is `orchestrate build state:failed`.
    """,
    examples=(
        ("orchestrate resume", "the newest run that was cut short"),
        ("orchestrate resume 20261122T024631Z-3fa9", "that one"),
        ("orchestrate resume --slots 4 --because 'after the power cut'", "faster, and say why"),
    ),
)
@click.argument("run", required=False)
@slots_option
@fail_fast_option
@grace_option
@no_wait_option
@intent_options
@notify_options
@report_options("resume")
def resume(
    session: Session,
    run: str | None,
    slots: int | None,
    fail_fast: bool,
    grace: int,
    no_wait: bool,
    because: str,
    trigger: str | None,
    notify: Notify,
    reports: Reports,
) -> int:
    """Settle, verify, and run."""
    from orchestrator import flow
    from orchestrator.plan.stale import build_again

    with (
        reporting(session, reports) as reporter,
        holding(session, "resume", no_wait=no_wait) as place,
    ):
        left = flow.left_of(run, place.hierarchy, place.doors)
        if left is None:
            return _nothing(reporter.session, place, notify)
        was, plan = left
        seen = flow.verify(plan, place.hierarchy, place.doors, again=build_again(plan))
        session.log("resuming", run=was.id, plan=plan.id)
        session.say(f"resuming run {session.err_style.clean(was.id)} of {was.started_at}")
        preview(session, plan, place)
        wanted = intent(
            session,
            place,
            "resume",
            because=because or was.because,
            trigger=trigger,
            slots=slots,
            fail_fast=fail_fast,
            resumes=was.id,
        )
        events = flow.run(plan, place.hierarchy, place.doors, wanted, seen)
        return follow(reporter.session, place, events, reporter, grace_s=grace, notify=notify)


def _nothing(session: Session, place: Workplace, notify: Notify) -> int:
    # A run of which only its tags were left is at its end now, and nobody was told of it.
    told = Notifier(session, place, notify).ended()
    complain(session, told)
    if session.settings.quiet and not session.json:
        return 0
    from orchestrator.render.deliveries import notified_json, notified_text
    from orchestrator.render.json import no_run_json

    return session.answer(
        lambda style: style.good("Nothing to resume.") + "\n" + notified_text(told, style),
        lambda: {**no_run_json(), "notices": notified_json(told)},
    )
