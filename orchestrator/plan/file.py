"""A plan as JSON, and back. Pure.

Source: docs/adr/0005-plan.md
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from orchestrator.errors import InvalidInput, Problem
from orchestrator.model.fingerprint import canonical_json, sha256
from orchestrator.model.plan import Plan, Verdict

FORMAT = 2


def plan_json(plan: Plan) -> dict[str, object]:
    """Return the plan as the JSON object frozen by docs/adr/0005-plan.md, with its checksum."""
    from pydantic import TypeAdapter

    body = TypeAdapter(Plan).dump_python(plan, mode="json")
    said = {"format": FORMAT, "kind": "plan", **body, "summary": plan.summary()}
    return {**said, "integrity": _checksum(said)}


def _checksum(said: Mapping[str, object]) -> str:
    return sha256(canonical_json({k: v for k, v in said.items() if k != "integrity"}))


def plan_schema() -> dict[str, object]:
    """Return the JSON Schema of a plan's JSON; ``orchestrator/schema/plan.json`` is this."""
    from pydantic import TypeAdapter

    schema = TypeAdapter(Plan).json_schema(mode="serialization")
    counts = {str(verdict): {"type": "integer", "minimum": 0} for verdict in Verdict}
    summary = {"type": "object", "properties": counts, "required": list(counts)}
    own = {"format": {"const": FORMAT}, "kind": {"const": "plan"}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": f"orchestrate plan, format {FORMAT}",
        "properties": {
            **own,
            **schema["properties"],
            "summary": summary,
            "integrity": {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"},
        },
        "required": [*own, *schema["required"], "summary", "integrity"],
    }


def read_plan(text: bytes, file: str) -> Plan:
    """Return the plan that a saved JSON text holds.

    Args:
        text: what :func:`plan_json` gave, as UTF-8.
        file: its name, for messages.

    Raises:
        InvalidInput: it is not a plan of a format this version knows, every fault is named; or it
            was changed since it was saved.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        what = f"is not JSON: {error.msg}" if text.strip() else "is empty"
        raise _not_a_plan(file, what, error.lineno, error.colno) from None
    except RecursionError:
        raise _not_a_plan(file, "is not a plan: it is nested too deeply") from None
    except ValueError:
        raise _not_a_plan(file, "is not JSON: it is no text") from None
    if not isinstance(value, dict) or value.get("kind") != "plan":
        raise _not_a_plan(file, "is not a plan written by `orchestrate plan --out`")
    if value.get("format") != FORMAT:
        raise _not_a_plan(file, f"has format {value.get('format')!r}; this version knows {FORMAT}")
    try:
        plan = TypeAdapter(Plan).validate_python(value)
    except ValidationError as error:
        problems = tuple(
            _problem(file, f"{'.'.join(map(str, fault['loc']))}: {_plain(fault['msg'])}")
            for fault in error.errors()
        )
        raise InvalidInput(problems) from None
    try:
        expected = _checksum(value)
    except UnicodeEncodeError:
        raise _not_a_plan(file, "is not a plan: it has half a character") from None
    if value.get("integrity") != expected:
        has = "is not what was saved" if "integrity" in value else "has no checksum"
        raise _not_a_plan(file, f"{has}: a plan is applied as it was reviewed, or not at all")
    return plan


def _plain(message: str) -> str:
    """Return what pydantic says of Python's types in the words of JSON."""
    message = message.replace("valid tuple", "list").replace("valid dictionary", "map")
    return message[:1].lower() + message[1:]


def _not_a_plan(file: str, what: str, line: int = 0, column: int = 0) -> InvalidInput:
    return InvalidInput((_problem(file, what, line, column),))


def _problem(file: str, what: str, line: int = 0, column: int = 0) -> Problem:
    return Problem(
        file=file,
        line=line,
        column=column,
        code="BAD-PLAN",
        what=what,
        hint="make a new one with `orchestrate plan --out FILE`",
    )
