"""What package managers inside images promise: real apt in real containers, and the twin."""

from __future__ import annotations

import io
import subprocess
import tarfile
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.doors.clock import RealClock
from orchestrator.doors.memory.clock import MemoryClock
from orchestrator.doors.memory.packages import MemoryPackages
from orchestrator.doors.memory.registry import MemoryRegistry
from orchestrator.doors.packages import LABEL, DockerPackages
from orchestrator.doors.protocols_packages import PackageManagers
from orchestrator.doors.registry import HttpRegistry
from orchestrator.errors import Unavailable
from orchestrator.model.image_config import diff_ids
from orchestrator.model.manifest import OCI_INDEX
from orchestrator.model.names import Repository, parse_repository
from orchestrator.model.packages import PackageAnswer, Update
from tests.apt_image import Archive, served, system_tar
from tests.doors.build_requests import busybox
from tests.registry_container import push
from tests.world import put_image

AMD64 = "linux/amd64"
GONE = "sha256:" + "0" * 64


class Bench:
    """An image with ``tool 1`` and ``other 1``, published, and the archive they came from."""

    repository: Repository
    index: str
    manifest: str
    managers: PackageManagers

    def offer(self, label: str = "Debian", **packages: str) -> None:
        raise NotImplementedError

    def go_offline(self) -> None:
        raise NotImplementedError

    def ask(self, digest: str = "", **more: Any) -> PackageAnswer:
        cancelled = more.pop("cancelled", threading.Event())
        at = digest or self.manifest
        return self.managers.ask(self.repository, at, AMD64, "apt", cancelled=cancelled)

    def installed(self, digest: str = "") -> dict[str, str]:
        return dict(
            self.managers.installed(
                self.repository,
                digest or self.manifest,
                AMD64,
                "apt",
                cancelled=threading.Event(),
            )
        )


class Twins(Bench):
    def __init__(self) -> None:
        registry = MemoryRegistry()
        self.repository = Repository("localhost:5000", "test/apt")
        put_image(registry, f"{self.repository}:1", "debian")
        index = registry.manifest(self.repository, "1")
        assert index is not None
        self.index, self.manifest = index.digest, index.platforms()[AMD64]
        found = registry.manifest(self.repository, self.manifest)
        assert found is not None
        self.managers = self.twin = MemoryPackages(registry, MemoryClock())
        (diff_id,) = diff_ids(registry.blob(self.repository, found.config_digest()))
        self.twin.bases[diff_id] = {"other": "1", "tool": "1"}
        self.twin.archive = {"other": "1", "tool": "1"}

    def offer(self, label: str = "Debian", **packages: str) -> None:
        self.twin.archive |= packages
        if "Security" in label:
            self.twin.security |= set(packages)

    def go_offline(self) -> None:
        self.twin.offline = True


class Real(Bench):
    def __init__(self, where: Path, registry_url: str, url: str) -> None:
        self.archive = Archive(where / "debian")
        self.away = where / "away"
        self.offer(tool="1", other="1")
        sources = f"deb [trusted=yes] {url}/debian ./\n"
        context = _tar(
            {
                "root.tar": system_tar(busybox()["amd64/busybox"], sources),
                "Dockerfile": b"FROM scratch\nADD root.tar /\nRUN apt-get -q update "
                b"&& apt-get -qy install tool other && rm -rf /var/lib/apt/lists/*\n",
            }
        )
        name = f"{registry_url}/{uuid.uuid4().hex[:8]}/apt"
        self.repository = parse_repository(name)
        file = where / "context.tar"
        file.write_bytes(context)
        output = f"type=image,name={name}:1,push=true,oci-mediatypes=true"
        line = f"docker buildx build --quiet --platform {AMD64} --output {output} - < {file}"
        push(["sh", "-c", line])
        subprocess.run(["docker", "image", "rm", f"{name}:1"], capture_output=True)
        with HttpRegistry() as registry:
            index = registry.manifest(self.repository, "1")
        assert index is not None
        assert index.media_type == OCI_INDEX
        self.index, self.manifest = index.digest, index.platforms()[AMD64]
        self.managers = DockerPackages(RealClock())

    def offer(self, label: str = "Debian", **packages: str) -> None:
        self.archive.offer(label, **packages)

    def go_offline(self) -> None:
        self.archive.where.rename(self.away)

    def start_over(self) -> None:
        """Have the archive as it was when the image was made."""
        if self.away.exists():
            self.away.rename(self.archive.where)
        self.offer(tool="1", other="1")


