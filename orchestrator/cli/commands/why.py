"""`orchestrate why`: why an image would be built, or why not, part by part."""

from __future__ import annotations

import click

from orchestrator.cli.command import command
from orchestrator.cli.session import Session
from orchestrator.cli.workplace import Workplace, workplace


@command(
    "why",
    about="""Explain why IMAGE would be built, or why not: every part of its build key, as it was
    published and as it is now.""",
    examples=(
        ("orchestrate why gunicorn", "part by part"),
        ("orchestrate why gunicorn --command", "the exact `docker buildx build`s of it"),
    ),
)
@click.argument("image")
@click.option(
    "--command",
    "wants_command",
    is_flag=True,
    help="Print the exact command line of each platform's build.",
)
def why(session: Session, image: str, wants_command: bool) -> int:
    """Look, and explain."""
    from orchestrator import questions
    from orchestrator.render.json import why_json
    from orchestrator.render.text import why_text

    with workplace(session) as place:
        if wants_command:
            return _command(session, place, image)
        found = questions.why(place.hierarchy, place.doors, image)
    return session.answer(lambda style: why_text(found, style), lambda: why_json(found))


def _command(session: Session, place: Workplace, image: str) -> int:
    import shlex

    from orchestrator import questions
    from orchestrator.doors.buildx import command as command_line

    requests = questions.build_command(place.hierarchy, place.doors, image)
    lines = {request.platform: command_line(request) for request in requests}
    code = session.answer(
        lambda style: "".join(f"{shlex.join(line)}\n" for line in lines.values()),
        lambda: {
            "format": 1,
            "kind": "command",
            "image": image,
            "commands": {platform: list(line) for platform, line in lines.items()},
        },
    )
    context = place.hierarchy.images[image].context
    session.say(
        f"# each reads the context from standard input: a normalised tar of {context}, which "
        "orchestrate makes; writes an OCI layout, as a tar, to standard output"
    )
    return code
