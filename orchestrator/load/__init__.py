"""``hierarchy.yaml`` and the Dockerfiles it names → a valid Hierarchy, or every error at once.

In the order of the flow: ``yaml_nodes`` (bytes → nodes with places), ``read`` (nodes → values, by
the table in ``fields``), ``draft`` and ``rules`` (what the file alone can be wrong about),
``names``, ``parents``, ``order`` and ``resolve`` (what the Dockerfiles add). Pure: no file, no
network, no clock, no environment; the caller looks at what ``Draft.wanted`` names.
"""

from __future__ import annotations

from orchestrator.load.draft import Draft
from orchestrator.load.fields import HIERARCHY
from orchestrator.load.problems import Problems
from orchestrator.load.read import Values, read_record
from orchestrator.load.resolve import resolve
from orchestrator.load.rules import check
from orchestrator.load.yaml_nodes import Mapping, decode, read_nodes

__all__ = ["Draft", "parse", "resolve"]


def parse(content: bytes, file: str) -> Draft:
    """Return what a hierarchy file says, as far as it can be told.

    Args:
        content: the file's bytes.
        file: its path as the user would write it; for messages and for Dockerfiles' paths.

    Returns:
        The draft; ``Draft.problems`` holds what is wrong so far. Never raises on bad input, and
        takes time and memory in proportion to its size.
    """
    text, unreadable = decode(content)
    problems = Problems(file, text)
    top = Values()
    if unreadable:
        problems.error(unreadable.code, unreadable, unreadable.what, unreadable.hint)
        return Draft(file, top, problems)
    root = read_nodes(text, problems)
    if isinstance(root, Mapping):
        top = read_record(HIERARCHY, root, "the hierarchy", problems)
    elif root is not None and not problems.errors:
        hint = "start with `version: 1`"
        problems.error("WRONG-TYPE", root, "a hierarchy file is a map of keys and values", hint)
    draft = Draft(file, top, problems)
    check(draft)
    return draft
