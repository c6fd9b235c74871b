"""Where each value of an image comes from: its entry, its tier, `defaults`, or nobody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from orchestrator.load.draft import DEFAULT_FLOATING, DEFAULT_IMMUTABLE, Draft, DraftImage
from orchestrator.load.fields import IMAGE
from orchestrator.load.kinds import Flag
from orchestrator.load.problems import masked, printable
from orchestrator.load.read import Values
from orchestrator.load.yaml_nodes import Scalar

_LONGEST = 400
_LONGEST_DATA = 8192
#: Fields that are put together key by key.
_MERGED = ("tags", "options", "args", "labels", "on_parent_change", "builder_labels")
_TOP = ("platforms", "tags", "allow_latest")


class Origin(NamedTuple):
    """One effective value of an image.

    Attributes:
        field: as in the file; of maps with their key: ``args.VERSION``, ``tags.immutable``.
        value: as people would write it, printable, on one line, and without passwords.
        source: ``image``, ``matrix`` (the image's entry, with an axis filled in), ``tier NAME``,
            ``defaults``, ``hierarchy`` (the keys at the top of the file) or ``built in``.
        file: that holds it, as the user would write its path; empty for what is built in.
        line: 1-based; 0 for what is built in.
        data: the value as it is: a text, a boolean, or a list or map of these; without passwords.
    """

    field: str
    value: str
    source: str
    file: str = ""
    line: int = 0
    data: Any = None


def origins(draft: Draft, image: str) -> tuple[Origin, ...]:
    """Return every value that an image has, in the order of the documentation.

    Args:
        draft: from :func:`orchestrator.load.parse`; what is wrong in it is left out.
        image: an id in ``draft.images``.
    """
    found = draft.images[image]
    return tuple(
        origin
        for field in IMAGE.fields
        for origin in (_axes(found) if field == "matrix" else _field(draft, found, field))
    )


def _axes(image: DraftImage) -> Iterator[Origin]:
    if image.own.template is None:
        return
    values = dict(image.own.variant)
    for axis in image.own.template["matrix"]:
        value = values[axis]
        yield Origin(f"matrix.{axis}", value, "matrix", axis.file.name, axis.line, value)


def _field(draft: Draft, image: DraftImage, field: str) -> Iterator[Origin]:
    layers = [*draft.shared.layers(image.own)]
    if field in _TOP:
        layers.append(("hierarchy", draft.top))
    if field in _MERGED:
        keys = dict.fromkeys(str(key) for _, said in layers for key in said.get(field, ()))
        for key in keys:
            yield from _nearest(image, [(n, s.get(field, {})) for n, s in layers], field, key)
        for key, value in _built_in_tags(field):
            if key not in keys:
                yield _built_in(f"{field}.{key}", value)
        return
    yield from _nearest(image, layers, "", field)
    if any(field in said for _, said in layers):
        return
    built_in = IMAGE.fields[field].default
    if field == "repository":
        yield _built_in(field, str(image.id))
    elif isinstance(IMAGE.fields[field].kind, Flag):
        yield _built_in(field, bool(built_in))
    elif built_in is not None and not image.retired:
        yield _built_in(field, built_in)


def _built_in(field: str, value: Any) -> Origin:
    return Origin(field, _shown(value), "built in", data=_data(field, value))


def _nearest(
    image: DraftImage, layers: list[tuple[str, Any]], record: str, key: str
) -> Iterator[Origin]:
    """Yield the value of the first layer that has the key."""
    for source, said in layers:
        if key not in said or said[key] is None:
            continue
        value = said[key]
        spot = _spot(said, key, value, image)
        name = f"{record}.{key}" if record else key
        if source == "image" and _is_filled(image, record, key, value):
            source = "matrix"
        text = masked(f"{key}: {_shown(value)}"[:_LONGEST]).partition(": ")[2]
        data = _data(key, value)
        yield Origin(name, printable(text), source, spot.file.name, spot.line, data)
        return


def _spot(said: Any, key: str, value: Any, image: DraftImage) -> Any:
    if isinstance(said, Values):
        return said.places.get(key, image.id)
    # A map with the user's keys: they know where they stand.
    return next((name for name in said if name == key and isinstance(name, Scalar)), image.id)


def _is_filled(image: DraftImage, record: str, key: str, value: Any) -> bool:
    template: Any = image.own.template
    if template is None:
        return False
    template = template[record] if record else template
    return bool(template[key] != value)


def _built_in_tags(field: str) -> tuple[tuple[str, Any], ...]:
    if field != "tags":
        return ()
    return (("immutable", DEFAULT_IMMUTABLE), ("floating", DEFAULT_FLOATING))


def _data(key: str, value: Any) -> Any:
    """Return a value of plain types, passwords masked: by their look or by their key's."""
    if isinstance(value, bool | int):
        return value
    if isinstance(value, list | tuple):
        return [_data(key, item) for item in value]
    if isinstance(value, dict):
        return {printable(str(name)): _data(str(name), item) for name, item in value.items()}
    return printable(masked(f"{key}: {value}"[:_LONGEST_DATA]).partition(": ")[2])


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_shown(item)}' for key, item in value.items())}}}"
    return str(value)
