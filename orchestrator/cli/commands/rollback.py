"""`orchestrate rollback`: floating tags go back to where a run found them."""

from __future__ import annotations

import click

from orchestrator.cli.command import command
from orchestrator.cli.past_run import past_run
from orchestrator.cli.reports import Reports, report_options, reporting
from orchestrator.cli.running import follow, intent, intent_options
from orchestrator.cli.session import Session
from orchestrator.cli.workplace import Workplace, workplace
from orchestrator.errors import UsageError


@command(
    "rollback",
    about="""Put the floating tags that RUN moved back to where it found them: of every image, or
    of each IMAGE.

    The digests rolled back stay rejected: nothing promotes them or builds on them until somebody
    asks. A rollback is a run too, and can be rolled back.
    """,
    examples=(
        ("orchestrate rollback 20261122T024631Z-3fa9", "everything that run moved"),
        ("orchestrate rollback 20261122T024631Z-3fa9 python", "only python's tags"),
        ("orchestrate rollback 20261122 --because 'breaks TLS'", "and say why"),
    ),
)
@click.argument("run")
@click.argument("images", metavar="[IMAGE]...", nargs=-1)
@intent_options
@report_options("rollback")
def rollback(
    session: Session,
    run: str,
    images: tuple[str, ...],
    because: str,
    trigger: str | None,
    reports: Reports,
) -> int:
    """Find the run, and undo it."""
    from orchestrator import flow

    with reporting(session, reports) as reporter, workplace(session, fetch=False) as place:
        undone = past_run(place.doors.history, run)
        _require_moved(images, undone.id, place)
        wanted = intent(session, place, "rollback", because=because, trigger=trigger)
        events = flow.rollback(undone.id, frozenset(images), place.hierarchy, place.doors, wanted)
        return follow(reporter.session, place, events, reporter)


def _require_moved(images: tuple[str, ...], run: str, place: Workplace) -> None:
    """Refuse images whose tags the run did not move; a mistyped one gets the nearest.

    Raises:
        UsageError: naming the first.
    """
    from orchestrator.decide.refuse import unknown_image

    moved = {move.image for move in place.doors.history.moves(run)}
    for image in images:
        if image in moved:
            continue
        if image not in place.hierarchy.images:
            raise unknown_image(image, place.hierarchy)
        raise UsageError(
            f"run {run} moved no tag of {image}", hint=f"`orchestrate show {run}` lists its tags"
        )
