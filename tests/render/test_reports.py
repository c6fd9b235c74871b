"""What CI systems read: JUnit, Code Quality, annotations, sections."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import InvalidInput, Problem, RegistryUnavailable
from orchestrator.model.run import Failure, FailureCause, MoveState, Outcome, StepResult
from orchestrator.render.annotations import (
    Place,
    failure_place,
    github_error,
    github_failure,
    github_group,
    github_problem,
    github_warning,
    gitlab_section,
)
from orchestrator.render.code_quality import failures_quality, problems_quality
from orchestrator.render.junit import error_junit, finished_junit, nothing_junit
from orchestrator.render.style import Style
from tests.render.conftest import Golden
from tests.render.runs import FINISHED, PROBLEMS

STYLE = Style(color=False, width=0)
SUITE = {
    "name", "package", "id", "timestamp", "hostname", "tests", "failures", "errors", "skipped",
    "time",
}  # fmt: skip


def suite(text: str) -> ElementTree.Element:
    """Return the one suite of a document that has the usual shape, in the usual order."""
    root = ElementTree.fromstring(text)
    assert root.tag == "testsuites"
    (found,) = root
    assert set(found.attrib) == SUITE
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", found.attrib["timestamp"])
    cases = found.findall("testcase")
    assert [child.tag for child in found] == [
        "properties",
        *["testcase"] * len(cases),
        "system-out",
        "system-err",
    ]
    assert all({"name", "classname", "time"} == set(case.attrib) for case in cases)
    for verdict, name in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        number = sum(case.find(verdict) is not None for case in cases)
        assert int(found.attrib[name]) == int(root.attrib[name]) == number
    assert int(found.attrib["tests"]) == len(cases)
    return found


@pytest.mark.parametrize("name", FINISHED)
def test_a_run_as_junit(name: str, golden: Golden) -> None:
    """A test for each image and tag that did not move; blocked, cancelled and held are skipped."""
    event = FINISHED[name]()
    text = finished_junit(event)
    found = suite(text)
    skipped = [r for r in event.results if r.outcome in (Outcome.BLOCKED, Outcome.CANCELLED)]
    held = [move for move in event.moves if move.state is MoveState.HELD]
    assert len(found.findall("testcase/skipped")) == len(skipped) + len(held)
    assert float(found.attrib["time"]) == event.duration_s
    if name in ("failed", "conflict"):
        golden(f"junit-{name}.xml", text)


def test_nothing_to_do_is_an_empty_suite() -> None:
    """A job that expects a report finds one."""
    found = suite(nothing_junit("build", "2026-11-22T05:47:00Z"))
    assert (found.attrib["tests"], found.attrib["name"]) == ("0", "orchestrate build")


def test_what_stopped_a_command_is_in_the_report() -> None:
    """Each thing that is wrong in the files; or the one error."""
    found = suite(error_junit("build", InvalidInput(PROBLEMS), "2026-11-22T05:47:00Z"))
    errors = [problem for problem in PROBLEMS if problem.severity == "error"]
    said = [case.find("error") for case in found.findall("testcase")]
    assert [e.attrib["type"] for e in said if e is not None] == [p.code for p in errors]
    down = RegistryUnavailable("localhost:5000 does not answer", hint="start it")
    found = suite(error_junit("apply", down, "2026-11-22T05:47:00Z"))
    (case,) = found.findall("testcase")
    assert case.attrib["name"] == "orchestrate apply"


@given(st.text())
def test_junit_holds_any_text(text: str) -> None:
    """Control characters, colours and half characters go; the rest is as it was."""
    failure = Failure(cause=FailureCause.COMMAND, what=text, hint=text, log_tail=(text,))
    event = FINISHED["failed"]()
    bad = StepResult(image=text, outcome=Outcome.FAILED, failure=failure, blocked_by=text)
    event = replace(event, run=replace(event.run, because=text, who=text), results=(bad,))
    found = suite(finished_junit(event).encode("utf-8", "replace").decode())
    message = found.findall("testcase/failure")[0].attrib["message"]
    if text.isprintable() and text.isascii():
        assert message == text


def test_problems_as_code_quality(golden: Golden) -> None:
    """GitLab's keys; a fingerprint that stays when lines move, and is never there twice."""
    issues = problems_quality((*PROBLEMS, PROBLEMS[0]), lambda file: f"sub/{file}")
    golden("code-quality.json", json.dumps(issues, indent=1) + "\n")
    prints = [issue["fingerprint"] for issue in issues]
    assert len(set(prints)) == len(prints)
    moved = problems_quality((replace(PROBLEMS[0], line=99),), lambda file: f"sub/{file}")
    assert moved[0]["fingerprint"] == prints[0]
    for issue in issues:
        assert {"description", "check_name", "fingerprint", "severity", "location"} == set(issue)
        assert issue["severity"] in ("info", "minor", "major", "critical", "blocker")


