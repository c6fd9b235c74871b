"""`orchestrate config show`: which settings count, and where each comes from."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

import click

from orchestrator.cli.command import command
from orchestrator.cli.session import Session
from orchestrator.errors import InvalidInput, UsageError

if TYPE_CHECKING:
    from orchestrator.cli.effective import Setting
    from orchestrator.load import Draft


@command(
    "config",
    about="""Show the settings that count here; with IMAGE, the values of every field it has.

    --origin adds where each comes from. A setting: an option, a variable, the hierarchy file, or
    nobody. A field: the image itself, its matrix, its tier, `defaults`, the top of the file, or
    what is built in; with file and line.
    """,
    examples=(
        ("orchestrate config show", "options, variables, places on this machine"),
        ("orchestrate config show --origin", "and who said so"),
        ("orchestrate config show python --origin", "the image's fields, file and line"),
        ("orchestrate config show python -o json", "for a program"),
    ),
)
@click.argument("what", metavar="show", type=click.Choice(("show",)))
@click.argument("image", required=False)
@click.option("--origin", "wants_origin", is_flag=True, help="Say where each value comes from.")
def config(session: Session, what: str, image: str | None, wants_origin: bool) -> int:
    """Look, and show."""
    from orchestrator.cli.effective import effective_settings

    settings, draft = effective_settings(session)
    if image is not None:
        return _show_image(session, image, draft, wants_origin=wants_origin)
    return _show_settings(session, settings, wants_origin=wants_origin)


def _show_settings(session: Session, settings: tuple[Setting, ...], *, wants_origin: bool) -> int:
    from orchestrator.render.text_config import Told, config_json, config_text

    rows = [
        Told(
            name=setting.name,
            text=setting.value,
            value=(setting.value or None) if setting.data is None else setting.data,
            source=setting.origin,
            file=setting.file,
            line=setting.line,
        )
        for setting in settings
    ]
    return session.answer(
        lambda style: config_text("SETTING", rows, style, origin=wants_origin),
        lambda: {**config_json(rows, origin=wants_origin), "image": None},
    )


def _show_image(session: Session, image: str, draft: Draft | None, *, wants_origin: bool) -> int:
    from orchestrator.load.origins import origins
    from orchestrator.render.text_config import Told, config_json, config_text

    if draft is None:
        from orchestrator.cli.session import find_hierarchy

        find_hierarchy(session.settings, session.environment)  # Raises: there is none.
        raise AssertionError
    if image not in draft.images:
        raise _unknown(image, draft)
    if draft.images[image].broken:
        raise InvalidInput(draft.problems)
    found = origins(draft, image)
    rows = [
        Told(
            name=origin.field,
            text=origin.value,
            value=origin.data,
            source=origin.source,
            file=origin.file,
            line=origin.line,
        )
        for origin in found
    ]
    return session.answer(
        lambda style: config_text("FIELD", rows, style, origin=wants_origin),
        lambda: {**config_json(rows, origin=wants_origin), "image": image},
    )


def _unknown(image: str, draft: Draft) -> UsageError | InvalidInput:
    errors = [problem for problem in draft.problems if problem.severity == "error"]
    if errors and not draft.images:
        return InvalidInput(draft.problems)
    near = get_close_matches(image, draft.images, 1, 0.5)
    hint = f"did you mean {near[0]}?" if near else "`orchestrate graph` lists the images"
    return UsageError(f"{draft.file} has no image {image!r}", hint=hint)
