"""The schemas that receivers check events against, and the page that shows events."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from orchestrator.cli.schema_file import schema_text
from orchestrator.model.announcement import EventType
from orchestrator.notify.event_schema import WHEN, event_schema, text
from orchestrator.notify.sample import sample_message
from tests.notify.events import composed, data_of, require_valid, validator
from tests.world import World

PAGE = Path(__file__).parents[2] / "docs/reference/notices.md"
EXAMPLES = [
    json.loads(found) for found in re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
]


@pytest.mark.parametrize("type_", EventType)
def test_what_is_shipped_is_what_the_code_says(type_: EventType) -> None:
    """`orchestrate schema TYPE` prints it, and it is a schema."""
    assert schema_text(type_) == text(type_)
    Draft202012Validator.check_schema(event_schema(type_))


def test_no_schema_is_left_over() -> None:
    """Each of them is of an event that there is."""
    folder = files("orchestrator").joinpath("schema", "events")
    assert {entry.name for entry in folder.iterdir()} == {f"{type_}.json" for type_ in EventType}


def test_schemas_refuse_what_lacks_anything() -> None:
    """Every key of an event and of its data is promised, but for those that are said to be not."""
    world = World({"base": "FROM debian:12\nRUN base\n"}, others={})
    world.build()
    done = composed(world)
    type_ = EventType.IMAGE_PUBLISHED
    (event,) = (dict(each.event) for each in done if each.type is type_)
    data = data_of(done, type_, "base")
    for key in event:
        assert not validator(type_).is_valid({k: v for k, v in event.items() if k != key})
    for key in data.keys() - {"lineage_unknown"}:
        without = {k: v for k, v in data.items() if k != key}
        assert not validator(type_).is_valid({**event, "data": without})
    assert validator(type_).is_valid({**event, "data": {**data, "more": 1}})


def test_what_a_test_sends_is_an_event() -> None:
    """Whoever tries a receiver tries it with what really comes."""
    hierarchy = World().hierarchy()
    (event,) = sample_message(hierarchy, "payments", 1_700_000_000, "0" * 32).events
    require_valid(EventType.IMAGE_PUBLISHED, event)


@pytest.mark.parametrize("type_", EventType)
def test_the_page_shows_every_event(type_: EventType) -> None:
    """When it is told, and an example that is as its schema says."""
    shown = [each for each in EXAMPLES if f".{type_}." in each["type"]]
    assert len(shown) == 1
    require_valid(type_, shown[0])
    assert f"## {type_}\n\n{WHEN[type_]}" in PAGE.read_text()
