"""What a run writes for machines beside its answer: events, JUnit, Code Quality."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from orchestrator.cli.event_file import EventFile
from orchestrator.cli.session import Session
from orchestrator.cli.whole_file import require_replaceable, require_writable, write_whole
from orchestrator.errors import InvalidInput, OrchestrateError, Unavailable, UsageError
from orchestrator.model.event import Event, RunFinished, RunStarted
from orchestrator.model.time import rfc3339

if TYPE_CHECKING:
    from orchestrator.cli.workplace import Workplace

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """Which files somebody wants; None: not this one.

    Attributes:
        command: whose they are: build, apply…
        events: gets every event; ``-`` for standard output.
        junit: gets the run as JUnit XML.
        code_quality: gets what is wrong, as GitLab reads it.
    """

    command: str
    events: str | None = None
    junit: str | None = None
    code_quality: str | None = None


def report_options(command: str) -> Callable[[F], F]:
    """Add the options that name files for machines; the command gets them as one ``reports``.

    Args:
        command: its name, as the reports say it.
    """

    def added(function: F) -> F:
        @wraps(function)
        def reporting(
            *args: Any,
            events: str | None,
            junit: str | None,
            code_quality: str | None,
            **more: Any,
        ) -> Any:
            wanted = Reports(command=command, events=events, junit=junit, code_quality=code_quality)
            return function(*args, reports=wanted, **more)

        wrapped: Any = click.option(
            "--code-quality",
            metavar="FILE",
            help="Write what is wrong as a GitLab Code Quality report.",
        )(reporting)
        wrapped = click.option(
            "--junit", metavar="FILE", help="Write what became of every image as JUnit XML."
        )(wrapped)
        return cast(
            F,
            click.option(
                "--events",
                metavar="FILE",
                help="Write every event as a line of JSON; - for standard output.",
            )(wrapped),
        )

    return added


class Reporter:
    """Writes the reports of one command.

    Attributes:
        session: the command's; its answer goes to standard error where standard output has events.
    """

    def __init__(self, session: Session, reports: Reports) -> None:
        aside = reports.events == "-"
        self.session = replace(session, aside=True) if aside else session
        self._reports = reports
        self._events: EventFile | None = None
        self._run = ""
        self._seq = 0
        self._reported = False

    def open(self) -> None:
        """Look whether everything can be written, before anything is done.

        Raises:
            UsageError: standard output would have to hold events and JSON.
            Conflict: a file is there that is none of ours.
            Unavailable: a file cannot be written.
        """
        settings = self.session.settings
        if self._reports.events == "-" and self.session.json:
            raise UsageError(
                "--events - and --output json both want standard output",
                hint="name a file for the events: --events FILE",
            )
        for option, path in self._files():
            _require_file(option, path)
            require_replaceable(option, settings.path(path), path)
            if why := require_writable(settings.path(path)):
                raise Unavailable(
                    f"cannot write {option} {path}: {why}",
                    hint=f"{option} takes a file in a directory that is there and can be written",
                )
        if self._reports.events is not None:
            name = self._reports.events
            if name != "-":
                require_replaceable("--events", settings.path(name), name)
            self._events = EventFile(name if name == "-" else settings.path(name))

    def close(self) -> None:
        """Close the events."""
        if self._events is not None:
            self._events.close()

    def take(self, event: Event, now_s: float) -> str:
        """Write an event.

        Args:
            event: what happened.
            now_s: seconds since 1970 UTC.

        Returns:
            A sentence for people where it cannot be written; empty else.
        """
        if isinstance(event, RunStarted):
            self._run = event.run.id
        if self._events is None:
            return ""
        import json

        from orchestrator.render.json_events import event_json

        self._seq += 1
        said = event_json(event, run=self._run, seq=self._seq, at=rfc3339(now_s))
        return self._events.write(json.dumps(said))

    def finished(self, finished: RunFinished, place: Workplace) -> None:
        """Write what a run came to, and tell the CI system of it.

        Raises:
            Unavailable: a file cannot be written.
        """
        self._reported = True
        from orchestrator.cli import ci

        environment = self.session.environment
        failed = ci.places_of(finished, place.hierarchy, place.places.hierarchy_dir, environment)
        if failed and ci.wants_logs(environment):
            run = finished.run.id
            logs = {i: ci.last_lines(place.logs, run, i) for i in ci.logged(failed)}
            ci.annotate_failures(failed, logs, environment, self.session.err_style)
        if self._reports.junit is not None:
            from orchestrator.render.junit import finished_junit

            self._write("--junit", self._reports.junit, finished_junit(finished))
        if self._reports.code_quality is not None:
            from orchestrator.render.code_quality import failures_quality

            self._write_quality(failures_quality(failed))

    def nothing(self) -> None:
        """Write that there was nothing to do; not again where something was reported.

        Raises:
            Unavailable: a file cannot be written.
        """
        if self._reported:
            return
        if self._reports.junit is not None:
            from orchestrator.render.junit import nothing_junit

            self._write(
                "--junit", self._reports.junit, nothing_junit(self._reports.command, _now())
            )
        if self._reports.code_quality is not None:
            self._write_quality([])

    def failed(self, error: OrchestrateError) -> None:
        """Write why there was no run.

        Raises:
            Unavailable: a file cannot be written.
        """
        if self._reported:
            return
        if self._reports.junit is not None:
            from orchestrator.render.junit import error_junit

            text = error_junit(self._reports.command, error, _now())
            self._write("--junit", self._reports.junit, text)
        if self._reports.code_quality is not None:
            self._write_quality(quality_of(self.session, error))

    def _files(self) -> list[tuple[str, str]]:
        wanted = {"--junit": self._reports.junit, "--code-quality": self._reports.code_quality}
        return [(option, path) for option, path in wanted.items() if path is not None]

    def _write_quality(self, issues: list[dict[str, object]]) -> None:
        assert self._reports.code_quality is not None
        write_quality(self.session, self._reports.code_quality, issues)

    def _write(self, option: str, path: str, text: str) -> None:
        write_report(self.session, option, path, text)


@contextmanager
def reporting(session: Session, reports: Reports) -> Iterator[Reporter]:
    """Open the reports; at the end each of them is there, whatever the command came to.

    Raises:
        UsageError: two of them want the same.
        Unavailable: one cannot be written.
    """
    reporter = Reporter(session, reports)
    reporter.open()
    try:
        yield reporter
        reporter.nothing()
    except OrchestrateError as error:
        reporter.failed(error)
        raise
    finally:
        reporter.close()


def quality_of(session: Session, error: OrchestrateError) -> list[dict[str, object]]:
    """Return the Code Quality report of an error: of what is wrong in files."""
    if not isinstance(error, InvalidInput):
        return []
    from orchestrator.cli.ci import from_top
    from orchestrator.render.code_quality import problems_quality

    return problems_quality(error.problems, lambda file: from_top(session.environment, file))


def write_quality(session: Session, path: str, issues: list[dict[str, object]]) -> None:
    """Write a Code Quality report.

    Raises:
        Unavailable: it cannot be written.
    """
    import json

    write_report(session, "--code-quality", path, json.dumps(issues, indent=2) + "\n")


def write_report(session: Session, option: str, path: str, text: str) -> None:
    """Write a report as a whole.

    Raises:
        UsageError: it is no file.
        Conflict: something else is there.
        Unavailable: it cannot be written; what was there is still there.
    """
    _require_file(option, path)
    require_replaceable(option, session.settings.path(path), path)
    try:
        write_whole(session.settings.path(path), text.encode("utf-8", "replace"))
    except OSError as error:
        raise Unavailable(
            f"cannot write {option} {path}: {error.strerror}",
            hint=f"{option} takes a file in a directory that is there and can be written",
        ) from error


def _require_file(option: str, path: str) -> None:
    # --events takes it, so people try; and a file of that name is hard to get rid of.
    if path == "-":
        raise UsageError(f"{option} takes a file, not -", hint=f"{option} /dev/stdout prints it")


def _now() -> str:
    from time import time

    return rfc3339(time())
