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

from orchestrator.load.problems import Place, Problems, SourceFile, shown

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # PyYAML built without libyaml
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]

MAX_BYTES = 4 << 20
MAX_DEPTH = 40
#: Values, and starts and ends of lists and maps: some 300 bytes of memory each.
MAX_EVENTS = 500_000

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
        file: where it stands.
        line: 1-based.
        column: 1-based, in characters.
        plain: it stands there without quotes.
    """

    __slots__ = ("column", "file", "line", "plain")

    file: SourceFile
    line: int
    column: int
    plain: bool

    def at_same_place(self, text: str) -> Scalar:
        """Return another text that stands where this one does."""
        scalar = Scalar(text)
        scalar.file, scalar.line, scalar.column = self.file, self.line, self.column
        scalar.plain = self.plain
        return scalar


class Sequence:
    """A list."""

    __slots__ = ("column", "file", "items", "line")

    def __init__(self, file: SourceFile, line: int, column: int) -> None:
        self.file = file
        self.line = line
        self.column = column
        self.items: list[Node] = []


class Mapping:
    """A map, in the file's order and without doubles: text of the key → (key, value)."""

    __slots__ = ("column", "entries", "file", "line")

    def __init__(self, file: SourceFile, line: int, column: int) -> None:
        self.file = file
        self.line = line
        self.column = column
        self.entries: dict[str, tuple[Scalar, Node]] = {}


class Refused:
    """What stands in for something that was refused already."""

    __slots__ = ("column", "file", "line")

    def __init__(self, file: SourceFile, line: int, column: int) -> None:
        self.file = file
        self.line = line
        self.column = column


Node = Scalar | Sequence | Mapping | Refused


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
    if b"\0" in content[:2]:
        hint = "save it as UTF-8; it looks like UTF-16 or UTF-32"
        return "", Unreadable("NOT-UTF-8", 0, 0, "the file is not UTF-8", hint)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        line, column = _end_of(before)
        what = f"byte 0x{content[error.start]:02x} is not UTF-8"
        return before, Unreadable("NOT-UTF-8", line, column, what, "save the file as UTF-8")
    found = CONTROL.search(text)
    if found:
        line, column = _end_of(text[: found.start()])
        what = f"there is a control character (U+{ord(found[0]):04X}) in the file"
        return text, Unreadable("CONTROL-CHARACTER", line, column, what, "remove it")
    return text, None


def _end_of(text: str) -> tuple[int, int]:
    """Return the line and the column behind a text; a carriage return alone ends a line too."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.count("\n") + 1, len(text) - text.rfind("\n")


def read_nodes(source: SourceFile, problems: Problems) -> Node | None:
    """Return a file's root; None when there is none, or when reading on makes no sense.

    Bounded in depth, without recursion, in time proportional to the text.
    """
    builder = _Builder(source, problems)
    loader = _Loader(source.text)
    try:
        for number, event in enumerate(_events(loader)):
            if number > MAX_EVENTS:
                what = f"the file has more than {MAX_EVENTS:,} values"
                hint = "generate less, or split it into several hierarchies"
                problems.error("FILE-TOO-LARGE", builder.place(event.start_mark), what, hint)
                return None
            if not builder.take(event):
                return None
    except yaml.YAMLError as error:
        from orchestrator.load.yaml_words import trouble_in  # only once something is wrong

        line, column, what, hint = trouble_in(source.text, error)
        problems.error("YAML-SYNTAX", Place(source, line, column), what, hint)
        return None
    finally:
        loader.dispose()
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

    def __init__(self, source: SourceFile, problems: Problems) -> None:
        self.root: Node | None = None
        self._source = source
        self._problems = problems
        self._open: list[Sequence | Mapping] = []
        self._keys: list[Node | None] = []
        """For every open container the key whose value comes next; None: a key comes next."""
        self._documents = 0

    def place(self, mark: Any) -> Place:
        """Return where one of the loader's marks is."""
        return Place(self._source, mark.line + 1, mark.column + 1)

    def take(self, event: Any) -> bool:
        """Add one event; False: stop here."""
        kind = type(event)
        if kind is yaml.ScalarEvent:
            mark = event.start_mark
            scalar = Scalar(event.value)
            scalar.file = self._source
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
            place = self.place(event.start_mark)
            what = f"the alias *{event.anchor[:40]} is refused: aliases are not used here"
            self._problems.error("YAML-ANCHOR", place, what, "write the value out")
            self._add(Refused(*place))
        elif kind is yaml.DocumentStartEvent:
            self._documents += 1
            if self._documents > 1:
                what = "a second document starts here; a hierarchy is one document"
                hint = "remove the `---`"
                place = self.place(event.start_mark)
                self._problems.error("MULTIPLE-DOCUMENTS", place, what, hint)
                return False
        return True

    def _start(self, event: Any, is_mapping: bool) -> bool:
        place = self.place(event.start_mark)
        if len(self._open) >= MAX_DEPTH:
            what = f"this is nested deeper than {MAX_DEPTH} levels"
            hint = "no field needs that; is there a bracket or a '- ' too many?"
            self._problems.error("YAML-TOO-DEEP", place, what, hint)
            return False
        if event.anchor is not None or event.tag is not None:
            self._refuse_properties(event)
        node = (Mapping if is_mapping else Sequence)(*place)
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
            hint = "write `key: value`; a text that starts with [ or { needs quotes"
            self._problems.error("YAML-KEY", key, "a key must be text, not a list or a map", hint)
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
        place = self.place(event.start_mark)
        if event.anchor is not None:
            what = f"the anchor &{event.anchor[:40]} is refused: anchors are not used here"
            self._problems.error("YAML-ANCHOR", place, what, "write the value where it is needed")
        if event.tag is not None:
            what = f"the tag {shown(event.tag)} is refused: tags are not used here"
            self._problems.error("YAML-TAG", place, what, "every field knows what it takes")
