"""What teams would be told of runs on twins, every event held against what it must be."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from orchestrator.model.announcement import Announcement, EventType
from orchestrator.model.run import Run
from orchestrator.notify.compose import Composing, compose
from orchestrator.notify.event_schema import event_schema
from orchestrator.notify.facts import artifacts_of, facts_of, parents_first, started_of
from tests.world import World

_TEXT = {"type": "string", "minLength": 1}

#: What CloudEvents 1.0 asks for in its JSON format.
CLOUDEVENT = {
    "type": "object",
    "properties": {
        "id": _TEXT,
        "source": {**_TEXT, "format": "uri-reference"},
        "specversion": {"const": "1.0"},
        "type": _TEXT,
        "datacontenttype": _TEXT,
        "dataschema": {**_TEXT, "format": "uri"},
        "subject": _TEXT,
        "time": {**_TEXT, "format": "date-time"},
    },
    "required": ["id", "source", "specversion", "type"],
    # Extensions have names of small letters and digits.
    "propertyNames": {"pattern": "^([a-z0-9]+|data_base64)$"},
}

#: What CDEvents 0.5 asks for in the data of artifact.published.
CDEVENT = {
    "type": "object",
    "properties": {
        "context": {
            "type": "object",
            "properties": {
                "specversion": _TEXT,
                "id": _TEXT,
                "source": {**_TEXT, "format": "uri-reference"},
                "type": {"const": "dev.cdevents.artifact.published.0.3.0"},
                "timestamp": {"type": "string", "format": "date-time"},
                "schemaUri": {**_TEXT, "format": "uri"},
                "chainId": _TEXT,
                "links": {"type": "array"},
            },
            "required": ["specversion", "id", "source", "type", "timestamp"],
            "additionalProperties": False,
        },
        "subject": {
            "type": "object",
            "properties": {
                "id": _TEXT,
                "source": {**_TEXT, "format": "uri-reference"},
                "content": {
                    "type": "object",
                    "properties": {"sbom": {"type": "object"}, "user": _TEXT},
                    "additionalProperties": False,
                },
            },
            "required": ["id", "content"],
            "additionalProperties": False,
        },
        "customData": {"type": "object"},
        "customDataContentType": {"type": "string"},
    },
    "required": ["context", "subject"],
    "additionalProperties": False,
}


@cache
def validator(type_: EventType) -> Draft202012Validator:
    return Draft202012Validator(event_schema(type_), format_checker=FormatChecker())


def require_valid(type_: EventType, event: Mapping[str, object]) -> None:
    """Hold an event against its own schema, CloudEvents and CDEvents, as a receiver reads it."""
    read = json.loads(json.dumps(event, allow_nan=False))
    assert read == event
    validator(type_).validate(read)
    Draft202012Validator(CLOUDEVENT, format_checker=FormatChecker()).validate(read)
    if type_ is EventType.ARTIFACT_PUBLISHED:
        Draft202012Validator(CDEVENT, format_checker=FormatChecker()).validate(read["data"])


def last_run(world: World) -> Run:
    return world.history.runs(1)[0]


def facts(world: World, run: Run | None = None) -> tuple[Announcement, ...]:
    """Return everything that is to be told of a run, of the last one if none is named."""
    run = run or last_run(world)
    hierarchy = world.hierarchy()
    released = parents_first(world.history.outbox.released("gold"), hierarchy)
    released = tuple(each for each in released if each.run == run.id)
    found = facts_of(run, hierarchy, world.history, world.clock.now_s())
    return (started_of(run), *released, *artifacts_of(released), *found)


def kinds(found: Iterable[Announcement]) -> list[tuple[str, str]]:
    """Return (type, subject) of what concerns images and upstreams; tags once an image."""
    left = [each for each in found if not each.type.startswith(("run.", "artifact."))]
    return list(dict.fromkeys((str(each.type), each.subject) for each in left))


def composing(world: World) -> Composing:
    return Composing(
        hierarchy=world.hierarchy(),
        registry=world.registry,
        history=world.history,
        clock=world.clock,
        scanner=world.scanner,
    )


def composed(world: World, run: Run | None = None) -> tuple[Announcement, ...]:
    """Return a run's facts with their events, each of which is as it must be."""
    done = compose(facts(world, run), composing(world))
    for each in done:
        require_valid(each.type, each.event)
    return done


def data_of(
    done: Iterable[Announcement], type_: EventType, subject: str, tag: str = "stable"
) -> dict[str, Any]:
    """Return the data of one event; of a tag's, of this one."""
    found = [each.event for each in done if (each.type, each.subject) == (type_, subject)]
    every: list[dict[str, Any]] = [json.loads(json.dumps(event["data"])) for event in found]
    if "moved" in every[0].get("tags", {}):
        every = [data for data in every if data["tags"]["moved"] == tag]
    (data,) = every
    return data


def tell(world: World) -> tuple[Announcement, ...]:
    """Write the last run's facts as told, to nobody, and return them."""
    run, found = last_run(world), facts(world)
    world.history.outbox.tell(found, (), run.id)
    return found
