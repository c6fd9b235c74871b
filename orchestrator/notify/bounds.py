"""How large an event may become, whatever images, logs and people say. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

#: Entries of one list about one platform; the others are counted.
MOST_LISTED = 500
#: Characters of one text; names and versions of packages have fewer.
LONGEST_TEXT, LONGEST_NAME = 4000, 200
_LISTS = ("packages", "settings", "fixed", "introduced")


def bounded_data(data: Mapping[str, object]) -> dict[str, object]:
    """Return what an event tells with every text cut that is longer than anybody reads."""
    return {name: _bounded(said, LONGEST_TEXT) for name, said in data.items()}


def _bounded(value: object, longest: int) -> object:
    if isinstance(value, str):
        return value if len(value) <= longest else value[: longest - 1] + "…"
    if isinstance(value, Mapping):
        return {name: _bounded(each, longest) for name, each in value.items()}
    if isinstance(value, list):
        return [_bounded(each, longest) for each in value]
    return value


def listed(platform: Mapping[str, object], urgent: Set[str]) -> dict[str, object]:
    """Return what changed on a platform with only so much of each list, and what is left out.

    Args:
        platform: as :func:`orchestrator.render.json_change.platform_json` has it.
        urgent: names of packages that are kept before others.
    """
    said = dict(platform)
    left_out: dict[str, int] = {}
    for name in _LISTS:
        every = said[name]
        if not isinstance(every, list):
            continue
        kept = _kept(every, urgent)
        if len(kept) < len(every):
            left_out[name] = len(every) - len(kept)
        said[name] = _bounded(kept, LONGEST_NAME)
    return {**said, "left_out": left_out}


def _kept(every: Sequence[Mapping[str, object]], urgent: Set[str]) -> list[Mapping[str, object]]:
    """Return the first of a list in its order, what is urgent before others."""
    if len(every) <= MOST_LISTED:
        return list(every)
    numbers = sorted(range(len(every)), key=lambda n: every[n].get("name") not in urgent)
    return [every[n] for n in sorted(numbers[:MOST_LISTED])]
