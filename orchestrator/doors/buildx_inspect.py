"""``docker buildx inspect`` → what a builder is.

There is no JSON of one builder in buildx 0.13, and ``docker buildx ls`` asks all of them, also
those that do not answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from orchestrator.model.health import BuilderFacts, BuilderNode
from orchestrator.model.names import normal_platform

_FIELD = re.compile(r"^([A-Z][A-Za-z ]*):\s*(.*?)\s*$")


def read_inspected(said: str) -> BuilderFacts:
    """Return a builder's facts from what ``docker buildx inspect`` printed.

    Raises:
        ValueError: it has no name.
    """
    head, _, tail = said.partition("\nNodes:")
    of_builder = _fields(head.splitlines())
    nodes: list[list[str]] = []
    for line in tail.splitlines():
        if line.startswith("Name:"):
            nodes.append([])
        if nodes:
            nodes[-1].append(line)
    if not of_builder.get("Name"):
        raise ValueError("it names no builder")
    return BuilderFacts(
        name=of_builder["Name"],
        driver=of_builder.get("Driver", ""),
        nodes=tuple(_node(_fields(node)) for node in nodes),
        error=of_builder.get("Error", ""),
    )


def _fields(lines: Iterable[str]) -> dict[str, str]:
    found = [match for line in lines if (match := _FIELD.match(line))]
    # The first: what a label or a rule says later is indented, and no field.
    return {field[1]: field[2] for field in reversed(found)}


def _node(fields: dict[str, str]) -> BuilderNode:
    # A star marks platforms that somebody gave to `docker buildx create`.
    platforms = [p.strip().rstrip("*") for p in fields.get("Platforms", "").split(",")]
    return BuilderNode(
        endpoint=fields.get("Endpoint", ""),
        status=fields.get("Status", "unknown"),
        platforms=tuple(dict.fromkeys(normal_platform(p) for p in platforms if p)),
        error=fields.get("Error", ""),
    )
