"""The field table as a JSON Schema, for editors.

The package ships what :func:`text` returns as ``orchestrator/schema/hierarchy.json``. It knows
each field by itself; rules between fields are :mod:`orchestrator.load.rules`' business.
"""

from __future__ import annotations

import json
from typing import Any

from orchestrator.load.fields import HIERARCHY
from orchestrator.load.kinds import Flag, Kind, ListOf, MapOf, Record, Text, Whole

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Return the schema of ``hierarchy.yaml``."""
    return {
        "$schema": DIALECT,
        "title": "hierarchy.yaml",
        "description": "A hierarchy of container images that `orchestrate` builds in order.",
        **_schema(HIERARCHY),
    }


def text() -> str:
    """Return the schema as it is shipped."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _schema(kind: Kind) -> dict[str, Any]:
    if isinstance(kind, Text):
        return _text(kind)
    if isinstance(kind, Flag):
        return {"type": "boolean"}
    if isinstance(kind, Whole):
        return {"type": "integer", "minimum": kind.least, "maximum": kind.most}
    if isinstance(kind, ListOf):
        items: dict[str, Any] = {"type": "array", "items": _schema(kind.item)}
        if kind.least:
            items["minItems"] = kind.least
        if kind.most is not None:
            items["maxItems"] = kind.most
        if isinstance(kind.item, Text):
            items["uniqueItems"] = True
        return items
    if isinstance(kind, MapOf):
        return {
            "type": "object",
            "propertyNames": _text(kind.key),
            "additionalProperties": _schema(kind.value),
            **({"minProperties": kind.least} if kind.least else {}),
        }
    return _record(kind)


def _text(kind: Text) -> dict[str, Any]:
    if kind.choices:
        return {"enum": list(kind.choices)}
    # We take 3.10 as it was written; an editor sees a number there, and must not complain.
    schema: dict[str, Any] = {"type": ["string", "number", "boolean"] if kind.loose else "string"}
    if kind.pattern is not None:
        schema["pattern"] = kind.pattern
    schema["maxLength"] = kind.longest
    return schema


def _record(kind: Record) -> dict[str, Any]:
    properties = {}
    for name, field in kind.fields.items():
        properties[name] = {"description": field.doc, **_schema(field.kind)}
        if field.default is not None:
            properties[name]["default"] = field.default
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    required = [name for name, field in kind.fields.items() if field.required]
    if required:
        schema["required"] = required
    if kind.one_of:
        schema["oneOf"] = [{"required": [name]} for name in kind.one_of]
    schema["additionalProperties"] = False
    return schema
