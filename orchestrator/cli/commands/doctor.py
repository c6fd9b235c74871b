"""`orchestrate doctor`: is everything there that a build needs?"""

from __future__ import annotations

import click

from orchestrator.cli.checking_up import open_subject
from orchestrator.cli.command import command
from orchestrator.cli.session import Session
from orchestrator.cli.streams import write_out
from orchestrator.model.finding import Finding, Level

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
        ("orchestrate doctor --mend", "and mark runs that were killed as interrupted"),
        ("orchestrate doctor -o json", "for a script: stable codes, and facts"),
    ),
)
@click.option("--offline", is_flag=True, help="Leave out what needs a network.")
@click.option(
    "--mend", is_flag=True, help="First mark runs that nobody carries out as interrupted."
)
def doctor(session: Session, offline: bool, mend: bool) -> int:
    """Look, and show."""
    from orchestrator.doctor import diagnose, mend_runs
    from orchestrator.render.doctor import doctor_json, doctor_text

    if session.environment.err.terminal:
        session.say("looking at everything; a small build for each platform takes some seconds\n")
    with open_subject(session, offline=offline) as (doors, subject):
        mended = tuple(run.id for run in mend_runs(doors)) if mend else ()
        findings = diagnose(doors, subject)
    for finding in findings:
        session.log("finding", code=str(finding.code), level=str(finding.level), what=finding.what)
    code = exit_code(findings)
    quiet = session.settings.quiet
    if session.json:
        return session.answer(lambda _: "", lambda: doctor_json(findings, mended)) or code
    return write_out(doctor_text(findings, mended, session.out_style, quiet=quiet)) or code


def exit_code(findings: tuple[Finding, ...]) -> int:
    """Return 5 where something that a build needs is missing, else 0."""
    return MISSING if any(finding.level is Level.ERROR for finding in findings) else 0
