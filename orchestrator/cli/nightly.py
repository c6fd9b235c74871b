"""What the nightly run has that no other one has: questions about packages, and few words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from orchestrator.cli.running import Ended, code_of
from orchestrator.cli.session import Session
from orchestrator.cli.streams import write_err
from orchestrator.cli.workplace import Workplace
from orchestrator.errors import Interrupted
from orchestrator.render.style import terminal_text

if TYPE_CHECKING:
    from orchestrator.decide.select import Chosen
    from orchestrator.model.packages import PackageAnswer
    from orchestrator.model.plan import Plan
    from orchestrator.model.run import Streak


def until_s(place: Workplace, budget_minutes: int | None, waited_s: float) -> float | None:
    """Return the clock's monotonic time after which no build starts; None: there is none.

    Args:
        place: has the clock.
        budget_minutes: how long builds may start.
        waited_s: how much of that is over.
    """
    if budget_minutes is None:
        return None
    return place.doors.clock.monotonic_s() - waited_s + 60 * budget_minutes


def ask_packages(session: Session, place: Workplace, chosen: Chosen) -> None:
    """Ask the packages inside what is published for updates; the answers are kept for plans.

    Where none at all could be asked that is said, also in a quiet night: no updates are pending as
    far as anybody knows, and nobody knows.

    Raises:
        Interrupted: a signal came meanwhile; nothing else was begun.
        OrchestrateError: the registry or the state is not available.
    """
    from orchestrator import flow

    def heard(answer: PackageAnswer) -> None:
        session.log(
            "asked",
            digest=answer.digest,
            platform=answer.platform,
            updates=len(answer.updates),
            problem=answer.problem,
        )

    answers = flow.ask_packages(
        place.hierarchy,
        place.doors,
        chosen,
        cancelled=place.interrupts.cancelled,
        heard=heard,
        # Containers that were started are stopped, not left behind.
        begins=lambda: place.interrupts.be_gentle(lambda grace_s: None),
    )
    place.interrupts.be_abrupt()
    if place.interrupts.number is not None:
        raise Interrupted(place.interrupts.number)
    if answers and all(answer.problem for answer in answers):
        why = terminal_text(answers[0].problem)
        line = f"warning: nobody knows which package updates are pending: {why}\n"
        write_err(session.err_style.warn(line))


def show_night(
    session: Session,
    place: Workplace,
    ended: Ended,
    made: Plan,
    streaks: Mapping[str, Streak],
) -> int:
    """Show what a night came to, and return its exit code.

    Args:
        session: says how to show it; quiet: failures alone.
        place: where it happened.
        ended: how it ended.
        made: why it did what it did.
        streaks: image id → the nights that it had failed in, before this one.
    """
    from orchestrator.decide.breaker import reported
    from orchestrator.render.deliveries import notified_json, notified_text
    from orchestrator.render.json import finished_json
    from orchestrator.render.text import patched_text, troubles_text

    finished = ended.finished
    news = reported(finished, streaks)
    versions = {image.id: image.version for image in place.hierarchy.images.values()}
    unwritten = 0
    if session.json or not session.settings.quiet:
        unwritten = session.answer(
            lambda style: (
                patched_text(news, made, versions, style) + notified_text(ended.told, style)
            ),
            lambda: {**finished_json(finished), "notices": notified_json(ended.told)},
        )
    write_err(troubles_text(news, session.err_style))
    return code_of(news, ended.number) or unwritten
