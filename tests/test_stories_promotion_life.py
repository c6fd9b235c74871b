"""Promotion over many nights: what is built again, taken away, cut short, rolled back, selected."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator import afterwards, flow
from orchestrator.decide.select import Selection
from orchestrator.doors.memory.crash import Killed, MemoryCrashPoints
from orchestrator.doors.memory.registry import RegistryCall
from orchestrator.errors import Conflict, RegistryUnavailable
from orchestrator.model.crash import CrashPoint
from orchestrator.model.names import Repository
from orchestrator.model.plan import Cause
from orchestrator.model.run import HeldBy, MoveState, RunState
from tests.mortal import mortal
from tests.promotions import ALL, MANUAL, NO, last_run, world
from tests.world import HEAD, World, put_image

TAGS = 'floating: ["{version}", "stable"]'
BASE = Repository("localhost:5000", "gold/base")
Start = Callable[[World, MemoryCrashPoints], None]


def waiting_world(**extra: str) -> World:
    """Return a world with a new base, and all that stands on it, waiting for its promotion."""
    made = world(MANUAL, **extra)
    made.edit("base", "RUN more")
    made.build()
    return made


def require_nothing_waits(made: World) -> None:
    """Everything is promoted, and there is nothing to do."""
    assert all(not decision.reasons for decision in made.plan().decisions)


def start_build(made: World, crash: MemoryCrashPoints) -> None:
    """Do what `orchestrate build` does."""
    list(flow.run(made.plan(), made.hierarchy(), mortal(made.doors, crash), made.intent("build")))


def start_promotion(made: World, crash: MemoryCrashPoints) -> None:
    """Do what `orchestrate promote` of the last run does."""
    doors, hierarchy, intent = mortal(made.doors, crash), made.hierarchy(), made.intent("promote")
    made.clock.sleep(1)
    held = afterwards.held_of(last_run(made), hierarchy, doors)
    list(afterwards.promote(held, frozenset(), hierarchy, doors, intent))


def start_rollback(made: World, crash: MemoryCrashPoints) -> None:
    """Do what `orchestrate rollback` of the last run does."""
    doors, hierarchy, intent = mortal(made.doors, crash), made.hierarchy(), made.intent("rollback")
    made.clock.sleep(1)
    list(afterwards.rollback(last_run(made), frozenset(), hierarchy, doors, intent))


def kill(made: World, start: Start, point: CrashPoint, occurrence: int = 1) -> None:
    """Start something and let it be killed."""
    with pytest.raises(Killed):
        start(made, MemoryCrashPoints(point, occurrence))


def recovered(made: World) -> dict[tuple[str, str], MoveState]:
    """Let a recovery settle what was left; return (image, tag) → how its move ended."""
    found = flow.recover(made.hierarchy(), made.doors)
    return {(move.image, move.tag): move.state for each in found for move in each.moves}


def test_parent_that_came_out_the_same_again_does_not_keep_its_children_waiting() -> None:
    """Children are not built on it anew, and are promoted with it."""
    made = waiting_world()
    older = last_run(made)
    builds = len(made.builds)
    made.edit("base", "# only a comment")
    made.build()
    assert [build.image for build in made.builds[builds:]] == ["base"]
    made.promote(last_run(made))
    require_nothing_waits(made)
    with pytest.raises(Conflict, match=r"base .*superseded: run .* which is promoted"):
        made.promote(older)


def test_parent_promoted_first_lets_its_children_follow_from_an_older_run() -> None:
    """What the child was built on is there, under another digest."""
    made = waiting_world()
    older = last_run(made)
    made.edit("base", "# only a comment")
    made.build()
    made.promote(last_run(made), "base")
    moved = made.promote(older).moves
    assert {move.state for move in moved} == {MoveState.MOVED}
    assert "base" not in {move.image for move in moved}
    require_nothing_waits(made)


def test_files_that_are_as_they_were_again_lead_to_what_an_older_run_built() -> None:
    """The plan says that it waits, and it is promoted, though a newer run built something else."""
    made = waiting_world()
    older, before = last_run(made), made.dockerfiles["base"]
    made.edit("base", "RUN something else")
    made.build()
    made.dockerfiles["base"] = before
    made.write()
    assert {r.subject for d in made.plan().decisions for r in d.reasons} == {older}
    made.promote(older)
    require_nothing_waits(made)


def test_what_was_forced_does_not_keep_from_promotion_what_the_plan_names() -> None:
    """A forced build waits for who names its run; what the plan tells of can be promoted."""
    made = waiting_world()
    older = last_run(made)
    assert set(made.build("landing")) == {"landing"}
    assert {r.subject for d in made.plan().decisions for r in d.reasons} == {older}
    made.promote(older)
    require_nothing_waits(made)


def test_saved_plan_that_leaves_a_waiting_parent_out_holds() -> None:
    """It builds on what is current of that, now as when it was made."""
    made = waiting_world()
    made.edit("python", "RUN also more")
    saved = made.plan(only="python")
    flow.verify(saved, made.hierarchy(), made.doors)
    assert made.run(saved).run.state is RunState.SUCCEEDED
    made.build()
    assert made.plan().steps == ()


@pytest.mark.parametrize(
    ("gone", "why"),
    [
        ("removed", "hello is not in the hierarchy any more"),
        ("retired", "hello is retired"),
        ("elsewhere", "hello is published at .*/other/hello now"),
    ],
)
def test_image_that_is_no_more_is_not_promoted(gone: str, why: str) -> None:
    """Its tags stay, the others move, and the list of what waits does not have it."""
    made = waiting_world()
    run, before = last_run(made), made.tag("hello")
    if gone == "removed":
        del made.dockerfiles["hello"]
    else:
        other = ", repository: other/hello"
        made.extra["hello"] = ", retired: true" if gone == "retired" else other
    made.write()
    waits = afterwards.waiting(made.hierarchy(), made.doors)
    assert {each.moves[0].image for each in waits} == set(made.dockerfiles) - {"hello"}
    with pytest.raises(Conflict, match=why):
        made.promote(run, "hello")
    moved = made.promote(run)
    assert moved.run.state is RunState.SUCCEEDED
    assert {move.image for move in moved.moves} == set(made.dockerfiles) - {"hello"}
    assert made.tag("hello") == before


def test_tags_are_those_that_the_image_has_when_it_is_promoted() -> None:
    """Floating tags named otherwise since the run: the new names move, and nothing waits then."""
    made = world(MANUAL)
    made.edit("landing", "RUN more")
    made.build()
    run, before = last_run(made), made.tag("landing")
    made.head = made.head.replace(TAGS, 'floating: ["{version}", "prod"]')
    made.write()
    moved = made.promote(run)
    assert {move.tag for move in moved.moves} == {"1", "prod"}
    assert made.tag("landing", "prod") == made.tag("landing", "1") != before
    assert made.tag("landing") == before
    assert afterwards.waiting(made.hierarchy(), made.doors) == ()


@pytest.mark.parametrize(
    "point", [CrashPoint.JOURNAL_WRITTEN, CrashPoint.MARKED, CrashPoint.TAG_MOVED]
)
def test_rollback_of_a_rejection_that_is_killed_is_brought_to_its_end(point: CrashPoint) -> None:
    """What was rejected waits again, and is promoted."""
    made = waiting_world()
    before = made.tag("base")
    made.rollback(last_run(made))
    kill(made, start_rollback, point)
    assert set(recovered(made).values()) == {MoveState.HELD}
    assert recovered(made) == {}
    assert made.tag("base") == before
    assert made.decision("base").reasons[0].cause is Cause.UNPROMOTED
    made.promote(last_run(made))
    require_nothing_waits(made)


def test_rejection_that_is_killed_is_brought_to_its_end() -> None:
    """A rollback of what is held, killed before its marks: nobody promotes any of it."""
    made = waiting_world()
    run = last_run(made)
    kill(made, start_rollback, CrashPoint.JOURNAL_WRITTEN)
    assert set(recovered(made).values()) == {MoveState.MOVED}
    with pytest.raises(Conflict, match="rolled back"):
        made.promote(run)


def test_canary_that_failed_is_remembered_through_two_rollbacks() -> None:
    """What is held again waits for its canary as before."""
    made = world(base=", canaries: [hello]")
    made.edit("base", "RUN more")
    made.builder.fail("hello", NO)
    made.build()
    back = made.rollback(last_run(made))
    made.clock.sleep(1)
    again = made.rollback(back.run.id)
    assert {m.held_by for m in again.moves if m.image == "base"} == {HeldBy.CANARY}
    with pytest.raises(Conflict, match="canary hello did not pass"):
        made.promote(again.run.id)


def test_rollback_of_what_was_superseded_rejects_it_and_touches_no_tag() -> None:
    """An older candidate is rejected though a newer one was promoted meanwhile: no conflict."""
    made = waiting_world()
    older = last_run(made)
    made.edit("base", "RUN even more")
    made.build()
    made.promote(last_run(made))
    after = made.tag("base")
    back = made.rollback(older)
    assert back.run.state is RunState.SUCCEEDED
    assert made.tag("base") == after
    require_nothing_waits(made)


def test_rollback_rejects_what_the_run_could_not_move() -> None:
    """A tag that the registry did not take is not moved by a later run once that is rolled back."""
    made = world()
    before = made.tag("landing")
    made.edit("landing", "RUN more")

    def fail(call: RegistryCall) -> None:
        if call.method == "put_manifest" and call.reference in ("1", "stable"):
            raise RegistryUnavailable("away")

    made.registry.fault = fail
    finished = made.run(made.plan())
    assert {move.state for move in finished.moves} == {MoveState.FAILED}
    made.registry.fault = None
    made.rollback(finished.run.id)
    assert made.build() == {}
    assert made.tag("landing") == before


def test_rollback_takes_back_a_move_whose_answer_was_lost() -> None:
    """The journal says that it failed; the tag is there, and goes back."""
    made = world()
    before = made.tag("landing")
    made.edit("landing", "RUN more")
    away = False

    def fail(call: RegistryCall) -> None:
        nonlocal away
        away = away or (call.method == "put_manifest" and call.reference == "1" and call.done)
        if away:
            raise RegistryUnavailable("away")

    made.registry.fault = fail
    finished = made.run(made.plan())
    made.registry.fault = None
    assert {move.state for move in finished.moves} == {MoveState.FAILED}
    assert made.tag("landing", "1") != before
    made.rollback(finished.run.id)
    assert made.tag("landing", "1") == made.tag("landing") == before
    assert made.build() == {}


def test_all_holds_everything_where_a_canary_was_left_out() -> None:
    """With `promote: all` an image without its proof keeps the tags of every other one, too."""
    made = world(ALL, base=", canaries: [hello]")
    made.edit("base", "RUN more")
    made.edit("landing", "RUN more")
    before = {image: made.tag(image) for image in made.dockerfiles}
    plan = made.plan(only=Selection(wanted=("base", "web", "nginx", "landing"), exclude=("hello",)))
    made.run(plan)
    assert {image: made.tag(image) for image in made.dockerfiles} == before
    made.edit("nginx", "RUN more")
    plan = made.plan(only=Selection(wanted=("base", "nginx"), exclude=("hello", "web")))
    held = {move.image: (move.held_by, move.held_for) for move in made.run(plan).moves}
    assert held == {"base": (HeldBy.CANARY, "hello"), "nginx": (HeldBy.RUN, "hello")}


@pytest.mark.parametrize("start", [start_build, start_promotion])
def test_recovery_holds_what_stands_on_a_tag_that_somebody_moved(start: Start) -> None:
    """As the run itself would have: no child is promoted on a parent that is not."""
    made = world(HEAD if start is start_build else MANUAL)
    made.edit("base", "RUN more")
    if start is start_promotion:
        made.build()
    before = made.tag("hello"), made.tag("web")
    kill(made, start, CrashPoint.JOURNAL_WRITTEN)
    put_image(made.registry, f"{BASE}:stable", "somebody else's")
    states = recovered(made)
    assert states.pop(("base", "stable")) is MoveState.CONFLICT
    assert states.pop(("base", "1")) is MoveState.MOVED
    assert set(states.values()) == {MoveState.HELD}
    assert (made.tag("hello"), made.tag("web")) == before
    held = made.history.moves(last_run(made))[-1]
    assert (held.held_by, held.held_for) == (HeldBy.PARENT, "python")


def test_recovery_does_not_move_a_child_before_its_parent() -> None:
    """Where the parent's registry does not answer, both wait for the next recovery."""
    made = world()
    made.edit("base", "RUN more")
    kill(made, start_build, CrashPoint.JOURNAL_WRITTEN)

    def fail(call: RegistryCall) -> None:
        if call.method == "put_manifest" and call.repository == BASE:
            raise RegistryUnavailable("away")

    made.registry.fault = fail
    assert set(recovered(made).values()) == {MoveState.PLANNED}
    made.registry.fault = None
    assert set(recovered(made).values()) == {MoveState.MOVED}
    assert made.plan().steps == ()


