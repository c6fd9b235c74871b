"""An image built twice and compared, on twins."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator import questions
from orchestrator.build.reproduce import Bench, on_platform, reproduce
from orchestrator.doors.memory.registry import RegistryCall
from orchestrator.doors.protocols import Builder
from orchestrator.doors.spool import DiskSpool
from orchestrator.errors import RegistryUnavailable, Unavailable, UsageError
from orchestrator.model.event import RunFinished, StepProgress
from orchestrator.model.names import parse_reference
from orchestrator.model.reproduction import Aspect, LayerDifference, Reproduction
from orchestrator.model.run import FailureCause, Outcome, Run, RunState
from tests.build.odd_builders import Drifting, FailingLate, Hanging, Labelling, Meeting, Stopping
from tests.outputs import Blob, layer_of
from tests.world import PLATFORMS, UPSTREAM, World

ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
EPOCH_S = 1_700_000_000
ALONE = {"tool": "FROM scratch\nRUN make\n"}


class Trial:
    """A world, and what a comparison in it needs."""

    def __init__(self, world: World, builder: Builder | None = None, spool: str = "") -> None:
        self.world = world
        self.doors = replace(world.doors, builder=builder or world.builder)
        if spool:
            self.doors = replace(self.doors, spool=DiskSpool(Path(spool)))
        self.cancelled = threading.Event()
        self.progress: list[str] = []

    def reproduce(
        self, image: str, platform: str | None = None
    ) -> tuple[RunFinished, Reproduction | None]:
        hierarchy = self.world.hierarchy()
        step, revision = questions.step_now(hierarchy, self.doors, image)
        bench = Bench(
            hierarchy=hierarchy,
            files=self.doors.files,
            registry=self.doors.registry,
            builder=self.doors.builder,
            spool=self.doors.spool,
            clock=self.doors.clock,
            revision=revision,
            run=Run(
                id="local-1",
                hierarchy=hierarchy.name,
                command="reproduce",
                who="test",
                trigger="manual",
                because="",
                revision="",
                started_at="2023-11-14T22:13:20Z",
            ),
            log_dir="logs",
            cancelled=self.cancelled,
        )
        found: list[Reproduction] = []
        events = list(reproduce(on_platform(step, platform), bench, found))
        self.progress = [each.doing for each in events if isinstance(each, StepProgress)]
        assert isinstance(events[-1], RunFinished)
        return events[-1], found[0] if found else None

    def layers(self) -> tuple[LayerDifference, ...]:
        """Return what differs on the first platform."""
        finished, found = self.reproduce("tool")
        assert finished.run.state is RunState.SUCCEEDED
        assert found is not None
        assert not found.is_equal
        assert all(
            replace(each, platform="") == replace(found.platforms[0], platform="")
            for each in found.platforms
        )
        return found.platforms[0].layers


def drifting(layers: Callable[[int], Iterable[Blob]]) -> Trial:
    world = World(dict(ALONE), others={})
    world.clock.set_now(EPOCH_S)
    return Trial(world, Drifting(layers))


@pytest.fixture
def built() -> World:
    """Everything is published once."""
    world = World()
    world.build()
    return world


def test_an_image_that_comes_out_the_same_is_equal_on_every_platform(built: World) -> None:
    """Two builds of each, without the cache, on the parents that are published."""
    before = len(built.builder.builds)
    trial = Trial(built)
    finished, found = trial.reproduce("docs")
    assert found is not None
    assert found.is_equal
    assert [each.platform for each in found.platforms] == list(PLATFORMS)
    assert {each.own_layers for each in found.platforms} == {1}
    assert finished.run.state is RunState.SUCCEEDED
    builds = built.builder.builds[before:]
    assert sorted(build.platform for build in builds) == [p for p in PLATFORMS for _ in range(2)]
    for platform in PLATFORMS:
        first, second = (build for build in builds if build.platform == platform)
        # BuildKit would give two at once the same result.
        assert first.finished < second.started
        assert first.request == second.request
        assert not first.request.cached
    published = {b.platform: b.request for b in built.builder.builds[:before] if b.image == "docs"}
    for build in builds:
        assert build.request == replace(published[build.platform], cached=False)
    assert {doing.partition(":")[0] for doing in trial.progress} >= {
        f"{which} build for {platform}" for which in ("first", "second") for platform in PLATFORMS
    }


def test_platforms_are_built_side_by_side(built: World) -> None:
    """As a run builds them; two builds of one platform never are."""
    meeting = Meeting(built.builder)
    finished, found = Trial(built, meeting).reproduce("hello")
    assert finished.run.state is RunState.SUCCEEDED
    assert found is not None
    assert [each.platform for each in found.platforms] == list(PLATFORMS)


def test_no_more_at_once_than_there_are_slots(built: World) -> None:
    """One platform after the other where the builder has one."""
    built.head = built.head.replace("images:\n", "builders: [{slots: 1}]\nimages:\n")
    built.write()
    before = len(built.builder.builds)
    finished, _ = Trial(built).reproduce("hello")
    assert finished.run.state is RunState.SUCCEEDED
    builds = built.builder.builds[before:]
    assert len(builds) == 2 * len(PLATFORMS)
    for one, next_one in itertools.pairwise(builds):
        assert one.finished < next_one.started


def test_a_failure_on_one_platform_stops_the_other(built: World, tmp_path: Path) -> None:
    """Its reason is the reason, and nobody waits for the rest."""
    trial = Trial(built, Hanging(built.builder), spool=str(tmp_path))
    finished, found = trial.reproduce("hello")
    (result,) = finished.results
    assert found is None
    assert result.outcome is Outcome.FAILED
    assert result.failure is not None
    assert result.failure.what == "no"
    assert result.failure.log_path == "logs/local-1/hello@linux-arm64.log"
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written(built: World, tmp_path: Path) -> None:
    """No manifest, no tag, no run; and both results are gone from the disk."""
    before = list(built.registry.puts), built.history.runs(), built.tags("hello")
    Trial(built, spool=str(tmp_path)).reproduce("hello")
    assert (list(built.registry.puts), built.history.runs(), built.tags("hello")) == before
    assert list(tmp_path.iterdir()) == []


def test_one_platform_is_built_where_one_is_asked_for(built: World) -> None:
    """And no other; a platform that is not the image's is refused."""
    _, found = Trial(built).reproduce("hello", PLATFORMS[1])
    assert found is not None
    assert [each.platform for each in found.platforms] == [PLATFORMS[1]]
    assert built.builder.builds[-1].platform == PLATFORMS[1]
    with pytest.raises(UsageError, match="not for linux/s390x"):
        Trial(built).reproduce("hello", "linux/s390x")


