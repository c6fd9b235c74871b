"""What machines read. ``UPDATE_GOLDEN=1 pytest tests/render`` writes the golden files."""

from __future__ import annotations

import json

import pytest

from orchestrator.errors import InvalidInput
from orchestrator.render.json import (
    error_json,
    event_json,
    finished_json,
    history_json,
    problems_json,
    show_json,
    status_json,
    why_json,
)
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
    assert {**shown, "duration_s": event.duration_s} == finished_json(event)


def test_events(golden: Golden) -> None:
    """One object per event, on one line each, under names that never change."""
    lines = [json.dumps(event_json(event)) for event in events()]
    golden("events.json", "\n".join(lines) + "\n")
    assert {json.loads(line)["event"] for line in lines} == {
        "run.started",
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
        *map(event_json, events()),
    ]
    assert {value["format"] for value in shown} == {1}
    assert all(("kind" in value) != ("event" in value) for value in shown)
