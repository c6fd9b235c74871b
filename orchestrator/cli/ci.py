"""What a CI system is told in its own words, where a command runs inside one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from orchestrator.cli.environment import Environment
from orchestrator.cli.streams import write_err

if TYPE_CHECKING:
    from orchestrator.doors.protocols_history import Logs
    from orchestrator.errors import OrchestrateError
    from orchestrator.model.event import RunFinished
    from orchestrator.model.hierarchy import Hierarchy
    from orchestrator.model.run import StepResult
    from orchestrator.render.annotations import Place
    from orchestrator.render.style import Style

#: Variable of the CI system → that with the directory of the repository's top.
GITHUB, GITLAB = "GITHUB_ACTIONS", "GITLAB_CI"
_TOPS = {GITHUB: "GITHUB_WORKSPACE", GITLAB: "CI_PROJECT_DIR"}
#: Lines of a build's log in the log of a job, and logs.
_MOST_LINES, _MOST_BYTES, _MOST_LOGS = 1_000, 256 << 10, 20


def from_top(environment: Environment, path: str) -> str:
    """Return a path as the CI system knows it: from the repository's top, where it lies below.

    Outside of one, the top is taken to be where the user stands.

    Args:
        environment: says where the top is, and where the user stands.
        path: as the user would write it.
    """
    absolute = os.path.normpath(os.path.join(environment.directory, path))
    tops = [environment.variables.get(variable, "") for variable in _TOPS.values()]
    for top in filter(os.path.isabs, [*tops, environment.directory]):
        near = os.path.relpath(absolute, top)
        if near != ".." and not near.startswith("../"):
            return near
    return path


def annotate_error(error: OrchestrateError, environment: Environment) -> None:
    """Let GitHub show an error where it is, if this runs there; on standard error."""
    if not environment.is_set(GITHUB):
        return
    from orchestrator.errors import InvalidInput
    from orchestrator.render.annotations import MOST_ANNOTATIONS, github_error, github_problem

    if not isinstance(error, InvalidInput):
        write_err(github_error(error.what, error.hint))
        return
    for problem in error.problems[:MOST_ANNOTATIONS]:
        write_err(github_problem(problem, from_top(environment, problem.file)))


def annotate_warning(text: str, environment: Environment) -> None:
    """Let GitHub show a warning, if this runs there; on standard error."""
    if environment.is_set(GITHUB):
        from orchestrator.render.annotations import github_warning

        write_err(github_warning(text))


def places_of(
    finished: RunFinished, hierarchy: Hierarchy, directory: str, environment: Environment
) -> list[tuple[StepResult, Place]]:
    """Return every failed step, and where in its Dockerfile it failed.

    Of an image in a repository elsewhere, where the hierarchy names it.

    Args:
        finished: a run's end.
        hierarchy: knows the Dockerfiles.
        directory: the hierarchy file's.
        environment: knows the repository's top.
    """
    from dataclasses import replace

    from orchestrator.model.address import is_address
    from orchestrator.render.annotations import Place, failure_place

    found = []
    for result in finished.results:
        image = hierarchy.images.get(result.image)
        if result.failure is None or image is None:
            continue
        if is_address(image.context):
            # Its Dockerfile is in no repository that this system shows.
            place = Place(file=from_top(environment, image.file), line=image.line)
        else:
            place = failure_place(result.failure, image.dockerfile)
            file = from_top(environment, os.path.join(directory, place.file))
            place = replace(place, file=file)
        found.append((result, place))
    return found


def annotate_failures(
    failed: list[tuple[StepResult, Place]],
    logs: Mapping[str, tuple[str, ...]],
    environment: Environment,
    style: Style,
) -> None:
    """Tell GitHub or GitLab of failed images, their logs folded; on standard error.

    Args:
        failed: what failed, and where.
        logs: a log's name → its lines.
        environment: says where this runs.
        style: how text may look.
    """
    if environment.is_set(GITHUB):
        from secrets import token_hex

        from orchestrator.render.annotations import MOST_ANNOTATIONS, github_failure, github_group

        for name, lines in logs.items():
            write_err(github_group(_title(name), lines, style, token_hex(16)))
        for result, place in failed[:MOST_ANNOTATIONS]:
            write_err(github_failure(result, place))
    elif environment.is_set(GITLAB):
        from time import time

        from orchestrator.render.annotations import gitlab_section

        for name, lines in logs.items():
            section, at_s = f"log_{name.replace('@', '.')}", int(time())
            write_err(gitlab_section(section, _title(name), lines, style, at_s))


def _title(name: str) -> str:
    """Return what people call a log."""
    image, _, platform = name.partition("@")
    return f"log of {image}{' for ' if platform else ''}{platform.replace('-', '/')}"


def wants_logs(environment: Environment) -> bool:
    """Say whether this runs where logs of failures are shown folded, since their files vanish."""
    return environment.is_set(GITHUB) or environment.is_set(GITLAB)


def last_lines(logs: Logs, run: str, name: str) -> tuple[str, ...]:
    """Return the last lines of a log; of one that was overwritten, what was last on the screen."""
    start = max((logs.size_bytes(run, name) or 0) - _MOST_BYTES, 0)
    text = logs.read(run, name, start, _MOST_BYTES).decode("utf-8", "replace")
    return tuple(line.rpartition("\r")[2] for line in text.rstrip("\n").split("\n")[-_MOST_LINES:])


def logged(failed: list[tuple[StepResult, Place]]) -> list[str]:
    """Return the names of the logs that are shown: of the platforms that failed."""
    paths = [result.failure.log_path for result, _ in failed if result.failure]
    names = [path.rpartition("/")[2].removesuffix(".log") for path in paths if path]
    return names[:_MOST_LOGS]
