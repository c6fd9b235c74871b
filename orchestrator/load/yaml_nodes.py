"""YAML text → nodes that know where they stand, safely and with bounds.

PyYAML's own loaders keep the last of two equal keys, read ``3.10`` as 3.1 and ``no`` as false,
and some die on deep nesting. So only its event stream is used: scalars stay the text that was
written, and whatever a hierarchy has no use for (anchors, tags, merge keys, several documents)
is refused.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from orchestrator.load.problems import Problems, shown

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # PyYAML built without libyaml
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]

MAX_BYTES = 4 << 20
MAX_DEPTH = 40

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]")
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


class Scalar(str):
    """Text as it was written.

    Attributes:
        line: 1-based.
        column: 1-based, in characters.
        plain: it stands there without quotes.
    """

    __slots__ = ("column", "line", "plain")

    line: int
    column: int
    plain: bool


class Sequence:
    """A list."""

    __slots__ = ("column", "items", "line")

    def __init__(self, line: int, column: int) -> None:
        self.line = line
        self.column = column
        self.items: list[Node] = []


class Mapping:
    """A map, in the file's order and without doubles: text of the key → (key, value)."""

    __slots__ = ("column", "entries", "line")

    def __init__(self, line: int, column: int) -> None:
        self.line = line
        self.column = column
        self.entries: dict[str, tuple[Scalar, Node]] = {}


class Refused:
    """What stands in for something that was refused already."""

    __slots__ = ("column", "line")

    def __init__(self, line: int, column: int) -> None:
        self.line = line
        self.column = column


Node = Scalar | Sequence | Mapping | Refused


class _Place:
    __slots__ = ("column", "line")

    def __init__(self, mark: Any) -> None:
        self.line: int = mark.line + 1 if mark else 1
        self.column: int = mark.column + 1 if mark else 1


class Unreadable(NamedTuple):
    """Why a file's bytes are no text; the fields are those of ``errors.Problem``."""

    code: str
    line: int
    column: int
    what: str
    hint: str


def decode(content: bytes) -> tuple[str, Unreadable | None]:
    """Return the text of a hierarchy file, and what is wrong with it.

    The text goes up to the mistake or beyond it; it is empty where none can be read.
    """
    if len(content) > MAX_BYTES:
        hint = "generate less, or split it into several hierarchies"
        return "", Unreadable("FILE-TOO-LARGE", 0, 0, "the file is larger than 4 MiB", hint)
    for mark, name in _BYTE_ORDER_MARKS:
        if content.startswith(mark):
            hint = f"save it as UTF-8; it starts like {name}"
            return "", Unreadable("NOT-UTF-8", 0, 0, "the file is not UTF-8", hint)
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        line = before.count("\n") + 1
        column = len(before) - before.rfind("\n")
        what = f"byte 0x{content[error.start]:02x} is not UTF-8"
        return before, Unreadable("NOT-UTF-8", line, column, what, "save the file as UTF-8")
    found = CONTROL.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        column = found.start() - text.rfind("\n", 0, found.start())
        what = f"there is a control character (U+{ord(found[0]):04X}) in the file"
        return text, Unreadable("CONTROL-CHARACTER", line, column, what, "remove it")
    return text, None


def read_nodes(text: str, problems: Problems) -> Node | None:
    """Return the file's root; None when there is none, or when reading on makes no sense.

    Bounded in depth, without recursion, in time proportional to the text.
    """
    builder = _Builder(problems)
    loader = _Loader(text)
    try:
        for event in _events(loader):
            if not builder.take(event):
                return None
    except yaml.MarkedYAMLError as error:
        what = str(error.problem or error.context or "this is not YAML")
        hint = ""
        if "tab" in what or "'\\t'" in what:
            hint = "YAML indents with spaces"
        elif "mapping values are not allowed" in what:
            hint = "a text that contains ': ' needs quotes; a key needs its own line"
        place = _Place(error.problem_mark or error.context_mark)
        problems.error("YAML-SYNTAX", place, what, hint)
        return None
    except yaml.YAMLError as error:
        problems.error("YAML-SYNTAX", None, " ".join(str(error).split()))
        return None
    finally:
        loader.dispose()
    if builder.root is None:
        problems.error("EMPTY-FILE", None, "the file is empty", "start with `version: 1`")
    return builder.root


