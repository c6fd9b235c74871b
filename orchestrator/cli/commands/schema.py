"""`orchestrate schema`: the JSON Schemas that ship with the package."""

from __future__ import annotations

import os

import click

from orchestrator.cli.command import command
from orchestrator.cli.session import Session, find_hierarchy
from orchestrator.cli.streams import write_out
from orchestrator.errors import UsageError
from orchestrator.model.announcement import EventType

#: What has a schema: what people write, answers, and what teams are told.
NAMES = (
    "hierarchy",
    "include",
    "subscriptions",
    "plan",
    "events",
    "graph",
    "diff",
    *map(str, EventType),
)


@command(
    "schema",
    forms=("json",),
    about="""Print the JSON Schema of the hierarchy file, a file it includes, an answer, or an event
    that teams are told.""",
    examples=(
        ("orchestrate schema", "of hierarchy.yaml, for an editor"),
        ("orchestrate schema include", "of the files under `include:`"),
        ("orchestrate schema subscriptions", "of `subscriptions/TEAM.yaml`"),
        ("orchestrate schema --write", "beside hierarchy.yaml, again after an upgrade"),
        ("orchestrate schema plan", "of `orchestrate plan -o json`"),
        ("orchestrate schema events", "of a line of `orchestrate build --events FILE`"),
        ("orchestrate schema graph", "of `orchestrate graph -o json`"),
        ("orchestrate schema diff", "of `orchestrate diff -o json`"),
        ("orchestrate schema image.published", "of an event that teams are told"),
    ),
)
@click.argument(
    "of",
    type=click.Choice(NAMES),
    default="hierarchy",
    metavar="[OF]",
)
@click.option(
    "--write",
    is_flag=True,
    help="Write that of the hierarchy file to hierarchy.schema.json beside it, for editors.",
)
def schema(session: Session, of: str, write: bool) -> int:
    """Print a file of the package, or write it where editors find it."""
    from orchestrator.cli.schema_file import has_modeline, modeline, schema_text, write_schema

    if not write:
        return write_out(schema_text(of))
    if of != "hierarchy":
        raise UsageError(
            f"--write is for the hierarchy file's schema, not for {of}",
            hint=f"`orchestrate schema {of} > FILE` writes it",
        )
    file = find_hierarchy(session.settings, session.environment)
    path = write_schema(os.path.dirname(file))
    session.say(f"wrote {path}")
    if not has_modeline(file):
        session.say(f"let the first line of {file} be:")
        session.say(modeline())
    return 0
