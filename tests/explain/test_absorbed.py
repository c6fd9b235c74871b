"""Which contents of upstreams every image has, once a run is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from orchestrator.explain.absorbed import absorbed
from orchestrator.model.event import RunFinished
from orchestrator.model.fingerprint import effective_digest
from orchestrator.model.hierarchy import Policy
from orchestrator.model.observation import Held, Sighting
from orchestrator.model.plan import Cause, Decision, Plan, Reason, Step, Verdict
from orchestrator.model.run import JournalledMove, MoveState, Outcome, Run, StepResult
from tests.render.runs import RUN
from tests.render.sample import DEBIAN, PLATFORMS, SAMPLE, World, digest_of

SOURCE = f"docker.io/library/{DEBIAN}"


def content(name: str, at_s: float, absorbed_at: str = "") -> Sighting:
    """Return the sighting of what the sample world calls so."""
    manifests = {p: digest_of(f"debian {name} {p}") for p in PLATFORMS}
    return Sighting(
        source=SOURCE,
        fingerprint=effective_digest(manifests, PLATFORMS),
        digest=digest_of(f"debian {name}"),
        manifests=manifests,
        first_seen_s=at_s,
        absorbed_at=absorbed_at,
    )


FIRST = content("first", 1_000.0, "2026-01-01T00:00:00Z")
SECOND = content("second", 2_000.0)
THIRD = content("third", 3_000.0)
LEDGER = (FIRST, SECOND)


def moved() -> World:
    """Return a world that was published on the first content, and whose upstream moved."""
    return replace(World().publish(), debian="second")


def ended(
    plan: Plan, outcomes: dict[str, Outcome] | None = None, run: Run = RUN, **moves: MoveState
) -> RunFinished:
    """Return how a run of a plan ended: everything built but what is said."""
    results = []
    for step in plan.steps:
        outcome = (outcomes or {}).get(step.image, Outcome.BUILT)
        now = digest_of(f"now {step.image}") if outcome.is_success else ""
        same = outcome in (Outcome.UNCHANGED, Outcome.CUT_OFF)
        results.append(
            StepResult(
                image=step.image,
                outcome=outcome,
                digest=(step.current or "") if same else now,
                was=step.current or "",
            )
        )
    journal = tuple(
        JournalledMove(image=image, repository="r", tag="stable", was=None, now="d", state=state)
        for image, state in moves.items()
    )
    return RunFinished(run=run, results=tuple(results), moves=journal, duration_s=1.0)


def found(
    world: World, finished: Callable[[Plan], RunFinished | None], ledger: tuple[Sighting, ...]
) -> list[str]:
    """Return the fingerprints that are absorbed after a run of a world's plan."""
    plan = world.plan()
    sightings = absorbed(
        world.hierarchy, plan, world.observations(), ledger, finished=finished(plan)
    )
    return [sighting.fingerprint for sighting in sightings]


def test_content_is_absorbed_once_everything_on_it_was_promoted() -> None:
    """Whatever of it was built, reused, unchanged or not needed."""
    assert found(moved(), ended, LEDGER) == [SECOND.fingerprint]
    spared = {"base": Outcome.UNCHANGED} | {
        image: Outcome.CUT_OFF for image in SAMPLE if image != "base"
    }
    assert found(moved(), lambda plan: ended(plan, spared), LEDGER) == [SECOND.fingerprint]


def test_content_is_absorbed_where_there_was_nothing_to_do() -> None:
    """An earlier run may have ended before it could be written."""
    world = replace(World(), debian="second").publish()
    assert found(world, lambda plan: None, LEDGER) == [SECOND.fingerprint]


def test_what_is_absorbed_already_is_not_told_again() -> None:
    """A quiet night writes nothing."""
    world = replace(World(), debian="second").publish()
    assert found(world, lambda plan: None, (FIRST, replace(SECOND, absorbed_at="x"))) == []


@pytest.mark.parametrize(
    "outcome", [outcome for outcome in Outcome if not outcome.is_success], ids=str
)
@pytest.mark.parametrize("image", ["base", "docs-site"])
def test_an_image_that_did_not_succeed_leaves_it_open(image: str, outcome: Outcome) -> None:
    """One descendant, however far up, is enough."""
    assert found(moved(), lambda plan: ended(plan, {image: outcome}), LEDGER) == []


@pytest.mark.parametrize("state", [MoveState.CONFLICT, MoveState.FAILED, MoveState.PLANNED])
def test_an_image_whose_tags_did_not_move_leaves_it_open(state: MoveState) -> None:
    """Built and not promoted is not there."""
    assert found(moved(), lambda plan: ended(plan, hello=state), LEDGER) == []


def test_a_run_from_a_dirty_tree_leaves_it_open() -> None:
    """No floating tag moves, so nothing is promoted."""
    assert found(replace(moved(), dirty=True), ended, LEDGER) == []


def test_a_plan_that_was_not_carried_out_leaves_it_open() -> None:
    """Steps without a run are only wishes."""
    assert found(moved(), lambda plan: None, LEDGER) == []


