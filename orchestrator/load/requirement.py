"""``requires: ">=1.2, <2"``: whether this version is one that a hierarchy file was written for.

The operators mean what PEP 440 says of final releases; versions are plain numbers and dots.
"""

from __future__ import annotations

import re

_RELEASE = r"[0-9]{1,6}(?:\.[0-9]{1,6}){0,5}"
_ONE = rf"\s*(~=|===?|!=|<=|>=|<|>)\s*({_RELEASE})\s*"


def clauses(text: str) -> tuple[tuple[str, str], ...] | None:
    """Return the (operator, version) pairs of a requirement; None where it is none."""
    found = []
    for part in text.split(","):
        one = re.fullmatch(_ONE, part)
        if not one or one[1] == "===" or (one[1] == "~=" and "." not in one[2]):
            return None
        found.append((one[1], one[2]))
    return tuple(found)


def is_met(text: str, version: str) -> bool:
    """Say whether a version keeps every clause of a requirement.

    Args:
        text: a requirement.
        version: only its release counts: ``1.2.0.dev3`` is taken for 1.2.0, which it becomes.
    """
    release = re.match(_RELEASE, version)
    ours = _numbers(release[0]) if release else ()
    return all(_keeps(ours, operator, wanted) for operator, wanted in clauses(text) or ())


def _keeps(ours: tuple[int, ...], operator: str, text: str) -> bool:
    wanted = _numbers(text)
    length = max(len(ours), len(wanted))
    left, right = _padded(ours, length), _padded(wanted, length)
    if operator == "~=":
        return left >= right and left[: len(wanted) - 1] == wanted[:-1]
    return {
        "==": left == right,
        "!=": left != right,
        "<=": left <= right,
        ">=": left >= right,
        "<": left < right,
        ">": left > right,
    }[operator]


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split("."))


def _padded(release: tuple[int, ...], length: int) -> tuple[int, ...]:
    return release + (0,) * (length - len(release))
