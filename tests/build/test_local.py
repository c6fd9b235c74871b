"""Building for this machine alone, on twins."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from orchestrator.build.local import LocalSite, LocalWork, build_locally, prepare_locally
from orchestrator.doors.memory.local import MemoryLoader
from orchestrator.doors.memory.registry import RegistryCall
from orchestrator.doors.protocols import BuildRequest
from orchestrator.errors import BuilderUnavailable, BuildFailed, RegistryUnavailable, UsageError
from orchestrator.model.event import Event, RunFinished
from orchestrator.model.image_config import diff_ids
from orchestrator.model.local import LocalImage, local_name
from orchestrator.model.run import FailureCause, Outcome, Run, RunState
from tests.world import World

LOCAL = "local.invalid/gold/"


class Contested(MemoryLoader):
    """An engine in which somebody else takes the name of `base` as soon as it is built."""

    theirs: LocalImage | None = None

    def build(self, request: BuildRequest, context: Iterable[bytes], name: str, **more: Any) -> Any:
        made = super().build(request, context, name, **more)
        if request.image.id == "base" and self.theirs:
            self.images[name] = self.theirs
        return made


@dataclass
class Laptop:
    """A developer's machine beside a world that is published."""

    world: World = field(default_factory=World)
    built: dict[str, LocalImage] = field(default_factory=dict)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.engine = Contested(self.world.registry)

    @property
    def site(self) -> LocalSite:
        doors = self.world.doors
        return LocalSite(
            hierarchy=self.world.hierarchy(),
            files=doors.files,
            registry=doors.registry,
            builder=self.engine,
            clock=doors.clock,
            revision=doors.git.revision(),
            run=Run(
                id="local-1",
                hierarchy="gold",
                command="build --no-publish",
                who="me@here",
                trigger="manual",
                because="",
                revision="",
                started_at="2026-01-01T00:00:00Z",
            ),
            log_dir="logs",
            slots=2,
            cancelled=self.cancelled,
        )

    def prepare(self, *images: str, platform: str | None = None) -> LocalWork:
        return prepare_locally(frozenset(images), platform, self.site)

    def events(self, *images: str, platform: str | None = None) -> list[Event]:
        work = self.prepare(*images, platform=platform)
        return list(build_locally(work, self.site, self.built))

    def build(self, *images: str, platform: str | None = None) -> dict[str, Outcome]:
        """Build, and return image → outcome."""
        finished = self.events(*images, platform=platform)[-1]
        assert isinstance(finished, RunFinished)
        self.finished = finished
        return {result.image: result.outcome for result in finished.results}

    def pins(self, image: str) -> dict[str, str]:
        """Return what an image's names were pinned to the last time it was built."""
        (*_, last) = (request for request in self.engine.requests if request.image.id == image)
        return dict(last.pins)


@pytest.fixture
def laptop() -> Laptop:
    """Everything is published once."""
    laptop = Laptop()
    laptop.world.build()
    return laptop


def test_one_image_is_built_on_what_is_published(laptop: Laptop) -> None:
    """A parent that is left out is the registry's current, by digest."""
    assert laptop.build("hello") == {"hello": Outcome.BUILT}
    current = laptop.world.tag("gunicorn")
    assert laptop.pins("hello") == {"gunicorn": f"localhost:5000/gold/gunicorn@{current}"}


def test_nothing_is_written_but_the_engine(laptop: Laptop) -> None:
    """No put, no upload, no claim, no run."""
    before = (list(laptop.world.registry.puts), laptop.world.history.runs())
    laptop.build("base", "hello")
    assert (list(laptop.world.registry.puts), laptop.world.history.runs()) == before
    assert sorted(laptop.engine.images) == [
        f"{LOCAL}{image}:1" for image in ("base", "gunicorn", "hello", "python")
    ]


def test_what_lies_between_is_built_too(laptop: Laptop) -> None:
    """The upper one is to stand on the lower one that was asked for."""
    assert laptop.prepare("base", "hello").added == ("python", "gunicorn")
    laptop.build("base", "hello")
    assert laptop.pins("gunicorn")["python"] == f"{LOCAL}python:1"
    below, above = (diff_ids(laptop.built[name].config) for name in ("base", "hello"))
    assert above[: len(below)] == below


def test_both_sides_of_a_diamond_lie_between(laptop: Laptop) -> None:
    """docs takes from python and stands on nginx: both chains up from base are built."""
    assert set(laptop.prepare("base", "docs").added) == {"python", "web", "nginx"}
    assert laptop.prepare("python", "docs").added == ()


def test_a_parent_that_was_never_published_is_built_too() -> None:
    """Who has a new tree can try its leaf, without publishing anything."""
    laptop = Laptop()
    assert laptop.prepare("hello").added == ("base", "python", "gunicorn")
    assert set(laptop.build("hello").values()) == {Outcome.BUILT}


