"""The field table as JSON Schemas, for editors.

The package ships what :func:`text` returns as ``orchestrator/schema/hierarchy.json``; for the files
that a hierarchy includes, ``include.json``; and for the teams' own, ``subscriptions.json``. They
know each field by itself; rules between fields are :mod:`orchestrator.load.rules`' business.
"""

from __future__ import annotations

import json
from typing import Any

from orchestrator.load.fields import HIERARCHY, INCLUDED, TEAM_FILE
from orchestrator.load.kinds import (
    AllOrEach,
    Either,
    Flag,
    Kind,
    ListOf,
    MapOf,
    OneOrMore,
    Record,
    Text,
    Whole,
)

DIALECT = "https://json-schema.org/draft/2020-12/schema"


#: Name of a schema → what it describes: title, sentence, fields.
SCHEMAS: dict[str, tuple[str, str, Record]] = {
    "hierarchy": (
        "hierarchy.yaml",
        "A hierarchy of container images that `orchestrate` builds in order.",
        HIERARCHY,
    ),
    "include": (
        "a file that hierarchy.yaml includes",
        "Images and subscriptions of one team, in a hierarchy of container images.",
        INCLUDED,
    ),
    "subscriptions": (
        "subscriptions/TEAM.yaml beside hierarchy.yaml",
        "What one team hears of a hierarchy of container images, and where.",
        TEAM_FILE,
    ),
}

_AXIS = r"\{[a-z][a-z0-9_-]*\}"


def json_schema(name: str = "hierarchy") -> dict[str, Any]:
    """Return one of :data:`SCHEMAS`."""
    title, description, record = SCHEMAS[name]
    return {"$schema": DIALECT, "title": title, "description": description, **_schema(record)}


def text(name: str = "hierarchy") -> str:
    """Return a schema as it is shipped."""
    return json.dumps(json_schema(name), indent=2, ensure_ascii=False) + "\n"


def _schema(kind: Kind, *, varies: bool = False) -> dict[str, Any]:
    """Return the schema of one kind.

    Args:
        kind: of the value.
        varies: texts may have an axis between braces in place of what their pattern asks for.
    """
    if isinstance(kind, Text):
        return _text(kind, varies=varies)
    if isinstance(kind, Flag):
        return {"type": "boolean"}
    if isinstance(kind, Whole):
        return {"type": "integer", "minimum": kind.least, "maximum": kind.most}
    if isinstance(kind, OneOrMore):
        several = _schema(ListOf(kind.item, 1, kind.most), varies=varies)
        return {"anyOf": [_text(kind.item, varies=varies), several]}
    if isinstance(kind, ListOf):
        items: dict[str, Any] = {"type": "array", "items": _schema(kind.item, varies=varies)}
        if kind.least:
            items["minItems"] = kind.least
        if kind.most is not None:
            items["maxItems"] = kind.most
        if isinstance(kind.item, Text) and not kind.may_repeat:
            items["uniqueItems"] = True
        return items
    if isinstance(kind, MapOf):
        return {
            "type": "object",
            "propertyNames": _text(kind.key),
            "additionalProperties": _schema(kind.value, varies=varies),
            **({"minProperties": kind.least} if kind.least else {}),
            **({} if kind.most is None else {"maxProperties": kind.most}),
        }
    if isinstance(kind, Either):
        return {"anyOf": [_text(kind.text), _record(kind.record)]}
    if isinstance(kind, AllOrEach):
        each = _schema(MapOf(kind.key, kind.value, 1, kind.most))
        return {"anyOf": [*_schema(kind.value)["anyOf"], each]}
    return _record(kind)


def _text(kind: Text, *, varies: bool = False) -> dict[str, Any]:
    if kind.choices:
        # An editor sees a boolean where nobody wrote quotes.
        truth = [True] if kind.loose and "true" in kind.choices else []
        return {"enum": [*truth, *kind.choices]}
    # We take 3.10 as it was written; an editor sees a number there, and must not complain.
    schema: dict[str, Any] = {"type": ["string", "number", "boolean"] if kind.loose else "string"}
    if kind.pattern is not None:
        schema["pattern"] = f"{kind.pattern}|{_AXIS}" if varies else kind.pattern
    schema["maxLength"] = kind.longest
    return schema


def _record(kind: Record) -> dict[str, Any]:
    properties = {}
    for name, field in kind.fields.items():
        inner = _schema(field.kind, varies=field.varies)
        properties[name] = {"description": field.doc, **inner}
        if field.default is not None:
            properties[name]["default"] = field.default
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    required = [n for n, field in kind.fields.items() if field.required and not field.unless]
    if required:
        schema["required"] = required
    for other in dict.fromkeys(f.unless for f in kind.fields.values() if f.unless):
        instead: dict[str, Any] = {"required": [other]}
        if isinstance(kind.fields[other].kind, Flag):
            instead["properties"] = {other: {"const": True}}
        needed = [n for n, field in kind.fields.items() if field.unless == other]
        schema["anyOf"] = [{"required": needed}, instead]
    if kind.one_of:
        schema["oneOf"] = [{"required": [name]} for name in kind.one_of]
    schema["additionalProperties"] = False
    return schema
