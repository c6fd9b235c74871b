"""Whole runs in which something fails: tried again or not, for how long, and what it stops."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from orchestrator import flow
from orchestrator.doors.memory.builder import MemoryBuilder
from orchestrator.doors.memory.registry import RegistryCall
from orchestrator.doors.protocols import BuildRequest
from orchestrator.errors import BuildFailed, RegistryUnavailable
from orchestrator.model.event import Event, RunFinished, StepProgress, StepRetried
from orchestrator.model.run import FailureCause, Outcome, RunState
from orchestrator.run.again import FIRST_PAUSE_S, LONGEST_PAUSE_S
from orchestrator.run.ends import exit_code
from tests.world import HEAD, PLATFORMS, World, failed

#: A chain of two, and one that stands alone.
FILES = {
    "base": "FROM debian:12\nRUN apt-get update\n",
    "app": "FROM base\nRUN make\n",
    "lone": "FROM debian:12\nRUN make\n",
}
FLAKY = BuildFailed("RUN curl: exit code: 7", cause=FailureCause.COMMAND, transient=True)
BROKEN = BuildFailed("RUN make: exit code: 2", cause=FailureCause.COMMAND)


@pytest.fixture
def world() -> World:
    """Three images for one platform, so that a try is one build."""
    return World(dockerfiles=dict(FILES), head=HEAD.replace(", ".join(PLATFORMS), PLATFORMS[0]))


def carried_out(world: World, **intent: object) -> list[Event]:
    """Plan and run, and return everything that happened."""
    return list(_events(world, **intent))


def _events(world: World, **intent: object) -> Iterator[Event]:
    made = world.plan()
    wanted = replace(world.intent("build"), **intent)  # type: ignore[arg-type]
    return flow.run(made, world.hierarchy(), world.doors, wanted)


def end_of(events: list[Event]) -> RunFinished:
    """Return the last event."""
    assert isinstance(events[-1], RunFinished)
    return events[-1]


def outcomes(events: list[Event]) -> dict[str, str]:
    """Return image → outcome of a run."""
    return {result.image: str(result.outcome) for result in end_of(events).results}


def tries_of(world: World, image: str) -> int:
    """Return how often a build of an image was started."""
    return sum(build.image == image for build in world.builder.builds)


def retry(world: World, image: str, retries: int, timeout: str = "2h") -> None:
    """Say how often an image is tried again, and for how long."""
    world.extra[image] = f", retries: {retries}, timeout: {timeout}"
    world.write()


def test_flaky_build_passes_at_the_third_try(world: World) -> None:
    """What passes by itself fails nothing, and each try is told and kept."""
    world.builder.fail("base", FLAKY, times=2)
    events = carried_out(world)
    assert set(outcomes(events).values()) == {"built"}
    assert exit_code(end_of(events)) == 0
    told = [e.result for e in events if isinstance(e, StepRetried)]
    assert [(r.image, r.outcome, r.tries) for r in told] == [
        ("base", Outcome.FAILED, 1),
        ("base", Outcome.FAILED, 2),
    ]
    kept = world.history.results(end_of(events).run.id)
    assert [(r.outcome, r.tries) for r in kept if r.image == "base"] == [
        (Outcome.FAILED, 1),
        (Outcome.FAILED, 2),
        (Outcome.BUILT, 3),
    ]


def test_what_never_passes_is_tried_as_often_as_the_image_says(world: World) -> None:
    """`retries: 1` is two tries; the failure says how many there were."""
    retry(world, "base", 1)
    world.builder.fail("base", FLAKY)
    finished = end_of(carried_out(world))
    assert tries_of(world, "base") == 2
    assert failed(finished)["base"].tries == 2
    assert exit_code(finished) == 1


def test_no_try_begins_after_the_deadline(world: World) -> None:
    """Tries that are left are not made use of for ever: `timeout` after the first failure."""
    retry(world, "lone", 10, "90s")
    world.builder = MemoryBuilder(
        world.registry, delay=lambda image: 25.0 * (image == "lone"), clock=world.clock
    )
    world.builder.fail("lone", FLAKY)
    began_s = world.clock.monotonic_s()
    finished = end_of(carried_out(world))
    assert failed(finished)["lone"].outcome is Outcome.FAILED
    assert 2 < tries_of(world, "lone") < 6
    assert world.clock.monotonic_s() - began_s < 25 + 90 + 25 + 1


def test_waiting_for_a_builder_is_not_counted(world: World) -> None:
    """A step whose builder was away for longer than `timeout` still has all of its tries."""
    world.dockerfiles = {"lone": FILES["lone"]}
    retry(world, "lone", 2, "30s")
    world.builder.fleet.add("default")
    sleep, build, tries = world.clock.sleep, world.builder.build, list[int]()

    def later(seconds: float) -> None:
        sleep(seconds)
        if world.clock.monotonic_s() > 40:
            world.builder.fleet.revive(None)

    def flaky(*args: Any, **kwargs: Any) -> None:
        tries.append(1)
        if len(tries) in (1, 3):
            raise FLAKY
        if len(tries) == 2:
            world.builder.fleet.kill(None)
        build(*args, **kwargs)

    world.clock.sleep = later  # type: ignore[method-assign]
    world.builder.build = flaky  # type: ignore[method-assign]
    events = carried_out(world)
    assert outcomes(events) == {"lone": "built"}
    assert world.clock.monotonic_s() > 40


def test_who_is_in_a_pause_holds_up_nobody(world: World) -> None:
    """A registry may ask for an hour; what else there is to build goes on meanwhile."""
    flaky = [f"flaky{n}" for n in range(4)]
    world.dockerfiles = dict.fromkeys([*flaky, "last"], "FROM debian:12\n")
    world.write()
    for image in flaky:
        world.builder.fail(image, FLAKY, times=1)
    build, built = world.builder.build, threading.Event()

    def noted(request: BuildRequest, *args: Any, **kwargs: Any) -> None:
        build(request, *args, **kwargs)
        if request.image.id == "last":
            built.set()

    def wait(event: threading.Event, seconds: float, *others: threading.Event) -> bool:
        assert built.wait(600)
        return False

    world.builder.build = noted  # type: ignore[method-assign]
    world.clock.wait = wait  # type: ignore[method-assign]
    assert set(outcomes(carried_out(world, slots=1)).values()) == {"built"}


def test_permanent_failure_is_tried_once(world: World) -> None:
    """A broken Dockerfile does not get better by waiting."""
    world.builder.fail("base", BROKEN)
    events = carried_out(world)
    assert tries_of(world, "base") == 1
    assert not any(isinstance(event, StepRetried) for event in events)
    assert world.clock.slept_s == (1,)  # before the plan


def test_a_failure_that_turns_out_permanent_ends_the_tries(world: World) -> None:
    """Of two tries the second one says that there is no point in a third."""
    world.builder.fail("base", FLAKY)
    first_pause_s = world.clock.monotonic_s() + 1 + FIRST_PAUSE_S / 2
    world.clock.alarm(first_pause_s, lambda: world.builder.fail("base", BROKEN))
    finished = end_of(carried_out(world))
    assert tries_of(world, "base") == 2
    assert failed(finished)["base"].failure is not None


def test_pauses_grow_and_are_never_the_same(world: World) -> None:
    """Doubling up to a minute, with something at random on top."""
    retry(world, "base", 8)
    world.builder.fail("base", FLAKY)
    carried_out(world)
    pauses = world.clock.slept_s[1:]
    assert len(pauses) == 8
    for number, pause_s in enumerate(pauses):
        least_s = min(FIRST_PAUSE_S * 2**number, LONGEST_PAUSE_S)
        assert least_s <= pause_s <= least_s + FIRST_PAUSE_S
    assert all(one < other for one, other in pairwise(pauses[:5]))
    assert len(set(pauses)) == len(pauses)


def busy(world: World, retry_after_s: float, times: int) -> None:
    """Let the registry answer 429 to so many uploads of a manifest."""
    left = [times]

    def fault(call: RegistryCall) -> None:
        if call.method == "put_manifest" and not call.done and left[0]:
            left[0] -= 1
            error = RegistryUnavailable("429 Too Many Requests", status=429, transient=True)
            error.retry_after_s = retry_after_s
            raise error

    world.registry.fault = fault


def test_registry_that_asks_to_be_left_alone_is_left_alone(world: World) -> None:
    """The pause is as long as Retry-After says, and somewhat longer, not all at the same time."""
    world.dockerfiles = {"lone": FILES["lone"]}
    world.write()
    busy(world, 300.0, times=1)
    events = carried_out(world)
    assert outcomes(events) == {"lone": "built"}
    (pause_s,) = world.clock.slept_s[1:]
    assert 300 <= pause_s <= 300 + FIRST_PAUSE_S


def test_registry_that_asks_for_more_than_the_deadline_is_not_waited_for(world: World) -> None:
    """Nobody sits out a pause after which no try is left."""
    world.dockerfiles = {"lone": FILES["lone"]}
    retry(world, "lone", 5, "10m")
    busy(world, 86_400.0, times=1)
    finished = end_of(carried_out(world))
    assert failed(finished)["lone"].failure is not None
    assert exit_code(finished) == 5
    assert world.clock.slept_s[1:] == ()


@pytest.mark.parametrize("event", ["stopping", "cancelled"])
def test_pause_ends_when_the_run_is_stopped(world: World, event: str) -> None:
    """A minute's pause is not sat out by somebody who pressed Ctrl-C in its first second."""
    retry(world, "base", 9)
    world.builder.fail("base", FLAKY)
    stop = threading.Event()
    world.clock.alarm(world.clock.monotonic_s() + 1 + 15, stop.set)
    events = carried_out(world, **{event: stop})
    assert world.clock.monotonic_s() == 16
    assert outcomes(events)["base"] == "cancelled"
    assert end_of(events).run.state is RunState.INTERRUPTED


