"""`orchestrate diff`: what is different between two published digests of an image."""

from __future__ import annotations

import click

from orchestrator.cli.command import command
from orchestrator.cli.session import Session
from orchestrator.cli.streams import write_out
from orchestrator.cli.workplace import workplace
from orchestrator.errors import Interrupted


@command(
    "diff",
    forms=("text", "markdown", "json"),
    about="""Show what is different between two published digests of IMAGE, on every platform:
    packages, how it is configured, its size; with --files, the files that make it larger.

    OLD and NEW are a digest, a tag, or the id of a run that published it. Without NEW it is what
    is current; without OLD, what was current before that.

    Packages are read from the SBOM that is attached to the image, or is in an attestation of its
    build; else syft looks into it, if it is installed. Where the file names a `scanner:`, it says
    which known vulnerabilities are fixed and which are introduced. Of environment variables only
    names are shown. Nothing is written anywhere.""",
    examples=(
        ("orchestrate diff python", "what the last promotion changed"),
        ("orchestrate diff python 3.11-20260101-0123456789ab stable", "two tags"),
        ("orchestrate diff python --files", "and which files make it larger"),
        ("orchestrate diff python -o markdown", "for a pull request"),
    ),
)
@click.argument("image")
@click.argument("old", default="")
@click.argument("new", default="")
@click.option(
    "--files", is_flag=True, help="Name the files that change its size; reads its layers."
)
@click.option("--all", "every", is_flag=True, help="List everything, however long; so does -v.")
def diff(session: Session, image: str, old: str, new: str, files: bool, every: bool) -> int:
    """Look, compare, answer."""
    from orchestrator import questions
    from orchestrator.render.change import change_text
    from orchestrator.render.json_change import change_json
    from orchestrator.render.markdown_change import change_markdown

    with workplace(session, fetch=False) as place:
        # A look into an image is another process, which must not be left behind.
        place.interrupts.be_gentle(lambda _: None)
        found = questions.difference(
            place.hierarchy,
            place.doors,
            image,
            old,
            new,
            files=files,
            cancelled=place.interrupts.cancelled,
        )
        if place.interrupts.number is not None:
            raise Interrupted(place.interrupts.number)
    every = every or session.settings.verbose
    if session.settings.output == "markdown":
        return write_out(change_markdown(image, found))
    return session.answer(
        lambda style: change_text(image, found, style, every=every),
        lambda: change_json(image, found),
    )
