"""`orchestrate rollback`: floating tags go back to where a run found them."""

from __future__ import annotations

import click

from orchestrator.cli.command import command
from orchestrator.cli.holding import holding, no_wait_option
from orchestrator.cli.notifying import Notify, notify_options
from orchestrator.cli.past_run import past_run
from orchestrator.cli.reports import Reports, report_options, reporting
from orchestrator.cli.running import follow, intent, intent_options
from orchestrator.cli.selecting import images_of
from orchestrator.cli.session import Session
from orchestrator.errors import UsageError


@command(
    "rollback",
    about="""Put the floating tags that RUN moved back to where it found them: of every image, or
    of those that SELECTOR means.

    The digests rolled back stay rejected: nothing promotes them or builds on them until somebody
    asks. So do those that RUN held and nobody has promoted. A rollback is a run too, and can be
    rolled back.
    """,
    examples=(
        ("orchestrate rollback 20261122T024631Z-3fa9", "everything that run moved"),
        ("orchestrate rollback 20261122T024631Z-3fa9 python", "only python's tags"),
        ("orchestrate rollback 20261122T024631Z-3fa9 python+", "and those of what stands on it"),
        ("orchestrate rollback 20261122 --because 'breaks TLS'", "and say why"),
    ),
)
@click.argument("run")
@click.argument("selectors", metavar="[SELECTOR]...", nargs=-1)
@no_wait_option
@intent_options
@notify_options
@report_options("rollback")
def rollback(
    session: Session,
    run: str,
    selectors: tuple[str, ...],
    no_wait: bool,
    because: str,
    trigger: str | None,
    notify: Notify,
    reports: Reports,
) -> int:
    """Find the run, and undo it."""
    from orchestrator import afterwards

    with (
        reporting(session, reports) as reporter,
        holding(session, "rollback", no_wait=no_wait, fetch=False) as place,
    ):
        undone = past_run(place.doors.history, run)
        moved = [move.image for move in place.doors.history.moves(undone.id)]
        images = images_of(session, place, selectors, moved)
        if selectors and not images:
            raise UsageError(
                f"run {undone.id} moved no tag of {' '.join(selectors)}",
                hint=f"`orchestrate show {undone.id}` lists its tags",
            )
        wanted = intent(session, place, "rollback", because=because, trigger=trigger)
        events = afterwards.rollback(undone.id, images, place.hierarchy, place.doors, wanted)
        return follow(reporter.session, place, events, reporter, notify=notify)
