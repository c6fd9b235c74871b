"""Nodes → values, by the field table; every mistake in their shape is kept, none raises."""

from __future__ import annotations

import re
from typing import Any

from orchestrator.load.kinds import (
    AllOrEach,
    Either,
    Flag,
    Kind,
    ListOf,
    MapOf,
    OneOrMore,
    Record,
    Text,
    Whole,
)
from orchestrator.load.problems import Problems, SourceFile, shown
from orchestrator.load.refusals import complaint_of, refuse_axis, refuse_text
from orchestrator.load.yaml_nodes import Mapping, Node, Refused, Scalar, Sequence
from orchestrator.model.tags import placeholders

_NULLS = ("null", "Null", "NULL", "~")
_OTHER_BOOLEANS = ("yes", "no", "on", "off", "y", "n", "true", "false")
_NOWHERE = SourceFile("")

#: The axes of the matrix that a record has, where ``{axis}`` is filled in later; None: nowhere.
Axes = frozenset[str] | None


class Values(dict[str, Any]):
    """What one record says, by its keys; keys that are absent or wrong are not there.

    Attributes:
        file: where the record stands.
        line: where it starts, 1-based.
        column: likewise.
        broken: something inside it is wrong, so that what is there is not all that was meant.
        wrong: keys whose value is wrong.
        places: key → the same, where it stands.
        variant: sorted (axis, value) of the matrix that made it.
        template: the entry with that matrix, as it was read; None for other records.
    """

    __slots__ = ("broken", "column", "file", "line", "places", "template", "variant", "wrong")

    def __init__(self, node: Mapping | None = None) -> None:
        super().__init__()
        self.file: SourceFile = node.file if node else _NOWHERE
        self.line = node.line if node else 0
        self.column = node.column if node else 0
        self.broken = False
        self.wrong: set[str] = set()
        self.places: dict[str, Scalar] = {}
        self.variant: tuple[tuple[str, str], ...] = ()
        self.template: Values | None = None

    def like(self) -> Values:
        """Return an empty record that stands where this one does, and is as broken."""
        values = Values()
        values.file, values.line, values.column = self.file, self.line, self.column
        values.broken, values.wrong, values.places = self.broken, self.wrong, self.places
        values.variant = self.variant
        return values


class Items(list[Any]):
    """What one list says, and where it starts."""

    __slots__ = ("column", "file", "line")

    def __init__(self, node: Sequence | Scalar | Items) -> None:
        super().__init__()
        self.file: SourceFile = node.file
        self.line: int = node.line
        self.column: int = node.column


def read_record(
    kind: Record, node: Mapping, name: str, problems: Problems, axes: Axes = None
) -> Values:
    """Return what a map with our keys says.

    Texts come as :class:`Scalar`, lists as :class:`Items`, maps with the user's keys as dicts
    from Scalar (a value that is wrong is None), records as :class:`Values`.

    Args:
        kind: its fields.
        node: the map.
        name: what it is called in messages: ``image 'base'``.
        problems: where mistakes are kept.
        axes: of the matrix around it; texts with ``{axis}`` are then left for
            :mod:`orchestrator.load.matrix` to check.
    """
    values = Values(node)
    before = problems.errors
    if "matrix" in kind.fields:
        axes = _axes(node)
    for text, (key, value) in node.entries.items():
        if problems.is_full:
            break
        field = kind.fields.get(text)
        if text in kind.elsewhere:
            hint = f"move it to {problems.file}" if kind.is_top else "leave it out here"
            problems.error("MISPLACED-KEY", key, f"`{text}` {kind.elsewhere[text]}", hint)
            continue
        if field is None:
            hint = problems.did_you_mean(text, kind.fields)
            hint = hint or f"keys: {', '.join(kind.fields)}"
            problems.error("UNKNOWN-KEY", key, f"{name} has no key {shown(text)}", hint)
            continue
        values.places[text] = key
        field_name = f"`{text}`" if kind.is_top else f"`{text}` of {name}"
        read = _read(field.kind, value, key, field_name, problems, axes if field.varies else None)
        if read is None:
            values.wrong.add(text)
        else:
            values[text] = read
    for key_name, field in kind.fields.items():
        if (
            field.required
            and key_name not in node.entries
            and not (values.get(field.unless) or field.unless in values.wrong)
        ):
            hint = f"for example `{field.example}`" if field.example else field.doc
            problems.error("MISSING-KEY", values, f"{name} needs `{key_name}`", hint)
    if kind.one_of and sum(choice in node.entries for choice in kind.one_of) != 1:
        what = f"{name} needs exactly one of {' and '.join(kind.one_of)}"
        both = kind.one_of[0] in node.entries
        hint = (
            "leave one of them out"
            if both
            else f"for example {kind.fields[kind.one_of[0]].example}"
        )
        problems.error("ONE-OF", values, what, hint)
    values.broken = problems.errors > before
    return values


