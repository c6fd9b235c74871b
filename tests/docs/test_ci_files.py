"""The CI files that the documentation shows are ones that GitHub and GitLab take, and they work."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.pages import DOCS, Command, File, Page, read_page
from tests.docs.sandbox import Sandbox, registries_for

PAGE = read_page(DOCS / "how-to/pull-requests.md")
WORKFLOW = ".github/workflows/images.yml"
PIPELINE = ".gitlab-ci.yml"


def shown(path: str) -> str:
    """Return the text of a file that the page shows."""
    (found,) = (step.text for step in PAGE.steps if isinstance(step, File) and step.path == path)
    return found


@pytest.mark.parametrize(
    ("path", "schema"), [(WORKFLOW, "vendor.github-workflows"), (PIPELINE, "vendor.gitlab-ci")]
)
def test_schema(path: str, schema: str, tmp_path: Path) -> None:
    """The file is valid by the published schema of the system that reads it."""
    file = tmp_path / "file.yml"
    file.write_text(shown(path))
    program = Path(sys.executable).parent / "check-jsonschema"
    line = [str(program), "--builtin-schema", schema, str(file)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_actionlint(tmp_path: Path) -> None:
    """actionlint finds nothing in the workflow, nor shellcheck in its scripts."""
    program = shutil.which("actionlint")
    if program is None:
        pytest.skip("actionlint is not installed")
    file = tmp_path / WORKFLOW
    file.parent.mkdir(parents=True)
    file.write_text(shown(WORKFLOW))
    done = subprocess.run([program, str(file)], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_scripts_are_sound(tmp_path: Path) -> None:
    """shellcheck finds nothing in what the workflow and the pipeline run."""
    jobs = yaml.safe_load(shown(WORKFLOW))["jobs"].values()
    scripts = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    pipeline = yaml.safe_load(shown(PIPELINE))
    parts = [pipeline[job] for job in ("plan", "build")]
    scripts += ["\n".join([*part["before_script"], *part["script"]]) for part in parts]
    for number, script in enumerate(scripts):
        file = tmp_path / f"{number}.sh"
        file.write_text(f"#!/bin/bash -e\n{script}\n")
    program = Path(sys.executable).parent / "shellcheck"
    line = [str(program), "--exclude=SC1090,SC1091", *map(str, sorted(tmp_path.glob("*.sh")))]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sandbox]:
    """A clone of the first page's repository, with a change on a branch, as CI checks it out."""
    page = Page(**{name: getattr(PAGE, name) for name in ("name", "start", "needs")}, **EMPTY)
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "gh").write_text(GH)
    (programs / "gh").chmod(0o755)
    with registries_for(page, request, tmp_path) as registries:
        found = Sandbox(tmp_path, page, registries, programs)
        for step in PAGE.steps:
            if isinstance(step, File):
                found.write(step)
        for line in (
            "git add -A && git commit -q -m 'CI' && git clone -q --bare . ../origin.git",
            "git remote add origin ../origin.git && git fetch -q origin",
            "git switch -q -c branch && echo hi > images/hello/greeting && git commit -q -a -m hi",
        ):
            type_in(found, line)
        yield found


EMPTY: dict[str, Any] = {"steps": (), "languages": ()}

# Stands in for GitHub's program: notes how it was called, and knows one comment once one was made.
GH = """#!/bin/bash
printf '%s\\n' "$*" >> "$CALLS"
case "$*" in
    *--paginate*) [ ! -e "$CALLS.made" ] || echo 4711 ;;
    *POST*) touch "$CALLS.made" ;;
esac
"""


def type_in(sandbox: Sandbox, line: str) -> str:
    return sandbox.run(Command(text=line, code=0, output=(), line=0))


