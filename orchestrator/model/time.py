"""Times as people and registries read them."""

from __future__ import annotations

import math
from datetime import UTC, datetime


def rfc3339(seconds: float) -> str:
    """Return ``2026-11-22T02:46:31Z`` for seconds since 1970 UTC."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def day(seconds: float) -> str:
    """Return ``20261122`` for seconds since 1970 UTC."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y%m%d")


def seconds_of(text: str) -> int:
    """Return whole seconds since 1970 UTC of an RFC 3339 time; a fraction is rounded up.

    Up, because the time of a parent is the earliest that its children's layers may get.

    Raises:
        ValueError: the text is no such time.
    """
    return math.ceil(datetime.fromisoformat(text).timestamp())


def run_id(seconds: float, suffix: str) -> str:
    """Return a sortable id, ``20261122T024631Z-3fa9``.

    Args:
        seconds: since 1970 UTC.
        suffix: four characters that tell apart what starts in the same second.
    """
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y%m%dT%H%M%SZ") + f"-{suffix}"