def test_time_limit_has_a_cause_of_its_own_and_is_not_tried_again(world: World) -> None:
    """What took too long once takes too long again."""
    retry(world, "base", 2, "10m")
    world.builder = MemoryBuilder(
        world.registry, delay=lambda image: 3600.0 * (image == "base"), clock=world.clock
    )
    finished = end_of(carried_out(world))
    bad = failed(finished)
    failure = bad["base"].failure
    assert failure is not None
    assert failure.cause is FailureCause.TIMEOUT
    assert "timeout" in failure.hint
    assert tries_of(world, "base") == 1
    assert bad["app"].blocked_by == "base"
    assert bad.keys() == {"base", "app"}


def test_blocked_names_the_first_that_failed_below_it() -> None:
    """Of several parents that failed it is the first; the others are failures of their own."""
    files = {
        "a": "FROM debian:12\nRUN a\n",
        "b": "FROM debian:12\nRUN b\n",
        "top": "FROM a AS x\nFROM b\nCOPY --from=x /a /\n",
        "above": "FROM top\nRUN c\n",
    }
    world = World(dockerfiles=files, head=HEAD.replace(", ".join(PLATFORMS), PLATFORMS[0]))
    over = threading.Event()

    def delay(image: str) -> float:
        assert image != "a" or over.wait(30)
        return 0.0

    world.builder = MemoryBuilder(world.registry, delay=delay)
    for image in ("a", "b"):
        world.builder.fail(image, BROKEN)
    events = []
    for event in _events(world):
        events.append(event)
        if getattr(getattr(event, "result", None), "image", "") == "b":
            over.set()
    bad = failed(end_of(events))
    assert {image: (str(r.outcome), r.blocked_by) for image, r in bad.items()} == {
        "a": ("failed", ""),
        "b": ("failed", ""),
        "top": ("blocked", "b"),
        "above": ("blocked", "b"),
    }


