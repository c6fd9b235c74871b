"""Stories of images with several destinations: copies by digest, then their tags, and back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.doors.memory.registry import RegistryCall
from orchestrator.errors import RegistryUnavailable
from orchestrator.model.fingerprint import key_tag
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.names import Repository
from orchestrator.model.plan import Cause, Reason
from orchestrator.model.run import FailureCause, MoveState, Outcome
from orchestrator.observe.observations import rejected_tag
from orchestrator.run.ends import exit_code
from tests.world import DOCKERFILES, World, failed, put_image

FIRST, SECOND = "localhost:5000", "mirror.example"
CHAIN = {image: DOCKERFILES[image] for image in ("base", "python")}


class TwoPlaces(World):
    """A world whose images are published in two registries."""

    def hierarchy(self) -> Hierarchy:
        found = super().hierarchy()
        images = {
            image.id: replace(image, copies=(Repository(SECOND, f"gold/{image.id}"),))
            for image in found.images.values()
        }
        return replace(found, images=images, registries=(f"{FIRST}/gold", f"{SECOND}/gold"))

    def there(self, image: str, tag: str = "stable") -> str | None:
        """Return the digest that a tag names in the second registry."""
        return self.registry.resolve(Repository(SECOND, f"gold/{image}"), tag)

    def tags_there(self, image: str) -> tuple[str, ...]:
        """Return an image's tags in the second registry."""
        return self.registry.tags(Repository(SECOND, f"gold/{image}"))


@pytest.fixture
def world() -> TwoPlaces:
    return TwoPlaces(dockerfiles=dict(CHAIN))


@pytest.fixture
def built(world: TwoPlaces) -> TwoPlaces:
    world.build()
    return world


def _wipe(world: TwoPlaces, *images: str) -> None:
    """Let the first registry lose images and everything of them."""
    for image in images or CHAIN:
        place = Repository(FIRST, f"gold/{image}")
        for tag in world.registry.tags(place):
            digest = world.registry.resolve(place, tag)
            if digest is not None:
                world.registry.delete_manifest(place, digest)


def _away(call: RegistryCall) -> None:
    if call.repository.registry == SECOND:
        raise RegistryUnavailable(f"registry {SECOND} refuses the connection", transient=True)


def test_second_registry_gets_the_same(built: TwoPlaces) -> None:
    """Every tag of ours is in both registries, on the same digest, and the next plan is empty."""
    for image in CHAIN:
        assert built.tags_there(image) == built.tags(image)
        for tag in built.tags(image):
            assert built.there(image, tag) == built.tag(image, tag)
    assert built.verdicts() == {}


def test_first_registry_that_lost_everything_gets_it_back(built: TwoPlaces) -> None:
    """It is not built again under tags that never move; what changed is built on what came back."""
    before = {image: built.tag(image) for image in CHAIN}
    _wipe(built)
    assert built.verdicts() == {"base": "retag", "python": "retag"}
    assert built.decision("base").reasons[0] == Reason(
        cause=Cause.TAKEN_BACK, subject=f"{SECOND}/gold/base"
    )
    built.edit("python", "RUN more")
    assert built.build() == {"base": Outcome.RETAGGED, "python": Outcome.BUILT}
    assert built.tag("base") == before["base"]
    assert built.there("python") == built.tag("python") != before["python"]
    assert built.verdicts() == {}


def test_first_registry_that_lost_an_image_gets_it_back_by_itself(built: TwoPlaces) -> None:
    """A parent that is left out is stood on where it still is."""
    digest = built.tag("base")
    _wipe(built, "base")
    built.edit("python", "RUN more")
    assert built.build(only="python") == {"python": Outcome.BUILT}
    assert built.builds[-1].request.pins == (("base", f"{SECOND}/gold/base@{digest}"),)
    assert built.build() == {"base": Outcome.RETAGGED}
    assert built.verdicts() == {}


