"""`orchestrate log`: what a build wrote."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from orchestrator.cli.command import command
from orchestrator.cli.past_run import past_run
from orchestrator.cli.session import Session, open_files
from orchestrator.cli.streams import stream_out
from orchestrator.cli.workplace import diary, open_logs, places
from orchestrator.errors import InvalidInput, UsageError

if TYPE_CHECKING:
    from orchestrator.build.logs import BuildLog
    from orchestrator.doors.protocols_history import History, Logs
    from orchestrator.model.hierarchy import Hierarchy
    from orchestrator.render.style import Style

#: Characters of a line that has no end yet, after which it is written all the same.
_LONGEST_LINE = 64 << 10


@command(
    "log",
    forms=("text",),
    about="""Print the log of IMAGE's last build, or of its build in RUN.

    RUN is an id from `orchestrate history`, or the beginning of one. A build that was tried
    several times leaves the log of its last try. Each platform of an image with several has a
    log of its own; all of them are printed. Logs are kept on the machine that built.
    """,
    examples=(
        ("orchestrate log gunicorn", "of its last build"),
        ("orchestrate log gunicorn --run 20261122T024631Z-3fa9", "of its build in that run"),
        ("orchestrate log gunicorn --follow", "while it is built, until it ends"),
        ("orchestrate log gunicorn --platform linux/arm64", "of that platform alone"),
    ),
)
@click.argument("image")
@click.option("--run", "asked", metavar="RUN", help="Of that run instead of the last build's.")
@click.option("--platform", metavar="OS/ARCH", help="Of this platform only.")
@click.option("--follow", is_flag=True, help="Go on until the image's build, or its run, ends.")
@click.option("--raw", is_flag=True, help="The log's own bytes, colours and all.")
def log(
    session: Session,
    image: str,
    asked: str | None,
    platform: str | None,
    follow: bool,
    raw: bool,
) -> int:
    """Find the log, and print it."""
    from orchestrator.build.logs import BuildLog, find_log, follow_log, log_chunks

    hierarchy = _hierarchy(session)
    names = _names(image, hierarchy)
    logs = open_logs(session, places(session))
    with diary(session) as past:
        if asked is not None:
            found: BuildLog | None = BuildLog(run=past_run(past, asked), image=image)
        else:
            name = hierarchy.name if hierarchy else None
            found = find_log(names, past, logs, hierarchy=name, follow=follow)
        if found is None:
            raise _never_built(image, hierarchy)
        found = replace(found, platform=_spelt(platform))
        waits = follow and _is_coming(found, past)
        if not found.names(logs) and not waits:
            raise _no_log(found, past, logs)
        session.log("log", run=found.run.id, image=found.image)
        chunks = log_chunks(found, logs)
        if follow:
            from orchestrator.doors.clock import RealClock

            again = "another try: the log begins anew"
            chunks = follow_log(found, past, logs, RealClock(), lambda: session.say(again))
        code = stream_out(chunks if raw else _readable(chunks, session.out_style))
        if waits and not found.names(logs):
            raise _no_log(found, past, logs)
        return code


def _spelt(platform: str | None) -> str | None:
    """Return a platform as the names of logs spell it.

    Raises:
        UsageError: it is none.
    """
    from orchestrator.model.names import is_platform, normal_platform

    if platform is not None and not is_platform(platform):
        raise UsageError(f"{platform!r} is no platform", hint="for example linux/arm64")
    return platform and normal_platform(platform)


def _hierarchy(session: Session) -> Hierarchy | None:
    """Return the hierarchy one stands in; None where there is none, or a broken one.

    A log is asked for most where something does not work.
    """
    from orchestrator.observe.load_files import load_files

    try:
        return load_files(open_files(session), session.settings.registry)
    except InvalidInput:
        return None


def _names(image: str, hierarchy: Hierarchy | None) -> tuple[str, ...]:
    known = hierarchy.images.get(image) if hierarchy else None
    return (image, *reversed(known.formerly)) if known else (image,)


def _is_coming(found: BuildLog, past: History) -> bool:
    from orchestrator.build.logs import last_result
    from orchestrator.model.run import RunState

    return found.run.state is RunState.RUNNING and last_result(found, past) is None


def _readable(chunks: Iterator[bytes], style: Style) -> Iterator[bytes]:
    """Yield text that is safe to show, line by line; of a line that was overwritten the last."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest = ""
    for chunk in chunks:
        *lines, rest = (rest + decoder.decode(chunk)).split("\n")
        if len(rest) > _LONGEST_LINE:
            lines, rest = [*lines, rest], ""
        if lines:
            yield "".join(f"{_shown(line, style)}\n" for line in lines).encode("utf-8", "replace")
    rest += decoder.decode(b"", final=True)
    if rest:
        yield f"{_shown(rest, style)}\n".encode()


def _shown(line: str, style: Style) -> str:
    return style.clean(line.rstrip("\r").rpartition("\r")[2])


def _never_built(image: str, hierarchy: Hierarchy | None) -> UsageError:
    if hierarchy is not None and image not in hierarchy.images:
        from orchestrator.decide.refuse import unknown_image

        return unknown_image(image, hierarchy)
    return UsageError(
        f"there is no log of {image}: it was never built here",
        hint="logs stay where the build ran; `orchestrate history` lists what ran here, "
        "--state names another place",
    )


def _no_log(found: BuildLog, past: History, logs: Logs) -> UsageError:
    from orchestrator.build.logs import last_result
    from orchestrator.model.run import Outcome
    from orchestrator.render.words import OUTCOMES

    run, image = found.run.id, found.image
    result = last_result(found, past)
    if found.platform and replace(found, platform=None).names(logs):
        return UsageError(
            f"run {run} has no log of {image} for {found.platform}",
            hint=f"`orchestrate log {image} --run {run}` has those of all its platforms",
        )
    if result is None:
        return UsageError(
            f"run {run} has no log of {image}: it built nothing of it",
            hint=f"`orchestrate show {run}` tells what it did",
        )
    if result.blocked_by:
        why = f"it was blocked by {result.blocked_by}"
        if result.outcome is Outcome.CANCELLED:
            why = f"it was cancelled, because {result.blocked_by} failed"
        return UsageError(
            f"run {run} has no log of {image}: {why}",
            hint=f"`orchestrate log {result.blocked_by} --run {run}`",
        )
    gone = "built" if result.duration_s else OUTCOMES[result.outcome]
    return UsageError(
        f"run {run} has no log of {image}, which was {gone}",
        hint="only a build leaves a log, on the machine it ran on, until somebody deletes it",
    )
