"""Which floating tags a run moves, what it holds, and how that is promoted."""

from __future__ import annotations

import pytest

from orchestrator import flow
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.errors import Conflict
from orchestrator.model.event import StepFinished
from orchestrator.model.names import Repository
from orchestrator.model.plan import Cause, Verdict
from orchestrator.model.run import HeldBy, MoveState, Outcome, RunState
from orchestrator.model.source import Revision
from orchestrator.observe.observations import is_rejected
from tests.promotions import MANUAL, last_run, world
from tests.world import World


def test_manual_run_moves_nothing_and_says_what_it_holds() -> None:
    """With `promote: manual` a run succeeds, moves no tag, and journals every one as held."""
    made = world(MANUAL)
    before = made.tag("base"), made.tag("hello")
    made.edit("base", "RUN more")
    finished = made.run(made.plan())
    assert (made.tag("base"), made.tag("hello")) == before
    assert finished.run.state is RunState.SUCCEEDED
    assert {m.state for m in finished.moves} == {MoveState.HELD}
    assert {m.held_by for m in finished.moves} == {HeldBy.MANUAL}
    assert made.history.moves(finished.run.id) == finished.moves


def test_next_plan_of_what_waits_is_empty_and_names_the_run() -> None:
    """What waits is kept, children on it too: no build, no retag, and the run is named."""
    made = world(MANUAL)
    made.edit("base", "RUN more")
    made.build()
    run = last_run(made)
    plan = made.plan()
    assert plan.steps == ()
    assert {d.verdict for d in plan.decisions} == {Verdict.KEEP}
    assert {r.subject for d in plan.decisions for r in d.reasons} == {run}
    assert {r.cause for d in plan.decisions for r in d.reasons} == {Cause.UNPROMOTED}


def test_promotion_moves_what_the_run_held_and_the_plan_is_empty() -> None:
    """`promote RUN` moves each held tag and nothing else; afterwards nothing is left to do."""
    made = world(MANUAL)
    made.edit("base", "RUN more")
    made.build()
    held = made.history.moves(last_run(made))
    finished = made.promote(last_run(made))
    assert {(m.image, m.tag, m.now) for m in finished.moves} == {
        (m.image, m.tag, m.now) for m in held
    }
    assert all(made.tag(m.image, m.tag) == m.now for m in held)
    assert all(not d.reasons for d in made.plan().decisions)


def test_child_that_changes_while_its_parent_waits_is_built_on_what_waits() -> None:
    """A newer candidate is built on the parent's candidate, which is neither rebuilt nor moved."""
    made = world(MANUAL)
    made.edit("base", "RUN more")
    made.build()
    builds = len(made.builds)
    made.edit("python", "RUN also more")
    assert made.verdicts() == {
        "python": "build", "gunicorn": "await", "hello": "await", "docs": "build"
    }  # fmt: skip
    outcomes = made.build()
    assert len(made.builds) - builds == len(outcomes) == 4
    assert made.plan().steps == ()
    waits = made.plan().decisions
    assert {d.image for d in waits if d.reasons} == set(made.dockerfiles)


def test_superseded_promotion_names_the_newer_run() -> None:
    """What a newer run built again is promoted by that run; the older one says so."""
    made = world(MANUAL)
    made.edit("base", "RUN more")
    made.build()
    older = last_run(made)
    made.edit("hello", "RUN also more")
    made.build()
    newer = last_run(made)
    with pytest.raises(Conflict, match=r"hello .*superseded") as caught:
        made.promote(older, "hello")
    assert newer in caught.value.hint
    finished = made.promote(older)
    assert "hello" not in {move.image for move in finished.moves}
    assert {move.image for move in made.promote(newer).moves} == {"hello"}
    assert all(not d.reasons for d in made.plan().decisions)


def test_child_is_not_promoted_before_its_parent() -> None:
    """One image alone is refused while what it stands on waits; with `+` both are promoted."""
    made = world(MANUAL)
    made.edit("base", "RUN more")
    made.build()
    run = last_run(made)
    with pytest.raises(Conflict, match="python stands on base") as caught:
        made.promote(run, "python")
    assert f"orchestrate promote {run} +python" in caught.value.hint
    made.promote(run, "python", "base")
    assert made.plan().steps == ()
    assert made.decision("python").reasons == ()
    assert made.decision("web").reasons[0].cause is Cause.UNPROMOTED


def test_promoting_twice_is_harmless() -> None:
    """The second promotion moves nothing, says so, and succeeds."""
    made = world(MANUAL)
    made.edit("base", "RUN more")
    made.build()
    run = last_run(made)
    made.promote(run)
    again = made.promote(run)
    assert again.moves == ()
    assert again.run.state is RunState.SUCCEEDED


def test_promotion_can_be_rolled_back_and_that_too() -> None:
    """A promotion is a run: its rollback rejects what it moved, and the rollback's restores it."""
    made = world(MANUAL)
    before = made.tag("base")
    made.edit("base", "RUN more")
    made.build()
    run = last_run(made)
    promoted = made.promote(run)
    after = made.tag("base")
    back = made.rollback(promoted.run.id)
    assert made.tag("base") == before
    assert made.plan().steps == ()
    with pytest.raises(Conflict, match="rolled back"):
        made.promote(run)
    made.rollback(back.run.id)
    assert made.tag("base") == after
    assert all(not d.reasons for d in made.plan().decisions)


