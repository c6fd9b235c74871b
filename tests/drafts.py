"""Hierarchy files and Dockerfiles as texts, loaded without a disk."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.errors import InvalidInput, Problem
from orchestrator.load import parse, resolve
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.source import ImageFiles

HEAD = """\
version: 1
name: gold
registry: localhost:5000/gold
platforms: [linux/amd64, linux/arm64]
"""
#: Where a fifth line starts: most tests are about what stands there.
IMAGES = "images:\n  base: {context: images/base, version: 12}\n"


def app(fields: str, *, name: str = "app", start: str = "context: app, version: 1, ") -> str:
    """A hierarchy with one image that has these fields."""
    return f"{HEAD}images:\n  {name}: {{{start}{fields}}}\n"


def more(text: str) -> str:
    """A hierarchy with one good image, and more at its end."""
    return f"{HEAD}{IMAGES}{text}\n"


def load(
    text: str | bytes, dockerfiles: Mapping[str, str] | None = None, *, registry: str | None = None
) -> Hierarchy:
    """Load a hierarchy file; an image without a Dockerfile here is FROM scratch."""
    given = dockerfiles or {}
    draft = parse(text.encode() if isinstance(text, str) else text, "hierarchy.yaml")
    files = {
        image: ImageFiles(dockerfile_text=given.get(image, "FROM scratch\n"))
        for image, _, _ in draft.wanted
    }
    return resolve(draft, files, registry=registry)


def problems(
    text: str | bytes, dockerfiles: Mapping[str, str] | None = None
) -> tuple[Problem, ...]:
    """Return what is wrong with a hierarchy file; nothing if it loads."""
    try:
        load(text, dockerfiles)
    except InvalidInput as error:
        return error.problems
    return ()


def places(text: str | bytes, dockerfiles: Mapping[str, str] | None = None) -> list[str]:
    """Return ``line:column CODE`` of every problem; one in a Dockerfile starts with its path."""
    return [
        f"{'' if p.file == 'hierarchy.yaml' else p.file + ':'}{p.line}:{p.column} {p.code}"
        for p in problems(text, dockerfiles)
    ]
