"""`orchestrate version`: what runs here."""

from __future__ import annotations

import platform

from orchestrator import __version__
from orchestrator.cli.command import command
from orchestrator.cli.session import Session


@command(
    "version",
    about="""Print the version; with -v also those of Docker and buildx.""",
    examples=(
        ("orchestrate version", "of this program and of Python"),
        ("orchestrate version -v", "of Docker and buildx too"),
        ("orchestrate version -o json", "for a script"),
    ),
)
def version(session: Session) -> int:
    """Ask, and print."""
    found = {"orchestrate": __version__, "python": platform.python_version()}
    if session.settings.verbose:
        from orchestrator.cli.tools import tool_versions

        found |= tool_versions()
    return session.answer(
        lambda style: "".join(f"{name} {value}\n" for name, value in found.items()),
        lambda: {"format": 1, "kind": "version", **found},
    )
