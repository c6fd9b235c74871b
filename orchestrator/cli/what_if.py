"""`plan --what-if`: how far a change would reach. Needs the files and the history alone."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from orchestrator.cli.selecting import choose
from orchestrator.cli.session import Session, today
from orchestrator.cli.streams import write_out
from orchestrator.cli.workplace import Workplace, workplace
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.model.hierarchy import Hierarchy


def require_alone(others: dict[str, bool]) -> None:
    """Refuse options that plan something: a question plans nothing.

    Args:
        others: option → whether it was given.

    Raises:
        UsageError: naming the first that was.
    """
    for option, given in others.items():
        if given:
            raise UsageError(
                f"--what-if plans nothing, so {option} cannot be said with it",
                hint="ask first, with --what-if alone; then plan",
            )


def what_if(session: Session, asked: str, *, every: bool) -> int:
    """Show how far a change of images or upstreams would reach, and return the exit code.

    Args:
        session: says in which form.
        asked: selectors and names of upstreams, with commas between them.
        every: list every image.

    Raises:
        UsageError: a name means nothing, or nothing that is built stands on it.
    """
    from orchestrator.explain.blast import blast_radius, upstreams_of
    from orchestrator.render.json_graph import blast_json
    from orchestrator.render.text_blast import blast_markdown, blast_text

    terms = tuple(term.strip() for term in asked.split(","))
    with workplace(session, fetch=False) as place:
        known = upstreams_of(place.hierarchy)
        upstreams = frozenset(terms) & (frozenset(known) - place.hierarchy.images.keys())
        selectors = tuple(term for term in terms if term not in upstreams)
        images = _images(session, place, selectors, known) if selectors else frozenset()
        alive = frozenset(i for i in images if not place.hierarchy.images[i].retired)
        if selectors and not alive:
            raise UsageError(
                f"{', '.join(selectors)}: retired images are not built, whatever changes",
                hint="`orchestrate graph` shows which are not",
            )
        found = blast_radius(
            place.hierarchy,
            alive,
            place.doors.history.durations(),
            _images_at_once(place.hierarchy),
            upstreams=upstreams,
            today=today(),
        )
    if not found.rebuilds:
        raise UsageError(
            f"no image stands on upstream {', '.join(found.upstreams)}",
            hint="`orchestrate graph` shows which are used",
        )
    if session.settings.output == "markdown":
        return write_out(blast_markdown(found))
    return session.answer(
        lambda style: blast_text(found, style, every=every or session.settings.verbose),
        lambda: blast_json(found),
    )


def _images_at_once(hierarchy: Hierarchy) -> int:
    """Return how many images are built at once: each platform of one takes a slot."""
    slots = sum(builder.slots for builder in hierarchy.builders)
    platforms = max(len(image.platforms) for image in hierarchy.images.values())
    return max(slots // platforms, 1)


def _images(
    session: Session, place: Workplace, selectors: tuple[str, ...], upstreams: tuple[str, ...]
) -> frozenset[str]:
    from orchestrator.decide.select import Selection

    try:
        return choose(session, place, Selection(wanted=selectors)).images
    except UsageError as error:
        for term in selectors:
            near = get_close_matches(term, upstreams, 1, 0.7) if f"{term!r}" in error.what else []
            if near and "did you mean" not in error.hint:
                what = f"no image or upstream is called {term!r}"
                raise UsageError(what, hint=f"did you mean {near[0]}?") from error
        raise