def test_a_plan_of_a_selection_tells_nothing() -> None:
    """What was not asked for was not decided on."""
    world = moved()
    plan = replace(world.plan(), selection=("base+",))
    seen = world.observations()
    assert absorbed(world.hierarchy, plan, seen, LEDGER, ended(plan)) == ()


@pytest.mark.parametrize(
    ("cause", "is_open"),
    [
        (Cause.REJECTED, True),
        (Cause.DIRTY, True),
        (Cause.PAUSED, True),
        (Cause.PARENT_ENDED, True),
        (Cause.RENAMED, False),
        (Cause.UNSOAKED, False),
        (Cause.COPY_UNKNOWN, False),
    ],
)
def test_an_image_that_is_kept_may_be_held_back(cause: Cause, is_open: bool) -> None:
    """What was rolled back, paused or refused is not on it; what is only told is."""
    world = replace(World(), debian="second").publish()
    plan = world.plan()
    decisions = tuple(
        replace(d, reasons=(Reason(cause=cause),)) if d.image == "hello" else d
        for d in plan.decisions
    )
    seen = world.observations()
    result = absorbed(world.hierarchy, replace(plan, decisions=decisions), seen, LEDGER)
    assert (result == ()) is is_open


def test_an_image_that_cannot_be_had_leaves_it_open() -> None:
    """Nobody knows whether it should be built."""
    world = replace(World(), debian="second").publish()
    plan = world.plan()
    decisions = tuple(
        replace(d, verdict=Verdict.FAIL) if d.image == "hello" else d for d in plan.decisions
    )
    seen = world.observations()
    assert absorbed(world.hierarchy, replace(plan, decisions=decisions), seen, LEDGER) == ()


def held_on(
    name: str, subject: str, cause: Cause, *, firm: bool = True, now: str = "second"
) -> Held:
    """Return what keeps an image on a content of debian, or on a digest of a parent."""
    manifests = {p: digest_of(f"debian {name} {p}") for p in PLATFORMS}
    return Held(
        digest=digest_of(f"debian {name}"),
        manifests=manifests,
        effective=effective_digest(manifests, PLATFORMS),
        reference=SOURCE,
        reason=Reason(
            cause=cause,
            subject=subject,
            was=digest_of(f"debian {name}"),
            now=digest_of(f"debian {now}"),
        ),
        firm=firm,
    )


def kept_back(world: World, image: str, held: Held) -> tuple[Plan, World]:
    """Return a plan in which every image is kept, one of them with what holds it."""
    plan = world.plan()
    decisions = tuple(
        Decision(image=d.image, verdict=Verdict.KEEP, current=d.current)
        if d.image != image
        else Decision(image=image, verdict=Verdict.KEEP, reasons=(held.reason,), current=d.current)
        for d in plan.decisions
    )
    return replace(plan, decisions=decisions, steps=()), world


@pytest.mark.parametrize("cause", [Cause.SOAKING, Cause.HELD, Cause.TOLD_ONLY])
def test_what_an_image_stays_on_is_what_is_absorbed(cause: Cause) -> None:
    """While the newest soaks or is held back, the one before it has arrived, and it has not."""
    held = held_on("first", DEBIAN, cause)
    plan, world = kept_back(moved(), "base", held)
    seen = replace(world.observations(), held={"base": {DEBIAN: held}})
    fresh = replace(FIRST, absorbed_at="")
    assert absorbed(world.hierarchy, plan, seen, LEDGER) == ()
    assert absorbed(world.hierarchy, plan, seen, (fresh, SECOND)) == (fresh,)


def test_a_parent_that_is_held_leaves_it_open_when_that_moved() -> None:
    """The child still has the content through its old parent; a hold on what is current is fine."""
    world = replace(World(), debian="second").publish()
    held = held_on("first", "python", Cause.HELD)
    plan, _ = kept_back(world, "gunicorn", held)
    assert absorbed(world.hierarchy, plan, world.observations(), LEDGER) == ()
    calm = held_on("first", "python", Cause.HELD, now="first")
    plan, _ = kept_back(world, "gunicorn", calm)
    assert absorbed(world.hierarchy, plan, world.observations(), LEDGER) == (SECOND,)


def test_a_parent_that_is_held_leaves_it_open_when_it_moves_in_the_run() -> None:
    """At the time of the plan parent and child were alike; after the run they are not."""
    world = moved()
    plan = world.plan()
    calm = held_on("first", "python", Cause.HELD, now="first")
    decisions = tuple(
        replace(d, verdict=Verdict.KEEP, reasons=(calm.reason,)) if d.image == "gunicorn" else d
        for d in plan.decisions
    )
    steps = tuple(s for s in plan.steps if s.image not in ("gunicorn", "hello"))
    decisions = tuple(
        replace(d, verdict=Verdict.KEEP, reasons=()) if d.image == "hello" else d for d in decisions
    )
    plan, seen = replace(plan, decisions=decisions, steps=steps), world.observations()
    assert absorbed(world.hierarchy, plan, seen, LEDGER, ended(plan)) == ()
    same = {"python": Outcome.UNCHANGED}
    assert absorbed(world.hierarchy, plan, seen, LEDGER, ended(plan, same)) == (SECOND,)


