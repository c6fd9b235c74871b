"""A package really gets an update: asked in a container, built for, and proved, with real apt."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator import flow
from orchestrator.decide.select import Selection
from orchestrator.doors.buildx import Buildx
from orchestrator.doors.clock import RealClock
from orchestrator.doors.files import RealFiles
from orchestrator.doors.memory.files import MemoryGit
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.doors.packages import DockerPackages
from orchestrator.doors.registry import HttpRegistry
from orchestrator.doors.spool import DiskSpool
from orchestrator.model.event import RunFinished
from orchestrator.model.plan import Cause, Plan
from orchestrator.model.run import FailureCause, Outcome
from orchestrator.observe.load_files import load_files
from tests.apt_image import Archive, served, system_tar
from tests.doors.build_requests import busybox

pytestmark = pytest.mark.engine

INSTALL = "apt-get -q update && apt-get -qy dist-upgrade && apt-get -qy install tool"
CLEAN = "rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/*"
BASE = (
    "FROM scratch\nADD root.tar /\nARG REFRESH_EPOCH\n"
    f'RUN : "${{REFRESH_EPOCH}}" && {INSTALL} && {CLEAN}\n'
)


@dataclass
class Night:
    """A hierarchy of two images on real doors, but the diary, and an archive of packages."""

    where: Path
    archive: Archive
    doors: flow.Doors

    def ask(self) -> None:
        hierarchy = load_files(self.doors.files)
        chosen = flow.choose(hierarchy, self.doors, Selection())
        answers = flow.ask_packages(hierarchy, self.doors, chosen, cancelled=threading.Event())
        assert [answer.problem for answer in answers] == ["", ""]

    def plan(self) -> Plan:
        return flow.plan(load_files(self.doors.files), self.doors, flow.Wish())

    def run(self, plan: Plan) -> RunFinished:
        intent = flow.Intent(command="patch", who="test", log_dir=str(self.where / "logs"))
        last = list(flow.run(plan, load_files(self.doors.files), self.doors, intent))[-1]
        assert isinstance(last, RunFinished)
        return last


@pytest.fixture
def night(tmp_path: Path, registry_url: str) -> Iterator[Night]:
    """Nothing is built yet; the archive has ``tool 1``."""
    tree = tmp_path / "tree"
    with served(tmp_path) as url, HttpRegistry() as registry:
        archive = Archive(tmp_path / "debian")
        archive.offer(tool="1")
        sources = f"deb [trusted=yes] {url}/debian ./\n"
        for image, text in {"base": BASE, "app": "FROM base\nRUN echo app > /app\n"}.items():
            (tree / image).mkdir(parents=True)
            (tree / image / "Dockerfile").write_text(text)
            (tree / image / ".dockerignore").write_text("Dockerfile\n.dockerignore\n")
        root = system_tar(busybox()["amd64/busybox"], sources)
        (tree / "base" / "root.tar").write_bytes(root)
        (tree / "hierarchy.yaml").write_text(
            f"version: 1\nname: test\nregistry: {registry_url}/{tmp_path.name.lower()}-packages\n"
            "platforms: [linux/amd64]\n"
            'tags: {immutable: "{version}-{key}", floating: ["{version}"]}\nimages:\n'
            '  base: {context: base, version: "1", packages: apt}\n'
            '  app: {context: app, version: "1", packages: apt}\n'
        )
        doors = flow.Doors(
            files=RealFiles(tree / "hierarchy.yaml"),
            git=MemoryGit(),
            registry=registry,
            builder=Buildx(directory=str(tree)),
            history=MemoryHistory(),
            spool=DiskSpool(),
            clock=RealClock(),
            packages=DockerPackages(RealClock()),
        )
        yield Night(tmp_path, archive, doors)


def test_a_package_gets_an_update(night: Night) -> None:
    """Built once, for the base, and what stands on it follows; then nothing is pending.

    A Dockerfile that does not ask for the epoch is told from one that does.
    """
    assert {r.outcome for r in night.run(night.plan()).results} == {Outcome.BUILT}
    night.ask()
    assert night.plan().steps == ()

    night.archive.offer("Debian-Security", tool="2")
    night.ask()
    plan = night.plan()
    (reason,) = plan.decisions[0].reasons
    assert (reason.cause, reason.was, reason.now) == (Cause.PACKAGES, "1", "2")
    assert reason.because == "security"
    assert plan.packages["app"].waits["base"] == plan.packages["base"].updates
    assert {r.outcome for r in night.run(plan).results} == {Outcome.BUILT}
    night.ask()
    assert night.plan().steps == ()

    dockerfile = night.where / "tree" / "base" / "Dockerfile"
    dockerfile.write_text(
        BASE.replace("ARG REFRESH_EPOCH\n", "").replace(': "${REFRESH_EPOCH}"', ":")
    )
    assert {r.outcome for r in night.run(night.plan()).results} <= {
        Outcome.BUILT,
        Outcome.UNCHANGED,
        Outcome.CUT_OFF,
    }
    night.archive.offer(tool="3")
    night.ask()
    failure = night.run(night.plan()).results[0].failure
    assert failure is not None
    assert failure.cause is FailureCause.PACKAGES
    assert failure.what == "it was built for updates and still has tool 2 on linux/amd64"
