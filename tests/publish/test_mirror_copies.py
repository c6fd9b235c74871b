"""Stories of copies into mirrors: what may go wrong, and what is done about it."""

from __future__ import annotations

import contextlib
import itertools

import pytest

from orchestrator import flow
from orchestrator.doors.memory.registry import RegistryCall
from orchestrator.errors import RegistryUnavailable, StalePlan
from orchestrator.model.event import MirrorRetried, MirrorStarted, RunFinished, StepStarted
from orchestrator.model.mirror import read_mirror_tag
from orchestrator.model.run import FailureCause, Outcome, RunState
from orchestrator.run.ends import exit_code
from tests.mirror_world import (
    CHAIN,
    MIRROR,
    SOURCE,
    mirrored,
    mirrored_world,
    sign,
    upstream_goes,
)
from tests.world import HEAD, PLATFORMS, UPSTREAM, World, failed, put_image


@pytest.fixture
def world() -> World:
    return mirrored_world()


def test_copy_that_fails_fails_what_needs_it() -> None:
    """What stands on it is blocked, every other branch goes on, and the exit code is 5."""
    other = "localhost:5000/other/alpine:3"
    head = mirrored_world().head.replace(
        "images:\n", f'  alpine:3: {{source: "{other}", mirror: true}}\nimages:\n'
    )
    files = {**CHAIN, "small": "FROM alpine:3\n"}
    world = World(dockerfiles=files, head=head)
    put_image(world.registry, other, "alpine")
    plan = world.plan()

    def fault(call: RegistryCall) -> None:
        if call.repository == MIRROR and call.method == "put_manifest":
            raise RegistryUnavailable("registry localhost:5000 answered 507")

    world.registry.fault = fault
    finished = world.run(plan)
    outcomes = {result.image: result.outcome for result in finished.results}
    assert outcomes == {
        "base": Outcome.FAILED,
        "python": Outcome.BLOCKED,
        "small": Outcome.BUILT,
    }
    failure = failed(finished)["base"].failure
    assert failure is not None
    assert failure.what.startswith("debian:12 could not be copied into its mirror: registry")
    assert [bool(mirror.failure) for mirror in finished.mirrors] == [True, False]
    assert (finished.run.state, exit_code(finished)) == (RunState.FAILED, 5)
    assert mirrored(world) == {}
    world.registry.fault = None
    assert world.build() == {"base": Outcome.BUILT, "python": Outcome.BUILT}


def test_copy_that_fails_alone_is_a_failure_too() -> None:
    """A digest that soaks could not be copied: nobody needs it yet, and the run says so."""
    world = mirrored_world(", soak: 1d")
    world.build()
    put_image(world.registry, UPSTREAM, "debian 12.2")
    plan = world.plan()

    def fault(call: RegistryCall) -> None:
        if call.repository == MIRROR and call.method == "put_manifest":
            raise RegistryUnavailable("registry localhost:5000 answered 507")

    world.registry.fault = fault
    finished = world.run(plan)
    assert (finished.results, finished.run.state) == ((), RunState.FAILED)
    assert exit_code(finished) == 5


@pytest.mark.parametrize("method", ["read_blob", "mount_blob", "put_manifest", "resolve"])
@pytest.mark.parametrize("done", [False, True])
def test_passing_fault_of_a_copy_is_tried_again(world: World, method: str, done: bool) -> None:
    """Whatever request fails once, people are told, the copy is made, and no build is lost."""
    plan = world.plan()
    left = 1

    def fault(call: RegistryCall) -> None:
        nonlocal left
        if call.repository in (MIRROR, SOURCE) and call.method == method and call.done == done:
            left -= 1
            if left == 0:
                raise RegistryUnavailable("registry localhost:5000 fell silent", transient=True)

    world.registry.fault = fault
    events = list(world.events(plan))
    assert sum(isinstance(event, MirrorRetried) for event in events) == (left <= 0)
    assert isinstance(events[-1], RunFinished)
    assert failed(events[-1]) == {}
    assert len(mirrored(world)) == 1


def test_no_tag_before_everything_is_there(world: World) -> None:
    """The tag is the last thing that the mirror gets."""
    plan = world.plan()
    (copy,) = plan.mirrors
    world.registry.puts.clear()
    world.run(plan)
    puts = [reference for where, reference, _ in world.registry.puts if where == MIRROR]
    assert (puts[-1], puts[-2]) == (copy.tag, copy.digest)


def test_copy_that_another_run_made_meanwhile_is_done(world: World) -> None:
    """A plan whose copy is there already copies nothing, and applies."""
    plan = world.plan()
    world.run(plan)
    flow.verify(plan, world.hierarchy(), world.doors)
    world.registry.puts.clear()
    finished = world.run(plan)
    assert [mirror.failure for mirror in finished.mirrors] == [None]
    assert [put for put in world.registry.puts if put[0] == MIRROR] == []


