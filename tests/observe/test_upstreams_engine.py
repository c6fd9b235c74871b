"""A real upstream whose tag really moves: looked up, soaked, built on, and gone one day."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator import flow
from orchestrator.doors.clock import RealClock
from orchestrator.model.names import Repository
from orchestrator.model.plan import Cause, Plan
from orchestrator.model.publication import read_publication
from orchestrator.model.run import Outcome
from orchestrator.observe.load_files import load_files
from tests.registry_container import push
from tests.test_engine import Project, busybox, docker_run
from tests.world import PLATFORMS

__all__ = ["busybox"]  # a fixture

pytestmark = pytest.mark.engine

SOAK_S = 3600


class LateClock(RealClock):
    """The machine's clock, so many seconds later."""

    def __init__(self, late_s: float) -> None:
        self._late_s = late_s

    def now_s(self) -> float:
        return super().now_s() + self._late_s


class Soaked(Project):
    """A project on one upstream that soaks for an hour; every plan is a night's, and remembered."""

    late_s = 0.0

    @property
    def doors(self) -> flow.Doors:
        return replace(super().doors, clock=LateClock(self.late_s))

    def plan(self, *forced: str) -> Plan:
        doors = self.doors
        return flow.plan(load_files(doors.files), doors, flow.Wish(remember=True))

    def causes(self) -> list[Cause]:
        (decision,) = self.plan().decisions
        return [reason.cause for reason in decision.reasons]

    def release(self, text: str) -> str:
        """Publish another content under the upstream's tag, and return its digest."""
        self.write("up/release", text)
        self.commit()
        line = ["docker", "buildx", "build", "--push", "-q", "-t", f"{self.registry_path}/up:1"]
        push([*line, f"--platform={','.join(PLATFORMS)}", str(self.where / "up")])
        return str(self.registry.resolve(self.repository("up"), "1"))

    def stands_on(self) -> str:
        said = read_publication(self.index("app"))
        assert said is not None
        return said.base_digest


@pytest.fixture
def project(tmp_path: Path, registry_url: str, busybox: Path) -> Iterator[Soaked]:
    tree = tmp_path / "tree"
    tree.mkdir()
    project = Soaked(tree, registry_url, busybox)
    copy = "FROM scratch\nARG TARGETARCH\nCOPY busybox-$TARGETARCH /bin/busybox\nCOPY release /\n"
    project.write("up/Dockerfile", copy)
    for arch in ("amd64", "arm64"):
        shutil.copy(busybox / arch / "busybox", project.where / "up" / f"busybox-{arch}")
    project.write("app/Dockerfile", 'FROM up:1\nCMD ["/bin/busybox", "cat", "/release"]\n')
    project.write("app/.dockerignore", "Dockerfile\n.dockerignore\n")
    head = (project.where / "hierarchy.yaml").read_text().partition("images:")[0]
    project.write(
        "hierarchy.yaml",
        f'{head}upstreams: {{"up:1": {{source: "{project.registry_path}/up:1", soak: 1h}}}}\n'
        'images: {app: {context: app, version: "1"}}\n',
    )
    project.commit()
    with project.registry:
        yield project
    project.history.close()


def test_a_tag_moves_soaks_and_is_taken(project: Soaked) -> None:
    """An hour after it was first seen, not before; what is then gone fails and stays published."""
    first = project.release("first\n")
    assert project.causes() == [Cause.NEVER_PUBLISHED, Cause.UNSOAKED]
    assert project.build() == {"app": Outcome.BUILT}
    assert project.stands_on() == first

    second = project.release("second\n")
    assert second != first
    assert project.build() == {}
    assert project.causes() == [Cause.SOAKING]
    assert project.stands_on() == first

    project.late_s = SOAK_S
    assert project.causes() == [Cause.UPSTREAM_MOVED]
    assert project.build() == {"app": Outcome.BUILT}
    assert project.stands_on() == second
    assert docker_run(f"{project.repository('app')}:stable", PLATFORMS[0]) == "second"
    assert project.verdicts() == {}

    published = project.tag("app")
    where: Repository = project.repository("up")
    assert project.registry.delete_manifest(where, second)
    assert project.verdicts() == {"app": "fail"}
    assert project.causes() == [Cause.UPSTREAM_UNUSABLE]
    assert project.tag("app") == published
