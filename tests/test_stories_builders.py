"""Several builders: who builds what, and what becomes of a run when one of them dies."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator import flow
from orchestrator.doors.memory.fleet import lost
from orchestrator.doors.protocols import BuildRequest
from orchestrator.errors import BuildFailed
from orchestrator.model.event import RunFinished, StepProgress
from orchestrator.model.hierarchy import Builder, Hierarchy
from orchestrator.model.run import FailureCause, Outcome
from tests.fleet_world import AMD, ARM, CountingSpool, Fleet, assert_whole, two
from tests.world import DOCKERFILES, failed

#: What people are told as the builder dies in mid-build.
LOST = (
    "builder arm does not answer; its builds go elsewhere or wait for it "
    "(the builder was lost: arm went away)"
)


def test_every_platform_is_built_where_it_is_native() -> None:
    """And one index has both, each with its own statement of how it was built."""
    world = two()
    finished = world.run_all()
    assert_whole(world, finished)
    assert world.placed() == {(AMD, "x86"), (ARM, "arm")}
    assert world.notices == []


def test_builders_of_which_nothing_is_said_are_asked() -> None:
    """Once each; what they are native for is built there."""
    world = two(emulate=True)
    world.said = (Builder(name="x86", slots=2), Builder(name="arm", slots=2))
    finished = world.run_all()
    assert_whole(world, finished)
    assert world.placed() == {(AMD, "x86"), (ARM, "arm")}
    assert world.notices == []


def test_an_only_builder_is_asked_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes everything, whatever it is."""
    world = Fleet()
    monkeypatch.setattr(world.builder, "facts", lambda _name: pytest.fail("it was asked"))
    finished = world.run_all()
    assert_whole(world, finished)


def test_what_nobody_runs_natively_is_emulated_and_said_once() -> None:
    """Not once for each image."""
    world = two(emulate=True)
    world.said = world.said[:1]
    finished = world.run_all()
    assert_whole(world, finished)
    assert world.placed() == {(AMD, "x86"), (ARM, "x86")}
    said = "linux/arm64 is emulated, which is slow: no builder is native for it"
    assert world.notices == [said]


@pytest.mark.parametrize("image", ["base", "docs"])
def test_a_builder_that_dies_is_waited_for(image: str) -> None:
    """Nobody else can build its platform: the run goes on when it is back, in whatever build it
    died, and the platform that was built is not built again.
    """
    world = two()
    fleet = world.builder.fleet
    fleet.kill_during("arm", image)
    sleep = world.clock.sleep

    def later(seconds: float) -> None:
        sleep(seconds)
        if world.clock.monotonic_s() > 60:
            fleet.revive("arm")

    world.clock.sleep = later  # type: ignore[method-assign]
    finished = world.run_all()
    assert_whole(world, finished)
    built = Counter((b.image, b.platform) for b in world.builder.builds if b.succeeded)
    assert set(built.values()) == {1}
    assert world.notices == [
        LOST,
        "builder arm is back",
    ]


def test_one_of_two_of_a_kind_dies() -> None:
    """The other one takes over, and the run does not wait."""
    world = two()
    world.builder.fleet.add("spare", native=(ARM,), slots=2)
    world.said = (*world.said, Builder(name="spare", slots=2, platforms=(ARM,)))
    for image in ("base", "python", "web"):
        world.builder.fleet.kill_during("arm", image)
    finished = world.run_all()
    assert_whole(world, finished)
    assert (ARM, "spare") in world.placed()
    assert world.notices == [LOST]
    amd = Counter(b.image for b in world.builder.builds if b.platform == AMD)
    assert set(amd.values()) == {1}


def test_a_platform_whose_builder_stays_away_is_emulated() -> None:
    """After two minutes of waiting for one that had answered; and people are told."""
    world = two(emulate=True)
    world.builder.fleet.kill_during("arm", "hello")
    finished = world.run_all()
    assert_whole(world, finished)
    assert (ARM, "x86") in world.placed()
    assert world.notices == [
        LOST,
        "linux/arm64 is emulated, which is slow: builder arm does not answer",
    ]
    # Everybody who waits lets the time pass.
    assert world.clock.monotonic_s() >= 120


