"""`orchestrate doctor`: is everything there that a build needs?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from orchestrator.cli.checking_up import open_subject
from orchestrator.cli.command import command
from orchestrator.cli.session import Session
from orchestrator.cli.streams import write_err, write_out
from orchestrator.model.finding import Finding, Level, Repair

if TYPE_CHECKING:
    from orchestrator.doctor import HealthDoors, Subject

#: Exit code where something that a build needs is missing.
MISSING = 5


@command(
    "doctor",
    about="""Look at everything a build needs, and say how to mend what is wrong.

    Engine, buildx and its builders, platforms (a small program is built and run for each),
    registries, clock, disks, database, leftovers, files. No image is made and nothing is
    published; an upload is begun in each registry and taken back. Works without a hierarchy file,
    too. Exits 5 when something that a build needs is missing; warnings change nothing.
    """,
    examples=(
        ("orchestrate doctor", "everything"),
        ("orchestrate doctor -q", "only what is wrong; silent when all is well"),
        ("orchestrate doctor --offline", "without asking any registry"),
        ("orchestrate doctor --repair", "and mend what this program can; it says what, first"),
        ("orchestrate doctor -o json", "for a script: stable codes, and facts"),
    ),
)
@click.option("--offline", is_flag=True, help="Leave out what needs a network.")
@click.option(
    "--repair",
    is_flag=True,
    help="First explain and mend: killed runs, leftovers, a damaged database.",
)
def doctor(session: Session, offline: bool, repair: bool) -> int:
    """Look, and show."""
    from orchestrator.doctor import diagnose
    from orchestrator.render.doctor import doctor_json, doctor_text

    if session.environment.err.terminal:
        session.say("looking at everything; a small build for each platform takes some seconds\n")
    with open_subject(session, offline=offline) as (doors, subject):
        repaired = tuple(_repair(session, doors, subject)) if repair else ()
        findings = diagnose(doors, subject)
    for finding in findings:
        session.log("finding", code=str(finding.code), level=str(finding.level), what=finding.what)
    code = exit_code(findings)
    quiet = session.settings.quiet
    if session.json:
        return session.answer(lambda _: "", lambda: doctor_json(findings, repaired)) or code
    return write_out(doctor_text(findings, repaired, session.out_style, quiet=quiet)) or code


def _repair(session: Session, doors: HealthDoors, subject: Subject) -> Iterator[Repair]:
    """Mend what can be mended, each thing said before it is touched."""
    from orchestrator.cli.environment import who
    from orchestrator.cli.holding import holder_of
    from orchestrator.doctor import repairs
    from orchestrator.model.lease import Ask
    from orchestrator.render.doctor import repair_text

    holder = holder_of(Ask(command="doctor", who=who()))
    for each, mend in repairs(doors, subject, holder):
        if not session.json:
            write_err(repair_text(each, session.err_style))
        session.log("repair", code=str(each.code), what=each.what)
        yield replace(each, done=mend())


def exit_code(findings: tuple[Finding, ...]) -> int:
    """Return 5 where something that a build needs is missing, else 0."""
    return MISSING if any(finding.level is Level.ERROR for finding in findings) else 0
