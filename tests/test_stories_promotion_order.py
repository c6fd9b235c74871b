"""What is held with others, and what a newer run, a rollback or a copy does to it."""

from __future__ import annotations

import pytest

from orchestrator import afterwards
from orchestrator.errors import Conflict
from orchestrator.model.names import Repository
from orchestrator.model.plan import Cause
from orchestrator.model.run import HeldBy, MoveState, Outcome, RunState
from tests.promotions import ALL, MANUAL, NO, last_run, world
from tests.world import DOCKERFILES, World, put_image


def test_all_holds_everything_when_something_failed() -> None:
    """With `promote: all` one failure keeps every tag where it is; the next run moves them all."""
    made = world(ALL)
    before = made.tag("base"), made.tag("hello")
    made.edit("base", "RUN more")
    made.edit("web", "RUN breaks")
    made.builder.fail("web", NO)
    finished = made.run(made.plan())
    assert (made.tag("base"), made.tag("hello")) == before
    assert {(m.state, m.held_by, m.held_for) for m in finished.moves} == {
        (MoveState.HELD, HeldBy.RUN, "web")
    }
    assert finished.run.state is RunState.FAILED
    made.builder.fail("web", NO, times=0)
    builds = len(made.builds)
    finished = made.run(made.plan())
    assert {m.state for m in finished.moves} == {MoveState.MOVED}
    # web and what stands on it; the others are there.
    assert len(made.builds) - builds == 4
    assert made.plan().steps == ()


def test_all_moves_nothing_where_one_tag_was_moved_by_somebody_else() -> None:
    """One conflict found before the first move keeps every tag of the run where it is."""
    made = world(ALL)
    made.edit("base", "RUN more")
    plan = made.plan()
    before = made.tag("base"), made.tag("web")
    put_image(made.registry, "localhost:5000/gold/hello:stable", "somebody else's")
    finished = made.run(plan)
    assert (made.tag("base"), made.tag("web")) == before
    states = {(m.image, m.tag): m.state for m in finished.moves}
    assert states.pop(("hello", "stable")) is MoveState.CONFLICT
    assert set(states.values()) == {MoveState.HELD}


def test_what_a_run_held_for_another_is_promoted_by_hand() -> None:
    """Who wants what passed of a run that did not pass whole names it."""
    made = world(ALL)
    made.edit("base", "RUN more")
    made.builder.fail("nginx", NO)
    made.edit("nginx", "RUN breaks")
    finished = made.run(made.plan())
    before = made.tag("web")
    made.promote(finished.run.id, "base", "python")
    assert made.decision("python").reasons == ()
    assert made.tag("web") == before


def test_older_run_that_ends_later_moves_nothing() -> None:
    """Its tags are no longer where it saw them: it reports that, and what stands on them stays."""
    made = world()
    made.edit("base", "RUN older")
    older = made.plan()
    made.edit("base", "RUN newer")
    made.build()
    after = {image: made.tag(image) for image in made.dockerfiles}
    made.dockerfiles["base"] = made.dockerfiles["base"].replace("RUN newer\n", "")
    made.write()
    finished = made.run(older)
    assert {image: made.tag(image) for image in made.dockerfiles} == after
    states = {m.image: m.state for m in finished.moves}
    assert states["base"] is MoveState.CONFLICT
    assert states["python"] is MoveState.HELD
    assert finished.run.state is RunState.FAILED


def test_rollback_of_a_subtree_can_be_rolled_back() -> None:
    """Only the images named go back, stay there, and come again when that is undone."""
    made = world()
    made.edit("base", "RUN more")
    before = {image: made.tag(image) for image in made.dockerfiles}
    finished = made.run(made.plan())
    after = {image: made.tag(image) for image in made.dockerfiles}
    below = ("python", "gunicorn", "hello", "docs")
    back = made.rollback(finished.run.id, *below)
    for image in made.dockerfiles:
        assert made.tag(image) == (before if image in below else after)[image]
    # docs stands on both branches: on this pair nobody has built it.
    assert made.verdicts() == {"docs": "build"}
    made.rollback(back.run.id)
    assert {image: made.tag(image) for image in made.dockerfiles} == after
    assert all(not d.reasons for d in made.plan().decisions)


def test_edge_that_is_not_followed_does_not_disturb_what_waits() -> None:
    """A child that does not follow its parent stays as it is while that waits and when it moves."""
    made = World(head=MANUAL)
    made.dockerfiles = {"base": DOCKERFILES["base"], "python": DOCKERFILES["python"]}
    made.extra = {"python": ", on_parent_change: notify"}
    made.others = {}
    made.write()
    made.build()
    made.promote(last_run(made))
    made.edit("base", "RUN more")
    made.build()
    assert made.plan().steps == ()
    (told,) = made.decision("python").reasons
    waits = made.decision("base").reasons[0]
    assert (told.cause, told.now) == (Cause.TOLD_ONLY, waits.now)
    made.edit("python", "RUN more")
    assert made.build() == {"python": Outcome.BUILT}
    assert made.plan().steps == ()
    runs = [run.id for run in made.history.runs(2)]
    with pytest.raises(Conflict, match="python stands on base"):
        made.promote(runs[0])
    made.promote(runs[1])
    made.promote(runs[0])
    assert made.plan().steps == ()


def test_copies_follow_a_promotion() -> None:
    """Further registries get the tags with the first one, not before."""
    head = MANUAL.replace(
        "registry: localhost:5000/gold", "registry: [localhost:5000/gold, localhost:5001/copy]"
    )
    made = World(head=head)
    made.build()
    copy = Repository("localhost:5001", "copy/base")
    assert made.registry.resolve(copy, "stable") is None
    assert made.plan().steps == ()
    made.promote(last_run(made))
    assert made.registry.resolve(copy, "stable") == made.tag("base")
    assert made.plan().steps == ()


def test_rollback_of_a_run_whose_candidates_were_promoted_names_no_tag() -> None:
    """What somebody promoted is taken back by rolling the promotion back, not the run before."""
    made = world(MANUAL)
    made.edit("base", "RUN more")
    made.build()
    run = last_run(made)
    made.promote(run)
    after = made.tag("base")
    with pytest.raises(Conflict, match="nothing to roll back"):
        made.rollback(run)
    assert made.tag("base") == after


def test_older_run_can_be_promoted_where_the_newer_one_was_rejected() -> None:
    """What waits is the newest that may still be promoted, image by image."""
    made = world(MANUAL)
    made.edit("hello", "RUN more")
    made.build()
    older = last_run(made)
    made.edit("hello", "RUN also more")
    made.build()
    newer = last_run(made)
    assert {w.run for w in afterwards.waiting(made.hierarchy(), made.doors)} == {newer}
    made.rollback(newer)
    assert {w.run for w in afterwards.waiting(made.hierarchy(), made.doors)} == {older}
    assert {move.image for move in made.promote(older).moves} == {"hello"}