def test_layers_that_differ_are_named_with_their_files() -> None:
    """By number, with the diff IDs that would be published; layers that are equal are not."""
    trial = drifting(lambda n: (Blob(layer_of("same", 0)), Blob(layer_of(f"build {n}", 0))))
    (layer,) = trial.layers()
    assert (layer.number, layer.unread, layer.reordered) == (2, "", False)
    assert layer.first != layer.second
    assert [file.path for file in layer.files] == ["file"]
    assert [each.aspect for each in layer.files[0].aspects] == [Aspect.CONTENT]


def test_times_later_than_the_epoch_do_not_count() -> None:
    """They are set back when an image is published; earlier ones are not, and count."""
    late = drifting(lambda n: (Blob(layer_of("text", EPOCH_S + 100 + n)),))
    _, found = late.reproduce("tool")
    assert found is not None
    assert found.is_equal
    (layer,) = drifting(lambda n: (Blob(layer_of("text", EPOCH_S - 100 + n)),)).layers()
    assert [(each.aspect, each.first, each.second) for each in layer.files[0].aspects] == [
        (Aspect.MTIME, "2023-11-14T22:11:40Z", "2023-11-14T22:11:41Z")
    ]


def test_what_only_another_compression_tells_apart_is_equal() -> None:
    """The same tar under two digests is the same layer."""
    _, found = drifting(lambda n: (Blob(layer_of("text", 0), level=1 + n),)).reproduce("tool")
    assert found is not None
    assert found.is_equal


