"""Nodes → values, by the field table; every mistake in their shape is kept, none raises."""

from __future__ import annotations

import re
from typing import Any

from orchestrator.load.kinds import Complaint, Flag, Kind, ListOf, MapOf, Record, Text, Whole
from orchestrator.load.problems import Problems, closest, shown
from orchestrator.load.yaml_nodes import CONTROL, Mapping, Node, Refused, Scalar, Sequence

_NULLS = ("null", "Null", "NULL", "~")
_OTHER_BOOLEANS = ("yes", "no", "on", "off", "y", "n", "true", "false")


class Values(dict[str, Any]):
    """What one record says, by its keys; keys that are absent or wrong are not there.

    Attributes:
        line: where the record starts, 1-based.
        column: likewise.
        broken: something inside it is wrong, so that what is there is not all that was meant.
        wrong: keys whose value is wrong.
        places: key → the same, where it stands.
    """

    __slots__ = ("broken", "column", "line", "places", "wrong")

    def __init__(self, node: Mapping | None = None) -> None:
        super().__init__()
        self.line = node.line if node else 0
        self.column = node.column if node else 0
        self.broken = False
        self.wrong: set[str] = set()
        self.places: dict[str, Scalar] = {}


class Items(list[Any]):
    """What one list says, and where it starts."""

    __slots__ = ("column", "line")

    def __init__(self, node: Sequence) -> None:
        super().__init__()
        self.line = node.line
        self.column = node.column


def read_record(kind: Record, node: Mapping, name: str, problems: Problems) -> Values:
    """Return what a map with our keys says.

    Texts come as :class:`Scalar`, lists as :class:`Items`, maps with the user's keys as dicts
    from Scalar (a value that is wrong is None), records as :class:`Values`.

    Args:
        kind: its fields.
        node: the map.
        name: what it is called in messages: ``image 'base'``.
        problems: where mistakes are kept.
    """
    values = Values(node)
    before = problems.errors
    for text, (key, value) in node.entries.items():
        if problems.is_full:
            break
        field = kind.fields.get(text)
        if field is None:
            hint = problems.did_you_mean(text, kind.fields)
            hint = hint or f"keys: {', '.join(kind.fields)}"
            problems.error("UNKNOWN-KEY", key, f"{name} has no key {shown(text)}", hint)
            continue
        values.places[text] = key
        field_name = f"`{text}`" if kind.is_top else f"`{text}` of {name}"
        read = _read(field.kind, value, key, field_name, problems)
        if read is None:
            values.wrong.add(text)
        else:
            values[text] = read
    for key_name, field in kind.fields.items():
        if field.required and key_name not in node.entries:
            problems.error("MISSING-KEY", values, f"{name} needs `{key_name}`", field.doc)
    if kind.one_of and sum(choice in node.entries for choice in kind.one_of) != 1:
        what = f"{name} needs exactly one of {' and '.join(kind.one_of)}"
        problems.error("ONE-OF", values, what)
    values.broken = problems.errors > before
    return values


def _read(kind: Kind, node: Node, key: Scalar, name: str, problems: Problems) -> Any:
    """Return the value of one field or item; None after a problem was kept."""
    if isinstance(kind, Text):
        return _read_text(kind, node, key, name, problems)
    if isinstance(node, Refused):
        return None
    if isinstance(node, Scalar) and node.plain and (not node or node in _NULLS):
        problems.error("NO-VALUE", node or key, f"{name} has no value")
        return None
    if isinstance(kind, Flag):
        return _read_flag(node, name, problems)
    if isinstance(kind, Whole):
        return _read_whole(kind, node, name, problems)
    if isinstance(kind, ListOf):
        return _read_list(kind, node, name, problems)
    if not isinstance(node, Mapping):
        _wrong_type(node, name, "a map", problems)
        return None
    if isinstance(kind, MapOf):
        return _read_map(kind, node, name, problems)
    return read_record(kind, node, name, problems)


def _read_text(kind: Text, node: Node, key: Scalar, name: str, problems: Problems) -> Scalar | None:
    if not isinstance(node, Scalar):
        if not isinstance(node, Refused):
            _wrong_type(node, name, "text", problems)
        return None
    if node.plain and (not node or node in _NULLS):
        hint = 'for an empty text write ""' if not node else f'for the text write "{node}"'
        problems.error("NO-VALUE", node or key, f"{name} has no value", hint)
        return None
    complaint = _complaint(kind, node)
    if complaint:
        text = "this" if kind.private else shown(node)
        what = f"{name}: {text} {complaint.what}"
        problems.error(complaint.code, node, what, complaint.hint, private=kind.private)
        return None
    return node


