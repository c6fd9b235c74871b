"""buildx on a real engine: what only an engine can prove."""

from __future__ import annotations

import gzip
import json
import os
import re
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.build.prepare import REFRESH_ARG
from orchestrator.content.layout import Layout, read_layout
from orchestrator.doors.buildx import Buildx
from orchestrator.errors import BuilderUnavailable, BuildFailed
from orchestrator.model.event import StepProgress
from orchestrator.model.hierarchy import BuildOptions, Secret
from orchestrator.model.image_config import diff_ids
from orchestrator.model.run import FailureCause
from tests.doors.build_requests import (
    busybox,
    context,
    make_image,
    make_request,
    parent,
    run_build,
)

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("engine")]

NATIVE = "linux/arm64" if os.uname().machine == "aarch64" else "linux/amd64"
BASE = "FROM scratch\nARG TARGETARCH\nCOPY ${TARGETARCH}/busybox /bin/sh\nCOPY nonce /nonce\n"
THROUGH_DOCKER = ("docker", "--log-level=warn")


class Bench:
    """Builds for this machine's platform, in a directory of its own."""

    def __init__(self, where: Path) -> None:
        self.where = where
        self.log = where / "build.log"
        self.layers: list[bytes] = []

    def build(
        self,
        dockerfile: str,
        *,
        client: Buildx | None = None,
        image: dict[str, Any] | None = None,
        progress: Callable[[StepProgress], None] = lambda _progress: None,
        cancelled: threading.Event | None = None,
        path: str = "Dockerfile",
        nonce: bytes | None = None,
        **request: Any,
    ) -> Layout:
        """Build from busybox and a nonce, so that no step comes from the cache of another one."""
        built = make_image(**(image or {}))
        output = run_build(
            client or Buildx(directory=str(self.where)),
            make_request(built, platform=NATIVE, dockerfile=path, **request),
            context(dockerfile, {**busybox(), "nonce": nonce or uuid.uuid4().bytes}),
            self.where / uuid.uuid4().hex,
            log_path=self.log,
            progress=progress,
            cancelled=cancelled,
        )
        layout = read_layout(output)
        self.layers += [
            b"".join(output.chunks(layer.digest))
            for manifest in layout.manifests.values()
            for layer in manifest.layers()
        ]
        return layout

    def said(self) -> list[str]:
        """Return what the steps wrote, without numbers and times."""
        lines = self.log.read_text().splitlines()
        return [found[1] for line in lines if (found := re.match(r"#\d+ \d+\.\d+ (.*)", line))]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A place to build in."""
    return Bench(tmp_path)


def test_image_has_the_time_that_was_asked_for(bench: Bench) -> None:
    """SOURCE_DATE_EPOCH as a build argument is what BuildKit takes; our environment has no say."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "5"}
    layout = bench.build(BASE + "RUN echo x > /made\n", client=Buildx(environment))
    config = json.loads(layout.blobs[layout.manifests[layout.entries[0].digest].config_digest()])
    times = {config["created"], *(step["created"] for step in config["history"])}
    assert times == {"2023-11-14T22:13:20Z"}


def test_only_a_stage_that_asks_for_the_epoch_loses_its_cache(bench: Bench) -> None:
    """From its `ARG` on; the same epoch again finds the same layers."""
    throw = "RUN cat /proc/sys/kernel/random/uuid >"
    dockerfile = (
        f"{BASE.replace('scratch', 'scratch AS kept')}{throw} /kept\n"
        f"FROM kept AS asks\n{throw} /above\nARG {REFRESH_ARG}\n{throw} /below\n"
        "FROM scratch\n"
        "COPY --from=kept /kept /\nCOPY --from=asks /above /\nCOPY --from=asks /below /\n"
    )
    nonce = uuid.uuid4().bytes

    def layers(epoch: str) -> tuple[str, ...]:
        asked = ((REFRESH_ARG, epoch),) if epoch else ()
        layout = bench.build(dockerfile, nonce=nonce, build_args=asked)
        manifest = layout.manifests[layout.entries[0].digest]
        return diff_ids(layout.blobs[manifest.config_digest()])

    first, second, again, none = (layers(epoch) for epoch in ("pkg-1", "pkg-2", "pkg-1", ""))
    assert first[:2] == second[:2] == none[:2]
    assert first[2] != second[2]
    assert again == first


@pytest.mark.parametrize("docker", [("docker",), THROUGH_DOCKER], ids=["plugin", "docker"])
def test_plugin_and_docker_build_the_same(bench: Bench, docker: tuple[str, ...]) -> None:
    """Started directly or through the client, a build gives an image."""
    layout = bench.build(BASE, client=Buildx(docker=docker))
    assert layout.entries[0].platform == NATIVE


def test_secrets_reach_the_step_and_nothing_else(bench: Bench) -> None:
    """By variable and by file; no value is in the log, the image or its provenance."""
    (bench.where / "a,b.txt").write_text("open-sesame")
    environment = {**os.environ, "PIP_URL": "hunter2-hunter2"}
    layout = bench.build(
        BASE
        + "RUN --mount=type=secret,id=pip --mount=type=secret,id=key "
        + "cd /run/secrets; [ $(cat pip) = hunter2-$(echo hunter2) ] && cat pip key\n",
        client=Buildx(environment, directory=str(bench.where)),
        secrets=(Secret(name="pip", env="PIP_URL"), Secret(name="key", file="a,b.txt")),
    )
    assert bench.said()[0] == "******"
    everywhere = [
        *(gzip.decompress(layer) for layer in bench.layers if layer.startswith(b"\x1f\x8b")),
        *layout.blobs.values(),
        *(manifest.content for manifest in layout.manifests.values()),
        bench.log.read_bytes(),
    ]
    assert len(everywhere) > 5
    assert not [blob for blob in everywhere if b"hunter2-hunter2" in blob or b"sesame" in blob]


