"""What the engine's own builder promises: buildx with a real engine, and its twin."""

from __future__ import annotations

import subprocess
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.doors.buildx_load import BuildxLoader, load_command
from orchestrator.doors.memory.local import MemoryLoader
from orchestrator.doors.memory.registry import MemoryRegistry
from orchestrator.doors.protocols_local import LocalBuilder
from orchestrator.errors import BuilderUnavailable, BuildFailed
from orchestrator.model.event import StepProgress
from orchestrator.model.hierarchy import Secret
from orchestrator.model.image_config import diff_ids
from orchestrator.model.local import LocalImage, local_name
from orchestrator.model.run import FailureCause
from tests.doors.build_requests import busybox, context, make_image, make_request, parent

BASE = "FROM scratch\nARG TARGETARCH\nCOPY ${TARGETARCH}/busybox /bin/sh\nCOPY nonce /nonce\n"


class Bench:
    """An engine's own builder, and names that nobody else uses; they are gone afterwards."""

    def __init__(self, where: Path, *, real: bool) -> None:
        files = busybox() if real else {"amd64/busybox": b"amd64", "arm64/busybox": b"arm64"}
        self.files = {**files, "nonce": uuid.uuid4().bytes}
        self.corner = f"test-{uuid.uuid4().hex[:8]}"
        self.builder: LocalBuilder = MemoryLoader(MemoryRegistry())
        if real:
            self.builder = BuildxLoader(directory=str(where))
        self.log = where / "logs" / "app.log"
        self.names: list[str] = []

    def name(self, image: str) -> str:
        return local_name(self.corner, image, "1")

    def build(self, dockerfile: str, image: str = "app", **fields: Any) -> LocalImage:
        """Build a Dockerfile for this machine; ``on`` are parents of ours by name."""
        on = fields.pop("on", ())
        cancelled = fields.pop("cancelled", threading.Event())
        progress = fields.pop("progress", lambda _: None)
        made = make_image(
            id=image,
            parents=tuple(parent(name, final=not nth) for nth, name in enumerate(on)),
        )
        pins = tuple((name, self.name(name)) for name in on)
        self.names.append(self.name(image))
        return self.builder.build(
            make_request(made, platform=self.builder.platform(), pins=pins, **fields),
            context(dockerfile, self.files),
            self.name(image),
            log_path=str(self.log),
            progress=progress,
            cancelled=cancelled,
        )


@pytest.fixture(params=["memory", pytest.param("docker", marks=pytest.mark.engine)])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Each kind of builder in turn."""
    if request.param == "docker":
        request.getfixturevalue("engine")
    bench = Bench(tmp_path, real=request.param == "docker")
    yield bench
    if request.param == "docker" and bench.names:
        subprocess.run(["docker", "image", "rm", "-f", *bench.names], capture_output=True)


def test_an_image_is_there_under_its_name(bench: Bench) -> None:
    """With a digest, a size and its layers, and somebody heard of it."""
    heard: list[StepProgress] = []
    made = bench.build(BASE, progress=heard.append)
    assert made.name == bench.name("app")
    assert made.digest.startswith("sha256:")
    assert made.size_bytes > 0
    assert diff_ids(made.config)
    assert not made.says_what_to_run
    assert {progress.image for progress in heard} == {"app"}


def test_a_child_stands_on_what_was_just_built(bench: Bench) -> None:
    """By the parent's name, which no registry knows."""
    below = diff_ids(bench.build(BASE, "base").config)
    above = diff_ids(bench.build("FROM base\nCOPY nonce /more\n", "child", on=("base",)).config)
    assert above[: len(below)] == below
    assert len(above) > len(below)


def test_the_newest_of_a_name_counts(bench: Bench) -> None:
    """A parent that is built again is another one for the next child."""
    bench.build(BASE, "base")
    bench.files["nonce"] = b"another"
    again = diff_ids(bench.build(BASE, "base").config)
    child = diff_ids(bench.build("FROM base\nCOPY nonce /more\n", "child", on=("base",)).config)
    assert child[: len(again)] == again


def test_a_build_that_fails(bench: Bench) -> None:
    """It is told apart as in a run."""
    with pytest.raises(BuildFailed) as raised:
        bench.build(BASE + 'RUN ["/bin/sh", "false"]\nRUN exit 3\n')
    assert raised.value.cause == FailureCause.COMMAND


def test_a_file_that_is_not_there(bench: Bench) -> None:
    """So is this."""
    with pytest.raises(BuildFailed) as raised:
        bench.build("FROM scratch\nCOPY nowhere /\n")
    assert raised.value.cause == FailureCause.MISSING_FILE


def test_a_build_that_is_cancelled(bench: Bench) -> None:
    """Before it starts."""
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(BuildFailed) as raised:
        bench.build(BASE, cancelled=cancelled)
    assert raised.value.cause == FailureCause.CANCELLED


def test_no_docker(tmp_path: Path) -> None:
    """It is said when the platform is asked for, which comes first."""
    twin = MemoryLoader(MemoryRegistry())
    twin.missing = True
    for builder in (twin, BuildxLoader({"PATH": str(tmp_path)})):
        with pytest.raises(BuilderUnavailable, match="not installed"):
            builder.platform()


def test_the_command_line() -> None:
    """That of a run, but for who builds and where the result goes."""
    image = make_image(target="final", labels=(("team", "web"),), secrets=("pip",))
    request = make_request(
        image,
        pins=(("base", "local.invalid/gold/base:1"),),
        secrets=(Secret(name="pip", env="PIP"),),
        builder="farm",
    )
    line = load_command(request, "local.invalid/gold/app:1", "default")
    assert line[:4] == ("docker", "buildx", "build", "--builder=default")
    assert line[-4:] == ("--provenance=false", "--load", "--tag=local.invalid/gold/app:1", "-")
    assert "--build-context=base=docker-image://local.invalid/gold/base:1" in line
    assert {"--target=final", "--label=team=web", "--secret=id=pip,env=PIP"} <= set(line)
    assert "--progress=rawjson" in line
    assert not any(word.startswith(("--output", "--builder=farm", "--push")) for word in line)
