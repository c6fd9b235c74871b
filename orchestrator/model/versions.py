"""Versions in tags: the shape that tags of one kind share, and the ranges that npm made common.

Ranges are those of ``semantic_version.NpmSpec``: ``^1.27``, ``>=1.27 <2``, ``1.x || 2.x``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

_TAG = re.compile(r"(v?)([0-9]{1,18}(?:\.[0-9]{1,18}){0,2})((?:[-_][A-Za-z0-9._-]*)?)")


class Shape(NamedTuple):
    """What tags of one kind have in common: ``v1.27-alpine`` and ``v1.28-alpine``.

    Attributes:
        prefix: ``v`` or nothing.
        numbers: how many of them, 1 to 3.
        suffix: the rest, as it is; may be empty.
    """

    prefix: str
    numbers: int
    suffix: str


def shape_of(tag: str) -> Shape | None:
    """Return the shape of a tag; None where it does not start with a version."""
    found = _TAG.fullmatch(tag)
    return Shape(found[1], found[2].count(".") + 1, found[3]) if found else None


def version_in(tag: str, shape: Shape) -> tuple[int, int, int] | None:
    """Return the version that a tag of this shape says; None for a tag of another shape.

    Numbers that the shape does not have are 0: ``24.04`` is (24, 4, 0).
    """
    if shape_of(tag) != shape:
        return None
    plain = tag[len(shape.prefix) : len(tag) - len(shape.suffix)]
    numbers = [*map(int, plain.split(".")), 0, 0]
    return numbers[0], numbers[1], numbers[2]


def is_range(text: str) -> bool:
    """Say whether a text is a range of versions."""
    # NpmSpec takes nothing for everything: that is a slip here.
    if not all(part.strip() for part in text.split("||")):
        return False
    try:
        return _spec(text) is not None
    except ValueError:
        return False


def is_in_range(version: tuple[int, int, int], text: str) -> bool:
    """Say whether a version is in a range.

    Args:
        version: from :func:`version_in`.
        text: for which :func:`is_range` is true.
    """
    from semantic_version import Version  # type: ignore[import-untyped]  # rare, and 40 ms

    major, minor, patch = version
    return Version(major=major, minor=minor, patch=patch) in _spec(text)


@lru_cache(maxsize=256)
def _spec(text: str) -> Any:
    from semantic_version import NpmSpec

    # One space between its parts, none inside of them, no leading zeros: as NpmSpec asks for.
    plain = re.sub(r"([<>=~^]) (?=[0-9vxX*])", r"\1", " ".join(text.split()))
    return NpmSpec(re.sub(r"(?<![0-9A-Za-z])0+(?=[0-9])", "", plain))
