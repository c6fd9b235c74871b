"""`orchestrate check`: whether the files are right."""

from __future__ import annotations

from orchestrator.cli.checking import FORMS, check_files
from orchestrator.cli.command import command
from orchestrator.cli.session import Session


@command(
    "check",
    forms=FORMS,
    about="""Check the hierarchy file and every Dockerfile it names.

    Tells everything that is wrong at once. Needs no network, no engine and no registry.
    """,
    examples=(
        ("orchestrate check", "hierarchy.yaml here or above"),
        ("orchestrate check -f gold/hierarchy.yaml", "another file"),
        ("orchestrate check -o json", "for an editor or a pipeline"),
    ),
)
def check(session: Session) -> int:
    """Load, and say so."""
    return check_files(session)
