"""What every command is given: settings, and ways to answer."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.cli.environment import Environment
from orchestrator.cli.settings import Settings
from orchestrator.cli.streams import write_err, write_out
from orchestrator.errors import InvalidInput, Problem
from orchestrator.model.time import rfc3339

if TYPE_CHECKING:
    from orchestrator.cli.workplace import Outside
    from orchestrator.doors.protocols import Files
    from orchestrator.doors.repositories import Repositories
    from orchestrator.render.style import Style

HIERARCHY_FILE = "hierarchy.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What a command is given.

    Attributes:
        settings: the options that every command has.
        environment: what the process was started with.
        outside: how doors are opened; None: for real.
        log: writes one debug line, an event and its fields, where the user wants that.
        aside: the answer for people goes to standard error: standard output has something else.
    """

    settings: Settings
    environment: Environment
    outside: Outside | None
    log: Callable[..., None]
    aside: bool = False

    @property
    def json(self) -> bool:
        """Whether the answer is to be JSON."""
        return self.settings.output == "json"

    @property
    def out_style(self) -> Style:
        """How text on standard output may look."""
        return self.environment.style(self.environment.out, self.settings.color)

    @property
    def err_style(self) -> Style:
        """How text on standard error may look."""
        return self.environment.style(self.environment.err, self.settings.color)

    def say(self, line: str) -> None:
        """Write one line for people to standard error, unless they want quiet."""
        if not self.settings.quiet:
            write_err(f"{line}\n")

    def warn(self, line: str) -> None:
        """Write one line that should be read, unless they want quiet."""
        if self.environment.is_set("GITHUB_ACTIONS"):
            from orchestrator.cli.ci import annotate_warning

            annotate_warning(line, self.environment)
        style = self.err_style
        self.say(f"{style.warn('warning:')} {style.clean(line)}")

    def answer(self, text: Callable[[Style], str], data: Callable[[], object]) -> int:
        """Write the answer to standard output in the form that was asked for.

        Args:
            text: makes the text.
            data: makes the JSON object.

        Returns:
            0, or the exit code for an answer that cannot be written.
        """
        if self.json:
            return write_json(data())
        if self.aside:
            write_err(text(self.err_style))
            return 0
        return write_out(text(self.out_style))


def write_json(value: object) -> int:
    """Write a JSON object to standard output; returns what :func:`write_out` does."""
    import json

    # ASCII alone, so that no stream's encoding can spoil it.
    return write_out(json.dumps(value, indent=2) + "\n")


def find_hierarchy(settings: Settings, environment: Environment) -> str:
    """Return the hierarchy file's path as the user would write it.

    It is the one they name, else ``hierarchy.yaml`` in the directory or the nearest one above.

    Raises:
        InvalidInput: none is named and none is found.
    """
    if settings.file is not None:
        return settings.path(settings.file)
    directory = start = os.path.normpath(os.path.join(environment.directory, settings.directory))
    while not os.path.lexists(os.path.join(directory, HIERARCHY_FILE)):
        directory, below = os.path.dirname(directory), directory
        if directory == below:
            raise _nowhere(start)
    if directory == start:
        return settings.path(HIERARCHY_FILE)
    found = os.path.join(directory, HIERARCHY_FILE)
    near = os.path.relpath(found, environment.directory)
    return found if near.startswith("../../..") else near


def _nowhere(start: str) -> InvalidInput:
    problem = Problem(
        file=HIERARCHY_FILE,
        line=0,
        column=0,
        code="NO-HIERARCHY",
        what=f"neither in {start} nor in any directory above it",
        hint="go to where it is, or name it: -C DIR, --file FILE or ORCHESTRATE_FILE",
    )
    return InvalidInput((problem,))


def today() -> str:
    """Return ``YYYY-MM-DD``, UTC."""
    from orchestrator.doors.clock import RealClock

    return rfc3339(RealClock().now_s())[:10]


def open_files(session: Session) -> Files:
    """Return the files door on the hierarchy's directory.

    Raises:
        InvalidInput: there is no hierarchy file to be found.
    """
    from orchestrator.doors.files import RealFiles

    path = find_hierarchy(session.settings, session.environment)
    return RealFiles(path, lambda: _repositories(session))


def _repositories(session: Session) -> Repositories:
    """Return the repositories elsewhere, as the cache directory has them."""
    from pathlib import Path

    from orchestrator.doors.git_mirror import GitMirrors
    from orchestrator.doors.repositories import Repositories

    cache = session.environment.cache_dir()
    return Repositories(GitMirrors(Path(cache, "git") if cache else None))
