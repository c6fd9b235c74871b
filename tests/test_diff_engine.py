"""What changed, on a real engine, a real registry and with the real syft: apt brings a fix."""

from __future__ import annotations

import json
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator import flow, questions
from orchestrator.doors.buildx import Buildx
from orchestrator.doors.clock import RealClock
from orchestrator.doors.files import RealFiles
from orchestrator.doors.memory.files import MemoryGit
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.doors.packages import DockerPackages
from orchestrator.doors.protocols_sbom import NO_SBOMS
from orchestrator.doors.registry import HttpRegistry
from orchestrator.doors.sbom import Syft
from orchestrator.doors.scanner import ScannerProgram
from orchestrator.doors.spool import DiskSpool
from orchestrator.model.change import ImageChange
from orchestrator.model.event import Notice, RunFinished
from orchestrator.model.run import RunState
from orchestrator.observe.load_files import load_files
from tests.apt_image import Archive, served, system_tar
from tests.doors.build_requests import busybox

pytestmark = pytest.mark.engine

BASE = (
    "FROM scratch\nADD root.tar /\nARG REFRESH_EPOCH\n"
    'RUN : "${REFRESH_EPOCH}" && apt-get -q update && apt-get -qy dist-upgrade '
    "&& apt-get -qy install tool && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/*\n"
)
APP = "FROM base\nUSER 1000\n"
#: A scanner of somebody's own, with a table of what is vulnerable.
SCANNER = """\
import json, sys
known = {("tool", "1:1.0~rc1"): [("CVE-2026-1", "high")]}
packages = json.load(open(sys.argv[1]))["packages"]
print(json.dumps([
    {"id": name, "severity": severity, "package": each["name"]}
    for each in packages
    for name, severity in known.get((each["name"], each.get("versionInfo")), [])
]))
sys.exit(1)
"""


def told(change: ImageChange) -> list[tuple[str, str, str, str]]:
    (platform,) = change.platforms.values()
    assert platform.unknown == ""
    return [(p.name, str(p.change), p.was, p.now) for p in platform.packages or ()]


def test_a_fix_is_named_on_the_image_and_on_what_stands_on_it(
    tmp_path: Path, registry_url: str
) -> None:
    """The base's packages are attached, and read without syft; the child is looked into."""
    tree = tmp_path / "tree"
    with served(tmp_path) as url, HttpRegistry() as registry:
        archive = Archive(tmp_path / "debian")
        archive.offer(tool="1:1.0~rc1")
        for image, text in {"base": BASE, "app": APP}.items():
            (tree / image).mkdir(parents=True)
            (tree / image / "Dockerfile").write_text(text)
            (tree / image / ".dockerignore").write_text("Dockerfile\n.dockerignore\n")
        sources = f"deb [trusted=yes] {url}/debian ./\n"
        root = system_tar(busybox()["amd64/busybox"], sources)
        (tree / "base" / "root.tar").write_bytes(root)
        (tree / "scan.py").write_text(SCANNER)
        (tree / "hierarchy.yaml").write_text(
            f"version: 1\nname: test\nregistry: {registry_url}/{tmp_path.name.lower()}-diff\n"
            "platforms: [linux/amd64]\n"
            'tags: {immutable: "{version}-{key}", floating: ["{version}"]}\nimages:\n'
            '  base: {context: base, version: "1", sbom: syft}\n'
            '  app: {context: app, version: "1"}\n'
            f'scanner: {{command: ["{sys.executable}", scan.py, "{{sbom}}"]}}\n'
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
            sboms=Syft(),
        )
        hierarchy = load_files(doors.files)
        doors = replace(doors, scanner=ScannerProgram(hierarchy.scanner, str(tree)))

        def build(suffix: str, *forced: str) -> None:
            wish = flow.Wish(forced=frozenset(forced), suffix=suffix)
            intent = flow.Intent(
                command="build", who="test", log_dir=str(tmp_path / "logs"), suffix=suffix
            )
            events = list(flow.run(flow.plan(hierarchy, doors, wish), hierarchy, doors, intent))
            assert [event.text for event in events if isinstance(event, Notice)] == []
            assert isinstance(events[-1], RunFinished)
            assert events[-1].run.state is RunState.SUCCEEDED

        def diff(image: str, doors: flow.Doors) -> ImageChange:
            cancelled = threading.Event()
            return questions.difference(hierarchy, doors, image, files=True, cancelled=cancelled)

        build("0001")
        archive.offer(tool="1:1.0")
        build("0002", "base")
        fix = [("tool", "upgraded", "1:1.0~rc1", "1:1.0")]
        base = diff("base", replace(doors, sboms=NO_SBOMS))
        assert told(base) == fix
        (platform,) = base.platforms.values()
        assert any(file.path.startswith("var/lib/dpkg/") for file in platform.files or ())
        assert told(diff("app", doors)) == fix
        for change in (platform, *diff("app", doors).platforms.values()):
            assert change.unscanned == ""
            assert [(one.id, one.package) for one in change.fixed or ()] == [("CVE-2026-1", "tool")]
            assert change.introduced == ()
        (index,) = {doors.registry.resolve(hierarchy.images["base"].repository, "1")}
        assert index is not None
        manifest = doors.registry.manifest(hierarchy.images["base"].repository, index)
        assert manifest is not None
        (subject,) = manifest.platforms().values()
        (referrer,) = doors.registry.referrers(hierarchy.images["base"].repository, subject)
        said = doors.registry.manifest(hierarchy.images["base"].repository, referrer.digest)
        assert said is not None
        assert json.loads(said.content)["artifactType"] == "application/spdx+json"