def test_builders_that_never_answered_are_not_waited_for() -> None:
    """Somebody forgot to start them: everything fails at once, and says which and why."""
    world = two()
    for name in ("x86", "arm"):
        world.builder.fleet.kill(name)
    before_s = world.clock.monotonic_s()
    finished = world.run_all()
    assert world.clock.monotonic_s() - before_s < 10
    results = failed(finished)
    failure = results["base"].failure
    assert failure is not None
    assert failure.exit_code == 5
    assert "answers that could build linux/" in failure.what
    assert "does not answer" in failure.what
    assert results["hello"].outcome is Outcome.BLOCKED


def test_an_only_builder_that_is_dead_fails_with_its_own_reason() -> None:
    """As it always did: no notice, and what docker says."""
    world = Fleet()
    world.builder.fleet.add("default")
    world.builder.fleet.kill(None)
    failure = failed(world.run_all())["base"].failure
    assert failure is not None
    assert "does not answer" in failure.what
    assert failure.exit_code == 5
    assert world.notices == []


def test_images_find_the_builder_with_their_labels() -> None:
    """And only they need it."""
    world = two()
    world.builder.fleet.add("big", native=(AMD, ARM), slots=2)
    labels = (("size", "big"),)
    world.said = (*world.said, Builder(name="big", slots=2, platforms=(AMD, ARM), labels=labels))
    loaded = world.hierarchy

    def labelled() -> Hierarchy:
        found = loaded()
        images = dict(found.images)
        images["gunicorn"] = replace(images["gunicorn"], builder_labels=labels)
        return replace(found, images=images)

    world.hierarchy = labelled  # type: ignore[method-assign]
    finished = world.run_all()
    assert_whole(world, finished)
    on = {b.builder for b in world.builder.builds if b.image == "gunicorn"}
    assert on == {"big"}
    world.builder.fleet.kill("big")
    world.edit("gunicorn", "RUN echo more")
    failure = failed(world.run_all())["gunicorn"].failure
    assert failure is not None
    assert "no builder with the labels size=big answers" in failure.what
    assert failure.exit_code == 5


def test_slots_are_bounded_over_all_builders() -> None:
    """`--slots` counts builds of one platform, wherever they are."""
    world = two(lambda _image: 0.01, slots=3)
    finished = world.run_all(slots=1)
    assert_whole(world, finished)
    running = 0
    ends = [(b.started, 1) for b in world.builder.builds]
    ends += [(b.finished, -1) for b in world.builder.builds]
    for _, step in sorted(ends):
        running += step
        assert running <= 1


def test_the_first_platform_that_fails_stops_the_others() -> None:
    """And its reason is the image's; its log is the one that is named."""
    world = two(lambda image: 60.0 if image == "python" else 0.0)
    build = world.builder.build

    def broken(request: BuildRequest, *args: Any, **kwargs: Any) -> None:
        if request.image.id == "python" and request.platform == ARM:
            while not any(b.image == "python" for b in world.builder.builds):
                time.sleep(0.01)
            raise BuildFailed("no such thing", cause=FailureCause.COMMAND)
        build(request, *args, **kwargs)

    world.builder.build = broken  # type: ignore[method-assign]
    failure = failed(world.run_all())["python"].failure
    assert failure is not None
    assert (failure.cause, failure.what) == (FailureCause.COMMAND, "no such thing")
    assert failure.log_path.endswith("/python@linux-arm64.log")
    (other,) = [b for b in world.builder.builds if b.image == "python"]
    assert (other.platform, other.succeeded) == (AMD, False)


def test_of_two_failures_the_one_that_cannot_pass_counts() -> None:
    """What came first might pass, but nothing is tried again that fails again."""
    world = two()
    world.dockerfiles = {"base": DOCKERFILES["base"]}
    world.write()
    build, begun = world.builder.build, threading.Event()

    def both(request: BuildRequest, *args: Any, **kwargs: Any) -> None:
        if request.platform == ARM:
            assert begun.wait(600)
            raise BuildFailed("a mirror", cause=FailureCause.COMMAND, transient=True)
        begun.set()
        assert kwargs["cancelled"].wait(600)
        raise BuildFailed("no such thing", cause=FailureCause.COMMAND)

    world.builder.build = both  # type: ignore[method-assign]
    result = failed(world.run_all())["base"]
    assert result.failure is not None
    assert (result.failure.what, result.tries) == ("no such thing", 1)
    # What is stopped has not failed.
    stopped = BuildFailed("stopped", cause=FailureCause.CANCELLED)

    def one(request: BuildRequest, *args: Any, **kwargs: Any) -> None:
        if request.platform == ARM:
            raise BuildFailed("a mirror", cause=FailureCause.COMMAND, transient=True)
        assert kwargs["cancelled"].wait(600)
        raise stopped

    world.builder.build = one  # type: ignore[method-assign]
    result = failed(world.run_all())["base"]
    assert result.failure is not None
    assert (result.failure.what, result.tries) == ("a mirror", 3)
    world.builder.build = build  # type: ignore[method-assign]
    assert not failed(world.run_all())


