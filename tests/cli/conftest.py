"""Fixtures for the command line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.stage import Stage

#: What a developer's or a pipeline's environment may say, and no test is to hear.
_HEARD = (
    "NO_COLOR", "FORCE_COLOR", "CI", "TERM", "XDG_STATE_HOME", "XDG_CACHE_HOME", "GITHUB_ACTIONS",
    "GITHUB_WORKSPACE", "GITLAB_CI", "CI_PROJECT_DIR",
)  # fmt: skip


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory of the test's own, and an environment that says nothing else."""
    for name in (*_HEARD, *(name for name in os.environ if name.startswith("ORCHESTRATE_"))):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture
def stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Stage:
    """A hierarchy of eight images that was never published."""
    stage = Stage(directory=tmp_path / "gold", captured=capsys.readouterr)
    stage.write()
    return stage