def _axes(node: Mapping) -> Axes:
    """Return the names under a record's `matrix`, whatever is wrong with them."""
    if "matrix" not in node.entries:
        return None
    matrix = node.entries["matrix"][1]
    return frozenset(matrix.entries) if isinstance(matrix, Mapping) else frozenset()


def _read(kind: Kind, node: Node, key: Scalar, name: str, problems: Problems, axes: Axes) -> Any:
    """Return the value of one field or item; None after a problem was kept."""
    if isinstance(kind, Text):
        return _read_text(kind, node, key, name, problems, axes)
    if isinstance(node, Refused):
        return None
    if isinstance(node, Scalar) and node.plain and (not node or node in _NULLS):
        problems.error("NO-VALUE", node or key, f"{name} has no value")
        return None
    if isinstance(kind, Flag):
        return _read_flag(node, name, problems)
    if isinstance(kind, Whole):
        return _read_whole(kind, node, name, problems)
    if isinstance(kind, OneOrMore):
        if isinstance(node, Scalar):
            items = Items(node)
            text = _read_text(kind.item, node, key, name, problems, axes)
            items.extend([] if text is None else [text])
            return items or None
        kind = ListOf(kind.item, 1, kind.most)
    if isinstance(kind, ListOf):
        return _read_list(kind, node, name, problems, axes)
    if isinstance(kind, Either):
        return _read_either(kind, node, key, name, problems)
    if isinstance(kind, AllOrEach):
        return _read_all_or_each(kind, node, key, name, problems, axes)
    if not isinstance(node, Mapping):
        fields = kind.fields.values() if isinstance(kind, Record) else ()
        needed = ", ".join(field.example for field in fields if field.required and field.example)
        if isinstance(kind, Record) and kind.one_of:
            needed = kind.fields[kind.one_of[0]].example
        hint = f"for example `{{{needed}}}`" if needed else ""
        if isinstance(kind, MapOf) and isinstance(kind.value, Text):
            hint = "write `{NAME: VALUE}`"
        _wrong_type(node, name, "a map", problems, hint)
        return None
    if isinstance(kind, MapOf):
        return _read_map(kind, node, name, problems, axes)
    return read_record(kind, node, name, problems, axes)


def _read_text(
    kind: Text, node: Node, key: Scalar, name: str, problems: Problems, axes: Axes
) -> Scalar | None:
    if not isinstance(node, Scalar):
        if not isinstance(node, Refused):
            brackets = "[ ]" if isinstance(node, Sequence) else "{ }"
            hint = f"write one text, without {brackets}"
            _wrong_type(node, name, "text", problems, hint)
        return None
    if node.plain and (not node or node in _NULLS):
        hint = 'for an empty text write ""' if not node else f'for the text write "{node}"'
        if not node and " #" in key.file.line(key.line)[key.column :]:
            hint = "a # begins a comment: put quotes around the text"
        problems.error("NO-VALUE", node or key, f"{name} has no value", hint)
        return None
    if axes is not None and "{" in node and len(node) <= kind.longest:
        names = placeholders(node)
        unknown = next((axis for axis in names if axis not in axes), None)
        if unknown is not None and not kind.braces:
            refuse_axis(unknown, axes, node, name, problems)
            return None
        if any(axis in axes for axis in names):
            return node  # checked once it is filled in
    return None if refuse_text(kind, node, name, problems) else node


def _read_flag(node: Node, name: str, problems: Problems) -> bool | None:
    if isinstance(node, Scalar) and node.plain and node in ("true", "false"):
        return node == "true"
    hint = "write true or false"
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


