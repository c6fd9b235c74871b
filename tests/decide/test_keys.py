"""Keys of what came out equal: the next plan is empty, whatever it is judged on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.decide.keys import judged_key, keys_of_unchanged, resolve_step
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.model.plan import Cause, Step
from orchestrator.model.publication import ParentRecord, Publication
from orchestrator.model.run import Outcome
from tests.world import HEAD, World, put_image

DAY_S = 86_400
TOOLS = "localhost:5000/upstream/tools:1"
MAKE = "localhost:5000/upstream/make:1"


@pytest.fixture
def world() -> World:
    """An application whose build stages stand on upstreams, one of which soaks; built once."""
    lines = (
        f'  tools:1: {{source: "{TOOLS}", soak: 24h}}\n  make:1: {{source: "{MAKE}"}}\nimages:\n'
    )
    stages = "FROM tools:1 AS one\nRUN make\nFROM make:1 AS two\nRUN make\n"
    copies = "COPY --from=one /out /\nCOPY --from=two /out /\n"
    world = World(
        {"app": f"{stages}FROM debian:12\n{copies}"},
        head=HEAD.replace("images:\n", lines),
        others={},
    )
    put_image(world.registry, TOOLS, "tools 1")
    put_image(world.registry, MAKE, "make 1")
    world.builder.steady.add("app")
    assert world.build() == {"app": Outcome.BUILT}
    return world


@pytest.mark.parametrize("other", ["edit", "upstream"])
def test_an_equal_result_is_equal_without_the_ledger_too(world: World, other: str) -> None:
    """What soaked is not recorded on what stays; without its first-seen time it soaks anew."""
    put_image(world.registry, TOOLS, "tools 2")
    world.build()
    world.clock.sleep(DAY_S)
    if other == "edit":
        world.edit("app", "# the same layers")
    else:
        put_image(world.registry, MAKE, "make 2")
    assert world.build() == {"app": Outcome.UNCHANGED}
    assert world.verdicts() == {}
    world.history = MemoryHistory()
    decision = world.decision("app")
    assert [reason.cause for reason in decision.reasons] == [Cause.SOAKING]
    assert world.verdicts() == {}
    assert world.build() == {}


def test_an_equal_result_for_what_soaked_beside_what_is_only_told_of(world: World) -> None:
    """The build took the newest of both; the next plan judges by only one of them."""
    world.extra["app"] = ", on_parent_change: {make:1: notify}"
    world.write()
    put_image(world.registry, TOOLS, "tools 2")
    assert world.build() == {}
    put_image(world.registry, MAKE, "make 2")
    world.clock.sleep(DAY_S)
    assert world.build() == {"app": Outcome.UNCHANGED}
    assert world.verdicts() == {}
    assert world.build() == {}


def test_an_equal_result_that_did_not_soak_is_not_built_again(world: World) -> None:
    """`--no-soak` was for one run; the next one judges by what is recorded."""
    put_image(world.registry, TOOLS, "tools 2")
    world.edit("app", "# the same layers")
    assert world.build(no_soak=("tools:1",)) == {"app": Outcome.UNCHANGED}
    assert world.verdicts() == {}


def step_of(world: World) -> Step:
    world.edit("app", "# the same layers")
    step = world.plan().step_of("app")
    assert step is not None
    return resolve_step(step, {})


def test_a_resolved_step_has_the_key_of_its_plan(world: World) -> None:
    """Nothing was awaited, so nothing changes."""
    step = step_of(world)
    assert step.key == world.decision("app").key
    assert judged_key(step) == step.key


def test_no_key_but_its_own_where_nothing_is_judged_otherwise(world: World) -> None:
    """One epoch, no policy, nothing that soaks: one key."""
    step = step_of(world)
    said = publication(step, parents={})
    assert keys_of_unchanged(step, said, {"tools:1"}) == (step.key,)
    old = {"tools:1": ParentRecord(digest="sha256:old", effective="sha256:older")}
    assert keys_of_unchanged(step, publication(step, parents=old), {"make:1"}) == (step.key,)
    own, *more = keys_of_unchanged(step, publication(step, parents=old), {"tools:1"})
    assert (own, more) == (step.key, [judged_key(step, {"tools:1": "sha256:older"})])
    assert more != [own]


def test_each_key_has_the_epoch_that_is_read_back_too(world: World) -> None:
    """The epoch of what is current is what the next plan goes by."""
    step = step_of(world)
    old = {"tools:1": ParentRecord(digest="sha256:old", effective="sha256:older")}
    said = publication(step, parents=old, epoch="pkg-1")
    assert len(keys_of_unchanged(step, said, {"tools:1"})) == 4
    assert len(keys_of_unchanged(step, said, ())) == 2


def test_what_is_not_followed_counts_as_it_is_with_and_without_the_ledger(world: World) -> None:
    """A parent that is only told of stays recorded, whether another one soaks anew or not."""
    step = step_of(world)
    told = tuple(
        replace(p, judged="sha256:before") if p.subject == "make:1" else p for p in step.parents
    )
    step = replace(step, parents=told)
    old = {"tools:1": ParentRecord(digest="sha256:old", effective="sha256:older")}
    assert keys_of_unchanged(step, publication(step, parents=old), {"tools:1"}) == (
        step.key,
        judged_key(step),
        judged_key(step, {"tools:1": "sha256:older"}),
    )
    assert judged_key(step) != step.key


def publication(step: Step, *, parents: dict[str, ParentRecord], epoch: str = "") -> Publication:
    return Publication(
        hierarchy="gold",
        image=step.image,
        version="1",
        key="",
        parts=step.parts,
        parents=parents,
        epoch=epoch,
        source_epoch_s=0,
        created="2026-01-01T00:00:00Z",
        revision="",
        run="",
    )
