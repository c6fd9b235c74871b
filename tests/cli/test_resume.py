"""`orchestrate resume`, and what every other run does first for those that were cut short."""

from __future__ import annotations

import pytest

from orchestrator.doors.memory.crash import Killed, MemoryCrashPoints
from orchestrator.errors import BuildFailed
from orchestrator.model.crash import CrashPoint
from orchestrator.model.run import FailureCause, RunState
from tests.cli.stage import Stage
from tests.oracle import Oracle


def kill(stage: Stage, point: CrashPoint, occurrence: int = 1, *argv: str) -> str:
    """Kill a build at a point; return the run's id."""
    stage.crash = MemoryCrashPoints(point, occurrence)
    with pytest.raises(Killed):
        stage.run(*(argv or ("build",)))
    stage.crash = MemoryCrashPoints()
    stage.captured()
    return next((run.id for run in stage.world.history.runs(1)), "")


def test_run_that_was_killed_is_brought_to_its_end(stage: Stage) -> None:
    """What it had published is not built again; the new run names the old one."""
    killed = kill(stage, CrashPoint.STEP_RECORDED, 3)
    oracle = Oracle(stage.world.registry, stage.world.history, stage.world.hierarchy())
    published = {name[0].path.rpartition("/")[2] for name in oracle.published()}
    builds = len(stage.world.builds)
    ran = stage.run("resume")
    assert ran.code == 0
    assert f"run {killed} never ended: marked as interrupted" in ran.err
    assert f"resuming run {killed}" in ran.err
    newest, oldest = stage.world.history.runs()
    assert (newest.command, newest.state, newest.resumes) == ("resume", RunState.SUCCEEDED, killed)
    assert oldest.state is RunState.INTERRUPTED
    again = {build.image for build in stage.world.builds[builds:]}
    assert published
    assert again == stage.world.dockerfiles.keys() - published
    assert stage.run("plan", "--detailed-exitcode").code == 0
    assert killed in stage.run("show", newest.id).out
    assert stage.run("show", newest.id, "-o", "json").data["run"]["resumes"] == killed


def test_nothing_to_resume_says_so(stage: Stage) -> None:
    """Exit 0: a script may always say it first."""
    ran = stage.run("resume")
    assert (ran.code, ran.out) == (0, "Nothing to resume.\n")
    stage.run("build")
    assert stage.run("resume").out == "Nothing to resume.\n"
    assert stage.run("resume", "-o", "json").data["run"] is None
    assert stage.run("resume", "-q").out == ""


def test_resumed_run_is_not_resumed_again(stage: Stage) -> None:
    """Neither without a name nor with it."""
    killed = kill(stage, CrashPoint.STEP_RECORDED)
    assert stage.run("resume").code == 0
    assert stage.run("resume").out == "Nothing to resume.\n"
    assert stage.run("resume", killed).out == "Nothing to resume.\n"


def test_run_that_resumes_can_be_killed_and_resumed(stage: Stage) -> None:
    """However often that happens, the newest one is gone on with."""
    first = kill(stage, CrashPoint.STEP_RECORDED, 2)
    second = kill(stage, CrashPoint.STEP_RECORDED, 2, "resume")
    assert stage.world.history.run(second).resumes == first  # type: ignore[union-attr]
    assert stage.run("resume").code == 0
    assert stage.world.history.runs(1)[0].resumes == second
    assert stage.run("resume").out == "Nothing to resume.\n"


def test_any_later_build_does_what_is_left(stage: Stage) -> None:
    """It settles the journal first, and says so in one line; nothing is left to resume then."""
    oracle = Oracle(stage.world.registry, stage.world.history, stage.world.hierarchy())
    before = oracle.look()
    killed = kill(stage, CrashPoint.TAG_MOVED, 3)
    ran = stage.run("build")
    assert ran.code == 0
    moves = len(stage.world.history.moves(killed))
    line = f"run {killed} never ended: all of it is done; {moves - 2} tags moved"
    assert ran.err.count(line) == 1
    oracle.require_settled(before)
    assert stage.run("plan", "--detailed-exitcode").code == 0


def test_inputs_that_moved_are_refused_with_what_to_do_instead(stage: Stage) -> None:
    """Exit 4; the command makes a plan like the old one from what is there now."""
    kill(stage, CrashPoint.STEP_RECORDED, 2, "build", "hello", "+hello")
    stage.world.dockerfiles["hello"] += "RUN true\n"
    stage.write()
    ran = stage.run("resume")
    assert ran.code == 4
    assert "hello: dockerfile" in ran.err
    assert "orchestrate build hello +hello" in ran.err


def test_run_that_failed_is_no_run_to_resume(stage: Stage) -> None:
    """It came to its end; the hint names the command that tries again."""
    stage.world.builder.fail("hello", BuildFailed("no", cause=FailureCause.COMMAND))
    assert stage.run("build").code == 1
    failed = stage.world.history.runs(1)[0].id
    ran = stage.run("resume", failed)
    assert ran.code == 2
    assert "orchestrate build state:failed" in ran.err
    assert stage.run("resume").out == "Nothing to resume.\n"


def away(**more: object) -> BuildFailed:
    return BuildFailed("no", cause=FailureCause.REGISTRY, transient=True, **more)  # type: ignore[arg-type]


