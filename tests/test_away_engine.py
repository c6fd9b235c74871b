"""What a run needs goes away or is full, for real: it says so, and `orchestrate resume` goes on."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.corner import Corner, make_corner
from tests.registry_container import registry_and_container, wait_for_registry
from tests.second_engine import running_second_engine
from tests.test_engine import busybox as busybox

pytestmark = pytest.mark.engine

Mount = Callable[[Path, int], None]


@pytest.fixture
def corner(tmp_path: Path, registry_url: str, busybox: Path) -> Iterator[Corner]:
    with make_corner(tmp_path, registry_url, busybox) as made:
        yield made


@pytest.fixture
def small_disk() -> Iterator[Mount]:
    """Mounts a disk of so many bytes somewhere; once more: gives it another size."""
    mounted: list[Path] = []

    def mount(place: Path, size_bytes: int) -> None:
        again = "remount," if place in mounted else ""
        place.mkdir(exist_ok=True)
        line = ["mount", "-t", "tmpfs", "-o", f"{again}size={size_bytes}", "tmpfs", str(place)]
        made = subprocess.run(line, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            pytest.skip(f"cannot mount a small disk: {made.stderr.strip()}")
        mounted.append(place)

    yield mount
    for place in dict.fromkeys(mounted):
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_registry_that_was_away_for_a_moment_costs_a_moment(tmp_path: Path, busybox: Path) -> None:
    """What was on its way there is tried again, and the run succeeds."""
    with ExitStack() as stack:
        address, container = stack.enter_context(registry_and_container({}, port=_free_port()))
        corner = stack.enter_context(make_corner(tmp_path, address, busybox))
        corner.append("app", "RUN sleep 3")
        process = corner.start("build")
        said = corner.wait_for(process, "app: started")
        container.stop(timeout=0)
        said += corner.wait_for(process, "app: ")
        container.start()
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, said + out + err
        corner.oracle().require_converged(corner.plan())


def test_registry_that_stays_away_fails_the_run_which_is_resumed(
    tmp_path: Path, busybox: Path
) -> None:
    """Exit 5 after some tries; when it is back only what is left is built."""
    with ExitStack() as stack:
        address, container = stack.enter_context(registry_and_container({}, port=_free_port()))
        corner = stack.enter_context(make_corner(tmp_path, address, busybox))
        oracle = corner.oracle()
        before = oracle.look()
        corner.append("app", "RUN sleep 3")
        process = corner.start("build")
        corner.wait_for(process, "app: started")
        container.stop(timeout=0)
        out, err = process.communicate(timeout=300)
        assert process.returncode == 5, out + err
        assert "`orchestrate resume` goes on from here" in out
        assert corner.run("resume")[0] == 5, "it is still away"
        container.start()
        wait_for_registry(address)
        code, said = corner.run("resume")
        assert code == 0, said
        assert corner.outcomes()["app"] == "built"
        assert corner.outcomes()["base"] in ("reused", "cut-off")
        oracle.require_settled(before)
        oracle.require_converged(corner.plan())


def test_spool_that_is_full_fails_the_run_which_is_resumed(
    corner: Corner, small_disk: Mount
) -> None:
    """The image whose layers have no room fails; with room the run goes on."""
    spool = corner.tree.parent / "tmp"
    small_disk(spool, 256 << 10)
    code, said = corner.run("build")
    assert code == 5, said
    assert str(spool) in said
    assert "`orchestrate resume` goes on from here" in said
    small_disk(spool, 256 << 20)
    code, said = corner.run("resume")
    assert code == 0, said
    corner.oracle().require_converged(corner.plan())


def test_disk_of_the_logs_that_is_full_fails_the_run_which_is_resumed(
    corner: Corner, small_disk: Mount
) -> None:
    """Also in the middle of a log: an image of whose build nobody can read is not published."""
    logs = corner.tree.parent / "logs"
    small_disk(logs, 32 << 10)
    corner.append("app", "RUN seq 1 20000")
    code, said = corner.run("build")
    assert code == 5, said
    assert f"cannot write the log {logs}" in said
    assert "`orchestrate resume` goes on from here" in said
    small_disk(logs, 1 << 20)
    code, said = corner.run("resume")
    assert code == 0, said
    corner.oracle().require_converged(corner.plan())


def test_engine_whose_disk_is_full_fails_the_run_which_is_resumed(
    tmp_path: Path, registry_url: str, busybox: Path
) -> None:
    """The cause is named, and how to make room; then only what is left is built."""
    with ExitStack() as stack:
        engine = stack.enter_context(running_second_engine(96 << 20))
        corner = stack.enter_context(make_corner(tmp_path, registry_url, busybox))
        corner.append("app", "RUN dd if=/dev/zero of=/big bs=1M count=150")
        variables = {
            "DOCKER_CONFIG": engine.environment["DOCKER_CONFIG"],
            "DOCKER_CONTEXT": engine.context,
        }
        code, said = corner.run("build", **variables)
        assert code == 5, said
        assert "no space left on device" in said.lower()
        assert "docker buildx prune" in said
        assert "`orchestrate resume` goes on from here" in said
        assert corner.outcomes() == {"base": "built", "app": "failed"}
        engine.make_room(1 << 30)
        code, said = corner.run("resume", **variables)
        assert code == 0, said
        assert corner.outcomes()["app"] == "built"
        corner.oracle().require_converged(corner.plan())


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
