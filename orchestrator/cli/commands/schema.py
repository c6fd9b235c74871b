"""`orchestrate schema`: the JSON Schemas that ship with the package."""

from __future__ import annotations

from importlib.resources import files

import click

from orchestrator.cli.command import command
from orchestrator.cli.session import Session
from orchestrator.cli.streams import write_out


@command(
    "schema",
    forms=("json",),
    about="""Print the JSON Schema of the hierarchy file, or of a saved plan.""",
    examples=(
        ("orchestrate schema", "of hierarchy.yaml, for an editor"),
        ("orchestrate schema plan", "of `orchestrate plan -o json`"),
    ),
)
@click.argument("of", type=click.Choice(("hierarchy", "plan")), default="hierarchy")
def schema(session: Session, of: str) -> int:
    """Print a file of the package."""
    return write_out(files("orchestrator").joinpath("schema", f"{of}.json").read_text("utf-8"))