def test_run_that_failed_through_nobodys_fault_is_resumed(stage: Stage) -> None:
    """A registry was away for longer than anybody waits; what passed is not built again."""
    stage.world.builder.fail("hello", away())
    ran = stage.run("build")
    assert ran.code == 5
    assert "`orchestrate resume` goes on from here" in ran.out
    builds = len(stage.world.builds)
    stage.world.builder.fail("hello", away(), times=0)
    ran = stage.run("resume")
    assert ran.code == 0, ran.err
    assert {build.image for build in stage.world.builds[builds:]} == {"hello"}
    newest, failed = stage.world.history.runs()
    assert (newest.resumes, newest.state) == (failed.id, RunState.SUCCEEDED)
    assert failed.state is RunState.FAILED
    assert stage.run("resume").out == "Nothing to resume.\n"
    assert stage.run("resume", failed.id).out == "Nothing to resume.\n"
    assert stage.run("plan", "--detailed-exitcode").code == 0


def test_resumed_run_that_fails_so_again_is_resumed_again(stage: Stage) -> None:
    """Until the registry is back; each names the one before."""
    stage.world.builder.fail("hello", away())
    stage.run("build")
    ran = stage.run("resume")
    assert ran.code == 5
    assert "`orchestrate resume` goes on from here" in ran.out
    stage.world.builder.fail("hello", away(), times=0)
    assert stage.run("resume").code == 0
    last, second, first = stage.world.history.runs()
    assert (last.resumes, second.resumes) == (second.id, first.id)


def test_run_that_failed_for_more_than_that_is_no_run_to_resume(stage: Stage) -> None:
    """One image that is at fault is enough: its files are to be changed first."""
    stage.world.builder.fail("hello", away())
    stage.world.builder.fail("landing", BuildFailed("no", cause=FailureCause.COMMAND))
    ran = stage.run("build")
    assert "`orchestrate build` goes on from here" in ran.out
    failed = stage.world.history.runs(1)[0].id
    assert stage.run("resume").out == "Nothing to resume.\n"
    assert stage.run("resume", failed).code == 2


def test_run_that_failed_is_not_resumed_when_another_came_after_it(stage: Stage) -> None:
    """Unless somebody names it: it had its end, and something else was tried since."""
    stage.world.builder.fail("hello", away())
    stage.run("build")
    failed = stage.world.history.runs(1)[0].id
    stage.world.builder.fail("hello", away(), times=0)
    assert stage.run("build", "--force", "landing").code == 0
    assert stage.run("resume").out == "Nothing to resume.\n"
    ran = stage.run("resume", failed)
    assert ran.code == 0, ran.err
    assert stage.world.tag("hello")


def test_killed_with_the_turn_in_its_hands(stage: Stage) -> None:
    """Whoever dies before anything was begun is nobody's run, and nobody waits for it."""
    assert kill(stage, CrashPoint.LEASE_TAKEN) == ""
    assert stage.run("resume").out == "Nothing to resume.\n"
    assert stage.run("build").code == 0


def test_unknown_run_is_a_usage_error(stage: Stage) -> None:
    """A mistyped id is not taken for nothing to do."""
    assert stage.run("resume", "2026").code == 2


def test_image_that_was_taken_out_is_named_with_what_to_do_instead(stage: Stage) -> None:
    """Exit 4, and nothing is built; the journal of what had been done is settled all the same."""
    killed = kill(stage, CrashPoint.STEP_RECORDED, 2)
    for image in ("landing", "docs"):
        del stage.world.dockerfiles[image]
    stage.world.write()
    stage.write()
    builds = len(stage.world.builds)
    ran = stage.run("resume")
    assert ran.code == 4
    assert "landing is no longer in the hierarchy" in ran.err
    assert "`orchestrate build`" in ran.err
    assert len(stage.world.builds) == builds
    assert stage.run("build").code == 0
    assert stage.run("resume").out == "Nothing to resume.\n"
    assert stage.run("resume", killed).code == 4


def test_moves_of_an_image_that_was_taken_out_are_settled(stage: Stage) -> None:
    """Its tags were on their way together with the others."""
    kill(stage, CrashPoint.TAG_MOVED, 3)
    del stage.world.dockerfiles["landing"]
    stage.world.write()
    stage.write()
    assert stage.run("build").code == 0
    assert stage.world.tag("landing") is not None


def test_night_with_a_budget_that_was_killed_is_brought_to_its_end(stage: Stage) -> None:
    """Whoever resumes it wants all of it: the budget was that night's."""
    kill(stage, CrashPoint.STEP_RECORDED, 2, "patch", "--budget", "1")
    ran = stage.run("resume")
    assert ran.code == 0, ran.err
    assert stage.run("plan", "--detailed-exitcode").code == 0


def test_plan_that_was_applied_and_killed_is_resumed_without_its_file(stage: Stage) -> None:
    """The plan is kept with the run."""
    file = stage.directory / "plan.json"
    assert stage.run("plan", "--out", str(file)).code == 0
    kill(stage, CrashPoint.STEP_RECORDED, 2, "apply", str(file))
    file.unlink()
    assert stage.run("resume").code == 0
    assert stage.run("plan", "--detailed-exitcode").code == 0
