"""`orchestrate promote`: floating tags move to what a run built and did not promote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestrator.cli.command import command
from orchestrator.cli.holding import holding, no_wait_option
from orchestrator.cli.notifying import Notify, notify_options
from orchestrator.cli.past_run import past_run
from orchestrator.cli.reports import Reports, report_options, reporting
from orchestrator.cli.running import follow, intent, intent_options
from orchestrator.cli.selecting import images_of
from orchestrator.cli.session import Session
from orchestrator.cli.workplace import Workplace, workplace
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.model.run import JournalledMove


@command(
    "promote",
    about="""Move the floating tags that RUN held: of every image, or of those that SELECTOR means.

    Without RUN, list what waits, and which run promotes it. An image is promoted with what it
    stands on, or after it: never before. What was rolled back, or has something newer waiting,
    stays as it is. A promotion is a run of its own, and can be rolled back.
    """,
    examples=(
        ("orchestrate promote", "what waits, and since which run"),
        ("orchestrate promote 20261122T024631Z-3fa9", "everything that run held"),
        ("orchestrate promote 20261122T024631Z-3fa9 +python", "python and what it stands on"),
        ("orchestrate promote 20261122 --because 'tried on staging'", "and say why"),
    ),
)
@click.argument("run", required=False)
@click.argument("selectors", metavar="[SELECTOR]...", nargs=-1)
@click.option(
    "--despite-canaries",
    is_flag=True,
    help="Also what its canary did not pass on, and what stands on that.",
)
@no_wait_option
@intent_options
@notify_options
@report_options("promote")
def promote(
    session: Session,
    run: str | None,
    selectors: tuple[str, ...],
    despite_canaries: bool,
    no_wait: bool,
    because: str,
    trigger: str | None,
    notify: Notify,
    reports: Reports,
) -> int:
    """Find what the run held, and move it; without a run, list what waits."""
    from orchestrator import afterwards

    if run is None:
        return _list(session, reports)
    with (
        reporting(session, reports) as reporter,
        holding(session, "promote", no_wait=no_wait) as place,
    ):
        held = _held(run, place)
        images = images_of(session, place, selectors, [move.image for move in held[1]])
        if selectors and not images:
            raise UsageError(
                f"run {held[0]} held no tag of {' '.join(selectors)}",
                hint=f"`orchestrate show {held[0]}` lists its tags",
            )
        events = afterwards.promote(
            held,
            images,
            place.hierarchy,
            place.doors,
            intent(session, place, "promote", because=because, trigger=trigger),
            despite_canaries=despite_canaries,
        )
        return follow(reporter.session, place, events, reporter, notify=notify)


def _held(run: str, place: Workplace) -> tuple[str, tuple[JournalledMove, ...]]:
    """Return the run and what it held.

    Raises:
        UsageError: there is no such run, or it held nothing.
    """
    from orchestrator import afterwards

    held = afterwards.held_of(run, place.hierarchy, place.doors)
    if not held[1]:
        found = past_run(place.doors.history, run)
        raise UsageError(
            f"run {found.id} held no tag: nothing of it waits for a promotion",
            hint="`orchestrate promote` lists what waits",
        )
    return held


def _list(session: Session, reports: Reports) -> int:
    from orchestrator import afterwards
    from orchestrator.render.promotion import waiting_json, waiting_text

    with reporting(session, reports) as reporter, workplace(session, fetch=False) as place:
        waits = afterwards.waiting(place.hierarchy, place.doors)
        return reporter.session.answer(
            lambda style: waiting_text(waits, style), lambda: waiting_json(waits)
        )
