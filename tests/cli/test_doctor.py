"""`orchestrate doctor` and `orchestrate version`, on twins and where nothing is there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.cli import main
from orchestrator.cli.workplace import Outside, Places
from orchestrator.doctor import HealthDoors
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.source import Revision
from tests.cli.processes import REAL, on_terminal, started
from tests.cli.stage import Ran, Stage
from tests.health import Ward


@pytest.fixture
def ward(stage: Stage) -> Ward:
    stage.world.git.current = Revision(commit="c" * 40, dirty=False, committed_at_s=1)
    return Ward(world=stage.world)


def run(stage: Stage, ward: Ward, *argv: str) -> Ran:
    """Run a command line that looks at the ward."""

    @contextmanager
    def health(hierarchy: Hierarchy | None, places: Places) -> Iterator[HealthDoors]:
        yield ward.doors

    outside: Outside = replace(stage.outside, health=health)
    code = main(["-C", str(stage.directory), *argv], outside=outside)
    out, err = stage.captured()
    return Ran(code=code, out=out, err=err)


def test_all_is_well(stage: Stage, ward: Ward) -> None:
    """Exit 0, a line for every check, and one that sums it up."""
    ran = run(stage, ward, "doctor")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("Engine\n")
    assert "docker client 26.1.5" in ran.out
    assert ran.out.endswith("checks: all is well.\n")


def test_what_a_build_needs_is_missing(stage: Stage, ward: Ward) -> None:
    """Exit 5; the JSON has it too."""
    ward.engine.missing = True
    ran = run(stage, ward, "doctor")
    assert (ran.code, ran.err) == (5, "")
    assert "docker is not installed" in ran.out
    assert run(stage, ward, "doctor", "-o", "json").code == 5


def test_warnings_change_no_exit_code(stage: Stage, ward: Ward) -> None:
    """A cron job that fails for a warning is switched off."""
    ward.registries.skew_s = 60
    ran = run(stage, ward, "doctor", "-q")
    assert ran.code == 0
    assert ran.out.startswith("Clock\n")
    assert "timedatectl" in ran.out


def test_quiet_is_silent_when_all_is_well(stage: Stage, ward: Ward) -> None:
    """For a pipeline's first step."""
    ran = run(stage, ward, "doctor", "-q")
    assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_json(stage: Stage, ward: Ward) -> None:
    """One object, whatever is wrong."""
    data = run(stage, ward, "doctor", "-o", "json").data
    assert (data["format"], data["kind"]) == (1, "doctor")
    assert data["summary"]["error"] == 0
    assert {"engine-client", "registry-push", "files-git"} <= {f["code"] for f in data["findings"]}


def test_files_that_are_wrong_are_a_finding(stage: Stage, ward: Ward) -> None:
    """Not an error of the command: the rest is still looked at."""
    (stage.directory / "hierarchy.yaml").write_text("version: 1\n")
    ran = run(stage, ward, "doctor")
    assert (ran.code, ran.err) == (5, "")
    assert " problems in " in ran.out
    assert "orchestrate check" in ran.out
    assert "engine 26.1.5 answers" in ran.out


def test_where_nothing_is_there(tmp_path: Path) -> None:
    """No docker, no git, no registry, no hierarchy's state: findings, never a traceback."""
    (tmp_path / "hierarchy.yaml").write_text(
        "version: 1\nname: gold\nregistry: localhost:1/gold\nplatforms: [linux/amd64]\n"
        'images:\n  app: {context: app, version: "1"}\n'
    )
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    with started(
        *(*REAL, "-C", str(tmp_path), "doctor", "-o", "json"),
        PATH=str(tmp_path / "no-such"),
        DOCKER_HOST="tcp://me:hunter2@127.0.0.1:1",
    ) as process:
        ended = process.end()
    data = json.loads(ended.out)
    found = {f["code"]: f["level"] for f in data["findings"] if f["level"] != "ok"}
    assert found == {"engine-client": "error", "registry-reach": "error", "files-git": "warning"}
    assert (ended.code, ended.err) == (5, "")
    assert "hunter2" not in ended.out


def test_on_a_terminal_nobody_waits_in_silence(tmp_path: Path) -> None:
    """Small builds take seconds, on a builder that boots many; a pipe gets the report alone."""
    lacking = {"PATH": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}
    _, said = on_terminal(*REAL, "-C", str(tmp_path), "doctor", "--offline", **lacking)
    assert said.startswith("looking at everything;")
    _, said = on_terminal(*REAL, "-C", str(tmp_path), "doctor", "--offline", "-q", **lacking)
    assert "looking" not in said


def test_in_an_empty_directory(tmp_path: Path) -> None:
    """Without a hierarchy what can be looked at is, and the rest is said."""
    with started(
        *REAL, "-C", str(tmp_path), "doctor", "-q", PATH=str(tmp_path / "no-such")
    ) as process:
        ended = process.end()
    assert (ended.code, ended.err) == (5, "")
    assert "there is no hierarchy file here" in ended.out


def test_version_says_what_is_not_installed(tmp_path: Path) -> None:
    """`version -v` never fails, whatever is missing."""
    with started(*REAL, "version", "-v", PATH=str(tmp_path / "no-such")) as process:
        ended = process.end()
    assert ended.code == 0
    assert "docker not installed\nengine not installed\nbuildx not installed\n" in ended.out


def test_version_of_an_engine_that_is_silent(tmp_path: Path) -> None:
    """The client's own version is known all the same."""
    docker = tmp_path / "docker"
    docker.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Docker version 28.1, build x"\n')
    docker.chmod(0o755)
    with started(*REAL, "version", "-v", PATH=f"{tmp_path}:{os.environ['PATH']}") as process:
        ended = process.end()
    assert "docker 28.1\nengine does not answer\nbuildx does not answer\n" in ended.out