@pytest.mark.engine
def test_github_comment(sandbox: Sandbox, tmp_path: Path) -> None:
    """The first push posts the plan as a comment, the next one edits that comment."""
    (step,) = (
        step
        for step in yaml.safe_load(shown(WORKFLOW))["jobs"]["plan"]["steps"]
        if step.get("name") == "Plan and comment"
    )
    calls = tmp_path / "calls"
    values = {
        "BASE": "main",
        "NUMBER": "42",
        "PLAN": str(tmp_path / "plan.md"),
        "CALLS": str(calls),
        "GITHUB_REPOSITORY": "acme/images",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "GITHUB_ACTIONS": "true",
    }
    assert set(step["env"]) <= set(values) | {"GH_TOKEN"}
    type_in(sandbox, "; ".join(f"export {name}='{value}'" for name, value in values.items()))
    (tmp_path / "step.sh").write_text(step["run"])
    for _ in range(2):
        type_in(sandbox, f"bash -e {tmp_path}/step.sh")
    said = [line for line in calls.read_text().splitlines() if "--paginate" not in line]
    where = "api --silent --method"
    assert said == [
        f"{where} POST repos/acme/images/issues/42/comments -F body=@{tmp_path}/plan.md",
        f"{where} PATCH repos/acme/images/issues/comments/4711 -F body=@{tmp_path}/plan.md",
    ]
    plan = (tmp_path / "plan.md").read_text()
    assert plan.startswith("<!-- orchestrate plan: gold -->\n")
    assert "dirty" not in plan
    assert (tmp_path / "summary.md").read_text().endswith(plan)


@pytest.mark.engine
def test_gitlab_comment(sandbox: Sandbox, tmp_path: Path) -> None:
    """The pipeline's script plans a clean tree and keeps one comment, whatever else is said."""
    notes: list[dict[str, Any]] = [{"id": 1, "body": "nice"}]

    class GitLab(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(notes)

        def do_POST(self) -> None:
            notes.append({"id": len(notes) + 1, "body": self._body()})
            self._answer(notes[-1])

        def do_PUT(self) -> None:
            notes[int(self.path.rpartition("/")[2]) - 1]["body"] = self._body()
            self._answer({})

        def _body(self) -> str:
            body: str = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]
            return body

        def _answer(self, value: object) -> None:
            known = self.headers["PRIVATE-TOKEN"] == "robots"
            self.send_response(200 if known else 401)
            self.end_headers()
            self.wfile.write(json.dumps(value).encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), GitLab) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        values = {
            "CI_API_V4_URL": f"http://127.0.0.1:{server.server_port}/api/v4",
            "CI_PROJECT_ID": "7",
            "CI_MERGE_REQUEST_IID": "42",
            "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
            "GITLAB_TOKEN": "robots",
            "GITLAB_CI": "true",
            "CI_PROJECT_DIR": str(sandbox.directory),
        }
        type_in(sandbox, "; ".join(f"export {name}='{value}'" for name, value in values.items()))
        script = yaml.safe_load(shown(PIPELINE))["plan"]["script"]
        for _ in range(2):
            for line in script:
                type_in(sandbox, line)
        server.shutdown()
    plan = (sandbox.directory / "plan.md").read_text(encoding="utf-8")
    assert [note["body"] for note in notes] == ["nice", plan]
    assert "rebuilt | hello" in plan
    assert "dirty" not in plan
    assert json.loads((sandbox.directory / "quality.json").read_text()) == []


@pytest.mark.engine
def test_build_jobs(sandbox: Sandbox, tmp_path: Path) -> None:
    """What is merged is built by either file's build job, and its tags move."""
    jobs = yaml.safe_load(shown(WORKFLOW))["jobs"]
    (github,) = (step["run"] for step in jobs["build"]["steps"] if step.get("name") == "Build")
    (gitlab,) = yaml.safe_load(shown(PIPELINE))["build"]["script"]
    type_in(sandbox, f"export RUNNER_TEMP='{tmp_path}' CI_COMMIT_TITLE='hi'")
    assert "1 built; 2 tags moved" in type_in(sandbox, github)
    type_in(sandbox, "echo ho > images/hello/greeting && git commit -q -a -m ho")
    assert "1 built; 2 tags moved" in type_in(sandbox, gitlab)
    assert (tmp_path / "junit.xml").exists()
    assert os.path.exists(sandbox.directory / "junit.xml")