def test_recovery_of_all_moves_nothing_where_somebody_moved_a_tag() -> None:
    """With `promote: all` killed before the first move, one conflict keeps every tag."""
    made = world(ALL)
    made.edit("base", "RUN more")
    before = made.tag("base"), made.tag("web")
    kill(made, start_build, CrashPoint.JOURNAL_WRITTEN)
    put_image(made.registry, "localhost:5000/gold/hello:stable", "somebody else's")
    states = recovered(made)
    assert states.pop(("hello", "stable")) is MoveState.CONFLICT
    assert set(states.values()) == {MoveState.HELD}
    assert (made.tag("base"), made.tag("web")) == before


def test_recovery_finishes_all_that_a_registry_left_half_done() -> None:
    """Killed halfway with `promote: all`, and a registry that is away: the rest moves later."""
    made = world(ALL)
    made.edit("base", "RUN more")
    kill(made, start_build, CrashPoint.MOVE_SETTLED, 5)

    def fail(call: RegistryCall) -> None:
        if call.method == "put_manifest":
            raise RegistryUnavailable("away")

    made.registry.fault = fail
    assert set(recovered(made).values()) == {MoveState.PLANNED}
    made.registry.fault = None
    assert set(recovered(made).values()) == {MoveState.MOVED}
    require_nothing_waits(made)