@pytest.fixture(scope="module")
def real(
    engine: None, registry_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Real]:
    """One image for all tests; the engine has it, so that nothing is pulled again and again."""
    where = tmp_path_factory.mktemp("apt")
    with served(where) as url:
        bench = Real(where, registry_url, url)
        reference = f"{bench.repository}@{bench.manifest}"
        subprocess.run(["docker", "pull", "--quiet", reference], check=True, capture_output=True)
        yield bench
        subprocess.run(["docker", "image", "rm", reference], capture_output=True)


@pytest.fixture(params=["memory", pytest.param("docker", marks=pytest.mark.engine)])
def bench(request: pytest.FixtureRequest) -> Bench:
    """Each kind in turn."""
    if request.param == "memory":
        return Twins()
    found: Real = request.getfixturevalue("real")
    found.start_over()
    return found


def test_what_is_installed(bench: Bench) -> None:
    """By the digest of the index and of the platform's manifest alike."""
    assert bench.installed() == {"tool": "1", "other": "1"}
    assert bench.installed(bench.index) == {"tool": "1", "other": "1"}


def test_a_night_with_updates(bench: Bench) -> None:
    """Nothing, then something, then a security fix, then nobody knows, but what is installed."""
    quiet = bench.ask()
    assert (quiet.updates, quiet.problem) == ((), "")
    assert quiet.installed == {"tool": "1", "other": "1"}
    assert (quiet.digest, quiet.platform, quiet.manager) == (bench.manifest, AMD64, "apt")
    assert quiet.asked_at.endswith("Z")

    bench.offer(tool="2")
    assert bench.ask().updates == (Update(package="tool", was="1", now="2"),)
    bench.offer("Debian-Security", tool="3")
    assert bench.ask().updates == (Update(package="tool", was="1", now="3", security=True),)

    bench.go_offline()
    answer = bench.ask()
    assert answer.updates == ()
    assert answer.problem.startswith("its package sources cannot be read: ")
    assert answer.installed == {"tool": "1", "other": "1"}


@pytest.mark.engine
def test_nothing_stays(real: Real) -> None:
    """No container, and no image that the engine did not have before."""
    real.start_over()
    index = f"{real.repository}@{real.index}"
    assert real.ask(real.index).problem == ""
    for line in (
        ["docker", "image", "inspect", index],
        ["sh", "-c", f"docker ps --all --format '{{{{.Image}}}}' | grep {real.index}"],
    ):
        assert subprocess.run(line, capture_output=True).returncode == 1


@pytest.mark.engine
def test_a_container_that_nobody_waits_for_is_swept_up(real: Real) -> None:
    """Only where its time is over: another process may wait for the others."""
    names = [f"orchestrate-packages-test-{uuid.uuid4().hex[:8]}" for _ in range(2)]
    reference = f"{real.repository}@{real.manifest}"
    for name, until in zip(names, ("1000000000", "9000000000"), strict=True):
        line = ["docker", "create", f"--name={name}", f"--label={LABEL}={until}", reference, "true"]
        subprocess.run(line, check=True, capture_output=True)
    try:
        DockerPackages(RealClock()).ask(
            real.repository, real.manifest, AMD64, "dnf", cancelled=threading.Event()
        )
        inspected = [
            subprocess.run(["docker", "inspect", name], capture_output=True).returncode
            for name in names
        ]
        assert inspected == [1, 0]
    finally:
        subprocess.run(["docker", "rm", *names], capture_output=True)


def test_an_image_that_is_not_there(bench: Bench) -> None:
    """A question never raises; who must know what is installed hears why not."""
    assert "cannot pull it" in bench.ask(GONE).problem
    with pytest.raises(Unavailable, match="cannot pull it"):
        bench.installed(GONE)


def test_a_question_that_is_stopped(bench: Bench) -> None:
    """It ends at once, and says so."""
    cancelled = threading.Event()
    cancelled.set()
    assert bench.ask(cancelled=cancelled).problem == "it was stopped before it answered"


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
