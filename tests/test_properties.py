"""What holds for every hierarchy and every sequence of changes, on twins."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.errors import BuildFailed
from orchestrator.model.run import Outcome
from tests.world import UPSTREAM, World, put_image

RELAXED = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


HAPPENINGS = (
    "edit", "comment", "upstream", "fail", "lose", "force", "some", "rename", "retire",
)  # fmt: skip
RETIRED = ", retired: true"
FORMERLY = ", formerly: ["


@st.composite
def hierarchies(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    """Image → parents, final one first; the rest feed a build stage."""
    names = [f"i{n}" for n in range(draw(st.integers(1, 7)))]
    return {
        name: tuple(draw(st.lists(st.sampled_from(names[:at]), unique=True, max_size=2)))
        if at
        else ()
        for at, name in enumerate(names)
    }


def dockerfile(parents: tuple[str, ...]) -> str:
    stages = "".join(f"FROM {p} AS s{n}\nRUN make\n" for n, p in enumerate(parents[1:]))
    copies = "".join(f"COPY --from=s{n} /out{n} /\n" for n in range(len(parents[1:])))
    return f"{stages}FROM {parents[0] if parents else 'debian:12'}\nRUN first\n{copies}"


def world_of(parents: dict[str, tuple[str, ...]]) -> World:
    return World({image: dockerfile(of) for image, of in parents.items()}, others={})


def rename(world: World, old: str, new: str) -> None:
    """Give an image another id; Dockerfiles that name it stay as they are."""
    world.dockerfiles = {new if i == old else i: text for i, text in world.dockerfiles.items()}
    before, _, former = world.extra.pop(old, "").rpartition(FORMERLY)
    world.extra[new] = f"{before}{FORMERLY}{former.removesuffix(']')}{', ' if former else ''}{old}]"
    world.write()


def descendants(parents: dict[str, tuple[str, ...]], roots: set[str]) -> set[str]:
    found = set(roots)
    for image, of in parents.items():  # parents come first
        if found & set(of):
            found.add(image)
    return found


@RELAXED
@given(hierarchies(), st.integers(1, 4))
def test_nothing_is_built_before_its_parents(
    parents: dict[str, tuple[str, ...]], slots: int
) -> None:
    """Whatever the DAG and the slots: a build starts after all its parents' builds ended."""
    world = world_of(parents)
    world.run(world.plan(), slots)
    builds = {build.image: build for build in world.builds}
    assert len(world.builds) == len(parents)
    for image, of in parents.items():
        assert all(builds[parent].finished < builds[image].started for parent in of)


@RELAXED
@given(hierarchies(), st.data())
def test_everything_changed_is_built_and_nothing_else(
    parents: dict[str, tuple[str, ...]], data: st.DataObject
) -> None:
    """Exactly the changed images and all that stands on them are built; then the plan is empty."""
    world = world_of(parents)
    world.build()
    changed = set(data.draw(st.lists(st.sampled_from(sorted(parents)), unique=True)))
    for image in changed:
        world.edit(image, f"RUN change {image}")
    expected = descendants(parents, changed)
    assert set(world.verdicts()) == expected
    assert world.build() == dict.fromkeys(expected, Outcome.BUILT)
    assert world.verdicts() == {}


@RELAXED
@given(hierarchies(), st.data())
def test_any_sequence_ends_in_an_empty_plan(
    parents: dict[str, tuple[str, ...]], data: st.DataObject
) -> None:
    """Edits, upstreams, failures, lost databases, forced and partial builds, renames: all converge.

    What was retired stays as it was.
    """
    world = world_of(parents)
    retired: dict[str, str | None] = {}
    for at in range(data.draw(st.integers(1, 4))):
        image = data.draw(st.sampled_from(sorted(world.dockerfiles)))
        match data.draw(st.sampled_from(HAPPENINGS)):
            case "edit":
                world.edit(image, f"RUN change {at}")
            case "comment":
                world.edit(image, f"# comment {at}")
            case "upstream":
                put_image(world.registry, UPSTREAM, f"debian 12.{at}")
            case "fail":
                world.edit(image, f"RUN broken {at}")
                world.builder.fail(image, BuildFailed("no", cause="command"), times=1)
                world.build()
            case "lose":
                world.history = MemoryHistory()
            case "force":
                if image not in retired:
                    world.build(image)
            case "some":
                world.build(only=f"+{image}")
            case "rename":
                if image not in retired:
                    rename(world, image, f"{image}-{at}")
            case "retire":
                retired[image] = world.tag(image)
                world.extra[image] = world.extra.get(image, "").replace(RETIRED, "") + RETIRED
                world.write()
        if data.draw(st.booleans()):
            world.build()
    world.build()
    assert world.verdicts() == {}
    world.history = MemoryHistory()
    assert world.verdicts() == {}
    assert {image: world.tag(image) for image in retired} == retired


@RELAXED
@given(hierarchies(), st.data())
def test_a_part_is_decided_as_in_the_whole(
    parents: dict[str, tuple[str, ...]], data: st.DataObject
) -> None:
    """With all it stands on, an image's verdict and reasons do not depend on who else is looked at.

    And building part after part, parents first, builds what building the whole at once does.
    """
    world = world_of(parents)
    world.build()
    for image in data.draw(st.lists(st.sampled_from(sorted(parents)), unique=True)):
        world.edit(image, f"RUN change {image}")
    whole = {decision.image: decision for decision in world.plan().decisions}
    expected = {image for image, decision in whole.items() if decision.verdict != "keep"}
    for image in parents:
        assert world.decision(image, only=f"+{image}") == whole[image]
    built = {name for image in parents for name in world.build(only=image)}
    assert built == expected
    assert world.verdicts() == {}
