"""`--events`, `--junit`, `--code-quality`, and what GitHub and GitLab are told."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.cli.processes import shell
from tests.cli.stage import Stage


def events_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def broken(stage: Stage) -> None:
    """Let web's build fail."""
    stage.world.edit("web", "RUN exit 1")
    stage.write()


def test_every_event_is_a_line(stage: Stage) -> None:
    """From the first to the last, numbered, each with the run's id."""
    ran = stage.run("build", "--events", "events.ndjson")
    assert ran.code == 0
    events = events_of(stage.directory / "events.ndjson")
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["type"], events[-1]["type"]) == ("run.started", "run.finished")
    assert {event["run"] for event in events} == {stage.world.history.runs()[0].id}
    finished = [e["data"]["result"] for e in events if e["type"] == "step.finished"]
    assert [result["outcome"] for result in finished] == ["built"] * 8
    assert sum(event["type"] == "tag.moved" for event in events) == 16


def test_a_file_that_is_there_is_emptied(stage: Stage) -> None:
    """Also where there is nothing to do: yesterday's events are not today's."""
    stage.run("build", "--events", "events.ndjson")
    assert stage.run("build", "--events", "events.ndjson").code == 0
    assert events_of(stage.directory / "events.ndjson") == []


def test_a_rollback_has_events_too(stage: Stage) -> None:
    """Whatever moves tags does."""
    stage.run("build")
    stage.world.edit("hello", "RUN true")
    stage.write()
    stage.run("build")
    run = stage.world.history.runs()[0].id
    assert stage.run("rollback", run, "--events", "e").code == 0
    assert "tag.moved" in {event["type"] for event in events_of(stage.directory / "e")}


@pytest.mark.parametrize(
    ("options", "code", "what"),
    [
        ("--events nowhere/e", 5, "cannot write events to "),
        ("--events .", 5, "cannot write events to "),
        ("--junit nowhere/j", 5, "cannot write --junit nowhere/j: its directory does not exist"),
        ("--code-quality .", 5, "cannot write --code-quality .: is a directory"),
        ("--junit -", 2, "--junit takes a file, not -"),
        ("--events - -o json", 2, "--events - and --output json both want standard output"),
    ],
)
def test_what_cannot_be_written_is_told_before_anything_is_done(
    stage: Stage, options: str, code: int, what: str
) -> None:
    """No hour of work whose report is lost."""
    ran = stage.run("build", *options.split())
    assert ran.code == code
    assert ran.err.startswith(f"error: {what}")
    assert stage.world.history.runs() == ()


def test_events_on_standard_output(stage: Stage) -> None:
    """Nothing else is there: what people read is on standard error."""
    done = shell(f"$TWINS -C {stage.directory} --state {stage.directory}/s build --events -")
    assert done.returncode == 0
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[-1]["type"] == "run.finished"
    assert "8 built; 16 tags moved." in done.stderr


@pytest.mark.parametrize("target", ["/dev/full", "- | head -1 >/dev/null"])
def test_a_run_goes_on_without_its_events(stage: Stage, target: str) -> None:
    """A full disk or a reader that has gone costs the events, and one line that says so."""
    done = shell(
        f"$TWINS -C {stage.directory} --state {stage.directory}/s build --events {target};"
        "exit ${PIPESTATUS[0]}"
    )
    assert done.returncode == 0
    assert done.stderr.count("events are no longer written to") == 1
    assert "8 built" in done.stdout + done.stderr


