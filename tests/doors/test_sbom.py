"""What looks into images promises: the real syft on a registry over HTTP, and the twin."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.content.sbom import packages_in
from orchestrator.doors.memory.registry import MemoryRegistry
from orchestrator.doors.memory.sbom import MemorySboms
from orchestrator.doors.protocols_sbom import SbomAnswer, Sboms
from orchestrator.doors.sbom import Syft
from orchestrator.model.names import Repository
from tests.debian_images import put_debian
from tests.doors.registry.server import RegistryServer
from tests.world import PLATFORMS

GONE = "sha256:" + "0" * 64
HERE = Repository("localhost:5000", "gold/base")
BESIDE = Path(sys.executable).parent / "syft"


class Bench:
    """An image with bash 5.2, and who looks into it."""

    def __init__(self, sboms: Sboms, registry: MemoryRegistry, repository: Repository) -> None:
        self.sboms = sboms
        self.repository = repository
        put_debian(registry, f"{repository}:1", {"bash": "5.2"})
        index = registry.manifest(repository, "1")
        assert index is not None
        self.manifest = index.platforms()[PLATFORMS[0]]

    def ask(self, digest: str = "", cancelled: threading.Event | None = None) -> SbomAnswer:
        at = digest or self.manifest
        return self.sboms.document(self.repository, at, cancelled=cancelled or threading.Event())


@pytest.fixture(params=["twin", "syft"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    if request.param == "twin":
        registry = MemoryRegistry()
        yield Bench(MemorySboms(registry), registry, HERE)
        return
    if not (shutil.which("syft") or BESIDE.exists()):
        pytest.skip("syft is not installed: scripts/setup installs it")
    with RegistryServer().running() as server:
        yield Bench(Syft(), server.registry, server.repository())


def test_packages_are_listed_as_spdx(bench: Bench) -> None:
    """Name, version and type of each."""
    answer = bench.ask()
    assert (answer.problem, answer.hint) == ("", "")
    found = packages_in(answer.document)
    assert [(p.type, p.name, p.version) for p in found] == [("deb", "bash", "5.2")]


def test_what_is_not_there_is_a_problem(bench: Bench) -> None:
    """And no image without packages."""
    answer = bench.ask(GONE)
    assert answer.document == b""
    assert answer.problem
    assert "\n" not in answer.problem


def test_it_is_given_up_when_it_is_told_to(bench: Bench) -> None:
    """With the reason."""
    cancelled = threading.Event()
    cancelled.set()
    answer = bench.ask(cancelled=cancelled)
    assert answer.document == b""
    assert "it was stopped before it answered" in answer.problem


def program(where: Path, text: str) -> tuple[str, ...]:
    """Return the command of a program in syft's place."""
    file = where / "syft.py"
    file.write_text(f"import json, os, sys, time\n{text}\n")
    return sys.executable, str(file)


def said(where: Path, text: str, repository: Repository = HERE, **more: float) -> SbomAnswer:
    environment = {"PATH": os.environ["PATH"], "SECRET": "hunter2"}
    command = program(where, text)
    door = Syft(("plain.example",), environment, command, **more)
    return door.document(repository, GONE, cancelled=threading.Event())


ECHO = """\
names = [f"{k}={v}" for k, v in os.environ.items() if k.startswith("SYFT_")] + sys.argv[1:]
print(json.dumps({"packages": names, "temporary": os.environ["TMPDIR"]}))
open(os.path.join(os.environ["TMPDIR"], "large"), "w").write("x")
"""


def test_how_it_is_called(tmp_path: Path) -> None:
    """By digest, as JSON, without asking for a newer version; HTTP where it is spoken."""
    answer = said(tmp_path, ECHO)
    document = answer.document.decode()
    for word in (
        *("SYFT_CHECK_FOR_APP_UPDATE=false", "SYFT_REGISTRY_INSECURE_USE_HTTP=true"),
        *("scan", f"registry:{HERE}@{GONE}", "spdx-json"),
    ):
        assert f'"{word}"' in document
    plain = said(tmp_path, ECHO, Repository("plain.example", "a/b")).document
    secure = said(tmp_path, ECHO, Repository("tls.example", "a/b")).document
    assert b"INSECURE" in plain
    assert b"INSECURE" not in secure


def test_nothing_is_left_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it unpacks is in a directory that goes away."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "spool"))
    (tmp_path / "spool").mkdir()
    assert b"orchestrate-sbom-" in said(tmp_path, ECHO).document
    assert list((tmp_path / "spool").iterdir()) == []


def test_what_goes_wrong_is_a_sentence(tmp_path: Path) -> None:
    """The last line of its log, without the time and the level."""
    answer = said(tmp_path, "sys.exit('[0001] ERROR no such image\\nusage:\\n[0002]  WARN  bad')")
    assert answer.problem == "syft ended with exit code 1: bad"


@pytest.mark.parametrize(
    "text", ["", "print('{}')", "print('[' * 100000)", "print('syft 0.1: unknown flag')"]
)
def test_what_is_no_spdx_is_refused(tmp_path: Path, text: str) -> None:
    """Another program of that name, or one that is too old."""
    answer = said(tmp_path, text)
    assert answer.problem == "syft wrote something else than SPDX JSON"
    assert "version" in answer.hint


def test_one_that_never_ends_is_stopped(tmp_path: Path) -> None:
    """The run goes on without."""
    answer = said(tmp_path, "time.sleep(3600)", limit_s=0.2)
    assert answer.problem == "syft was stopped: it did not answer within 0.2 s"


def test_without_syft_there_is_a_way_out() -> None:
    """How to get it."""
    answer = Syft((), {}, ("no-such-syft",)).document(HERE, GONE, cancelled=threading.Event())
    assert answer.problem == "syft is not installed"
    assert "pip install" in answer.hint


def test_a_syft_that_cannot_run_is_a_sentence(tmp_path: Path) -> None:
    """Such as one without the right to be run."""
    file = tmp_path / "syft"
    file.write_text("")
    answer = Syft((), {}, (str(file),)).document(HERE, GONE, cancelled=threading.Event())
    assert answer.problem.startswith("syft cannot be started: ")
