"""`orchestrate reproduce`: build an image twice, and say what differs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestrator.cli.command import command
from orchestrator.cli.running import local_run, watch
from orchestrator.cli.session import Session
from orchestrator.cli.streams import write_out
from orchestrator.cli.workplace import Workplace, workplace
from orchestrator.errors import UsageError
from orchestrator.model.names import is_platform, normal_platform

if TYPE_CHECKING:
    from orchestrator.build.reproduce import Bench
    from orchestrator.model.reproduction import Reproduction
    from orchestrator.model.source import Revision

#: Exit code where both builds came to an end, and differ.
DIFFERENT = 1


@command(
    "reproduce",
    about="""Build IMAGE twice without the cache, on the parents that are published, and compare
    what comes out: exit 0 where it is the same, 1 where it is not.

    An image that comes out the same from the same files is not published again, and nothing above
    it is rebuilt. Where it differs, the layer, the instruction that made it, the files and what
    differs of them are named, with what usually helps. Nothing is published, and no history is
    written.""",
    examples=(
        ("orchestrate reproduce hello", "on every platform of hello"),
        ("orchestrate reproduce hello --platform linux/amd64", "on one: without emulation"),
        ("orchestrate reproduce hello --all", "every file that differs, not the first 20 a layer"),
        ("orchestrate reproduce hello -o json", "for a script"),
    ),
)
@click.argument("image")
@click.option("--platform", metavar="PLATFORM", help="Only for PLATFORM, which is one of IMAGE's.")
@click.option("--all", "every", is_flag=True, help="List every file that differs; so does -v.")
def reproduce(session: Session, image: str, platform: str | None, every: bool) -> int:
    """Build twice, compare, answer."""
    from orchestrator import questions
    from orchestrator.build.reproduce import on_platform
    from orchestrator.build.reproduce import reproduce as build_twice
    from orchestrator.render.reproduction import reproduction_json, reproduction_text
    from orchestrator.render.text import finished_text

    if platform is not None and not is_platform(platform):
        raise UsageError(
            f"--platform: {platform!r} is no platform", hint="such as linux/amd64 or linux/arm64"
        )
    found: list[Reproduction] = []
    with workplace(session) as place:
        step, revision = questions.step_now(place.hierarchy, place.doors, image)
        step = on_platform(step, normal_platform(platform) if platform else None)
        ended = watch(session, place, build_twice(step, _bench(place, revision), found))
        finished, code = ended.finished, ended.code
    every = every or session.settings.verbose
    compared = found[0] if found and code == 0 else None
    code = code or (0 if _is_equal(compared) else DIFFERENT)
    if session.json:
        data = reproduction_json(image, compared, finished, every=every)
        return session.answer(lambda _: "", lambda: data) or code
    if compared is None:
        return write_out(finished_text(finished, session.out_style)) or code
    if code == 0 and session.settings.quiet:
        return 0
    return write_out(reproduction_text(compared, session.out_style, every=every)) or code


def _is_equal(compared: Reproduction | None) -> bool:
    return compared is not None and compared.is_equal


def _bench(place: Workplace, revision: Revision | None) -> Bench:
    from orchestrator.build.reproduce import Bench

    doors = place.doors
    return Bench(
        hierarchy=place.hierarchy,
        files=doors.files,
        registry=doors.registry,
        builder=doors.builder,
        spool=doors.spool,
        clock=doors.clock,
        revision=revision,
        run=local_run(place, "reproduce", revision),
        log_dir=place.places.logs,
        cancelled=place.interrupts.cancelled,
    )
