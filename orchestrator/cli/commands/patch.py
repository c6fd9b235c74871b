"""`orchestrate patch`: the nightly run, which has nothing to say where nothing is new."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from orchestrator.cli.command import WholeNumber, command
from orchestrator.cli.holding import asked, joined_answer, no_wait_option, taking_turns
from orchestrator.cli.nightly import ask_packages, show_night, until_s
from orchestrator.cli.notifying import Notify, notify_options
from orchestrator.cli.planning import no_soak_option, nothing_to_do, preview, suffix
from orchestrator.cli.reports import Reports, report_options, reporting
from orchestrator.cli.running import (
    fail_fast_option,
    grace_option,
    intent,
    intent_options,
    report,
    slots_option,
    watch,
)
from orchestrator.cli.selecting import ABOUT_SELECTORS, choose, selection_options
from orchestrator.cli.session import Session

if TYPE_CHECKING:
    from orchestrator.decide.select import Selection

#: Minutes in a week: who has more time needs no budget.
_MOST_MINUTES = 7 * 24 * 60


@command(
    "patch",
    about=f"""The nightly run: look at every upstream, ask the packages inside every image for
    updates, and build what really needs it, with what stands on it.

    Made for cron. Where nothing is new there is no output; else there is a line for each image
    that changed, and failures are on standard error. -v shows the plan and what happens.

    Two runs of one hierarchy never overlap: the second one waits, and a third night leaves it to
    that one. An image that failed three nights in a row is tried again after growing pauses, and
    reported no more; `orchestrate status` shows it, and `orchestrate build` tries it at once.

    {ABOUT_SELECTORS}
    """,
    examples=(
        ("orchestrate patch", "what cron runs"),
        ("orchestrate patch -v", "and say what happens meanwhile"),
        ("orchestrate patch --budget 90", "start nothing new after 90 minutes"),
        ("orchestrate patch --no-soak debian:12 --because 'CVE-2026-1234'", "a fix that is urgent"),
        ("orchestrate patch 'team-*' --junit night.xml", "some images, and a report for CI"),
    ),
)
@click.option(
    "--budget",
    metavar="MINUTES",
    type=WholeNumber(_MOST_MINUTES),
    help="Start no build after MINUTES, and leave the rest for the next night: security updates "
    "come first, then the oldest images.",
)
@no_soak_option
@selection_options
@slots_option
@fail_fast_option
@grace_option
@no_wait_option
@intent_options
@notify_options
@report_options("patch")
def patch(
    session: Session,
    selection: Selection,
    budget: int | None,
    no_soak: tuple[str, ...],
    slots: int | None,
    fail_fast: bool,
    grace: int,
    no_wait: bool,
    because: str,
    trigger: str | None,
    notify: Notify,
    reports: Reports,
) -> int:
    """Look, ask, plan, and run."""
    from orchestrator import flow
    from orchestrator.decide.breaker import paused
    from orchestrator.model.plan import Verdict

    trigger = trigger or session.environment.nightly_trigger
    ask = asked(
        session,
        "patch",
        selection,
        trigger=trigger,
        because=because,
        no_soak=no_soak,
        how={"budget": budget, "fail_fast": fail_fast},
    )
    with reporting(_calm(session), reports) as reporter:
        calm = reporter.session
        with taking_turns(calm, ask, no_wait=no_wait) as turn:
            if turn.joined:
                return joined_answer(calm, turn)
            place = turn.place
            until = until_s(place, budget, turn.waited_s)
            chosen = choose(calm, place, turn.selection)
            ask_packages(calm, place, chosen)
            streaks = place.doors.history.streaks(place.hierarchy.name)
            wish = flow.Wish(
                chosen=chosen,
                paused=paused(streaks, place.doors.clock.now_s()),
                suffix=suffix(),
                unsoaked=frozenset(turn.ask.unsoaked),
                remember=True,
            )
            made, seen = flow.prepare(place.hierarchy, place.doors, wish)
            calm.log("planned", plan=made.id, **made.summary())
            if made.is_empty and not made.summary()[Verdict.FAIL]:
                return nothing_to_do(calm, made, place, seen, notify)
            preview(calm, made, place)
            wanted = intent(
                calm,
                place,
                "patch",
                because=turn.ask.because,
                trigger=trigger,
                slots=slots,
                fail_fast=fail_fast,
            )
            wanted = replace(wanted, until_s=until)
            events = flow.run(made, place.hierarchy, place.doors, wanted, seen)
            ended = watch(calm, place, events, reporter, grace_s=grace, notify=notify)
            shown = replace(calm, settings=replace(calm.settings, quiet=session.settings.quiet))
            code = show_night(shown, place, ended, made, streaks)
            return report(calm, place, ended.finished, reporter, code)


def _calm(session: Session) -> Session:
    """Return a session that says nothing on its way, unless somebody wants that."""
    settings = session.settings
    if settings.verbose:
        return session
    progress = settings.progress if "progress" in settings.origins else "none"
    return replace(session, settings=replace(settings, quiet=True, progress=progress))