def test_who_waits_for_a_place_keeps_no_directory() -> None:
    """Hundreds may wait, and each directory keeps a file open."""
    world = two(lambda _image: 0.1, slots=1)
    world.dockerfiles = {f"image{n}": "FROM scratch\n" for n in range(4)}
    world.write()
    build, most = world.builder.build, list[int]()
    spool = CountingSpool()
    doors = replace(world.doors, spool=spool)

    def counted(request: BuildRequest, *args: Any, **kwargs: Any) -> None:
        build(request, *args, **kwargs)
        # One for each place that is held: what was built before may still be on its way.
        most.append(spool.opened - len(most))

    world.builder.build = counted  # type: ignore[method-assign]
    finished = list(flow.run(world.plan(), world.hierarchy(), doors, world.intent("build")))[-1]
    assert isinstance(finished, RunFinished)
    assert not failed(finished)
    assert max(most) <= 2


def test_what_kills_every_builder_is_given_up() -> None:
    """It fails after three, with the builder's loss as the reason, whatever `retries` says; the
    others are published.
    """
    world = two()
    build, revive = world.builder.build, world.builder.fleet.revive
    killed = list[str | None]()

    def deadly(request: BuildRequest, *args: Any, **kwargs: Any) -> None:
        if request.image.id == "hello" and request.platform == ARM:
            killed.append(request.builder)
            raise lost(request.builder)
        build(request, *args, **kwargs)

    world.builder.build = deadly  # type: ignore[method-assign]
    revive("arm")
    finished = world.run_all()
    failure = failed(finished)["hello"].failure
    assert failure is not None
    assert failure.cause is FailureCause.BUILDER
    assert set(failed(finished)) == {"hello"}
    assert failed(finished)["hello"].tries == 1
    assert killed == ["arm"] * 3


def test_what_a_lost_builder_has_left_is_not_taken_for_exported() -> None:
    """A blob that was cut short is exported again, and what is published is whole."""
    world = two()
    build, cut = world.builder.build, list[str]()

    def torn(
        request: BuildRequest, context: Iterable[bytes], output: str, *args: Any, **kwargs: Any
    ) -> None:
        build(request, context, output, *args, **kwargs)
        if request.image.id == "python" and not cut:
            for blob in Path(output, "blobs/sha256").iterdir():
                blob.write_bytes(b"")
                cut.append(blob.name)
            raise lost(request.builder)

    world.builder.build = torn  # type: ignore[method-assign]
    finished = world.run_all()
    assert cut
    assert_whole(world, finished)


def test_an_idle_builder_gets_what_it_can_build() -> None:
    """Though many images wait for the other one: they hold up nobody."""
    images = {f"both{n}": "FROM scratch\n" for n in range(6)}
    images |= {f"zonly{n}": "FROM scratch\n" for n in range(6)}
    world = two(slots=1)
    world.dockerfiles = images
    world.extra = {f"zonly{n}": f", platforms: [{AMD}]" for n in range(6)}
    world.write()
    build, free = world.builder.build, threading.Event()

    def busy(request: BuildRequest, *args: Any, **kwargs: Any) -> None:
        if request.platform == ARM:
            # Until everything else is built; so long only that a fault ends the test some time.
            assert free.wait(600)
        build(request, *args, **kwargs)
        if sum(b.platform == AMD and b.succeeded for b in world.builder.builds) == len(images):
            free.set()

    world.builder.build = busy  # type: ignore[method-assign]
    assert not failed(world.run_all())


def test_progress_names_the_platform() -> None:
    """One line for an image says what is done where, and how much of both."""
    world = two()
    world.run_all()
    said = [e for e in world.events_seen if isinstance(e, StepProgress) and e.image == "base"]
    assert {e.doing.partition(": ")[0] for e in said} == {AMD, ARM}
    assert max(e.total for e in said) == 4
