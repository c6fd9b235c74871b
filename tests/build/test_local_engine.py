"""`build --no-publish` and `doctor` on a real engine and a real registry."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.processes import REAL
from tests.doors.build_requests import busybox

pytestmark = pytest.mark.engine

BASE = (
    "FROM scratch\nARG TARGETARCH\nCOPY ${TARGETARCH}/busybox /bin/busybox\nCOPY nonce /nonce\n"
    'RUN ["/bin/busybox", "--install", "-s", "/bin"]\n'
)
PYTHON = "FROM base\nRUN echo snake > /kind\n"
HELLO = 'FROM python\nCOPY said /said\nCMD ["cat", "/kind", "/said"]\n'


class Tree:
    """A hierarchy of three images, and the command line on it."""

    def __init__(self, where: Path, address: str) -> None:
        self.where = where
        self.name = f"t{uuid.uuid4().hex[:8]}"
        self.registry = f"{address}/{self.name}"
        for image, text in (("base", BASE), ("python", PYTHON), ("hello", HELLO)):
            (where / image).mkdir(parents=True)
            (where / image / "Dockerfile").write_text(text)
        for path, content in busybox().items():
            (where / "base" / path).parent.mkdir()
            (where / "base" / path).write_bytes(content)
            (where / "base" / path).chmod(0o755)
        (where / "base" / "nonce").write_text(self.name)
        (where / "hello" / "said").write_text("hello\n")
        self.write(self.registry)

    def write(self, registry: str, platforms: str = "linux/amd64, linux/arm64") -> None:
        lines = [f'  {i}: {{context: {i}, version: "1"}}\n' for i in ("base", "python", "hello")]
        (self.where / "hierarchy.yaml").write_text(
            f"version: 1\nname: {self.name}\nregistry: {registry}\nplatforms: [{platforms}]\n"
            f"images:\n{''.join(lines)}"
        )

    def run(self, *argv: str, **variables: str) -> subprocess.CompletedProcess[str]:
        state = str(self.where.parent / "state.db")
        return subprocess.run(
            [*REAL, "-C", str(self.where), "--state", state, *argv],
            capture_output=True,
            text=True,
            env=os.environ | {"NO_COLOR": "1"} | variables,
        )


@pytest.fixture
def tree(tmp_path: Path, registry_url: str) -> Iterator[Tree]:
    tree = Tree(tmp_path / "tree", registry_url)
    yield tree
    pattern = f"reference=local.invalid/{tree.name}/*"
    ids = subprocess.run(
        ["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter", pattern],
        capture_output=True,
        text=True,
    ).stdout.split()
    if ids:
        subprocess.run(["docker", "image", "rm", "-f", *ids], capture_output=True)


def output(command: list[str]) -> str:
    """Run a docker command as a person would, but for the terminal."""
    line = [word for word in command if word != "-it"]
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout


def test_a_chain_is_built_run_and_built_again(tree: Tree) -> None:
    """With no registry at all: each level stands on what was just built, and a change arrives."""
    tree.write("localhost:1/nowhere")
    ran = tree.run("build", "--no-publish", "base", "hello", "-o", "json")
    assert ran.returncode == 0, ran.stderr
    data: dict[str, Any] = json.loads(ran.stdout)
    assert [image["image"] for image in data["images"]] == ["base", "python", "hello"]
    assert output(data["images"][2]["run"]) == "snake\nhello\n"
    (tree.where / "python" / "Dockerfile").write_text("FROM base\nRUN echo viper > /kind\n")
    again = json.loads(tree.run("build", "--no-publish", "base+", "-o", "json").stdout)
    assert output(again["images"][2]["run"]) == "viper\nhello\n"
    assert not (tree.where.parent / "state.db").exists()


def test_a_child_stands_on_what_is_published(tree: Tree) -> None:
    """Of a parent that is left out the registry's current counts, not what was tried here."""
    assert tree.run("build", "-q").returncode == 0
    (tree.where / "python" / "Dockerfile").write_text("FROM base\nRUN echo viper > /kind\n")
    assert tree.run("build", "--no-publish", "python", "-q").returncode == 0
    data = json.loads(tree.run("build", "--no-publish", "hello", "-o", "json").stdout)
    assert output(data["images"][0]["run"]) == "snake\nhello\n"


def test_a_build_that_fails_shows_its_log(tree: Tree) -> None:
    """The end of it, and where the whole is."""
    (tree.where / "python" / "Dockerfile").write_text("FROM base\nRUN echo oh no; exit 3\n")
    ran = tree.run("build", "--no-publish", "base+", "--progress", "plain")
    assert ran.returncode == 1
    assert "oh no" in ran.stdout
    assert "Blocked by python: hello" in ran.stdout
    (log,) = tree.where.parent.glob("logs/local-*/python.log")
    assert "oh no" in log.read_text()
    assert str(log) in ran.stdout


def test_an_emulated_platform(tree: Tree) -> None:
    """It runs, too, by the command that is shown."""
    tree.write("localhost:1/nowhere")
    ran = tree.run("build", "--no-publish", "base+", "--platform", "linux/arm64", "-o", "json")
    (*_, hello) = json.loads(ran.stdout)["images"]
    assert output(hello["run"]) == "snake\nhello\n"


def test_doctor_finds_nothing_wrong(tree: Tree) -> None:
    """Engine, builder, both platforms and the registry: all really tried."""
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com"]
    for line in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *line], cwd=tree.where, check=True, capture_output=True)
    ran = tree.run("doctor", "-o", "json")
    findings = json.loads(ran.stdout)["findings"]
    areas = {"engine", "buildx", "platforms", "registry", "clock", "database", "files"}
    wrong = [f for f in findings if f["level"] != "ok" and f["area"] in areas]
    assert wrong == []
    ran_on = {f["facts"]["platform"]: f["facts"]["ran"] for f in findings if "ran" in f["facts"]}
    assert ran_on == {"linux/amd64": True, "linux/arm64": True}
    uploads = [f for f in findings if f["code"] == "registry-push"]
    assert [f["facts"]["repository"] for f in uploads] == [f"{tree.registry}/base"]


def test_doctor_finds_a_platform_that_does_not_run(tree: Tree) -> None:
    """One without an emulator, whatever the builder lists."""
    if Path("/proc/sys/fs/binfmt_misc/qemu-riscv64").exists():
        pytest.skip("programs of riscv64 run here")
    tree.write(tree.registry, "linux/amd64, linux/riscv64")
    ran = tree.run("doctor", "-o", "json")
    assert ran.returncode == 5
    (found,) = (f for f in json.loads(ran.stdout)["findings"] if f["level"] == "error")
    assert found["facts"] == {"platform": "linux/riscv64", "builder": "default", "ran": False}
