"""Canaries that fail hold what they stand on."""

from __future__ import annotations

import pytest

from orchestrator.decide.select import Selection
from orchestrator.errors import Conflict
from orchestrator.model.plan import Cause
from orchestrator.model.run import HeldBy, Outcome, RunState
from tests.promotions import MANUAL, NO, world
from tests.world import failed


def test_failed_canary_holds_its_parent_and_what_stands_on_it() -> None:
    """The parent and everything on it keep their tags; another branch is promoted."""
    made = world(base=", canaries: [hello]")
    made.edit("base", "RUN more")
    made.builder.fail("hello", NO)
    before = {image: made.tag(image) for image in made.dockerfiles}
    finished = made.run(made.plan())
    assert {image: made.tag(image) for image in made.dockerfiles} == before
    held = {m.image: (m.held_by, m.held_for) for m in finished.moves}
    assert held["base"] == (HeldBy.CANARY, "hello")
    assert held["python"] == (HeldBy.PARENT, "base")
    assert "hello" not in held
    assert set(failed(finished)) == {"hello"}


def test_canary_that_fails_again_rebuilds_nothing_but_itself() -> None:
    """Every run tries the canary again, and only that, until it passes: then all is promoted."""
    made = world(base=", canaries: [hello]")
    made.edit("base", "RUN more")
    made.builder.fail("hello", NO)
    made.build()
    for _ in range(2):
        builds = len(made.builder.builds)
        outcomes = made.build()
        assert outcomes["base"] is Outcome.RETAGGED
        assert outcomes["python"] is Outcome.REUSED
        assert outcomes["hello"] is Outcome.FAILED
        assert {build.image for build in made.builder.builds[builds:]} == {"hello"}
    made.builder.fail("hello", NO, times=0)
    made.build()
    assert made.plan().steps == ()
    assert all(not d.reasons for d in made.plan().decisions)


def test_canary_of_one_branch_does_not_hold_another() -> None:
    """Only what stands on the doubted parent is held."""
    made = world(python=", canaries: [hello]")
    made.edit("base", "RUN more")
    made.builder.fail("hello", NO)
    before = made.tag("base"), made.tag("landing"), made.tag("python"), made.tag("docs")
    made.build()
    assert made.tag("base") != before[0]
    assert made.tag("landing") != before[1]
    assert (made.tag("python"), made.tag("docs")) == before[2:]


def test_canary_without_a_change_lets_its_parent_pass() -> None:
    """A canary that came out as it was has been built on the candidate, and passed."""
    made = world(base=", canaries: [web]")
    made.edit("base", "# says nothing")
    outcomes = made.build()
    assert outcomes["base"] in (Outcome.BUILT, Outcome.UNCHANGED)
    assert made.plan().steps == ()


def test_selection_takes_canaries_along() -> None:
    """Who builds one image builds its canaries and what lies between, and the plan says why."""
    made = world(base=", canaries: [hello]")
    made.edit("base", "RUN more")
    plan = made.plan(only="base")
    assert {step.image for step in plan.steps} == {"base", "python", "gunicorn", "hello"}
    taken = {d.image for d in plan.decisions for r in d.reasons if r.cause is Cause.CANARY}
    assert taken == {"python", "gunicorn", "hello"}
    made.run(plan)
    assert made.decision("base").reasons == ()


def test_selection_of_what_does_not_move_takes_no_canary_along() -> None:
    """A parent that is kept needs no proof."""
    made = world(base=", canaries: [hello]")
    made.edit("hello", "RUN more")
    assert made.plan(only="base").steps == ()


def test_canary_left_out_by_name_holds_its_parent() -> None:
    """Who excludes a canary gets its parent built and held, and is told which canary it was."""
    made = world(base=", canaries: [hello]")
    made.edit("base", "RUN more")
    before = made.tag("base")
    plan = made.plan(only=Selection(wanted=("base",), exclude=("hello",)))
    assert {step.image for step in plan.steps} == {"base"}
    finished = made.run(plan)
    assert made.tag("base") == before
    assert {(m.held_by, m.held_for) for m in finished.moves} == {(HeldBy.CANARY, "hello")}
    assert finished.run.state is RunState.SUCCEEDED


def test_failed_canary_is_promoted_only_by_who_insists() -> None:
    """`promote` refuses what failed its canary, unless it is told that canaries do not matter."""
    made = world(base=", canaries: [hello]")
    made.edit("base", "RUN more")
    made.builder.fail("hello", NO)
    finished = made.run(made.plan())
    with pytest.raises(Conflict, match="canary hello did not pass"):
        made.promote(finished.run.id)
    with pytest.raises(Conflict, match="python stands on base"):
        made.promote(finished.run.id, "python")
    moved = made.promote(finished.run.id, despite_canaries=True)
    assert {m.image for m in moved.moves} == set(made.dockerfiles) - {"hello"}
    assert made.verdicts() == {"hello": "build"}


def test_canary_that_passes_in_a_later_manual_run_lifts_the_hold() -> None:
    """Where people promote, the proof of a later run counts for what an earlier one held."""
    made = world(MANUAL, base=", canaries: [hello]")
    made.edit("base", "RUN more")
    made.builder.fail("hello", NO)
    first = made.run(made.plan()).run.id
    with pytest.raises(Conflict, match="canary"):
        made.promote(first)
    made.builder.fail("hello", NO, times=0)
    second = made.run(made.plan())
    assert {r.image for r in second.results} == {"hello"}
    with pytest.raises(Conflict, match="hello stands on gunicorn") as caught:
        made.promote(second.run.id)
    assert first in caught.value.hint
    made.promote(first)
    made.promote(second.run.id)
    assert all(not d.reasons for d in made.plan().decisions)