def test_rollback_of_what_was_held_rejects_it() -> None:
    """A run that held everything can be rolled back: nobody promotes it, until that is undone."""
    made = world(MANUAL)
    made.edit("base", "RUN more")
    made.build()
    run = last_run(made)
    before = made.tag("base")
    back = made.rollback(run)
    assert back.run.state is RunState.SUCCEEDED
    assert made.tag("base") == before
    assert made.decision("base").reasons[0].cause is Cause.REJECTED
    assert made.plan().steps == ()
    with pytest.raises(Conflict, match="rolled back"):
        made.promote(run)
    with pytest.raises(Conflict, match="nothing to roll back"):
        made.rollback(run)
    made.rollback(back.run.id)
    assert made.tag("base") == before
    base = Repository("localhost:5000", "gold/base")
    assert not is_rejected(made.registry, base, before or "")
    made.promote(run)
    assert made.tag("base") != before
    assert all(not d.reasons for d in made.plan().decisions)


def test_first_build_of_a_manual_hierarchy_waits() -> None:
    """Where nothing was ever promoted, a run tags nothing; rejected and asked for again, too."""
    made = World(head=MANUAL)
    assert set(made.build().values()) == {Outcome.BUILT}
    run = last_run(made)
    assert made.tag("base") is None
    assert made.plan().steps == ()
    back = made.rollback(run)
    assert made.verdicts() == {}
    made.rollback(back.run.id)
    made.promote(run)
    assert made.tag("hello") is not None
    assert all(not d.reasons for d in made.plan().decisions)


def test_registry_alone_knows_what_waits() -> None:
    """Without the diary the plan is as empty, names the run that built, and that is promoted."""
    made = world(MANUAL)
    made.edit("base", "RUN more")
    made.build()
    run = last_run(made)
    made.history = MemoryHistory()
    plan = made.plan()
    assert plan.steps == ()
    assert {r.subject for d in plan.decisions for r in d.reasons} == {run}
    made.promote(run[:14])
    assert all(not d.reasons for d in made.plan().decisions)


def test_stopped_before_its_journal_is_still_promoted() -> None:
    """A run that died before it wrote what it holds is promoted from what the registry says."""
    made = world(MANUAL)
    made.edit("base", "RUN more")
    for event in made.events(made.plan()):
        if isinstance(event, StepFinished) and event.result.image == "base":
            break
    assert made.history.moves(last_run(made)) == ()
    assert {m.image for m in made.promote(last_run(made)).moves} == {"base"}


def test_change_that_is_taken_back_leaves_nothing_waiting() -> None:
    """Files as they were lead to what is current: nothing waits, nothing is built."""
    made = world(MANUAL)
    before = dict(made.dockerfiles)
    made.edit("base", "RUN more")
    made.build()
    made.dockerfiles = before
    made.write()
    assert made.verdicts() == {}
    assert made.decision("base").reasons == ()


def test_lost_immutable_tag_of_what_waits_is_put_right() -> None:
    """Tags that never move are repaired also of what waits, and its floating tags stay."""
    made = world(MANUAL)
    made.edit("landing", "RUN more")
    made.build()
    moves = made.history.moves(last_run(made))
    (result,) = made.history.results(last_run(made))
    repository = Repository("localhost:5000", "gold/landing")
    made.registry.delete_tag(repository, result.immutable)
    before = made.tag("landing")
    assert made.verdicts() == {"landing": "retag"}
    made.build()
    assert made.registry.resolve(repository, result.immutable) == moves[0].now
    assert made.tag("landing") == before
    assert made.plan().steps == ()


def test_half_promotion_is_finished_by_any_run() -> None:
    """Tags of what is current already are put right, though people promote here."""
    made = world(MANUAL)
    made.edit("landing", "RUN more")
    made.build()
    before = made.tag("landing")
    made.promote(last_run(made))
    repository = Repository("localhost:5000", "gold/landing")
    manifest = made.registry.manifest(repository, before or "")
    assert manifest is not None
    made.registry.put_manifest(repository, "stable", manifest)
    assert made.verdicts() == {"landing": "retag"}
    made.build()
    assert made.tag("landing") == made.tag("landing", "1") != before


def test_saved_plan_holds_although_its_parent_waits() -> None:
    """A plan made while a parent waits is applied: what it is built on has not moved."""
    made = world(MANUAL)
    made.edit("base", "RUN more")
    made.build()
    made.edit("hello", "RUN also more")
    saved = made.plan()
    flow.verify(saved, made.hierarchy(), made.doors)
    assert made.run(saved).run.state is RunState.SUCCEEDED


def test_dirty_tree_holds_nothing_to_promote() -> None:
    """What is built from a dirty tree is neither tagged nor held: nobody promotes it by id."""
    made = world(MANUAL)
    made.edit("landing", "RUN more")
    made.git.current = Revision(commit="c" * 40, dirty=True, committed_at_s=1_600_000_000)
    made.build()
    assert made.history.moves(last_run(made)) == ()
    assert made.decision("landing").reasons[0].cause is Cause.DIRTY
