"""`orchestrate check`: whether the files are right."""

from __future__ import annotations

import click

from orchestrator.cli.checking import FORMS, check_files
from orchestrator.cli.command import command
from orchestrator.cli.session import Session
from orchestrator.errors import InvalidInput, Problem


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
        ("orchestrate check --code-quality quality.json", "for a GitLab merge request"),
    ),
)
@click.option(
    "--code-quality",
    metavar="FILE",
    help="Write what is wrong as a GitLab Code Quality report too.",
)
def check(session: Session, code_quality: str | None) -> int:
    """Load, and say so."""
    if code_quality is None:
        return check_files(session)
    from orchestrator.cli.reports import quality_of, write_quality

    def report(problems: tuple[Problem, ...]) -> None:
        write_quality(session, code_quality, quality_of(session, InvalidInput(problems)))

    return check_files(session, report)
