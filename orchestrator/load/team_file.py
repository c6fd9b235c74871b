"""A team's own file as text: a new one, or one with another subscription at its end. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from orchestrator.load.include import TEAMS_DIRECTORY, TEAMS_ENDING

#: What a key of a subscription says, as it is written.
Said: TypeAlias = "str | bool | Sequence[str] | Mapping[str, Said]"

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._/-]*")
_NOT_TEXT = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))
_LIST = re.compile(
    r"^subscriptions:[ \t]*(?P<empty>\[[ \t]*\])?[ \t]*(?P<rest>#[^\r\n]*)?\r?$", re.MULTILINE
)
_ITEM = re.compile(r"^(?P<indent> *)-(?: |$)", re.MULTILINE)


def team_path(team: str) -> str:
    """Return the path of a team's own file, relative to the hierarchy's directory."""
    return f"{TEAMS_DIRECTORY}/{team}{TEAMS_ENDING}"


def new_text(team: str, entry: Mapping[str, Said]) -> str:
    """Return a file with one subscription."""
    return f"team: {_written(team)}\nsubscriptions:\n{_item(entry)}"


def extended_text(text: str, entry: Mapping[str, Said]) -> str:
    """Return a file with another subscription at its end; whatever it says stays as it is.

    A guess: whoever writes it reads it first, and sees whether it says what was meant.
    """
    found = _LIST.search(text)
    if found is None:
        return f"{_ended(text)}subscriptions:\n{_item(entry)}"
    if found["empty"]:
        rest = f" {found['rest']}" if found["rest"] else ""
        before, behind = text[: found.start()], text[found.end() :].lstrip()
        return f"{before}subscriptions:{rest}\n{_item(entry)}{behind}"
    item = _ITEM.search(text, found.end())
    return _ended(text) + _item(entry, item["indent"] if item else "  ")


def _item(entry: Mapping[str, Said], indent: str = "  ") -> str:
    """Return one item of the list."""
    lines = [f"{key}: {_written(value)}" for key, value in entry.items()]
    return "".join(f"{indent}{'  ' if n else '- '}{line}\n" for n, line in enumerate(lines))


def flow_text(entry: Mapping[str, Said]) -> str:
    """Return one item of the list, on one line."""
    return _written(entry)


def _written(value: Said) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT
        return value if plain else _quoted(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_written(one)}" for key, one in value.items()) + "}"
    return "[" + ", ".join(map(_written, value)) + "]"


def _quoted(text: str) -> str:
    """Return text between double quotes, with nothing in it that does not show."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in quoted)


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"
