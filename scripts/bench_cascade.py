"""The hierarchy that `scripts/bench` builds: 34 images in four levels."""

from __future__ import annotations


def cascade() -> dict[str, str | None]:
    """Return image → parent: 1 base, 3 runtimes, 6 servers, 24 applications; parents first."""
    parents: dict[str, str | None] = {"base": None}
    for n in range(3):
        parents[f"runtime{n}"] = "base"
    for n in range(6):
        parents[f"server{n}"] = f"runtime{n % 3}"
    for n in range(24):
        parents[f"app{n:02}"] = f"server{n % 6}"
    return parents
