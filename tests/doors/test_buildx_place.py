"""Builders that are docker contexts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrator.doors.buildx_place import environment_of, is_context
from tests.doors.build_requests import make_request, run_build
from tests.doors.stand_in import Client


def make_context(config: Path, name: str) -> None:
    """Let docker know a context, as `docker context create` does."""
    folder = config / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text("{}")


def make_builder(buildx: Path, name: str) -> None:
    """Let buildx know a builder, as `docker buildx create` does."""
    (buildx / "instances").mkdir(parents=True, exist_ok=True)
    (buildx / "instances" / name).write_text("{}")


def test_a_context_is_used_by_the_environment(tmp_path: Path) -> None:
    """buildx refuses `--builder CONTEXT` otherwise; DOCKER_HOST would win, so it goes."""
    usual = {"HOME": str(tmp_path), "DOCKER_HOST": "unix:///elsewhere", "LANG": "C"}
    make_context(tmp_path / ".docker", "arm")
    assert environment_of("arm", usual) == {
        "HOME": str(tmp_path),
        "LANG": "C",
        "DOCKER_CONTEXT": "arm",
    }
    for other in (None, "default", "Arm", "farm"):
        assert environment_of(other, usual) == usual


def test_a_builder_that_was_made_wins_over_a_context_of_its_name(tmp_path: Path) -> None:
    """As with buildx; its names know no upper case."""
    usual = {"HOME": str(tmp_path)}
    make_context(tmp_path / ".docker", "Arm")
    assert is_context("Arm", usual)
    make_builder(tmp_path / ".docker" / "buildx", "arm")
    assert not is_context("Arm", usual)


@pytest.mark.parametrize("own", [{}, {"BUILDX_CONFIG": "elsewhere"}])
def test_docker_may_keep_its_files_elsewhere(tmp_path: Path, own: Mapping[str, str]) -> None:
    """DOCKER_CONFIG and BUILDX_CONFIG say where."""
    named = {name: str(tmp_path / value) for name, value in own.items()}
    usual = {"HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path / "config"), **named}
    make_context(tmp_path / "config", "arm")
    make_context(tmp_path / "config", "amd")
    make_builder(Path(named.get("BUILDX_CONFIG", tmp_path / "config" / "buildx")), "amd")
    assert is_context("arm", usual)
    assert not is_context("amd", usual)


def test_the_client_gets_that_environment_and_the_log_says_so(tmp_path: Path) -> None:
    """Whoever copies the command from the log builds in the same place."""
    client = Client(tmp_path)
    make_context(tmp_path / ".docker", "arm")
    builder = client.builder("open('said', 'w').write(os.environ.get('DOCKER_CONTEXT', '-'))\n")
    for name, said, shown in (
        ("arm", "arm", "$ DOCKER_CONTEXT=arm docker buildx build --builder=arm "),
        ("farm", "-", "$ docker buildx build --builder=farm "),
        (None, "-", "$ docker buildx build --platform"),
    ):
        request = make_request(builder=name)
        run_build(builder, request, [], client.layout, log_path=client.log)
        assert (tmp_path / "said").read_text() == said
        assert client.log.read_text().startswith(shown)
