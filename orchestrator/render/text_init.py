"""What was inferred from a tree of Dockerfiles, for people and for programs."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from typing import Any

from orchestrator.infer import FoundImage, Inferred
from orchestrator.render.style import Style
from orchestrator.render.table import Cell, Row, table
from orchestrator.render.words import counted, listed_up_to

#: Rows and remarks that people are shown before the rest is counted.
_MOST = 60
_REMARKS = 20


def inferred_text(
    inferred: Inferred, style: Style, *, directory: str, next_steps: Iterable[str]
) -> str:
    """Return a table of the images, what could not be known, and how to go on.

    Args:
        inferred: what was found.
        style: how it may look.
        directory: what the Dockerfiles' paths are relative to, as the user would write it.
        next_steps: command lines.
    """
    rows = [
        Row(
            cells=(
                Cell(text=image.id, paint=style.bold),
                Cell(text=image.version.value + ("" if image.version.sure else " ?")),
                Cell(text=listed_up_to((p.subject for p in image.parents), 4) or "scratch"),
                Cell(text=image.file, paint=style.dim),
            )
        )
        for image in inferred.images[:_MOST]
    ]
    lines = table(
        ("IMAGE", "VERSION", "STANDS ON", "DOCKERFILE"), rows, style, whole=frozenset({0})
    )
    if len(inferred.images) > _MOST:
        lines.append(style.dim(f"and {len(inferred.images) - _MOST} more"))
    remarks = [
        (one.file, one.line, f"left out: {one.what}", one.hint) for one in inferred.left_out
    ] + [(one.file, one.line, one.what, one.hint) for one in inferred.remarks]
    if remarks:
        lines += ["", style.bold("What could not be known")]
    for file, line, what, hint in remarks[:_REMARKS]:
        where = posixpath.normpath(posixpath.join(directory, file))
        where = f"{where}:{line}" if line else where
        lines += _painted(style.wrap(f"{where}: {what}", first="  ", then="    "), where, style)
        if hint:
            lines += [style.dim(text) for text in style.wrap(hint, first="    ")]
    if len(remarks) > _REMARKS:
        lines.append(f"  and {len(remarks) - _REMARKS} more, which the file lists")
    lines += ["", _sum(inferred)]
    lines += [f"  {style.dim('next:')}  {style.note(step)}" for step in next_steps]
    return "\n".join(lines) + "\n"


def _painted(lines: list[str], where: str, style: Style) -> list[str]:
    shown = style.clean(where)
    return [lines[0].replace(shown, style.warn(shown), 1), *lines[1:]]


def _sum(inferred: Inferred) -> str:
    unsure = sum(not image.version.sure for image in inferred.images)
    said = [
        counted(len(inferred.images), "image"),
        counted(len(inferred.upstreams), "upstream"),
        f"{len(inferred.left_out)} left out" if inferred.left_out else "",
        f"{counted(unsure, 'version')} to be looked up" if unsure else "",
        "" if inferred.registry.sure else "the registry is a guess",
    ]
    return ", ".join(filter(None, said)) + "."


def inferred_json(inferred: Inferred) -> dict[str, Any]:
    """Return what was found as JSON: stable keys, paths relative to the tree."""
    return {
        "name": inferred.name,
        "registry": {"value": inferred.registry.value, "sure": inferred.registry.sure},
        "platforms": list(inferred.platforms),
        "images": [_image_json(image) for image in inferred.images],
        "upstreams": [{"name": name, "source": source} for name, source in inferred.upstreams],
        "secrets": [{"name": name, "env": env} for name, env in inferred.secrets],
        "remarks": [
            {"file": one.file, "line": one.line, "what": one.what, "hint": one.hint}
            for one in inferred.remarks
        ],
        "left_out": [
            {
                "id": one.id,
                "file": one.file,
                "line": one.line,
                "what": one.what,
                "hint": one.hint,
            }
            for one in inferred.left_out
        ],
    }


def _image_json(image: FoundImage) -> dict[str, Any]:
    return {
        "id": image.id,
        "file": image.file,
        "context": image.context,
        "dockerfile": image.dockerfile,
        "version": {"value": image.version.value, "sure": image.version.sure},
        "repository": image.repository,
        "tier": image.tier,
        "aliases": list(image.aliases),
        "parents": [
            {
                "name": parent.name,
                "kind": parent.kind.value,
                "subject": parent.subject,
                "line": parent.line,
            }
            for parent in image.parents
        ],
    }