def test_the_registry_is_asked_for_nothing_that_is_built_here() -> None:
    """A chain that starts from scratch is built while the registry is down."""
    laptop = Laptop()
    laptop.world.dockerfiles = {"base": "FROM scratch\nRUN true\n", "app": "FROM base\nRUN true\n"}
    laptop.world.write()

    def down(call: RegistryCall) -> None:
        raise RegistryUnavailable("down")

    laptop.world.registry.fault = down
    assert laptop.build("base", "app") == {"base": Outcome.BUILT, "app": Outcome.BUILT}
    with pytest.raises(RegistryUnavailable):
        laptop.prepare("app")


def test_only_this_machines_platform_is_built(laptop: Laptop) -> None:
    """Emulation is slow, and nobody is going to run it here."""
    laptop.build("hello")
    assert laptop.engine.requests[-1].platform == "linux/amd64"


def test_another_platform_gets_another_name(laptop: Laptop) -> None:
    """It must not take the name of what runs here."""
    laptop.build("hello", platform="linux/arm64")
    assert list(laptop.engine.images) == [f"{LOCAL}hello:1-linux-arm64"]


def test_a_platform_that_an_image_is_not_for(laptop: Laptop) -> None:
    """It is refused before anything is built, with one that would do."""
    with pytest.raises(UsageError, match="hello is not for linux/s390x") as raised:
        laptop.prepare("hello", platform="linux/s390x")
    assert raised.value.hint == "name one of its platforms: --platform linux/amd64"
    assert laptop.engine.images == {}


def test_a_failure_stops_only_what_stands_on_it(laptop: Laptop) -> None:
    """Its log is named; the other branch is built."""
    failure = BuildFailed("RUN x", cause=FailureCause.COMMAND, log_tail=("oh",))
    laptop.engine.builder.fail("python", failure)
    outcomes = laptop.build("base", "gunicorn", "web")
    assert outcomes == {
        "base": Outcome.BUILT,
        "python": Outcome.FAILED,
        "gunicorn": Outcome.BLOCKED,
        "web": Outcome.BUILT,
    }
    (failed,) = (r.failure for r in laptop.finished.results if r.failure)
    assert (failed.log_path, failed.log_tail) == ("logs/local-1/python.log", ("oh",))
    assert laptop.finished.run.state is RunState.FAILED


def test_a_child_that_does_not_stand_on_its_parent_is_refused(laptop: Laptop) -> None:
    """A name that somebody else took in the meantime does not slip in."""
    laptop.build("base")
    laptop.engine.theirs = laptop.built["base"]
    laptop.world.edit("base", "RUN other")
    laptop.build("base", "python")
    (failure,) = (r.failure for r in laptop.finished.results if r.failure)
    assert failure.cause is FailureCause.CHECK
    assert "python on linux/amd64 does not stand on base as planned" in failure.what


def test_a_stop_leaves_the_rest(laptop: Laptop) -> None:
    """What was not started is cancelled."""
    laptop.cancelled.set()
    assert set(laptop.build("base", "python").values()) == {Outcome.CANCELLED}
    assert laptop.finished.run.state is RunState.INTERRUPTED


def test_the_first_failure_stops_all_where_that_is_wanted(laptop: Laptop) -> None:
    """`--fail-fast`: the rest is cancelled by it, and the run failed; nobody interrupted it."""
    laptop.world.dockerfiles["lone"] = "FROM debian:12\nRUN lone\n"
    laptop.world.write()
    laptop.engine.builder.fail("base", BuildFailed("RUN x", cause=FailureCause.COMMAND))
    site = replace(laptop.site, fail_fast=True, slots=1)
    work = prepare_locally(frozenset(("base", "python", "lone")), None, site)
    finished = list(build_locally(work, site, laptop.built))[-1]
    assert isinstance(finished, RunFinished)
    assert finished.run.state is RunState.FAILED
    assert {r.image: (str(r.outcome), r.blocked_by) for r in finished.results} == {
        "base": ("failed", ""),
        "python": ("blocked", "base"),
        "lone": ("cancelled", "base"),
    }


def test_no_engine(laptop: Laptop) -> None:
    """It is said before anything is asked of a registry."""
    laptop.engine.missing = True
    laptop.world.registry.counts.clear()
    with pytest.raises(BuilderUnavailable):
        laptop.prepare("hello")
    assert laptop.world.registry.counts.total() == 0


@pytest.mark.parametrize(
    ("hierarchy", "version", "foreign", "name"),
    [
        ("gold", "1.0", "", "local.invalid/gold/app:1.0"),
        ("Gold Team", "1.0+b/2", "", "local.invalid/gold-team/app:1.0-b-2"),
        ("gold", "..", "", "local.invalid/gold/app:local"),
        ("gold", "1", "linux/arm/v7", "local.invalid/gold/app:1-linux-arm-v7"),
    ],
)
def test_names_are_taken_by_docker(hierarchy: str, version: str, foreign: str, name: str) -> None:
    """Whatever a hierarchy is called and whatever its versions are."""
    assert local_name(hierarchy, "app", version, foreign) == name
