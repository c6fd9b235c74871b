"""Which floating tags a run moves, what it holds, and how that is promoted."""

from __future__ import annotations

import pytest

from orchestrator import afterwards, flow
from orchestrator.decide.select import Selection
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.errors import BuildFailed, Conflict
from orchestrator.model.event import StepFinished
from orchestrator.model.names import Repository
from orchestrator.model.plan import Cause, Verdict
from orchestrator.model.run import HeldBy, MoveState, Outcome, RunState
from orchestrator.model.source import Revision
from orchestrator.observe.observations import is_rejected
from tests.world import DOCKERFILES, HEAD, World, failed, put_image

MANUAL = HEAD.replace("images:\n", "promote: manual\nimages:\n")
ALL = HEAD.replace("images:\n", "promote: all\nimages:\n")
NO = BuildFailed("no", cause="command")


def world(head: str = HEAD, **extra: str) -> World:
    """Return a world that is built, promoted and unchanged, then has another hierarchy file."""
    made = World()
    made.build()
    made.head = head
    made.extra = extra
    made.write()
    return made


def last_run(made: World) -> str:
    """Return the id of the newest run."""
    return made.history.runs(1)[0].id


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