def test_nothing_is_taken_back_that_is_not_ours(world: TwoPlaces) -> None:
    """What somebody else pushed where copies go is no build of the image."""
    put_image(world.registry, f"{SECOND}/gold/base:stable", "theirs")
    assert world.verdicts() == {"base": "build", "python": "build"}
    assert world.decision("base").reasons == (Reason(cause=Cause.NEVER_PUBLISHED),)


def test_no_floating_tag_moves_before_the_copies_are_there(world: TwoPlaces) -> None:
    """A digest is in every registry before any floating tag names it."""
    world.build()
    floating = [n for n, put in enumerate(world.registry.puts) if put[1] in ("1", "stable")]
    copied = [n for n, put in enumerate(world.registry.puts) if put[0].registry == SECOND]
    digests = {world.tag(image) for image in CHAIN}
    stored = [n for n in copied if world.registry.puts[n][1] in digests]
    assert max(stored) < min(floating)
    in_first = [n for n in floating if world.registry.puts[n][0].registry == FIRST]
    assert max(in_first) < min(n for n in floating if n not in in_first)


def test_parents_layers_are_sent_once(world: TwoPlaces) -> None:
    """A child's copy takes its parent's layers from the parent's copy in the same registry."""
    sent: list[str] = []

    def fault(call: RegistryCall) -> None:
        if call.method == "upload_blob" and call.repository.registry == SECOND and not call.done:
            sent.append(call.reference)

    world.registry.fault = fault
    world.build()
    assert len(sent) == len(set(sent))


def test_copy_that_fails_fails_its_image(world: TwoPlaces) -> None:
    """The image stays published in the first registry, no floating tag names it, and what stands
    on it waits; the next run copies without a build.
    """
    plan = world.plan()
    world.registry.fault = _away
    finished = world.run(plan)
    bad = failed(finished)
    assert {i: r.outcome for i, r in bad.items()} == {
        "base": Outcome.FAILED,
        "python": Outcome.BLOCKED,
    }
    failure = bad["base"].failure
    assert failure is not None
    assert failure.cause is FailureCause.REGISTRY
    assert failure.what.startswith("published, but not copied: registry mirror.example refuses")
    assert exit_code(finished) == 5
    assert not finished.moves
    before = len(world.builds)
    world.registry.fault = None
    world.build()
    assert (before, len(world.builds)) == (1, 2)
    assert world.there("base") == world.tag("base") is not None
    assert world.verdicts() == {}


def test_passing_fault_of_a_copy_is_tried_again(world: TwoPlaces) -> None:
    """A second registry that is away for a moment costs a pause, not a build."""
    left = 1

    def fault(call: RegistryCall) -> None:
        nonlocal left
        if call.repository.registry == SECOND and left:
            left -= 1
            _away(call)

    plan = world.plan()
    world.registry.fault = fault
    assert failed(world.run(plan)) == {}
    assert (left, len(world.builds)) == (0, 2)


def test_new_destination_is_filled_without_a_build() -> None:
    """A registry that is added later gets what is current, by its own step, and all its tags."""
    world = World(dockerfiles=dict(CHAIN))
    world.build()
    later = TwoPlaces(dockerfiles=dict(CHAIN), registry=world.registry, history=world.history)
    later.runs, later.clock = 7, world.clock
    assert later.verdicts() == dict.fromkeys(CHAIN, "retag")
    assert set(later.build().values()) == {Outcome.RETAGGED}
    assert later.there("python") == later.tag("python") is not None
    assert not later.builds
    assert later.verdicts() == {}


def test_foreign_immutable_tag_in_a_copy_is_a_conflict(world: TwoPlaces) -> None:
    """A tag that never moves is not moved in the second registry either."""
    plan = world.plan()
    key = plan.steps[0].key
    assert key is not None
    tag = plan.steps[0].immutable
    theirs = put_image(world.registry, f"{SECOND}/gold/base:{tag}", "somebody else's")
    finished = world.run(plan)
    failure = failed(finished)["base"].failure
    assert failure is not None
    assert failure.cause is FailureCause.CONFLICT
    assert exit_code(finished) == 4
    assert world.there("base", tag) == theirs
    assert world.there("base", key_tag(key)) is None


