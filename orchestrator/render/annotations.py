"""What GitHub Actions and GitLab CI read in a job's log: places of errors, and folded sections."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.errors import Problem
from orchestrator.model.run import Failure, StepResult
from orchestrator.render.style import Style, terminal_text

#: GitHub shows ten of a kind for a step, and drops the rest.
MOST_ANNOTATIONS = 50
#: Lines of a log in a message.
_MOST_LINES = 12
_LONGEST_TITLE, _LONGEST_MESSAGE = 200, 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something is wrong.

    Attributes:
        file: path from the repository's top; empty where there is none.
        line: 1-based; 0 for the file as a whole.
        column: 1-based; 0 where nobody knows.
    """

    file: str = ""
    line: int = 0
    column: int = 0


def failure_place(failure: Failure, dockerfile: str) -> Place:
    """Return the line of the Dockerfile that a failure names; the whole file where it names none.

    Args:
        failure: whose text begins with ``DOCKERFILE:LINE: `` where the builder said so.
        dockerfile: as the hierarchy names it.
    """
    found = re.match(re.escape(dockerfile) + r":([0-9]{1,7}): ", failure.what)
    return Place(file=dockerfile, line=int(found[1]) if found else 0)


def github_problem(problem: Problem, file: str) -> str:
    """Return the workflow command that shows a problem at its line.

    Args:
        problem: what is wrong.
        file: its file, from the repository's top.
    """
    kind = "error" if problem.severity == "error" else "warning"
    place = Place(file=file, line=problem.line, column=problem.column)
    message = "\n".join(filter(None, (problem.what, problem.hint)))
    return _command(kind, place, problem.code, message)


def github_failure(result: StepResult, place: Place) -> str:
    """Return the workflow command that shows a failed image, with the end of its log."""
    failure = result.failure
    what = failure.what if failure else "failed"
    lines = [what.removeprefix(f"{result.image}: ")]
    if failure:
        lines += [failure.hint] if failure.hint else []
        lines += map(terminal_text, failure.log_tail[-_MOST_LINES:])
    return _command("error", place, f"{result.image} failed", "\n".join(lines))


def github_error(what: str, hint: str) -> str:
    """Return the workflow command for an error that belongs to no file."""
    return _command("error", Place(), "orchestrate", "\n".join(filter(None, (what, hint))))


def github_warning(text: str) -> str:
    """Return the workflow command for a warning that belongs to no line."""
    return _command("warning", Place(), "orchestrate", text)


def _command(kind: str, place: Place, title: str, message: str) -> str:
    facts = {
        "file": place.file,
        "line": str(place.line) if place.line and place.file else "",
        "col": str(place.column) if place.column and place.line and place.file else "",
        "title": title[:_LONGEST_TITLE],
    }
    told = ",".join(f"{name}={_property(value)}" for name, value in facts.items() if value)
    lines = "\n".join(map(terminal_text, message[:_LONGEST_MESSAGE].split("\n")))
    return f"::{kind} {told}::{_data(lines)}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(terminal_text(text)).replace(":", "%3A").replace(",", "%2C")


def github_group(title: str, lines: Iterable[str], style: Style, token: str) -> str:
    """Return a folded group of a job's log.

    Args:
        title: what is seen of it.
        lines: what is in it; none of them is read as a command.
        style: how it may look.
        token: a word that nobody can guess: until it comes again, GitHub reads no command.
    """
    body = "".join(f"{style.clean(line)}\n" for line in lines)
    title = _data(terminal_text(title))
    return f"::group::{title}\n::stop-commands::{token}\n{body}::{token}::\n::endgroup::\n"


def gitlab_section(name: str, title: str, lines: Iterable[str], style: Style, at_s: int) -> str:
    """Return a folded section of a job's log.

    Args:
        name: of letters, digits, ``.``, ``_`` and ``-``.
        title: what is seen of it.
        lines: what is in it.
        style: how it may look.
        at_s: seconds since 1970 UTC.
    """
    body = "".join(f"{style.clean(line)}\n" for line in lines)
    start = f"\x1b[0Ksection_start:{at_s}:{name}[collapsed=true]\r\x1b[0K"
    end = f"\x1b[0Ksection_end:{at_s}:{name}\r\x1b[0K"
    return f"{start}{style.clean(title)}\n{body}{end}\n"
