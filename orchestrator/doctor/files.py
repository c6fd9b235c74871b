"""The hierarchy's files and the tree they are in."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.doctor.subject import Subject
from orchestrator.doctor.wording import counted
from orchestrator.doors.protocols import Git
from orchestrator.errors import InvalidInput
from orchestrator.model.finding import Code, Finding, Level
from orchestrator.model.hierarchy import Hierarchy


def hierarchy_findings(subject: Subject) -> Iterator[Finding]:
    """Yield whether the hierarchy loads."""
    hierarchy, problem = subject.hierarchy, subject.problem
    if hierarchy is not None:
        warnings = len(hierarchy.warnings)
        yield Finding(
            code=Code.FILES_HIERARCHY,
            level=Level.WARNING if warnings else Level.OK,
            what=f"{hierarchy.file} loads: {counted(len(hierarchy.images), 'image')}"
            + (f", {counted(warnings, 'warning')}" if warnings else ""),
            hint="read the warnings" if warnings else "",
            command="orchestrate check" if warnings else "",
            facts={"file": hierarchy.file, "images": len(hierarchy.images), "warnings": warnings},
        )
        return
    problems = problem.problems if isinstance(problem, InvalidInput) else ()
    if [found.code for found in problems] == ["NO-HIERARCHY"]:
        yield Finding(
            code=Code.FILES_HIERARCHY,
            level=Level.WARNING,
            what="there is no hierarchy file here: registries and platforms were not looked at",
            hint=problems[0].hint,
            command="orchestrate init",
        )
        return
    file = problems[0].file if problems else "the hierarchy file"
    said = getattr(problem, "what", "")
    if problems:
        said = f"{counted(len(problems), 'problem')} in {file}"
    yield Finding(
        code=Code.FILES_HIERARCHY,
        level=Level.ERROR,
        what=f"{said}: registries and platforms were not looked at",
        hint="`orchestrate check` shows every problem with its line",
        command="orchestrate check",
        facts={"problems": len(problems)},
    )


def git_findings(git: Git, hierarchy: Hierarchy | None) -> Iterator[Finding]:
    """Yield whether the tree is under version control, and clean."""
    if hierarchy is None:
        return
    revision = git.revision()
    if revision is None:
        yield Finding(
            code=Code.FILES_GIT,
            level=Level.WARNING,
            what="no git tree is found: images do not say what they were built from",
            hint="install git, or put the files under version control",
            command='git init && git add --all && git commit -m "images"',
        )
        return
    yield Finding(
        code=Code.FILES_GIT,
        level=Level.WARNING if revision.dirty else Level.OK,
        what=f"git is at {revision.commit[:12]}, "
        + ("and the tree has changes: floating tags do not move" if revision.dirty else "clean"),
        hint="commit them, or build with --allow-dirty" if revision.dirty else "",
        command="git add --all && git commit" if revision.dirty else "",
        facts={"commit": revision.commit, "dirty": revision.dirty},
    )
