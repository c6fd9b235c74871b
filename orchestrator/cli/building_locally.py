"""`build --no-publish`: images for this machine alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from orchestrator.cli.planning import suffix
from orchestrator.cli.running import local_run, watch
from orchestrator.cli.selecting import choose
from orchestrator.cli.session import Session
from orchestrator.cli.streams import write_out
from orchestrator.cli.workplace import Workplace
from orchestrator.errors import UsageError
from orchestrator.model.names import is_platform, normal_platform

if TYPE_CHECKING:
    from orchestrator.build.local import LocalSite
    from orchestrator.decide.select import Selection
    from orchestrator.doors.protocols_local import LocalBuilder

#: Options that say something of a publication or of a run that is remembered: parameter → name.
_OF_RUNS = {
    "because": "--because",
    "trigger": "--trigger",
    "force": "--force",
    "no_soak": "--no-soak",
    "allow_dirty": "--allow-dirty",
    "events": "--events",
    "junit": "--junit",
    "code_quality": "--code-quality",
}


def require_sense(*, no_publish: bool, platform: str | None) -> str | None:
    """Refuse options that do not go together, and return the platform as indexes spell it.

    Raises:
        UsageError: naming one.
    """
    if not no_publish:
        if platform:
            raise UsageError(
                "--platform goes with --no-publish: what is published is for every platform",
                hint="`platforms:` in the hierarchy file says for which",
            )
        return None
    context = click.get_current_context()
    for parameter, option in _OF_RUNS.items():
        if context.get_parameter_source(parameter) is click.core.ParameterSource.COMMANDLINE:
            hint = "leave one of them out: nothing is published, and no history is written"
            if parameter == "force":
                hint = "name the image as a selector: what is named is built"
            if parameter == "no_soak":
                hint = "leave it out: here nothing soaks"
            raise UsageError(f"{option} and --no-publish do not go together", hint=hint)
    if platform is not None and not is_platform(platform):
        raise UsageError(
            f"--platform: {platform!r} is no platform", hint="such as linux/amd64 or linux/arm64"
        )
    return normal_platform(platform) if platform else None


def build_locally(
    session: Session,
    place: Workplace,
    selection: Selection,
    *,
    platform: str | None,
    slots: int | None,
    fail_fast: bool,
) -> int:
    """Build, say how to run what was built, and return the exit code."""
    from orchestrator.build.local import build_locally as build
    from orchestrator.build.local import prepare_locally
    from orchestrator.model.local import LocalImage
    from orchestrator.render.local import local_json, local_text, run_command
    from orchestrator.render.text import finished_text

    wanted = _wanted(session, place, selection)
    site = replace(_site(session, place, slots), fail_fast=fail_fast)
    work = prepare_locally(wanted, platform, site)
    if not work.images and not session.json:
        if session.settings.quiet:
            return 0
        return write_out("Nothing would be built; name an image to build it here all the same.\n")
    if work.added:
        session.say(f"built as well, because others stand on it: {', '.join(work.added)}")
    built: dict[str, LocalImage] = {}
    watched = watch(session, place, build(work, site, built))
    finished, code = watched.finished, watched.code
    commands = {
        image: run_command(built[image], work.platform, foreign=work.foreign)
        for image in work.images
        if image in built
    }
    if session.json:
        data = local_json(finished, built, commands, work.platform)
        return session.answer(lambda _: "", lambda: data) or code
    if code == 0 and session.settings.quiet:
        return 0
    text = local_text(commands, session.out_style)
    ended = finished_text(finished, session.out_style)
    return write_out(f"{text}\n{ended}" if text else ended) or code


def _wanted(session: Session, place: Workplace, selection: Selection) -> frozenset[str]:
    """Return the images that are named; where none is, those that a build would build."""
    from orchestrator import flow
    from orchestrator.model.plan import Verdict

    chosen = choose(session, place, selection)
    if chosen.only is not None:
        images = place.hierarchy.images
        live = frozenset(name for name in chosen.only if not images[name].retired)
        return live or chosen.only
    made = flow.plan(place.hierarchy, place.doors, flow.Wish(allow_dirty=True, suffix=suffix()))
    builds = (Verdict.BUILD, Verdict.AWAIT)
    return frozenset(step.image for step in made.steps if step.verdict in builds)


def _site(session: Session, place: Workplace, slots: int | None) -> LocalSite:
    from orchestrator.build.local import LocalSite

    doors = place.doors
    revision = doors.git.revision()
    return LocalSite(
        hierarchy=place.hierarchy,
        files=doors.files,
        registry=doors.registry,
        builder=_builder(session, place),
        clock=doors.clock,
        revision=revision,
        run=local_run(place, "build --no-publish", revision),
        log_dir=place.places.logs,
        slots=slots or place.hierarchy.builders[0].slots,
        cancelled=place.interrupts.cancelled,
    )


def _builder(session: Session, place: Workplace) -> LocalBuilder:
    if session.outside is not None and session.outside.local is not None:
        return session.outside.local(place.places)
    from orchestrator.doors.buildx_load import BuildxLoader

    return BuildxLoader(directory=place.places.hierarchy_dir)