@pytest.mark.parametrize("cause", [Cause.TOLD_ONLY, Cause.HELD])
def test_a_parent_that_is_told_of_is_taken_by_a_build(cause: Cause) -> None:
    """A build for another reason follows it; one that was not needed does not, nor a held one."""
    world = moved()
    plan = world.plan()
    held = held_on("first", "python", cause, firm=cause is Cause.HELD)
    decisions = tuple(
        replace(d, reasons=(*d.reasons, held.reason)) if d.image == "docs-site" else d
        for d in plan.decisions
    )
    plan = replace(plan, decisions=decisions)
    seen = replace(world.observations(), held={"docs-site": {"python": held}})
    taken = (SECOND,) if cause is Cause.TOLD_ONLY else ()
    assert absorbed(world.hierarchy, plan, seen, LEDGER, ended(plan)) == taken
    spared = {"docs-site": Outcome.CUT_OFF}
    assert absorbed(world.hierarchy, plan, seen, LEDGER, ended(plan, spared)) == ()


def test_an_upstream_that_is_told_of_is_not_taken_by_what_was_not_built() -> None:
    """A step that came to nothing leaves the image on what it was judged on."""
    world = moved()
    plan = world.plan()
    held = held_on("first", DEBIAN, Cause.TOLD_ONLY, firm=False)
    steps = tuple(
        replace(step, parents=tuple(replace(p, judged=held.effective) for p in step.parents))
        if step.image == "base"
        else step
        for step in plan.steps
    )
    plan, seen = replace(plan, steps=steps), world.observations()
    spared = {"base": Outcome.CUT_OFF}
    fresh = replace(FIRST, absorbed_at="")
    ledger = (fresh, SECOND)
    assert absorbed(world.hierarchy, plan, seen, ledger, ended(plan, spared)) == (fresh,)
    assert absorbed(world.hierarchy, plan, seen, ledger, ended(plan)) == (SECOND,)


def test_a_build_stage_that_is_declared_so_needs_nothing() -> None:
    """`final-only` says that a new parent of a build stage does not have to arrive."""
    world = moved()
    images = dict(world.hierarchy.images)
    for name, parent in (("docs-site", "python"), ("docs-site", "nginx")):
        image = images[name]
        parents = tuple(
            replace(p, policy=Policy.FINAL_ONLY) if p.subject == parent else p
            for p in image.parents
        )
        images[name] = replace(image, parents=parents)
    world.hierarchy = replace(world.hierarchy, images=images)
    left = {"docs-site": Outcome.FAILED}
    assert found(world, lambda plan: ended(plan, left), LEDGER) == [SECOND.fingerprint]


def test_what_the_ledger_does_not_know_is_not_guessed() -> None:
    """A content that was never written down leaves everything open."""
    assert found(moved(), ended, (FIRST, THIRD)) == []
    assert found(moved(), ended, ()) == []


def test_an_upstream_that_went_back_closes_what_was_taken_back() -> None:
    """All stand on what the registry shows: nobody waits for the content it showed in between."""
    world = World().publish()
    assert found(world, lambda plan: None, LEDGER) == [SECOND.fingerprint]


def test_a_pin_to_an_older_content_leaves_the_newest_open() -> None:
    """The upstream has a fix, and somebody decided against it."""
    world = World().publish()
    upstream = world.hierarchy.upstreams[DEBIAN]
    pinned = replace(upstream, pin=digest_of("debian first"))
    world.hierarchy = replace(world.hierarchy, upstreams={DEBIAN: pinned})
    assert found(world, lambda plan: None, LEDGER) == []
    fresh = replace(FIRST, absorbed_at="")
    assert found(world, lambda plan: None, (fresh, SECOND)) == [FIRST.fingerprint]


def test_a_step_stands_on_what_it_was_built_on() -> None:
    """A soaking newest is not what a ripe content in between was built on."""
    world = moved()
    plan = world.plan()
    steps = tuple(on_third(step) for step in plan.steps)
    plan, seen = replace(plan, steps=steps), world.observations()
    ledger = (FIRST, replace(SECOND, first_seen_s=9_000.0), THIRD)
    assert absorbed(world.hierarchy, plan, seen, ledger, ended(plan)) == (THIRD,)


def on_third(step: Step) -> Step:
    """Return a step that is built on the third content of debian."""
    parents = tuple(
        replace(p, digest=THIRD.digest, manifests=THIRD.manifests) if p.subject == DEBIAN else p
        for p in step.parents
    )
    return replace(step, parents=parents)


def test_retired_images_wait_for_nothing() -> None:
    """What nobody builds any more does not keep a content open."""
    world = moved()
    hello = replace(world.hierarchy.images["hello"], retired=True)
    images = {**world.hierarchy.images, "hello": hello}
    world.hierarchy = replace(world.hierarchy, images=images)
    assert found(world, ended, LEDGER) == [SECOND.fingerprint]