def test_keep_going_is_the_usual(world: World) -> None:
    """A failure stops only what stands on it, and the rest is promoted."""
    world.builder.fail("base", BROKEN)
    finished = end_of(carried_out(world))
    assert {i: r.outcome for i, r in failed(finished).items()} == {
        "base": Outcome.FAILED,
        "app": Outcome.BLOCKED,
    }
    assert {move.image for move in finished.moves} == {"lone"}


@pytest.fixture
def failing_beside(world: World) -> World:
    """`base` fails once the builds of `lone`, which takes for ever, and of `done` are on."""
    world.dockerfiles["done"] = "FROM debian:12\nRUN done\n"
    world.dockerfiles["later"] = "FROM lone\nRUN later\n"
    world.write()
    begun = threading.Event()

    def delay(image: str) -> float:
        if image == "lone":
            begun.set()
            return 600.0
        assert image != "base" or begun.wait(30)
        return 0.0

    world.build(only="done")
    world.edit("done", "RUN more")
    world.builder = MemoryBuilder(world.registry, delay=delay)
    world.builder.fail("base", BROKEN)
    return world


def test_fail_fast_stops_what_runs_and_starts_nothing(failing_beside: World) -> None:
    """Everything that was not over is cancelled, by the image that failed; exit code 1."""
    finished = end_of(carried_out(failing_beside, fail_fast=True, slots=2))
    bad = {i: (str(r.outcome), r.blocked_by) for i, r in failed(finished).items()}
    bad.pop("done", None)  # it may have been over
    assert bad == {
        "base": ("failed", ""),
        "app": ("blocked", "base"),
        "lone": ("cancelled", "base"),
        "later": ("cancelled", "base"),
    }
    assert exit_code(finished) == 1
    assert finished.run.state is RunState.FAILED


