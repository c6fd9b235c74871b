"""What `plan` and `build` share: their options, and the plan itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from orchestrator.cli.notifying import Notifier, Notify
from orchestrator.cli.notifying import complain as complain_of_notices
from orchestrator.cli.selecting import choose
from orchestrator.cli.session import Session
from orchestrator.cli.streams import write_err
from orchestrator.cli.workplace import Workplace

if TYPE_CHECKING:
    from orchestrator.decide.select import Selection
    from orchestrator.model.hierarchy import Hierarchy
    from orchestrator.model.observation import Observations
    from orchestrator.model.plan import Plan

F = TypeVar("F", bound=Callable[..., Any])


def no_soak_option(function: F) -> F:
    """Add the option that takes what an upstream shows at once."""
    return click.option(
        "--no-soak",
        metavar="NAME",
        multiple=True,
        help="Take the newest digest of upstream NAME now, however new it is; may be repeated.",
    )(function)


def wish_options(function: F) -> F:
    """Add the options that say what is wished beside what the files say."""
    function = click.option(
        "--allow-dirty",
        is_flag=True,
        help="Move floating tags though the working tree has changes that git does not know.",
    )(no_soak_option(function))
    return click.option(
        "--force",
        metavar="IMAGE",
        multiple=True,
        help="Build IMAGE whatever is there; may be repeated.",
    )(function)


def make_plan(
    session: Session,
    place: Workplace,
    force: tuple[str, ...],
    selection: Selection,
    *,
    allow_dirty: bool,
    max_age_s: float | None = None,
    no_soak: tuple[str, ...] = (),
    remember: bool = True,
) -> tuple[Plan, Observations]:
    """Return the plan of what would be done now, and what it was made on.

    What upstreams show is remembered, unless the plan is only looked at.

    Raises:
        OrchestrateError: whatever :func:`orchestrator.flow.prepare` raises.
    """
    from orchestrator import flow

    wish = flow.Wish(
        forced=frozenset(force),
        allow_dirty=allow_dirty,
        suffix=suffix(),
        chosen=choose(session, place, selection),
        max_age_s=max_age_s,
        unsoaked=frozenset(no_soak),
        remember=remember,
    )
    made, seen = flow.prepare(place.hierarchy, place.doors, wish)
    session.log("planned", plan=made.id, **made.summary())
    return made, seen


def preview(session: Session, made: Plan, place: Workplace) -> None:
    """Show, on standard error, what is about to be done."""
    if session.settings.quiet:
        return
    from orchestrator.render.text import plan_text

    write_err(
        plan_text(
            made,
            parents_of(place.hierarchy),
            session.err_style,
            verbose=session.settings.verbose,
            next_steps=False,
        )
        + "\n"
    )


def nothing_to_do(
    session: Session, made: Plan, place: Workplace, seen: Observations, notify: Notify
) -> int:
    """Answer a run that has nothing to do: no run starts, and history gets no row.

    The ledger may: what every image has by now was perhaps not known when they were built. Teams
    are told what is left from before.

    Returns:
        0, or the exit code for an answer that cannot be written, or copies that cannot be seen.
    """
    from orchestrator.observe.ledger import note_absorbed

    doors = place.doors
    note_absorbed(place.hierarchy, made, seen, doors.history, doors.clock.now_s())
    code = complain(session, made) or _complain_of_copies(session, made)
    told = Notifier(session, place, notify).ended()
    complain_of_notices(session, told)
    if session.settings.quiet and not session.json:
        return code
    from orchestrator.render.deliveries import notified_json, notified_text
    from orchestrator.render.json import no_run_json
    from orchestrator.render.text import plan_text

    return (
        session.answer(
            lambda style: (
                plan_text(made, parents_of(place.hierarchy), style, next_steps=False)
                + notified_text(told, style)
            ),
            lambda: {**no_run_json(), "notices": notified_json(told)},
        )
        or code
    )


def complain(session: Session, made: Plan) -> int:
    """Say which images of a plan cannot be built, because something from outside cannot be had.

    Returns:
        The exit code for that; 0 where there is none.
    """
    from orchestrator.errors import Unavailable
    from orchestrator.model.plan import Verdict
    from orchestrator.render.reason_words import reasons_words
    from orchestrator.render.text_error import error_text

    code = 0
    for decision in made.decisions:
        if decision.verdict is Verdict.FAIL:
            what = f"{decision.image}: {'; '.join(reasons_words(decision.reasons))}"
            failed = Unavailable(what, hint="what is published stays as it is")
            write_err(error_text(failed, session.err_style))
            code = failed.exit_code
    return code


def _complain_of_copies(session: Session, made: Plan) -> int:
    """Return the exit code for copies that could not be looked at, and say so; 0 without any."""
    from orchestrator.errors import Unavailable
    from orchestrator.model.plan import Cause
    from orchestrator.render.text_error import error_text

    places = {
        reason.subject.partition("/")[0]: None
        for decision in made.decisions
        for reason in decision.reasons
        if reason.cause is Cause.COPY_UNKNOWN
    }
    if not places:
        return 0
    error = Unavailable(
        f"nobody knows whether the copies at {', '.join(places)} are right",
        hint="`orchestrate doctor` says what is wrong with it; then run this again",
    )
    write_err(error_text(error, session.err_style))
    return error.exit_code


def suffix() -> str:
    """Return four random characters that tell apart what starts in the same second."""
    from secrets import token_hex

    return token_hex(2)


def parents_of(hierarchy: Hierarchy) -> Mapping[str, tuple[str, ...]]:
    """Return image id → the ids of the images it stands on, the final stage's parent first."""
    found: dict[str, tuple[str, ...]] = {}
    for image in hierarchy.images.values():
        final = image.final_parent()
        ids = image.image_parents()
        found[image.id] = tuple(sorted(ids, key=lambda i: final is None or i != final.subject))
    return found
