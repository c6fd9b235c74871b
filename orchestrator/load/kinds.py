"""The kinds of value a field of ``hierarchy.yaml`` can take.

They only describe: :mod:`orchestrator.load.read` reads by them, and
:mod:`orchestrator.load.schema` turns them into a JSON Schema.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple


class Complaint(NamedTuple):
    """Why a text is not what a field takes.

    Attributes:
        code: as in :class:`orchestrator.errors.Problem`.
        what: end of a sentence that starts with the field's name: ``is not a tag``.
        hint: may be empty.
    """

    code: str
    what: str
    hint: str = ""


class Text(NamedTuple):
    """A scalar, taken exactly as it was written: ``3.10`` is "3.10", ``on`` is "on".

    Attributes:
        what: what the text has to be, for messages: ``a lower-case name``.
        pattern: regular expression for the whole text, in the common part of Python's and
            ECMAScript's languages; None when ``check`` says everything.
        code: of the problem when the pattern does not match.
        choices: the only texts allowed; empty for no such limit.
        check: says more about a text that matches the pattern.
        longest: most characters.
        private: whether it may be a secret, which messages do not repeat.
        loose: whether editors may take the unquoted text for a number or a boolean.
        braces: whether it may have braces that are no axis of a matrix.
        or_else: what else its field takes, for hints beside ``choices``.
    """

    what: str
    pattern: str | None = None
    code: str = "BAD-VALUE"
    choices: tuple[str, ...] = ()
    check: Callable[[str], Complaint | None] | None = None
    longest: int = 255
    private: bool = False
    loose: bool = False
    braces: bool = False
    or_else: str = ""


class Flag(NamedTuple):
    """``true`` or ``false``, and nothing else that YAML would take for it."""


class Whole(NamedTuple):
    """A whole number in plain decimal digits.

    Attributes:
        least: that is allowed.
        most: that is allowed.
        hint: for a number outside of that.
    """

    least: int
    most: int
    hint: str = ""


class ListOf(NamedTuple):
    """A list, as a rule without doubles.

    Attributes:
        item: kind of every item.
        least: fewest items.
        most: most items.
        may_repeat: whether a text may stand in it twice, like an argument of a program.
    """

    item: Any
    least: int = 0
    most: int | None = None
    may_repeat: bool = False


class OneOrMore(NamedTuple):
    """A text, or a list of them without doubles and not empty.

    Attributes:
        item: kind of every text.
        most: most items.
    """

    item: Text
    most: int | None = None


class MapOf(NamedTuple):
    """A map whose keys are the user's.

    Attributes:
        key: kind of every key.
        value: kind of every value.
        least: fewest entries.
        most: most entries.
    """

    key: Text
    value: Any
    least: int = 0
    most: int | None = None


class Either(NamedTuple):
    """A text, or a record in place of it.

    Attributes:
        text: the short form, with choices; its ``or_else`` shows the long one.
        record: the long form: one key, a record of its own.
    """

    text: Text
    record: Any


class AllOrEach(NamedTuple):
    """One value for all, or a map with the user's keys; read as a map, the one value under ``*``.

    Attributes:
        key: kind of every key; with a matrix around it, keys may have its axes.
        value: kind of every value.
        most: most entries.
    """

    key: Text
    value: Either
    most: int | None = None


class Field(NamedTuple):
    """One key of a record.

    Attributes:
        kind: of its value.
        doc: what it means, one or two sentences.
        required: whether it must be there.
        default: what counts when it is not, as people would write it; only for the schema.
        unless: another key of the record: where it is there, and not false, this one may be
            missing.
        varies: ``{axis}`` of the record's ``matrix`` is filled in here.
        example: a line that says it, for who forgot it.
    """

    kind: Any
    doc: str
    required: bool = False
    default: Any = None
    unless: str = ""
    varies: bool = False
    example: str = ""


class Record(NamedTuple):
    """A map whose keys are ours.

    Attributes:
        title: what one of it is called in messages: ``an image``.
        fields: by key, in the order of the documentation.
        one_of: keys of which exactly one must be there; empty for no such rule.
        is_top: it is the whole file, which messages need not say.
        elsewhere: key that belongs into another place → the end of a sentence that says so.
    """

    title: str
    fields: Mapping[str, Field]
    one_of: tuple[str, ...] = ()
    is_top: bool = False
    elsewhere: Mapping[str, str] = MappingProxyType({})


Kind = Text | Flag | Whole | ListOf | OneOrMore | MapOf | Either | AllOrEach | Record
