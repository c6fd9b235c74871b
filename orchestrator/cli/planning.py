"""What `plan` and `build` share: their options, and the plan itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from orchestrator.cli.selecting import choose
from orchestrator.cli.session import Session
from orchestrator.cli.streams import write_err
from orchestrator.cli.workplace import Workplace

if TYPE_CHECKING:
    from orchestrator.model.hierarchy import Hierarchy
    from orchestrator.model.plan import Plan
    from orchestrator.select import Selection

F = TypeVar("F", bound=Callable[..., Any])


def wish_options(function: F) -> F:
    """Add the options that say what is wished beside what the files say."""
    function = click.option(
        "--allow-dirty",
        is_flag=True,
        help="Move floating tags though the working tree has changes that git does not know.",
    )(function)
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
) -> Plan:
    """Return the plan of what would be done now.

    Raises:
        OrchestrateError: whatever :func:`orchestrator.flow.plan` raises.
    """
    from orchestrator import flow

    wish = flow.Wish(
        forced=frozenset(force),
        allow_dirty=allow_dirty,
        suffix=suffix(),
        chosen=choose(session, place, selection),
    )
    made = flow.plan(place.hierarchy, place.doors, wish)
    session.log("planned", plan=made.id, **made.summary())
    return made


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


def nothing_to_do(session: Session, made: Plan, place: Workplace) -> int:
    """Answer a run that has nothing to do: no run starts, and history gets no row.

    Returns:
        0, or the exit code for an answer that cannot be written, or copies that cannot be seen.
    """
    code = _complain_of_copies(session, made)
    if session.settings.quiet and not session.json:
        return code
    from orchestrator.render.text import plan_text

    nothing: dict[str, object] = {
        "run": None,
        "results": [],
        "moves": [],
        "summary": {},
        "duration_s": 0.0,
    }
    return (
        session.answer(
            lambda style: plan_text(made, parents_of(place.hierarchy), style, next_steps=False),
            lambda: {"format": 1, "kind": "run", **nothing},
        )
        or code
    )


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