def _read_list(kind: ListOf, node: Node, name: str, problems: Problems, axes: Axes) -> Items | None:
    if not isinstance(node, Sequence):
        hint = "write [ ] around it" if isinstance(node, Scalar) else ""
        if isinstance(node, Mapping) and isinstance(kind.item, Record):
            hint = "write `- ` before the first key of each item"
        _wrong_type(node, name, "a list", problems, hint)
        return None
    if len(node.items) < kind.least:
        hint = "write at least one item, or remove the key"
        problems.error("NO-VALUE", node, f"{name} is empty", hint)
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
        read = _read(kind.item, item, _scalar_at(item), item_name, problems, axes)
        if isinstance(read, Scalar) and not kind.may_repeat:
            if read in seen:
                what = f"{name} has {shown(read)} twice"
                problems.error("DUPLICATE-VALUE", read, what, "remove one of them")
                continue
            seen.add(read)
        if read is not None:
            items.append(read)
    return items


def _read_either(
    kind: Either, node: Node, key: Scalar, name: str, problems: Problems
) -> Scalar | Values | None:
    if isinstance(node, Mapping) and node.entries.keys() & kind.record.fields.keys():
        return read_record(kind.record, node, name, problems)
    if not isinstance(node, Scalar):
        choices = ", ".join(kind.text.choices)
        hint = f"one of: {choices}; or {kind.text.or_else}"
        _wrong_type(node, name, "a word, or `hold` with its keys", problems, hint)
        return None
    if node in kind.record.fields:
        what = f"{name}: {shown(node)} needs more than the word"
        problems.error("MISSING-KEY", node, what, f"for example {kind.text.or_else}")
        return None
    return _read_text(kind.text, node, key, name, problems, None)


def _read_all_or_each(
    kind: AllOrEach, node: Node, key: Scalar, name: str, problems: Problems, axes: Axes
) -> dict[Scalar, Any] | None:
    if isinstance(node, Mapping) and not _is_one(kind.value, node):
        each = MapOf(kind.key, kind.value, 1, kind.most)
        return _read_map(each, node, name, problems, axes, key_varies=True)
    read = _read_either(kind.value, node, key, name, problems)
    return None if read is None else {key.at_same_place("*"): read}


def _is_one(kind: Either, node: Mapping) -> bool:
    """Say whether a map is one value: users' keys may be spelled like ours."""
    for word, field in kind.record.fields.items():
        value = node.entries.get(word, (None, None))[1]
        if isinstance(value, Mapping):
            return not value.entries or not value.entries.keys() <= kind.record.fields.keys()
        if value is not None:
            return value not in kind.text.choices
        if node.entries and node.entries.keys() <= field.kind.fields.keys():
            # What belongs below our key, without it.
            return all(
                isinstance(value, Scalar) and value not in kind.text.choices
                for _, value in node.entries.values()
            )
    return False


def _read_map(
    kind: MapOf,
    node: Mapping,
    name: str,
    problems: Problems,
    axes: Axes,
    *,
    key_varies: bool = False,
) -> dict[Scalar, Any] | None:
    if len(node.entries) < kind.least:
        hint = "write at least one entry, or remove the key"
        problems.error("NO-VALUE", node, f"{name} is empty", hint)
        return None
    if kind.most is not None and len(node.entries) > kind.most:
        what = f"{name} has {len(node.entries)} entries, and can have {kind.most}"
        problems.error("OUT-OF-RANGE", node, what)
        return None
    title = kind.value.title if isinstance(kind.value, Record) else ""
    may_vary = isinstance(kind.value, Record) and "matrix" in kind.value.fields
    values: dict[Scalar, Any] = {}
    for text, (key, value) in node.entries.items():
        if problems.is_full:
            break
        # The key of an entry with a matrix is the template of several.
        varies = may_vary and isinstance(value, Mapping) and "matrix" in value.entries
        complaint = None if varies else complaint_of(kind.key, key)
        if key_varies and axes is not None:
            unknown = next((axis for axis in placeholders(key) if axis not in axes), None)
            if unknown is not None:
                refuse_axis(unknown, axes, key, name, problems)
        if complaint:
            what = f"{name}: {shown(text)} {complaint.what}"
            problems.error(complaint.code, key, what, complaint.hint)
        value_name = f"{title} '{text[:64]}'" if title else f"'{text[:64]}' in {name}"
        read = values[key] = _read(kind.value, value, key, value_name, problems, axes)
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
    scalar.file, scalar.line, scalar.column = node.file, node.line, node.column
    scalar.plain = False
    return scalar