def test_tag_somebody_moved_in_a_copy_follows(built: TwoPlaces) -> None:
    """A floating tag of a copy goes where the first registry's is, wherever it was."""
    put_image(built.registry, f"{SECOND}/gold/base:stable", "somebody else's")
    assert built.verdicts() == {"base": "retag"}
    built.build()
    assert built.there("base") == built.tag("base")
    assert built.verdicts() == {}


def test_copies_stay_behind_a_first_registry_that_could_not_move(built: TwoPlaces) -> None:
    """Where the first registry's tag is a conflict, the copy's tag keeps its digest too."""
    before = built.there("base")
    built.edit("base", "RUN echo more")
    plan = built.plan()
    put_image(built.registry, f"{FIRST}/gold/base:stable", "somebody else's")
    finished = built.run(plan)
    stuck = [m for m in finished.moves if m.state is MoveState.CONFLICT]
    assert [(m.repository, m.tag) for m in stuck] == [(f"{FIRST}/gold/base", "stable")]
    assert built.there("base") == before
    assert built.there("base", "1") == built.tag("base", "1") != before


def test_tags_of_a_copy_that_went_away_fail(built: TwoPlaces) -> None:
    """A second registry that breaks down before the tags move fails these moves, and the next
    run does them.
    """
    built.edit("python", "RUN echo more")
    plan = built.plan()

    def fault(call: RegistryCall) -> None:
        if call.reference in ("1", "stable"):
            _away(call)

    built.registry.fault = fault
    finished = built.run(plan)
    states = {m.repository: m.state for m in finished.moves}
    assert states == {
        f"{FIRST}/gold/python": MoveState.MOVED,
        f"{SECOND}/gold/python": MoveState.FAILED,
    }
    assert exit_code(finished) == 5
    built.registry.fault = None
    assert built.verdicts() == {"python": "retag"}
    built.build()
    assert built.there("python") == built.tag("python")


def test_rollback_goes_back_everywhere(built: TwoPlaces) -> None:
    """Tags go back in every registry, and what is rolled back is rejected in each."""
    before = built.tag("base")
    built.edit("base", "RUN echo bad")
    finished = built.run(built.plan())
    bad = built.tag("base")
    assert bad is not None
    built.rollback(finished.run.id)
    assert built.tag("base") == built.there("base") == before
    assert built.tag("base", rejected_tag(bad)) == built.there("base", rejected_tag(bad)) == bad
    assert built.verdicts() == {}


def test_rollback_of_the_run_that_filled_a_copy() -> None:
    """A copy that never had the older digest gets it, and its tags go back to it."""
    world = World(dockerfiles=dict(CHAIN))
    world.build()
    before = world.tag("base")
    later = TwoPlaces(dockerfiles=dict(CHAIN), registry=world.registry, history=world.history)
    later.runs, later.clock = 7, world.clock
    later.edit("base", "RUN echo bad")
    finished = later.run(later.plan())
    assert later.there("base") == later.tag("base") != before
    assert {m.state for m in later.rollback(finished.run.id).moves} == {MoveState.MOVED}
    assert later.there("base") == later.tag("base") == before


def test_rollback_while_a_copy_is_away(built: TwoPlaces) -> None:
    """The first registry goes back at once; the copy's moves fail, and a run puts them right."""
    before = built.tag("base")
    built.edit("base", "RUN echo bad")
    finished = built.run(built.plan())
    built.registry.fault = _away
    undone = built.rollback(finished.run.id)
    assert built.tag("base") == before
    assert {m.state for m in undone.moves if m.repository.startswith(SECOND)} == {MoveState.FAILED}
    assert exit_code(undone) == 5