def test_build_options_reach_the_steps(bench: Bench) -> None:
    """Hosts, limits, shared memory and the network are as the image says."""
    options = BuildOptions(
        network="none",
        add_hosts=("db.example:192.0.2.7",),
        ulimits=("nofile=100:200",),
        shm_size="16m",
        no_cache_filter=("fetch",),
    )
    bench.build(
        BASE.replace("scratch", "scratch AS fetch")
        + "RUN ulimit -n; ulimit -Hn; grep db.example /etc/hosts; df -k /dev/shm | tail -n1; "
        + "ls /sys/class/net\n",
        image={"options": options},
    )
    soft, hard, host, shm, *network = bench.said()
    assert (soft, hard) == ("100", "200")
    assert host.split() == ["192.0.2.7", "db.example"]
    assert shm.split()[1] == "16384"
    assert "eth0" not in network


def test_arguments_and_labels_arrive_as_they_are_written(bench: Bench) -> None:
    """Spaces, quotes, commas, equal signs, dashes in front, nothing at all, and our own value."""
    label = "--a=b,\"c\" 'd' ü"
    layout = bench.build(
        BASE + 'ARG A=default\nARG B=default\nRUN echo "[$A][$B]"\n',
        image={"labels": (("l", label),)},
        build_args=(("A", '--x="y", z=1'), ("B", "")),
    )
    assert bench.said()[0] == '[--x="y", z=1][]'
    config = layout.blobs[layout.manifests[layout.entries[0].digest].config_digest()]
    assert json.loads(config)["config"]["Labels"] == {"l": label}


def test_target_and_dockerfile_of_another_name(bench: Bench) -> None:
    """A stage that is not the last one is built; the Dockerfile's path is the archive's."""
    text = BASE.replace("scratch", "scratch AS first") + "FROM first\nRUN exit 1\n"
    bench.build(text, image={"target": "first"})
    with pytest.raises(BuildFailed) as failed:
        bench.build(text, image={"target": "nope"})
    assert failed.value.cause is FailureCause.DOCKERFILE
    with pytest.raises(BuildFailed) as failed:
        bench.build(text, path="elsewhere/Dockerfile")
    assert failed.value.cause is FailureCause.DOCKERFILE
    assert "elsewhere/Dockerfile" in failed.value.what


@pytest.mark.parametrize("docker", [("docker",), THROUGH_DOCKER], ids=["plugin", "docker"])
def test_cancelled_step_is_gone_from_the_engine(bench: Bench, docker: tuple[str, ...]) -> None:
    """A second after Ctrl-C nothing of the build runs any more."""
    naptime = f"{time.time_ns() % 10**9 + 10**9}"
    began = threading.Event()
    cancelled = threading.Event()

    def watch(progress: StepProgress) -> None:
        if "RUN sleep" in progress.doing and not began.is_set():
            began.set()
            threading.Timer(1.0, seen).start()

    running: list[bool] = []

    def seen() -> None:
        running.append(is_running(naptime))
        cancelled.set()

    with pytest.raises(BuildFailed) as failed:
        bench.build(
            BASE + f"RUN sleep {naptime}\n",
            client=Buildx(docker=docker),
            progress=watch,
            cancelled=cancelled,
        )
    assert failed.value.cause is FailureCause.CANCELLED
    if running != [True]:
        pytest.skip("the engine's processes cannot be seen from here")
    deadline = time.monotonic() + 1.0
    while is_running(naptime):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_running(argument: str) -> bool:
    """Say whether any process has been started with the argument."""
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if argument.encode() in process.read_bytes().split(b"\0"):
                return True
        except OSError:
            continue
    return False


def test_registry_that_refuses_is_named(bench: Bench) -> None:
    """A parent whose registry is down: transient, with its address, and not "missing"."""
    pin = f"localhost:1/gold/base@sha256:{'0' * 64}"
    with pytest.raises(BuildFailed) as failed:
        bench.build(
            "FROM base\nCOPY nonce /\n",
            image={"parents": (parent("base"),)},
            pins=(("base", pin),),
        )
    assert failed.value.cause is FailureCause.REGISTRY
    assert failed.value.transient
    assert "localhost:1" in failed.value.what
    assert failed.value.what.startswith("images/app/Dockerfile:1: FROM base: ")


def test_full_disk_in_a_command_is_told_from_a_failing_command(bench: Bench) -> None:
    """BuildKit says the same of both; the log does not."""
    with pytest.raises(BuildFailed) as failed:
        bench.build(BASE + "RUN dd if=/dev/zero of=/dev/full\n")
    assert failed.value.cause is FailureCause.DISK_FULL


@pytest.mark.parametrize(
    ("variables", "builder", "what"),
    [
        ({"DOCKER_HOST": "unix:///nonexistent"}, None, "does not answer"),
        ({"DOCKER_HOST": "tcp://127.0.0.1:1"}, None, "does not answer"),
        ({"DOCKER_CONTEXT": "no-such-context"}, None, "no such builder"),
        ({}, "no-such-builder", "no such builder"),
    ],
)
@pytest.mark.parametrize("docker", [("docker",), THROUGH_DOCKER], ids=["plugin", "docker"])
def test_engine_or_builder_that_is_not_there(
    bench: Bench,
    docker: tuple[str, ...],
    variables: dict[str, str],
    builder: str | None,
    what: str,
) -> None:
    """The plugin reads hosts and contexts as docker does, and the error says what to do."""
    client = Buildx({**os.environ, **variables}, docker)
    with pytest.raises(BuilderUnavailable, match=what) as failed:
        bench.build(BASE, client=client, builder=builder)
    assert failed.value.hint