def _complaint(kind: Text, text: Scalar) -> Complaint | None:
    """Return why a text is not of its kind."""
    if len(text) > kind.longest:
        return Complaint("BAD-VALUE", f"is longer than {kind.longest} characters")
    if CONTROL.search(text):
        return Complaint("BAD-VALUE", "has a control character")
    if kind.choices:
        if text in kind.choices:
            return None
        near = closest(text, kind.choices)
        hint = f"did you mean {shown(near)}?" if near else f"one of: {', '.join(kind.choices)}"
        return Complaint("UNKNOWN-VALUE", "is not known", hint)
    if kind.pattern is not None and not re.fullmatch(kind.pattern, text):
        return Complaint(kind.code, f"is not valid: it takes {kind.what}")
    return kind.check(text) if kind.check else None


def _read_flag(node: Node, name: str, problems: Problems) -> bool | None:
    if isinstance(node, Scalar) and node.plain and node in ("true", "false"):
        return node == "true"
    hint = ""
    if isinstance(node, Scalar) and node.lower() in _OTHER_BOOLEANS:
        meant = "true" if node.lower() in ("yes", "on", "y", "true") else "false"
        hint = f"write {meant}, in lower case and without quotes"
    what = shown(node) if isinstance(node, Scalar) else _kind_of(node)
    problems.error("WRONG-TYPE", node, f"{name} takes true or false, not {what}", hint)
    return None


def _read_whole(kind: Whole, node: Node, name: str, problems: Problems) -> int | None:
    if not isinstance(node, Scalar):
        _wrong_type(node, name, "a whole number", problems)
        return None
    if not re.fullmatch("0|[1-9][0-9]{0,8}", node) or not node.plain:
        hint = "write it in decimal digits, without quotes"
        problems.error("WRONG-TYPE", node, f"{name} takes a whole number, not {shown(node)}", hint)
        return None
    number = int(node)
    if not kind.least <= number <= kind.most:
        limits = f"{kind.least} to {kind.most}" if kind.least < kind.most else str(kind.least)
        problems.error("OUT-OF-RANGE", node, f"{name} is {number}, not {limits}", kind.hint)
        return None
    return number


def _read_list(kind: ListOf, node: Node, name: str, problems: Problems) -> Items | None:
    if not isinstance(node, Sequence):
        hint = "write [ ] around it" if isinstance(node, Scalar) else ""
        _wrong_type(node, name, "a list", problems, hint)
        return None
    if len(node.items) < kind.least:
        problems.error("NO-VALUE", node, f"{name} is empty")
        return None
    if kind.most is not None and len(node.items) > kind.most:
        what = f"{name} has {len(node.items)} items, and can have {kind.most}"
        problems.error("OUT-OF-RANGE", node, what)
        return None
    items = Items(node)
    seen: set[str] = set()
    for position, item in enumerate(node.items, 1):
        if problems.is_full:
            break
        item_name = name if isinstance(kind.item, Text) else f"item {position} of {name}"
        read = _read(kind.item, item, _scalar_at(item), item_name, problems)
        if isinstance(read, Scalar):
            if read in seen:
                problems.error("DUPLICATE-VALUE", read, f"{name} has {shown(read)} twice")
                continue
            seen.add(read)
        if read is not None:
            items.append(read)
    return items


def _read_map(
    kind: MapOf, node: Mapping, name: str, problems: Problems
) -> dict[Scalar, Any] | None:
    if len(node.entries) < kind.least:
        problems.error("NO-VALUE", node, f"{name} is empty")
        return None
    title = kind.value.title if isinstance(kind.value, Record) else ""
    values: dict[Scalar, Any] = {}
    for text, (key, value) in node.entries.items():
        if problems.is_full:
            break
        complaint = _complaint(kind.key, key)
        if complaint:
            what = f"{name}: {shown(text)} {complaint.what}"
            problems.error(complaint.code, key, what, complaint.hint)
        value_name = f"{title} '{text[:64]}'" if title else f"'{text[:64]}' in {name}"
        read = values[key] = _read(kind.value, value, key, value_name, problems)
        if complaint and isinstance(read, Values):
            read.broken = True
    return values


def _wrong_type(node: Node, name: str, wanted: str, problems: Problems, hint: str = "") -> None:
    problems.error("WRONG-TYPE", node, f"{name} takes {wanted}, not {_kind_of(node)}", hint)


def _kind_of(node: Node) -> str:
    if isinstance(node, Scalar):
        return f"the text {shown(node)}"
    return "a list" if isinstance(node, Sequence) else "a map"


def _scalar_at(node: Node) -> Scalar:
    """Return an empty text at a node's place: what an item without a value is blamed on."""
    if isinstance(node, Scalar):
        return node
    scalar = Scalar()
    scalar.line, scalar.column, scalar.plain = node.line, node.column, False
    return scalar