def test_manual_run_killed_when_all_was_done_has_succeeded() -> None:
    """What it holds is in its journal: nothing of it is to be resumed."""
    made = world(MANUAL)
    made.edit("base", "RUN more")
    kill(made, start_build, CrashPoint.JOURNAL_WRITTEN)
    recovered(made)
    assert made.history.runs(1)[0].state is RunState.SUCCEEDED
    assert flow.left_of(None, made.hierarchy(), made.doors) is None


def test_list_of_what_waits_asks_for_each_tag_once() -> None:
    """However many runs held the same tags."""
    made = world(MANUAL)
    for night in range(5):
        made.edit("landing", f"RUN night {night}")
        made.build()
        made.promote(last_run(made))
    made.registry.counts.clear()
    assert afterwards.waiting(made.hierarchy(), made.doors) == ()
    assert made.registry.counts.total() == 2


def test_plan_costs_the_same_in_every_mode_where_nothing_waits() -> None:
    """Not a request more for an image whose tags people move, or that has canaries."""
    counts = []
    for head in (HEAD, ALL, MANUAL):
        made = world(head, base=", canaries: [hello]")
        made.registry.counts.clear()
        made.plan()
        counts.append(dict(made.registry.counts))
    assert counts[0] == counts[1] == counts[2]
