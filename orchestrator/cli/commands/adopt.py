"""`orchestrate adopt`: what was published before becomes current, without a build."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestrator.cli.command import command
from orchestrator.cli.holding import holding, no_wait_option
from orchestrator.cli.notifying import Notify, notify_options
from orchestrator.cli.reports import Reports, report_options, reporting
from orchestrator.cli.running import Ended, intent, intent_options, report, watch
from orchestrator.cli.selecting import ABOUT_SELECTORS, choose, selection_options
from orchestrator.cli.session import Session
from orchestrator.cli.workplace import workplace
from orchestrator.model.notified import Notified

if TYPE_CHECKING:
    from orchestrator.decide.select import Selection
    from orchestrator.model.adoption import Adoption


@command(
    "adopt",
    about=f"""Record what is published already as current, after checking it: a hierarchy that
    was built by other means need not be rebuilt on its first day.

    Every platform must be there, and the layers must start with those of the parent of now. That
    it was built from the files as they are is taken on trust. What an image consists of stays as
    it is; its tags move to an index of the same manifests that says what it is. What fails a
    check is left alone, and the exit code is 1.

    {ABOUT_SELECTORS}
    """,
    examples=(
        ("orchestrate adopt --dry-run", "what could be adopted, and what not"),
        ("orchestrate adopt", "everything that passes its checks"),
        ("orchestrate adopt +hello", "hello and what it stands on"),
    ),
)
@selection_options
@click.option("--dry-run", is_flag=True, help="Only check; write nothing.")
@click.option(
    "--allow-dirty",
    is_flag=True,
    help="Adopt though the working tree has changes that git does not know.",
)
@no_wait_option
@intent_options
@notify_options
@report_options("adopt")
def adopt(
    session: Session,
    selection: Selection,
    dry_run: bool,
    allow_dirty: bool,
    no_wait: bool,
    because: str,
    trigger: str | None,
    notify: Notify,
    reports: Reports,
) -> int:
    """Examine, adopt what passed, and tell."""
    from orchestrator import flow
    from orchestrator.publish.adopt import settled

    opened = workplace(session) if dry_run else holding(session, "adopt", no_wait=no_wait)
    with reporting(session, reports) as reporter, opened as place:
        chosen = choose(session, place, selection)
        found = flow.examine(place.hierarchy, place.doors, chosen)
        ended: Ended | None = None
        if found.adoptable and not dry_run:
            wanted = intent(session, place, "adopt", because=because, trigger=trigger)
            events = flow.adopt(
                found, place.hierarchy, place.doors, wanted, allow_dirty=allow_dirty
            )
            ended = watch(session, place, events, reporter, notify=notify)
        finished = ended.finished if ended else None
        code = _answer(reporter.session, settled(found.images, finished), ended)
        return report(session, place, finished, reporter, code) if finished else code


def _answer(session: Session, adoptions: tuple[Adoption, ...], ended: Ended | None) -> int:
    from orchestrator.render.adoption import adoption_json, adoption_text
    from orchestrator.render.deliveries import notified_json, notified_text

    run = ended.finished.run.id if ended else ""
    moves = ended.finished.moves if ended else ()
    told = ended.told if ended else Notified()
    code = ended.code if ended else 0
    code = code or (0 if all(adoption.state.is_good for adoption in adoptions) else 1)
    if code == 0 and session.settings.quiet and not session.json:
        return 0
    unwritten = session.answer(
        lambda style: adoption_text(adoptions, style, run) + notified_text(told, style),
        lambda: {**adoption_json(adoptions, run, moves), "notices": notified_json(told)},
    )
    return code or unwritten
