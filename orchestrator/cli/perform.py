"""Does a command: options in, an exit code out, every error reported. Knows nothing of click."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from orchestrator.cli.environment import Environment, read_environment
from orchestrator.cli.session import Session, write_json
from orchestrator.cli.settings import Settings, settle
from orchestrator.cli.streams import write_err
from orchestrator.errors import OrchestrateError

if TYPE_CHECKING:
    from orchestrator.cli.workplace import Outside


def perform(
    work: Callable[[Session], int],
    given: Mapping[str, object],
    environment: Environment,
    outside: Outside | None,
    forms: tuple[str, ...],
) -> int:
    """Do a command and return its exit code.

    Args:
        work: does it, and returns its exit code.
        given: what was said of :data:`orchestrator.cli.overview.OPTIONS`; parameter → value.
        environment: what the process was started with.
        outside: how the outside is reached; None: for real.
        forms: what ``--output`` takes, the usual one first.
    """
    settings = Settings()
    try:
        settings = settle(given, environment, forms)
        log = _logger(environment, settings) if settings.verbose else _no_log
        return work(Session(settings=settings, environment=environment, outside=outside, log=log))
    except OrchestrateError as error:
        return report(error, settings, environment)


def report(error: OrchestrateError, settings: Settings, environment: Environment) -> int:
    """Show an error and return the exit code it stands for.

    People read it on standard error. Where the answer was to be JSON, standard output holds the
    error as JSON, so that it can always be parsed.
    """
    from orchestrator.render.text_error import error_text

    write_err(error_text(error, environment.style(environment.err, settings.color)))
    if environment.is_set("GITHUB_ACTIONS"):
        from orchestrator.cli.ci import annotate_error

        annotate_error(error, environment)
    if settings.output == "json":
        from orchestrator.render.json import error_json

        write_json(error_json(error))
    return error.exit_code


def guarded(work: Callable[[Environment], int]) -> int:
    """Do what is left to do, and turn what nobody foresaw into one line and an exit code."""
    try:
        environment = read_environment()
    except OrchestrateError as error:
        write_err(f"error: {error.what}\nhint:  {error.hint}\n")
        return error.exit_code
    try:
        return work(environment)
    except KeyboardInterrupt:
        write_err("\nstopped\n")
        return 130
    except Exception as error:  # noqa: BLE001 - the last resort, which says so
        return _bug(error, environment)


def _bug(error: Exception, environment: Environment) -> int:
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    if environment.is_set("ORCHESTRATE_DEBUG"):
        traceback.print_exception(error, file=sys.stderr)
    write_err(
        f"error: this is a bug: {type(error).__name__}: {error}{where}\n"
        "hint:  report it with the traceback, which ORCHESTRATE_DEBUG=1 shows\n"
    )
    return 1


def _logger(environment: Environment, settings: Settings) -> Callable[..., None]:
    from orchestrator.cli.debug_log import debug_log

    return debug_log(color=environment.is_colored(environment.err, settings.color))


def _no_log(event: str, **fields: object) -> None:
    """Say nothing."""
