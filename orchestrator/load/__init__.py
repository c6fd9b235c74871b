"""``hierarchy.yaml`` and the Dockerfiles it names → a valid Hierarchy, or every error at once.

In the order of the flow: ``yaml_nodes`` (bytes → nodes with places), ``read`` (nodes → values, by
the table in ``fields`` and the texts in ``grammar``), ``include`` (which further files), ``matrix``
(one entry → many images), ``inherit`` (what they share), ``draft``, ``rules`` and ``life`` (what
the files alone can be wrong about), ``names``, ``parents``, ``order`` and ``resolve`` (what the
Dockerfiles add). Pure: no file, no network, no clock, no environment; the caller reads what
``Opened.includes`` names and looks at what ``Draft.wanted`` names.
"""

from __future__ import annotations

from orchestrator.load.draft import Draft
from orchestrator.load.include import Included, Opened, complete, open_top
from orchestrator.load.resolve import resolve

__all__ = ["Draft", "Included", "Opened", "complete", "open_top", "parse", "resolve"]


def parse(content: bytes, file: str) -> Draft:
    """Return what a hierarchy file says by itself, as far as it can be told.

    Args:
        content: the file's bytes.
        file: its path as the user would write it; for messages and for Dockerfiles' paths.

    Returns:
        The draft; ``Draft.problems`` holds what is wrong so far. What it includes counts as
        absent. Never raises on bad input, and takes time and memory in proportion to its size.
    """
    return complete(open_top(content, file), {})
