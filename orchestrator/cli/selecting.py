"""What every command that takes selectors shares: the options, and the images they mean."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from orchestrator.cli.overview import COMMANDS
from orchestrator.cli.session import Session
from orchestrator.cli.workplace import Workplace
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.decide.select import Chosen, Selection

F = TypeVar("F", bound=Callable[..., Any])

#: A paragraph for the help of a command that takes selectors.
ABOUT_SELECTORS = """SELECTOR is an image's id, a glob over ids, tier:NAME, label:KEY=VALUE or
    state:failed. NAME+ adds what stands on it, +NAME what it stands on; NAME+2 and 2+NAME two
    levels of it. Several are added up; none means every image."""


def selection_options(function: F) -> F:
    """Add selectors and their options; the command gets them as one ``selection``."""

    @wraps(function)
    def selecting(
        *args: Any,
        selectors: tuple[str, ...],
        exclude: tuple[str, ...],
        since: str | None,
        **more: Any,
    ) -> Any:
        from orchestrator.decide.select import Selection

        chosen = Selection(wanted=selectors, exclude=exclude, since=since)
        return function(*args, selection=chosen, **more)

    wrapped: Any = click.option(
        "--since",
        metavar="GITREF",
        help="Only what changed since this branch left GITREF, as a pull request shows it, "
        "and what stands on it.",
    )(selecting)
    wrapped = click.option(
        "--exclude",
        metavar="SELECTOR",
        multiple=True,
        help="But not these; may be repeated.",
    )(wrapped)
    return cast(F, click.argument("selectors", metavar="[SELECTOR]...", nargs=-1)(wrapped))


def choose(session: Session, place: Workplace, selection: Selection) -> Chosen:
    """Return the images that the user means, and warn where that took a guess.

    Raises:
        UsageError: a selector means no image, or git does not know the reference.
    """
    from orchestrator import flow

    try:
        chosen = flow.choose(
            place.hierarchy, place.doors, selection, registry=session.settings.registry
        )
    except UsageError as error:
        second = next((t for t in selection.wanted if t in COMMANDS and f"'{t}'" in error.what), "")
        if not second:
            raise
        hint = f"{second} is a command, and a command line has one: orchestrate {second}"
        raise UsageError(error.what, hint=hint) from error
    for warning in chosen.warnings:
        session.warn(warning)
    return chosen


def images_of(
    session: Session, place: Workplace, selectors: tuple[str, ...], known: Collection[str]
) -> frozenset[str]:
    """Return those images of a past run that selectors mean; none without selectors: all.

    Args:
        session: warns.
        place: where the hierarchy is.
        selectors: as on the command line.
        known: ids of the run's images; some may not be in the hierarchy any more.

    Raises:
        UsageError: a selector means no image.
    """
    from orchestrator.decide.select import Selection

    rest = tuple(term for term in selectors if term not in known)
    chosen = choose(session, place, Selection(wanted=rest)).images if rest else frozenset[str]()
    return (chosen | set(selectors)) & set(known)
