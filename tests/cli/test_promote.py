"""`orchestrate promote`, and what other commands say of images that wait."""

from __future__ import annotations

import pytest

from orchestrator.errors import BuildFailed
from tests.cli.stage import Stage
from tests.world import HEAD

NO = BuildFailed("no", cause="command")


@pytest.fixture
def waits(stage: Stage) -> str:
    """A run that held everything; what it is called."""
    return waiting_run(stage, "manual")


def waiting_run(stage: Stage, mode: str, **extra: str) -> str:
    """Build, promote, change everything and build again; return the last run."""
    stage.write()
    assert stage.run("build").code == 0
    world = stage.world
    world.head = HEAD.replace("images:\n", f"promote: {mode}\nimages:\n")
    world.extra = extra
    world.edit("base", "RUN more")
    stage.write()
    stage.run("build")
    return world.history.runs(1)[0].id


def test_a_run_says_what_it_held_and_how_it_is_promoted(stage: Stage, waits: str) -> None:
    """At its end, in `show`, in `plan`, in `status` and in `why` stands the command to copy."""
    promote = f"orchestrate promote {waits}"
    for command in (("show", waits), ("plan",), ("status",), ("why", "python"), ("promote",)):
        assert promote in stage.run(*command).out
    plan = stage.run("plan").out
    assert "Nothing to do: 8 wait for promotion." in plan


def test_a_promotion_moves_tags_and_is_a_run(stage: Stage, waits: str) -> None:
    """Exit code 0, the tags moved, a run with its reason in the history; a second one is idle."""
    ran = stage.run("promote", waits, "--because", "tried on staging")
    assert ran.code == 0
    assert "Tags moved" in ran.out
    run = stage.world.history.runs(1)[0]
    assert (run.command, run.because) == ("promote", "tried on staging")
    assert "Nothing waits" in stage.run("promote").out
    again = stage.run("promote", waits)
    assert again.code == 0
    assert "promoted already" in again.err
    assert "Nothing to do: 8 images are up to date." in stage.run("plan").out


def test_selectors_name_what_is_promoted(stage: Stage, waits: str) -> None:
    """`+python` promotes python and what it stands on, and nothing else."""
    assert stage.run("promote", waits, "+python").code == 0
    assert {m.image for m in stage.world.history.moves(stage.world.history.runs(1)[0].id)} == {
        "base",
        "python",
    }


def test_a_promotion_as_json(stage: Stage, waits: str) -> None:
    """The list of what waits, and what a promotion came to."""
    listed = stage.run("promote", "-o", "json").data
    assert {each["run"] for each in listed["images"]} == {waits}
    moves = stage.run("show", waits, "-o", "json").data["moves"]
    assert {(m["state"], m["held_by"]) for m in moves} == {("held", "manual")}
    moved = stage.run("promote", waits, "-o", "json").data
    assert moved["run"]["command"] == "promote"
    assert {m["state"] for m in moved["moves"]} == {"moved"}


def test_a_promotion_of_what_cannot_be_promoted(stage: Stage, waits: str) -> None:
    """An image alone, one that is mistyped, one that the run did not hold, a run that held none."""
    alone = stage.run("promote", waits, "python")
    assert alone.code == 4
    assert f"`orchestrate promote {waits} +python`" in " ".join(alone.err.split())
    mistyped = stage.run("promote", waits, "pyhton")
    assert (mistyped.code, "did you mean python?" in mistyped.err) == (2, True)
    assert stage.run("promote", "2019").code == 2
    first = stage.world.history.runs()[-1].id
    none = stage.run("promote", first)
    assert none.code == 2
    assert "held no tag" in none.err


def test_a_failed_canary_is_told(stage: Stage) -> None:
    """The plan names the canary, the run says what it held, and only who insists promotes it."""
    stage.write()
    assert stage.run("build").code == 0
    stage.world.extra = {"base": ", canaries: [hello]"}
    stage.world.edit("base", "RUN more")
    stage.write()
    assert "base move only if its canary hello passes" in " ".join(stage.run("plan").out.split())
    stage.world.builder.fail("hello", NO)
    ran = stage.run("build")
    run = stage.world.history.runs(1)[0].id
    assert ran.code == 1
    assert "canary hello did not pass on it" in ran.out
    refused = stage.run("promote", run)
    assert refused.code == 4
    assert "canary hello did not pass" in refused.err
    assert stage.run("promote", run, "--despite-canaries").code == 0


def test_what_was_held_is_in_the_junit_report(stage: Stage) -> None:
    """Every tag that was held is a skipped test that says how it is promoted."""
    run = waiting_run(stage, "manual")
    stage.world.edit("hello", "RUN more")
    stage.write()
    path = stage.directory / "report.xml"
    assert stage.run("build", "--junit", str(path)).code == 0
    text = path.read_text()
    assert 'skipped="2"' in text
    assert "orchestrate promote" in text
    assert run not in text


def test_a_rollback_of_a_subtree(stage: Stage) -> None:
    """`rollback RUN python+` takes back python and what stands on it."""
    stage.write()
    assert stage.run("build").code == 0
    stage.world.edit("base", "RUN more")
    stage.write()
    assert stage.run("build").code == 0
    run = stage.world.history.runs(1)[0].id
    assert stage.run("rollback", run, "python+").code == 0
    moves = stage.world.history.moves(stage.world.history.runs(1)[0].id)
    assert {move.image for move in moves} == {"python", "gunicorn", "hello", "docs"}
    nothing = stage.run("rollback", stage.world.history.runs(1)[0].id, "landing+")
    assert (nothing.code, "moved no tag of landing+" in nothing.err) == (2, True)


def test_a_rollback_of_what_was_held(stage: Stage, waits: str) -> None:
    """What waits is rejected: the run says so, and `promote` refuses it."""
    ran = stage.run("rollback", waits)
    assert ran.code == 0
    assert "8 images rejected" in " ".join(ran.out.replace("\u00a0", " ").split())
    assert "rolled back" in stage.run("promote", waits).err
    assert "Nothing waits" in stage.run("promote").out


def test_a_night_that_holds_something_says_so_once(stage: Stage) -> None:
    """What a night built and did not promote is told that night, and no more while it waits."""
    stage.write()
    assert stage.run("build").code == 0
    stage.world.extra = {"base": ", canaries: [hello]"}
    stage.world.edit("base", "RUN more")
    stage.write()
    stage.world.builder.fail("hello", NO)
    first = stage.run("patch")
    assert "not promoted: canary hello did not pass on it" in " ".join(first.out.split())
    assert "--despite-canaries" in first.out
    assert stage.run("patch").out == ""


def test_a_night_where_people_promote(stage: Stage) -> None:
    """It succeeds, says what waits and how it is promoted; the next night has nothing to say."""
    run = waiting_run(stage, "manual")
    assert stage.run("patch").out == ""
    stage.world.edit("hello", "RUN more")
    stage.write()
    ran = stage.run("patch")
    night = stage.world.history.runs(1)[0].id
    assert ran.code == 0
    assert "not promoted: waits for its promotion" in ran.out
    assert f"orchestrate promote {night}" in ran.out
    assert run not in ran.out
    assert stage.run("patch").out == ""
