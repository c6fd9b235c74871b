"""What machines read. ``UPDATE_GOLDEN=1 pytest tests/render`` writes the golden files."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from orchestrator.errors import InvalidInput
from orchestrator.model.run import FailureCause, MoveState, Outcome, RunState
from orchestrator.render.json import (
    error_json,
    finished_json,
    history_json,
    problems_json,
    show_json,
    status_json,
    why_json,
)
from orchestrator.render.json_events import TYPES, event_json
from tests.render.conftest import Golden
from tests.render.runs import FINISHED, PROBLEMS, RUN
from tests.render.sample import WORLDS
from tests.render.test_lines import events
from tests.render.test_text_error import ERRORS


def test_status(golden: Golden) -> None:
    """Every image with its decision and reasons, digests in full, and counts."""
    golden("status.json", status_json(WORLDS["two-changed"]().statuses()))


def test_why(golden: Golden) -> None:
    """Every part of the key and every parent, with was and now."""
    golden("why.json", why_json(WORLDS["left-behind"]().explanation("docs-site")))


def test_runs(golden: Golden) -> None:
    """History lists runs; show and the end of a run have results and moves beside."""
    event = FINISHED["failed"]()
    golden("history.json", history_json((RUN,)))
    golden("finished.json", finished_json(event))
    shown = show_json(event.run, event.results, event.moves)
    more = {"mirrors": [], "duration_s": event.duration_s}
    assert {**shown, **more} == finished_json(event)


def test_events(golden: Golden) -> None:
    """One object per event, on one line each, under names that never change."""
    lines = [
        json.dumps(event_json(event, run=RUN.id, seq=n, at="2026-11-22T05:47:00Z"))
        for n, event in enumerate(events(), 1)
    ]
    golden("events.json", "\n".join(lines) + "\n")
    assert {json.loads(line)["type"] for line in lines} == {
        "run.started",
        "mirror.started",
        "mirror.progress",
        "mirror.retried",
        "mirror.finished",
        "step.started",
        "step.progress",
        "step.retried",
        "step.finished",
        "tag.moved",
        "notice",
        "run.finished",
    }


def test_problems(golden: Golden) -> None:
    """The place in numbers, the source line as it is."""
    golden("problems.json", problems_json(PROBLEMS))


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    """A stable code, the exit code, and what kinds of errors know beside."""
    error = ERRORS[name]
    shown = error_json(error)
    assert (shown["code"], shown["exit_code"]) == (error.code, error.exit_code)
    assert (shown["what"], shown["hint"]) == (error.what, error.hint)
    assert ("problems" in shown) == isinstance(error, InvalidInput)
    assert ("moved" in shown) == (name == "stale-plan")
    json.dumps(shown)


def test_every_object_has_a_format() -> None:
    """A reader can tell what it reads, and refuse what it does not know."""
    event = FINISHED["succeeded"]()
    shown = [
        status_json(()),
        why_json(WORLDS["cold"]().explanation("base")),
        history_json(()),
        show_json(event.run, (), ()),
        finished_json(event),
        problems_json(()),
        error_json(ERRORS["registry"]),
        event_json(event, run="", seq=1, at=""),
    ]
    assert {value["format"] for value in shown} == {1}
    assert all("kind" in value for value in shown)


def test_events_keep_to_their_schema() -> None:
    """`orchestrate schema events` describes every line, and refuses what is none."""
    schema = json.loads(files("orchestrator").joinpath("schema", "events.json").read_text())
    validator = Draft202012Validator(schema)
    for event in events():
        said = event_json(event, run=RUN.id, seq=1, at=RUN.started_at)
        validator.validate(said)
        assert not validator.is_valid({**said, "data": {}})
    assert set(schema["properties"]["type"]["enum"]) == set(TYPES.values())
    outcomes = schema["$defs"]["result"]["properties"]["outcome"]["enum"]
    causes = schema["$defs"]["failure"]["properties"]["cause"]["enum"]
    assert (outcomes, causes) == ([*map(str, Outcome)], [*map(str, FailureCause)])


def test_the_page_on_events_names_every_word() -> None:
    """Whoever reads a stream finds all that can stand in it."""
    page = (Path(__file__).parents[2] / "docs/reference/events.md").read_text()
    for word in (*TYPES.values(), *Outcome, *FailureCause, *RunState, *MoveState):
        assert f"`{word}`" in page