def test_fail_fast_promotes_what_passed(world: World) -> None:
    """Which tags move depends on what passed, not on how soon the run ended."""
    world.dockerfiles["last"] = "FROM lone\nRUN last\n"
    world.write()
    world.builder.fail("last", BROKEN)
    finished = end_of(carried_out(world, fail_fast=True, slots=1))
    passed = {r.image for r in finished.results if r.outcome is Outcome.BUILT}
    assert "lone" in passed
    assert {move.image for move in finished.moves} == passed
    assert world.build()["last"] is Outcome.FAILED


def test_run_after_a_fail_fast_goes_on_from_there(failing_beside: World) -> None:
    """What was cancelled is built by the next run, what passed is not built again."""
    carried_out(failing_beside, fail_fast=True, slots=2)
    failing_beside.builder = MemoryBuilder(failing_beside.registry)
    outcome = failing_beside.build()
    assert {outcome[i] for i in ("base", "app", "lone", "later")} == {Outcome.BUILT}
    assert failing_beside.verdicts() == {}


def test_user_who_stops_outweighs_fail_fast(failing_beside: World) -> None:
    """Ctrl-C before the failure is an interruption: no tag moves."""
    stopping, told = threading.Event(), threading.Event()

    def delay(image: str) -> float:
        assert image != "base" or told.wait(30)
        return 600.0 * (image == "lone")

    failing_beside.builder = MemoryBuilder(failing_beside.registry, delay=delay)
    failing_beside.builder.fail("base", BROKEN)
    events, busy = [], set()
    for event in _events(failing_beside, fail_fast=True, slots=2, stopping=stopping):
        events.append(event)
        if isinstance(event, StepProgress):
            busy.add(event.image)
        if busy >= {"base", "lone"}:
            stopping.set()
            told.set()
    finished = end_of(events)
    assert failed(finished)["later"].outcome is Outcome.CANCELLED
    assert finished.run.state is RunState.INTERRUPTED
    assert finished.moves == ()
