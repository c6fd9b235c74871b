"""What holds of promotion for every hierarchy and every sequence of changes, on twins."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.errors import BuildFailed, Conflict
from orchestrator.model.fingerprint import effective_digest
from orchestrator.model.names import Repository
from orchestrator.model.plan import Cause, Verdict
from orchestrator.model.publication import read_publication
from orchestrator.model.run import MoveState
from tests.test_properties import RELAXED, descendants, dockerfile, hierarchies
from tests.world import HEAD, PLATFORMS, World

NO = BuildFailed("no", cause="command")


@st.composite
def worlds(draw: st.DrawFn) -> tuple[World, dict[str, tuple[str, ...]]]:
    """A world of any mode, with canaries; built and promoted once or not at all."""
    parents = draw(hierarchies())
    mode = draw(st.sampled_from(("passed", "all", "manual")))
    made = World({i: dockerfile(of) for i, of in parents.items()}, others={})
    if draw(st.booleans()):
        made.build()
    made.head = HEAD.replace("images:\n", f"promote: {mode}\nimages:\n")
    for image in parents:
        below = sorted(descendants(parents, {image}) - {image})
        canaries = draw(st.lists(st.sampled_from(below), unique=True, max_size=2)) if below else []
        if canaries:
            made.extra[image] = f", canaries: [{', '.join(canaries)}]"
    made.write()
    return made, parents


def digests(made: World, image: str) -> dict[str, str | None]:
    """Return where an image's floating tags are."""
    return {tag: made.tag(image, tag) for tag in ("1", "stable")}


Promoted = dict[str, set[str]]


def expect_sound(made: World, parents: dict[str, tuple[str, ...]], promoted: Promoted) -> None:
    """No floating tag names anything that stands on what is not promoted, or was once."""
    for image, of in parents.items():
        digest = made.tag(image)
        repository = Repository("localhost:5000", f"gold/{image}")
        index = made.registry.manifest(repository, digest) if digest else None
        publication = read_publication(index) if index else None
        for parent in of if publication else ():
            assert publication
            there = publication.parents[parent].effective
            assert there in promoted.get(parent, set()), (image, parent)


def note(made: World, parents: dict[str, tuple[str, ...]], promoted: Promoted) -> None:
    """Remember what was ever promoted, as what stands on it sees it."""
    for image in parents:
        repository = Repository("localhost:5000", f"gold/{image}")
        for digest in digests(made, image).values():
            index = made.registry.manifest(repository, digest) if digest else None
            if index:
                effective = effective_digest(index.platforms(), PLATFORMS)
                promoted.setdefault(image, set()).add(effective)


@RELAXED
@given(worlds(), st.data())
def test_promotion_is_closed_and_converges(
    given_world: tuple[World, dict[str, tuple[str, ...]]], data: st.DataObject
) -> None:
    """Whatever fails in whichever mode: tags only name what stands on what is promoted.

    An image whose canary failed keeps its tags. A second run builds nothing but what failed. Once
    nothing fails any more, what waits is promoted by hand and the plan is empty; with a lost diary,
    too.
    """
    made, parents = given_world
    promoted: Promoted = {}
    note(made, parents, promoted)
    names = sorted(parents)
    edited: list[str] = []
    for round_number in range(data.draw(st.integers(1, 3))):
        edited = data.draw(st.lists(st.sampled_from(names), unique=True, max_size=3))
        for image in edited:
            made.edit(image, f"RUN change {round_number}")
        broken = data.draw(st.lists(st.sampled_from(names), unique=True, max_size=2))
        for image in broken:
            made.builder.fail(image, NO)
        before = {image: digests(made, image) for image in names}
        finished = made.run(made.plan())
        note(made, parents, promoted)
        expect_sound(made, parents, promoted)
        good = {r.image for r in finished.results if r.outcome.is_success}
        hierarchy = made.hierarchy()
        for move in finished.moves:
            assert move.image in good
            if move.state is MoveState.HELD:
                assert made.tag(move.image, move.tag) == before[move.image][move.tag]
            else:
                assert move.state is MoveState.MOVED
                assert hierarchy.promote != "manual"
                assert good.issuperset(hierarchy.images[move.image].canaries)
        if hierarchy.promote == "all":
            assert len({move.state for move in finished.moves}) <= 1
        # Nothing is built a second time but what failed.
        builds = len(made.builder.builds)
        made.build()
        note(made, parents, promoted)
        expect_sound(made, parents, promoted)
        assert {build.image for build in made.builder.builds[builds:]} <= set(broken)
        for image in broken:
            made.builder.fail(image, NO, times=0)
        if data.draw(st.booleans()):
            made.history = MemoryHistory()
    made.build()
    # What waits is built again and comes out as it was, under another key.
    for image in edited:
        made.edit(image, "# only a comment")
    made.build()
    note(made, parents, promoted)
    plan = made.plan()
    assert {d.verdict for d in plan.decisions} == {Verdict.KEEP}
    while waits := [r.subject for d in made.plan().decisions for r in d.reasons]:
        for run in sorted(set(waits)):
            try:
                made.promote(run)
            except Conflict:
                continue  # It stands on what a later one in this list promotes.
        note(made, parents, promoted)
        expect_sound(made, parents, promoted)
        after = [r.subject for d in made.plan().decisions for r in d.reasons]
        assert len(after) < len(waits)
    assert made.plan().steps == ()
    builds = len(made.builder.builds)
    made.history = MemoryHistory()
    assert made.build() == {}
    assert len(made.builder.builds) == builds
    assert all(r.cause is not Cause.UNPROMOTED for d in plan.decisions for r in d.reasons) or (
        made.hierarchy().promote == "manual"
    )