def failed(what: str) -> StepResult:
    failure = Failure(
        cause=FailureCause.COMMAND, what=what, hint="mend it", log_tail=("one", "100 %\ttwo")
    )
    return StepResult(image="web", outcome=Outcome.FAILED, failure=failure)


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("images/web/Dockerfile:7: RUN false: exit code: 1", 7),
        ("images/web/Dockerfile: it is gone", 0),
        ("images/web/Dockerfile:x: no number", 0),
        ("another/Dockerfile:7: RUN false", 0),
        ("the registry does not answer", 0),
    ],
)
def test_the_line_of_a_dockerfile_that_failed(what: str, line: int) -> None:
    """As far as the builder said it; else the file as a whole."""
    result = failed(what)
    assert result.failure is not None
    place = failure_place(result.failure, "images/web/Dockerfile")
    assert place == Place(file="images/web/Dockerfile", line=line)
    (issue,) = failures_quality([(result, place)])
    assert issue["location"] == {"path": "images/web/Dockerfile", "lines": {"begin": line or 1}}


def test_a_failure_as_an_annotation() -> None:
    """One line, escaped as GitHub reads it: the file, the line, the reason, the end of the log."""
    text = github_failure(failed("a,b:c:7: RUN x"), Place(file="a,b:c", line=7))
    assert text == (
        "::error file=a%2Cb%3Ac,line=7,title=web failed::a,b:c:7: RUN x%0Amend it%0Aone"
        "%0A100 %25    two\n"
    )


def test_problems_as_annotations() -> None:
    """With line and column where there are any; a warning is one."""
    problem = Problem(file="h.yaml", line=3, column=5, code="UNKNOWN-KEY", what="no", hint="yes")
    assert github_problem(problem, "top/h.yaml") == (
        "::error file=top/h.yaml,line=3,col=5,title=UNKNOWN-KEY::no%0Ayes\n"
    )
    whole = replace(problem, line=0, column=0, severity="warning", hint="")
    assert github_problem(whole, "h.yaml") == "::warning file=h.yaml,title=UNKNOWN-KEY::no\n"
    assert github_error("a\rb", "") == "::error title=orchestrate::a\\rb\n"
    assert github_warning("100 %") == "::warning title=orchestrate::100 %25\n"


@given(st.text(), st.text())
def test_nothing_leaves_an_annotation(what: str, title: str) -> None:
    """Whatever a log says, it is one command on one line."""
    result = replace(failed(what), image=title)
    text = github_failure(result, Place(file=title, line=1))
    assert text.count("\n") == 1
    head, _, _ = text[2:].partition("::")
    assert head.startswith("error ")
    assert {pair.partition("=")[0] for pair in head[6:].split(",")} <= {"file", "line", "title"}


def test_a_log_in_a_group_gives_no_commands() -> None:
    """GitHub reads no command until the token comes, which no log can know."""
    text = github_group("log of web", ["::error::fake", "\x1b[31mred"], STYLE, "t0k3n")
    assert text == (
        "::group::log of web\n::stop-commands::t0k3n\n::error::fake\nred\n::t0k3n::\n::endgroup::\n"
    )


def test_a_log_in_a_section() -> None:
    """GitLab folds it; what the log says cannot end it."""
    fake = "x\r\x1b[0Ksection_end:1:log_web\r\x1b[0K"
    text = gitlab_section("log_web", "log of web", [fake], STYLE, 1_700_000_000)
    assert text == (
        "\x1b[0Ksection_start:1700000000:log_web[collapsed=true]\r\x1b[0Klog of web\n"
        "x\\rsection_end:1:log_web\\r\n"
        "\x1b[0Ksection_end:1700000000:log_web\r\x1b[0K\n"
    )
