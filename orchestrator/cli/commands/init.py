"""`orchestrate init`: a hierarchy file for Dockerfiles that are there already."""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.command import command
from orchestrator.cli.session import HIERARCHY_FILE, Session
from orchestrator.cli.streams import write_out
from orchestrator.errors import Conflict, InvalidInput, Problem, Unavailable, UsageError

if TYPE_CHECKING:
    from orchestrator.observe.infer_files import Proposal
    from orchestrator.render.style import Style


@command(
    "init",
    about="""Write a hierarchy.yaml for the Dockerfiles in DIR, with what could be inferred.

    Reads every Dockerfile below DIR (`.` if not said) but not those in hidden directories, vendor
    or node_modules. What could not be known is said in the file, line by line. A file that is
    there is never touched; -f FILE gives the new one another name.

    Beside it hierarchy.schema.json is written, which the file's first line names: editors then
    complete its keys and mark mistakes.
    """,
    examples=(
        ("orchestrate init", "the Dockerfiles here and below"),
        ("orchestrate init --stdout", "only look"),
        ("orchestrate init images --registry registry.example/gold", "published there"),
        ("orchestrate init -o json", "what was found, for a program"),
    ),
)
@click.argument("directory_asked", metavar="[DIR]", required=False)
@click.option("--stdout", is_flag=True, help="Print the file; write nothing.")
@click.option("--no-schema", is_flag=True, help="Write no hierarchy.schema.json.")
def init(session: Session, directory_asked: str | None, stdout: bool, no_schema: bool) -> int:
    """Infer, write, show."""
    from orchestrator.cli.schema_file import SCHEMA_FILE, write_schema
    from orchestrator.doors.files import RealFiles
    from orchestrator.observe.infer_files import infer_files

    path = _path(session, directory_asked)
    if not stdout and os.path.lexists(path):
        raise _there(path)
    directory = os.path.dirname(path)
    proposal = infer_files(
        RealFiles(path),
        os.path.basename(os.path.abspath(directory)),
        registry=session.settings.registry,
        schema="" if no_schema else SCHEMA_FILE,
    )
    if not proposal.inferred.images:
        raise _nothing(proposal, directory)
    schema = None
    if not stdout:
        _write(path, proposal.text)
        if not no_schema:
            try:
                schema = write_schema(directory)
            except Conflict as error:
                # The hierarchy is worth having without it.
                session.warn(f"{error.what}; {error.hint}")
        session.say(f"wrote {path}{f' and {schema}' if schema else ''}")
    for warning in proposal.warnings:
        session.warn(warning)
    code = _show(session, proposal, None if stdout else path, schema)
    if proposal.problems:
        wrong = InvalidInput(proposal.problems)
        if not session.json:
            raise wrong
        return code or wrong.exit_code
    return code


def _path(session: Session, directory: str | None) -> str:
    """Return the file to write, as the user would write it.

    Raises:
        UsageError: DIR is no directory, or --file names a file elsewhere.
    """
    where = session.settings.path(directory or ".")
    if not os.path.isdir(where):
        raise UsageError(f"{where} is not a directory", hint="name the one with the Dockerfiles")
    if session.settings.file is None:
        return os.path.normpath(os.path.join(where, HIERARCHY_FILE))
    path = session.settings.path(session.settings.file)
    if directory is not None and not os.path.samefile(where, os.path.dirname(path) or "."):
        raise UsageError(
            f"{path} is not in {where}",
            hint="a hierarchy file lies in the directory that its images are below",
        )
    return path


def _there(path: str) -> Conflict:
    return Conflict(
        f"{path} is there already",
        hint="`orchestrate init --stdout` prints what would be written; -f FILE writes another",
    )


def _nothing(proposal: Proposal, directory: str) -> UsageError | InvalidInput:
    if not proposal.inferred.left_out:
        where = directory or "."
        hint = "name the directory that has them: orchestrate init DIR"
        return UsageError(f"there is no Dockerfile in {where} or below", hint=hint)
    return InvalidInput(
        tuple(
            Problem(
                file=os.path.join(directory, one.file),
                line=one.line,
                column=1 if one.line else 0,
                code="LEFT-OUT",
                what=one.what,
                hint=one.hint,
            )
            for one in proposal.inferred.left_out
        )
    )


def _write(path: str, text: str) -> None:
    begun = False
    try:
        with open(path, "x", encoding="utf-8") as file:
            begun = True
            file.write(text)
    except FileExistsError as error:
        raise _there(path) from error
    except OSError as error:
        if begun:
            with suppress(OSError):
                os.unlink(path)
        raise Unavailable(
            f"cannot write {path}: {error.strerror}",
            hint="`orchestrate init --stdout` prints what would be written",
        ) from error


def _show(session: Session, proposal: Proposal, path: str | None, schema: str | None) -> int:
    from orchestrator.render.json import problems_json
    from orchestrator.render.text_init import inferred_json, inferred_text

    if path is None and not session.json:
        return write_out(proposal.text)
    if session.settings.quiet and not session.json:
        return 0

    def text(style: Style) -> str:
        assert path is not None
        steps = [f"orchestrate{_where(session, path)} {step}" for step in ("check", "plan")]
        if proposal.inferred.registry.sure:
            steps.insert(1, f"orchestrate{_where(session, path)} adopt")
        directory = os.path.dirname(path)
        return inferred_text(proposal.inferred, style, directory=directory, next_steps=steps)

    def data() -> dict[str, Any]:
        return {
            "format": 1,
            "kind": "init",
            "written": path,
            "schema": schema,
            **inferred_json(proposal.inferred),
            "problems": problems_json(proposal.problems)["problems"],
            "warnings": list(proposal.warnings),
            "text": proposal.text,
        }

    return session.answer(text, data)


def _where(session: Session, path: str) -> str:
    """Return the option that lets another command find the file; empty where it needs none."""
    if session.settings.file is not None or os.path.basename(path) != HIERARCHY_FILE:
        return f" -f {shlex.quote(path)}"
    directory = os.path.dirname(path)
    return f" -C {shlex.quote(directory)}" if directory else ""