def test_saved_plan_whose_copy_cannot_be_made_is_stale(world: World) -> None:
    """What would be copied is gone from its source: that is said before anything is done."""
    plan = world.plan()
    put_image(world.registry, UPSTREAM, "debian 12.2")
    (copy,) = plan.mirrors
    world.registry.delete_manifest(SOURCE, copy.digest)
    with pytest.raises(StalePlan) as caught:
        flow.verify(plan, world.hierarchy(), world.doors)
    assert f"upstream debian:12: {SOURCE}@{copy.digest} is no longer there" in caught.value.moved


def test_saved_plan_for_another_mirror_is_stale(world: World) -> None:
    """A mirror that was switched off since is not written to."""
    plan = world.plan()
    world.head = HEAD
    world.write()
    with pytest.raises(StalePlan, match="is not mirrored at"):
        flow.verify(plan, world.hierarchy(), world.doors)


def test_run_that_is_stopped_while_it_copies(world: World) -> None:
    """Nothing is built, no tag is put, and the next run goes on from there."""
    plan = world.plan()
    intent = world.intent("build")

    def fault(call: RegistryCall) -> None:
        if call.repository == MIRROR and call.method == "mount_blob":
            intent.cancelled.set()

    world.registry.fault = fault
    events = list(flow.run(plan, world.hierarchy(), world.doors, intent))
    finished = events[-1]
    assert isinstance(finished, RunFinished)
    assert finished.run.state is RunState.INTERRUPTED
    causes = [mirror.failure.cause for mirror in finished.mirrors if mirror.failure]
    assert causes == [FailureCause.CANCELLED]
    assert {result.outcome for result in finished.results} == {Outcome.CANCELLED}
    assert mirrored(world) == {}
    world.registry.fault = None
    assert failed(world.run(world.plan())) == {}


def test_run_that_nobody_listens_to_any_more(world: World) -> None:
    """A generator that is closed during a copy stops it, and leaves no thread behind."""
    plan = world.plan()
    intent = world.intent("build")
    events = flow.run(plan, world.hierarchy(), world.doors, intent)
    for event in events:
        if isinstance(event, MirrorStarted):
            break
    events.close()  # type: ignore[attr-defined]
    assert intent.cancelled.is_set()
    assert not world.builds


def test_copy_that_is_there_needs_no_source(world: World) -> None:
    """Of what is in the mirror already nothing is asked elsewhere."""
    plan = world.plan()
    world.run(plan)
    upstream_goes(world)
    assert [mirror.failure for mirror in world.run(plan).mirrors] == [None]


def test_tag_that_names_something_else_stays(world: World) -> None:
    """A mirror's tags never move: the copy fails, and says why."""
    plan = world.plan()
    (copy,) = plan.mirrors
    theirs = put_image(world.registry, f"{MIRROR}:{copy.tag}", "theirs")
    finished = world.run(plan)
    (mirror,) = finished.mirrors
    assert mirror.failure is not None
    assert mirror.failure.cause is FailureCause.CONFLICT
    assert mirrored(world) == {copy.tag: theirs}
    assert failed(finished).keys() == {"base", "python"}


class Killed(Exception):
    """The process is gone: nothing takes this for an error of its own."""


def test_kill_at_any_request_leaves_no_tag_on_half_a_copy() -> None:
    """Before and after each one; the next run makes the copy whole, with what signs it."""
    for at in itertools.count():
        world = mirrored_world()
        world.dockerfiles = {"base": CHAIN["base"]}
        world.write()
        digest = world.registry.resolve(SOURCE, "12")
        assert digest is not None
        signature = sign(world, digest)
        plan = world.plan()
        left = at

        def fault(call: RegistryCall) -> None:
            nonlocal left
            if call.repository in (MIRROR, SOURCE):
                left -= 1
            if left < 0:
                raise Killed

        world.registry.fault = fault
        # Builds come after the copies.
        events = itertools.takewhile(
            lambda event: not isinstance(event, StepStarted), world.events(plan)
        )
        with contextlib.suppress(Killed):
            list(events)
        world.registry.fault = None
        for named in _seen(world).values():
            _require_whole(world, named, signature)
        if left >= 0:
            break
        assert failed(world.run(world.plan())) == {}
        assert list(_seen(world).values()) == [digest]
        _require_whole(world, digest, signature)
    assert at > 20


def _seen(world: World) -> dict[str, str | None]:
    return {tag: named for tag, named in mirrored(world).items() if read_mirror_tag(tag)}


def _require_whole(world: World, digest: str | None, signature: str) -> None:
    registry = world.registry
    index = registry.manifest(MIRROR, digest or "")
    assert index is not None
    manifests = [registry.manifest(MIRROR, each) for each in index.platforms().values()]
    assert len(manifests) == len(PLATFORMS)
    for manifest in (*manifests, registry.manifest(MIRROR, signature)):
        assert manifest is not None
        assert registry.has_blob(MIRROR, manifest.config_digest())
        assert all(registry.has_blob(MIRROR, layer.digest) for layer in manifest.layers())
    assert [each.digest for each in registry.referrers(MIRROR, index.digest)] == [signature]
