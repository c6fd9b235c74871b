"""Commands on images whose files are in a real git repository elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.model.names import Repository
from tests.cli.stage import Stage
from tests.git_server import (
    PASSWORD,
    USER,
    Server,
    http,
    know_the_password,
    only_our_configuration,
)
from tests.world import HEAD

__all__ = ["only_our_configuration"]
pytestmark = pytest.mark.usefixtures("only_our_configuration")


@pytest.fixture
def server(tmp_path: Path) -> Server:
    """A repository with an image in it."""
    found = Server(tmp_path)
    found.push({"docker/Dockerfile": b"FROM base\nCOPY a /a\n", "docker/a": b"1"})
    return found


def write(stage: Stage, url: str) -> None:
    """Let two images be in that repository, and one stand on each."""
    stage.world.dockerfiles = {"base": "FROM debian:12\nRUN x\n", "top": "FROM app\nRUN y\n"}
    stage.world.others = {}
    lines = '  base: {context: base, version: "1"}\n  top: {context: top, version: "1"}\n'
    lines += f'  app: {{context: "{url}#main:docker", version: "1"}}\n'
    lines += f'  twin: {{context: "{url}#main:docker", version: "2"}}\n'
    stage.world.files.write("hierarchy.yaml", (HEAD + lines).encode())
    stage.write()


def test_check_needs_no_network_and_says_what_it_does_not_know(
    stage: Stage, server: Server, tmp_path: Path
) -> None:
    """A warning for each image, exit 0, and nothing is written; after a plan it knows."""
    write(stage, server.url)
    ran = stage.run("check")
    assert ran.code == 0
    assert ran.err.count("[SOURCE-UNUSABLE]") == 2
    assert f"{server.url}#main:docker: it was never fetched here" in ran.err
    assert len(stage.run("check", "-o", "json").data["warnings"]) == 2
    assert not (tmp_path / "home/.cache").exists()
    assert stage.run("plan").code == 0
    assert stage.run("check").err == ""


def test_a_drawing_needs_no_network_either(stage: Stage, server: Server) -> None:
    """The graph is that of the files as they were last fetched."""
    write(stage, server.url)
    assert "[SOURCE-UNUSABLE]" in stage.run("graph").err
    stage.run("plan")
    server.path.rename(server.path.with_suffix(".away"))
    ran = stage.run("graph")
    assert ran.err == ""
    assert "app" in ran.out.partition("base")[2]


def test_a_plan_fails_by_name_what_cannot_be_fetched(stage: Stage, server: Server) -> None:
    """Exit 5 and one reason for each image, said once; everything else is planned."""
    write(stage, server.url)
    assert stage.run("build").code == 0
    server.path.rename(server.path.with_suffix(".away"))
    (stage.directory / "base/Dockerfile").write_text("FROM debian:12\nRUN z\n")
    ran = stage.run("plan")
    assert ran.code == 5
    assert "warning:" not in ran.err
    assert "does not appear to be a git repository" in ran.out
    data = stage.run("plan", "-o", "json").data
    assert {d["image"]: d["verdict"] for d in data["decisions"]} == {
        "base": "build",
        "top": "keep",
        "app": "fail",
        "twin": "fail",
    }


def test_a_repository_is_asked_once_and_the_password_stands_nowhere(
    stage: Stage, server: Server, tmp_path: Path
) -> None:
    """Two images, one fetch; no output, file or published manifest has the password."""
    know_the_password(tmp_path / "home")
    with http(tmp_path) as (base, asked):
        write(stage, f"{base}/app.git")
        planned = stage.run("plan", "--out", str(tmp_path / "plan.json"), "-v")
        assert planned.code == 0
        assert [line for line in asked if line.startswith("GET")] == ["GET /app.git/info/refs"]
        ran = stage.run("apply", str(tmp_path / "plan.json"), "-v")
    assert ran.code == 0
    registry = stage.world.registry
    repository = Repository("localhost:5000", "gold/app")
    published = registry.manifest(repository, stage.world.tag("app") or "")
    assert published is not None
    assert published.annotations()["org.opencontainers.image.source"] == f"{base}/app.git"
    told = [planned.out, planned.err, ran.out, ran.err, published.content.decode()]
    told.append(repr(vars(stage.world.history)))
    (tmp_path / "home/helper").unlink()
    told += [p.read_bytes().decode("latin-1") for p in tmp_path.rglob("*") if p.is_file()]
    assert [text for text in told if PASSWORD in text] == []
    assert [text for text in told if f"{USER}:" in text or f"{USER}@" in text] == []


def test_a_server_that_refuses_is_told_without_asking(
    stage: Stage, server: Server, tmp_path: Path
) -> None:
    """Nobody types a password into a nightly run; the plan says what is missing."""
    with http(tmp_path) as (base, _):
        write(stage, f"{base}/app.git")
        ran = stage.run("plan")
    assert ran.code == 5
    assert "`git ls-remote` must work here without asking" in " ".join(ran.out.split())


def test_ci_shows_the_failure_where_the_hierarchy_names_the_image(
    stage: Stage, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Dockerfile is in no repository that the CI system shows."""
    write(stage, server.url)
    server.path.rename(server.path.with_suffix(".away"))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    ran = stage.run("build")
    assert ran.code == 5
    (line,) = [each for each in ran.err.splitlines() if "title=app failed" in each]
    assert "hierarchy.yaml,line=13," in line
    assert "Dockerfile" not in line
