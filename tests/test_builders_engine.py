"""Two real engines, one for each architecture; one of them loses its power during a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator import flow
from orchestrator.doors.buildx import Buildx
from orchestrator.doors.protocols import BuildRequest
from orchestrator.model.event import Event, Notice, RunFinished, StepProgress
from orchestrator.model.run import Outcome
from orchestrator.observe.load_files import load_files
from tests.second_engine import SecondEngine
from tests.test_engine import Project, busybox  # noqa: F401 - a fixture
from tests.world import PLATFORMS

pytestmark = pytest.mark.engine

AMD, ARM = PLATFORMS
#: Long enough to be seen and killed; no other word of a build is like it.
SLOW = "RUN sleep 3 && echo slept > /slept"


class Recorded(Buildx):
    """The real builder, which remembers what it was asked to build where, and what came of it."""

    def __init__(self, engine: SecondEngine, directory: Path) -> None:
        super().__init__(engine.environment, directory=str(directory))
        self.built: list[tuple[str, str, str | None]] = []

    def build(
        self, request: BuildRequest, context: Iterable[bytes], *args: str, **kw: object
    ) -> None:
        """Build."""
        super().build(request, context, *args, **kw)  # type: ignore[arg-type]
        self.built.append((request.image.id, request.platform, request.builder))


class TwoEngines(Project):
    """A project whose platforms are built by an engine each."""

    def __init__(self, where: Path, url: str, programs: Path, engine: SecondEngine) -> None:
        super().__init__(where, url, programs)
        self.engine = engine
        self.builder = Recorded(engine, where)
        text = (where / "hierarchy.yaml").read_text()
        builders = (
            f"builders:\n  - {{name: default, slots: 2, platforms: [{AMD}]}}\n"
            f"  - {{name: {engine.context}, slots: 2, platforms: [{ARM}]}}\n"
        )
        self.write("hierarchy.yaml", text.replace("images:\n", f"{builders}images:\n", 1))
        self.commit()

    @property
    def doors(self) -> flow.Doors:
        """Those of the project, with both engines."""
        return replace(super().doors, builder=self.builder)

    def events(self) -> Iterator[Event]:
        """Plan, run and yield what happens."""
        self.runs += 1
        logs = str(self.where.parent / "logs")
        intent = flow.Intent(command="build", who="test", suffix=f"{self.runs:04x}", log_dir=logs)
        doors = self.doors
        yield from flow.run(self.plan(), load_files(doors.files), doors, intent)


@pytest.fixture
def project(
    tmp_path: Path,
    registry_url: str,
    busybox: Path,  # noqa: F811 - the fixture
    second_engine: SecondEngine,
) -> Iterator[TwoEngines]:
    """A project of which nothing was built yet, and two engines that run."""
    tree = tmp_path / "tree"
    tree.mkdir()
    project = TwoEngines(tree, registry_url, busybox, second_engine)
    with project.registry:
        yield project
    project.history.close()


def assert_whole(project: TwoEngines, finished: RunFinished) -> None:
    """Everything is there, for both platforms with their provenance, and nothing is left to do."""
    assert {r.image: r.outcome for r in finished.results} == dict.fromkeys(
        ("base", "python", "web", "hello", "docs"), Outcome.BUILT
    )
    for result in finished.results:
        index = project.index(result.image)
        assert tuple(sorted(index.platforms())) == PLATFORMS
        about = [e.annotations.get("vnd.docker.reference.digest") for e in index.entries()]
        assert sorted(filter(None, about)) == sorted(index.platforms().values())
        assert project.tag(result.image, result.immutable) == result.digest
    assert project.verdicts() == {}


def test_each_engine_builds_its_platform(project: TwoEngines) -> None:
    """And one index has both."""
    finished = list(project.events())[-1]
    assert isinstance(finished, RunFinished)
    assert_whole(project, finished)
    where = {(platform, builder) for _, platform, builder in project.builder.built}
    assert where == {(AMD, "default"), (ARM, project.engine.context)}


def test_a_run_survives_an_engine_that_loses_its_power(project: TwoEngines) -> None:
    """What it was building is built again when it is back; nothing else is, nothing twice."""
    project.edit("python", SLOW)
    notices, killed = [], False
    for event in project.events():
        doing = event.doing if isinstance(event, StepProgress) else ""
        if doing.startswith(f"[{ARM} ") and "sleep" in doing and not killed:
            project.engine.stop()
            killed = True
        if isinstance(event, Notice):
            notices.append(event.text)
            if len(notices) == 1:
                # By this thread: the engine dies with the one that started it.
                project.engine.start()
    assert killed
    assert isinstance(event, RunFinished)
    assert_whole(project, event)
    name = project.engine.context
    lost, back = notices
    assert lost.startswith(f"builder {name} does not answer; its builds go elsewhere or wait for ")
    assert "(the builder was lost: " in lost or "(the container engine does not answer: " in lost
    assert back == f"builder {name} is back"
    built = Counter((image, platform) for image, platform, _ in project.builder.built)
    assert set(built.values()) == {1}