def test_a_layer_that_cannot_be_read_is_said_to_be_one() -> None:
    """Equal by its digest, or different without a list of files."""
    equal = drifting(lambda n: (Blob(b"frame", level=0, media_type=ZSTD),))
    _, found = equal.reproduce("tool")
    assert found is not None
    assert found.is_equal
    (layer,) = drifting(lambda n: (Blob(b"frame %d" % n, level=0, media_type=ZSTD),)).layers()
    assert (layer.unread, layer.files) == (ZSTD, ())


def test_a_layer_that_only_one_build_has_is_named() -> None:
    """A Dockerfile that leaves out a step at random."""
    same = Blob(layer_of("same", 0))
    (layer,) = drifting(lambda n: (same, Blob(layer_of("more", 0)))[: 2 - n]).layers()
    assert (layer.number, layer.second, layer.files) == (2, "", ())
    assert layer.first.startswith("sha256:")


def test_a_value_of_the_configuration_that_differs_is_named(built: World) -> None:
    """Though every layer is the same."""
    _, found = Trial(built, Labelling(built.builder)).reproduce("hello")
    assert found is not None
    assert not found.is_equal
    for each in found.platforms:
        assert each.layers == ()
        assert [(value.where, value.first, value.second) for value in each.config] == [
            ("config.Labels.build", '"1"', '"2"')
        ]


def test_a_parent_that_was_never_published_is_named() -> None:
    """There is nothing to build on."""
    with pytest.raises(UsageError, match="python stands on base, which was never published"):
        Trial(World()).reproduce("python")


def test_a_failed_build_is_a_failure_and_no_difference(built: World, tmp_path: Path) -> None:
    """In either build; what the first one gave is gone."""
    for times in (1, 2):
        trial = Trial(built, FailingLate(built.builder, times), spool=str(tmp_path))
        finished, found = trial.reproduce("hello")
        (result,) = finished.results
        assert found is None
        assert result.outcome is Outcome.FAILED
        assert result.failure is not None
        assert result.failure.cause is FailureCause.COMMAND
        assert result.failure.log_path == (
            f"logs/local-1/{'second/' * (times - 1)}hello@linux-amd64.log"
        )
        assert finished.run.state is RunState.FAILED
        assert list(tmp_path.iterdir()) == []


def test_a_damaged_result_is_a_failure() -> None:
    """A tar that is none is not compared."""
    finished, found = drifting(lambda n: (Blob(b"no tar %d" % n),)).reproduce("tool")
    assert found is None
    (result,) = finished.results
    assert result.failure is not None
    assert result.failure.cause is FailureCause.CHECK


def test_a_stop_ends_it(built: World, tmp_path: Path) -> None:
    """Between the builds too; nothing is left."""
    trial = Trial(built, spool=str(tmp_path))
    builder = Stopping(built.builder, trial.cancelled)
    trial.doors = replace(trial.doors, builder=builder)
    finished, found = trial.reproduce("hello")
    assert found is None
    assert [result.outcome for result in finished.results] == [Outcome.CANCELLED]
    assert finished.run.state is RunState.INTERRUPTED
    assert list(tmp_path.iterdir()) == []


def test_a_stop_ends_a_comparison_too() -> None:
    """Large layers take minutes: nobody waits for them."""

    def layers(number: int) -> tuple[Blob]:
        if number == 1:
            trial.cancelled.set()
        return (Blob(layer_of(f"build {number}", 0)),)

    trial = drifting(layers)
    finished, found = trial.reproduce("tool")
    assert found is None
    assert [result.outcome for result in finished.results] == [Outcome.CANCELLED]


def test_an_image_whose_upstream_cannot_be_had_is_refused(built: World) -> None:
    """In a sentence about the image, which says where to ask."""
    built.registry.fault = _away
    with pytest.raises(Unavailable, match="base cannot be built now: something") as caught:
        Trial(built).reproduce("base")
    assert caught.value.hint == "`orchestrate why base` says what"


def _away(call: RegistryCall) -> None:
    if call.repository == parse_reference(UPSTREAM).repository:
        raise RegistryUnavailable("registry upstream.example refuses the connection")
