"""What a selector says: ``python+``, ``tier:runtime``, ``label:team=web``. Its grammar alone.

Which images that is, :mod:`orchestrator.decide.select` knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from fnmatch import translate
from math import inf

_TERM = re.compile(
    r"(?:(?P<above>[0-9]{0,6})(?P<up>\+))?(?P<body>.+?)(?:(?P<down>\+)(?P<below>[0-9]{0,6}))?",
    re.DOTALL,
)
_GLOB = re.compile(r"[*?\[]")

#: Something true for a text that fits.
Test = Callable[[str], object]


class Trait(StrEnum):
    """What a selector goes by."""

    NAME = "name"
    TIER = "tier"
    LABEL = "label"
    STATE = "state"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """One selector, read.

    Attributes:
        trait: what it goes by.
        value: an id, a former one, a tier, ``KEY``, ``KEY=VALUE`` or a state; of all but the
            state it may be a glob.
        above: levels of ancestors that are meant too; infinite: all of them.
        below: levels of descendants, likewise.
    """

    trait: Trait
    value: str
    above: float = 0
    below: float = 0

    @property
    def is_glob(self) -> bool:
        """Whether its value is a pattern, which may fit nothing."""
        return _GLOB.search(self.value) is not None

    @property
    def prefix(self) -> str:
        """What everything that its value fits starts with."""
        glob = _GLOB.search(self.value)
        return self.value[: glob.start()] if glob else self.value

    def test(self) -> Test:
        """Return what says whether a name, a tier, ``KEY`` or ``KEY=VALUE`` fits."""
        return glob_test(self.value)


class NoSelectorError(ValueError):
    """A text that is no selector.

    Attributes:
        hint: what to write; empty where only the images' names would help.
    """

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.hint = hint


def read_selector(text: str) -> Selector:
    """Return what a selector says.

    Raises:
        NoSelectorError: it says nothing.
    """
    read = _TERM.fullmatch(text)
    if read is None:
        raise NoSelectorError("a selector is empty")
    trait, value = _body(read["body"])
    return Selector(
        trait=trait,
        value=value,
        above=_levels(read["above"]) if read["up"] else 0,
        below=_levels(read["below"]) if read["down"] else 0,
    )


def glob_test(pattern: str) -> Test:
    """Return what says whether a text is like a glob (``*``, ``?``, ``[…]``), all of it."""
    if not _GLOB.search(pattern):
        return pattern.__eq__
    return re.compile(translate(pattern)).match


def _body(body: str) -> tuple[Trait, str]:
    kind, colon, value = body.partition(":")
    if not colon:
        return Trait.NAME, body
    if kind in (Trait.TIER, Trait.LABEL):
        return Trait(kind), value
    if kind == Trait.STATE and value == "failed":
        return Trait.STATE, value
    close = get_close_matches(kind, (Trait.TIER, Trait.LABEL), 1, 0.5)
    known = "with a colon there are tier:NAME, label:KEY=VALUE and state:failed"
    hint = f"did you mean {close[0]}:{value}?" if close else known
    raise NoSelectorError(f"{body!r} is no selector", hint)


def _levels(number: str) -> float:
    return int(number) if number else inf
