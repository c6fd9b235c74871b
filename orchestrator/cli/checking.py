"""Checks the files. Quick, so it imports only what it needs, and no click."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.cli.session import Session, open_files, today, write_json
from orchestrator.cli.streams import write_out
from orchestrator.errors import InvalidInput
from orchestrator.observe.load_files import load_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.errors import Problem
    from orchestrator.model.hierarchy import Hierarchy

#: What ``--output`` takes.
FORMS = ("text", "json")


def check_files(
    session: Session, report: Callable[[tuple[Problem, ...]], None] | None = None
) -> int:
    """Load, and say what was found; return the exit code.

    Args:
        session: says in which form.
        report: is told of all that is wrong, before it is shown.

    Raises:
        InvalidInput: the files are wrong, and the answer is to be text.
    """
    try:
        files = open_files(session)
        hierarchy = load_files(files, session.settings.registry, today=today(), strict=True)
    except InvalidInput as error:
        if report:
            report(error.problems)
        if not session.json:
            raise
        from orchestrator.render.json import problems_json

        return write_json(problems_json(error.problems)) or error.exit_code
    if report:
        report(())
    if session.json:
        from orchestrator.render.json import problems_json

        return write_json({**problems_json(()), "warnings": list(hierarchy.warnings)})
    for warning in hierarchy.warnings:
        session.warn(warning)
    if session.settings.quiet:
        return 0
    colored = session.environment.is_colored(session.environment.out, session.settings.color)
    ok = session.out_style.good("OK") if colored else "OK"
    return write_out(f"{ok} {_summary(hierarchy)}\n")


def _summary(hierarchy: Hierarchy) -> str:
    """Return one line; the file's name in it is safe to show, the files door made it so."""
    platforms = {platform for image in hierarchy.images.values() for platform in image.platforms}
    counts = (
        (len(hierarchy.images), "image"),
        (len(hierarchy.upstreams), "upstream"),
        (len(platforms), "platform"),
    )
    said = ", ".join(f"{n} {noun if n == 1 else noun + 's'}" for n, noun in counts)
    return f"{hierarchy.file}: {said}"
