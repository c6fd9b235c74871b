"""CloudEvents read back for people: whatever is missing or of another form is nothing.

An event may have been stored by an older version, or be somebody else's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from orchestrator.model.announcement import EventType

_NOTHING: Mapping[str, object] = {}
#: More than any size or time has; a larger one could not even be shown.
_LARGEST = 2**63


def type_of(event: Mapping[str, object]) -> EventType | None:
    """Return what kind of event it is, whoever's name stands before it; None: nobody knows."""
    said = f".{text_of(event, 'type')}."
    return next((each for each in EventType if f".{each}." in said), None)


def plain(event: Mapping[str, object]) -> Mapping[str, object]:
    """Return an event with our data, also one that has them inside of CDEvents' own."""
    ours = mapping_of(event, "data", "customData")
    return {**event, "data": ours} if ours else event


def text_of(data: Mapping[str, object], *path: str) -> str:
    """Return the text at a path of keys; empty where there is none."""
    value = _at(data, path)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    # Python refuses to write a number of thousands of digits.
    return value if isinstance(value, str) else str(value) if abs(value) < _LARGEST else ""


def number_of(data: Mapping[str, object], *path: str) -> float | None:
    """Return the number at a path of keys, 0 or more; None where there is none."""
    value = _at(data, path)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Neither what is no number nor what has no end passes.
    return value if 0 <= value < _LARGEST else None


def bytes_of(data: Mapping[str, object], *path: str) -> int | None:
    """Return the size at a path of keys; None where there is none."""
    size = number_of(data, *path)
    return None if size is None else int(size)


def flag_of(data: Mapping[str, object], *path: str) -> bool:
    """Say whether it is true at a path of keys."""
    return _at(data, path) is True


def mapping_of(data: Mapping[str, object], *path: str) -> Mapping[str, object]:
    """Return the object at a path of keys; empty where there is none."""
    value = _at(data, path)
    return value if isinstance(value, Mapping) else _NOTHING


def list_of(data: Mapping[str, object], *path: str) -> list[object]:
    """Return the list at a path of keys; empty where there is none."""
    value = _at(data, path)
    return list(value) if isinstance(value, list | tuple) else []


def has_list(data: Mapping[str, object], *path: str) -> bool:
    """Say whether there is a list at a path of keys; an empty one is one."""
    return isinstance(_at(data, path), list | tuple)


def texts_of(data: Mapping[str, object], *path: str) -> tuple[str, ...]:
    """Return what is text in the list at a path of keys."""
    return tuple(each for each in list_of(data, *path) if isinstance(each, str) and each)


def mappings_of(data: Mapping[str, object], *path: str) -> Iterator[Mapping[str, object]]:
    """Yield the objects in the list at a path of keys."""
    return (each for each in list_of(data, *path) if isinstance(each, Mapping))


def named_mappings_of(
    data: Mapping[str, object], *path: str
) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Yield the objects in the object at a path of keys, with their names."""
    for name, value in mapping_of(data, *path).items():
        if isinstance(value, Mapping):
            yield str(name), value


def _at(data: Mapping[str, object], path: tuple[str, ...]) -> object:
    value: object = data
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