def _events(loader: Any) -> Iterator[Any]:
    while True:
        event = loader.get_event()
        if event is None:
            return
        yield event


class _Builder:
    """Puts events together.

    Attributes:
        root: of the first document.
    """

    def __init__(self, problems: Problems) -> None:
        self.root: Node | None = None
        self._problems = problems
        self._open: list[Sequence | Mapping] = []
        self._keys: list[Node | None] = []
        """For every open container the key whose value comes next; None: a key comes next."""
        self._documents = 0

    def take(self, event: Any) -> bool:
        """Add one event; False: stop here."""
        kind = type(event)
        if kind is yaml.ScalarEvent:
            mark = event.start_mark
            scalar = Scalar(event.value)
            scalar.line = mark.line + 1
            scalar.column = mark.column + 1
            scalar.plain = not event.style
            if event.anchor is not None or event.tag is not None:
                self._refuse_properties(event)
            self._add(scalar)
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            return self._start(event, kind is yaml.MappingStartEvent)
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            self._open.pop()
            self._keys.pop()
        elif kind is yaml.AliasEvent:
            place = _Place(event.start_mark)
            what = f"the alias *{event.anchor[:40]} is refused: aliases are not used here"
            self._problems.error("YAML-ANCHOR", place, what, "write the value out")
            self._add(Refused(place.line, place.column))
        elif kind is yaml.DocumentStartEvent:
            self._documents += 1
            if self._documents > 1:
                what = "a second document starts here; a hierarchy is one document"
                hint = "remove the `---`"
                self._problems.error("MULTIPLE-DOCUMENTS", _Place(event.start_mark), what, hint)
                return False
        return True

    def _start(self, event: Any, is_mapping: bool) -> bool:
        place = _Place(event.start_mark)
        if len(self._open) >= MAX_DEPTH:
            what = f"this is nested deeper than {MAX_DEPTH} levels"
            self._problems.error("YAML-TOO-DEEP", place, what)
            return False
        if event.anchor is not None or event.tag is not None:
            self._refuse_properties(event)
        node = (Mapping if is_mapping else Sequence)(place.line, place.column)
        self._add(node)
        self._open.append(node)
        self._keys.append(None)
        return True

    def _add(self, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        container = self._open[-1]
        if isinstance(container, Sequence):
            container.items.append(node)
            return
        key = self._keys[-1]
        if key is None:
            self._keys[-1] = node
            return
        self._keys[-1] = None
        if not isinstance(key, Scalar):
            self._problems.error("YAML-KEY", key, "a key must be text, not a list or a map")
        elif key == "<<" and key.plain:
            hint = "write the keys out"
            self._problems.error("YAML-MERGE", key, "merge keys (<<) are not used here", hint)
        elif key in container.entries:
            first = container.entries[key][0]
            what = f"the key {shown(key)} stands here twice; first on line {first.line}"
            self._problems.error("DUPLICATE-KEY", key, what, "remove one of them")
        else:
            container.entries[key] = (key, node)

    def _refuse_properties(self, event: Any) -> None:
        place = _Place(event.start_mark)
        if event.anchor is not None:
            what = f"the anchor &{event.anchor[:40]} is refused: anchors are not used here"
            self._problems.error("YAML-ANCHOR", place, what, "write the value where it is needed")
        if event.tag is not None:
            what = f"the tag {shown(event.tag)} is refused: tags are not used here"
            self._problems.error("YAML-TAG", place, what, "every field knows what it takes")