def test_a_pipe_that_somebody_reads(stage: Stage) -> None:
    """A named pipe gets every event."""
    pipe = stage.directory / "pipe"
    os.mkfifo(pipe)
    done = shell(
        f"cat {pipe} > {pipe}.read & "
        f"$TWINS -C {stage.directory} --state {stage.directory}/s build -q --events pipe; wait"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert events_of(Path(f"{pipe}.read"))[-1]["type"] == "run.finished"
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def suite(path: Path) -> ElementTree.Element:
    return next(iter(ElementTree.parse(path).getroot()))


def test_junit_and_code_quality_of_a_failure(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test for each image; the failure at its Dockerfile; the exit code stays the run's."""
    broken(stage)
    monkeypatch.chdir(stage.directory)
    ran = stage.run("build", "--junit", "j.xml", "--code-quality", "q.json")
    assert ran.code == 1
    found = suite(stage.directory / "j.xml").attrib
    assert {k: found[k] for k in ("tests", "failures", "errors", "skipped")} == {
        "tests": "8", "failures": "1", "errors": "0", "skipped": "3",
    }  # fmt: skip
    (issue,) = json.loads((stage.directory / "q.json").read_text())
    assert issue["location"]["path"] == "web/Dockerfile", "from here, where no CI says otherwise"
    assert issue["severity"] == "blocker"


def test_nothing_to_do_writes_empty_reports(stage: Stage) -> None:
    """A job that collects them finds them."""
    stage.run("build")
    assert stage.run("build", "--junit", "j.xml", "--code-quality", "q.json").code == 0
    assert suite(stage.directory / "j.xml").attrib["tests"] == "0"
    assert json.loads((stage.directory / "q.json").read_text()) == []


@pytest.mark.parametrize("command", ["build --junit j.xml", "check"])
def test_files_that_are_wrong_are_in_the_report(stage: Stage, command: str) -> None:
    """At their line, for the changes of a merge request."""
    text = (stage.directory / "hierarchy.yaml").read_text().replace("version: 1\n", "version: 2\n")
    (stage.directory / "hierarchy.yaml").write_text(text)
    ran = stage.run(*command.split(), "--code-quality", "q.json")
    assert ran.code == 3
    issue, *_ = json.loads((stage.directory / "q.json").read_text())
    assert issue["location"]["lines"]["begin"] == 1
    if "--junit" in command:
        assert int(suite(stage.directory / "j.xml").attrib["errors"]) >= 1


def test_files_that_are_right_make_an_empty_report(stage: Stage) -> None:
    """`check --code-quality` clears what was wrong before."""
    assert stage.run("check", "--code-quality", "-").code == 2
    assert stage.run("check", "--code-quality", "q.json").code == 0
    assert json.loads((stage.directory / "q.json").read_text()) == []


def test_github_is_told_where_a_build_failed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """An annotation at the Dockerfile, from the repository's top, and the log in a group."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(stage.directory.parent))
    broken(stage)
    ran = stage.run("build", "-o", "json")
    assert ran.data["run"]["state"] == "failed"
    (line,) = [line for line in ran.err.splitlines() if line.startswith("::error ")]
    assert line.startswith("::error file=gold/web/Dockerfile,")
    assert "title=web failed::" in line
    assert re.search(r"::group::log of web for linux/a..64\n", ran.err)


def test_github_is_told_where_the_files_are_wrong(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At line and column; usage errors have no place."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(stage.directory))
    assert "::error title=orchestrate::no image is called" in stage.run("why", "pyton").err
    text = (stage.directory / "hierarchy.yaml").read_text().replace("version: 1\n", "version: 2\n")
    (stage.directory / "hierarchy.yaml").write_text(text)
    assert "::error file=hierarchy.yaml,line=1,col=" in stage.run("check").err


def test_gitlab_gets_the_log_in_a_section(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Collapsed, since its file goes with the runner."""
    monkeypatch.setenv("GITLAB_CI", "true")
    broken(stage)
    ran = stage.run("build")
    begun = re.search(r":log_web\.linux-(a..64)\[collapsed=true\]\r\x1b\[0K(.*)\n", ran.err)
    assert begun is not None
    assert begun[2] == f"log of web for linux/{begun[1]}"
    assert "::error" not in ran.err


def test_elsewhere_nobody_is_told_anything(stage: Stage) -> None:
    """People get no machine's words."""
    broken(stage)
    ran = stage.run("build")
    assert "::" not in ran.err.replace("::/0", "")
    assert "section_start" not in ran.err
