"""Graphs in Mermaid's language, as GitHub, GitLab and its own editor read it.

Nodes get numbers for names, since `end` and others mean something there, and every character of a
label that is not plain becomes a numbered one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.model.graph import Graph, Node, NodeState
from orchestrator.model.hierarchy import ParentKind
from orchestrator.render.style import terminal_text
from orchestrator.render.words import NODE_STATES

#: What Mermaid draws unless whoever runs it raises the limits, which a graph itself cannot.
MOST_EDGES, MOST_CHARACTERS = 500, 50_000
_LONGEST_LABEL = 64

#: Class → its looks. Strokes only, so that text can be read on light and dark pages.
_LOOKS = {
    "new": "stroke:#1a7f37,stroke-width:3px",
    "rebuilt": "stroke:#bf8700,stroke-width:3px",
    "waits": "stroke:#bf8700,stroke-dasharray:4",
    "retag": "stroke:#0969da",
    "held": "stroke:#cf222e,stroke-width:3px",
    "failed": "stroke:#cf222e,stroke-width:3px,stroke-dasharray:4",
    "kept": "stroke:#8c959f",
    "current": "stroke:#1a7f37",
    "retired": "stroke:#8c959f,stroke-dasharray:1",
    "upstream": "stroke:#8250df",
    "outside": "stroke:#8c959f,stroke-dasharray:2",
}

#: State → class.
_STATES = {
    NodeState.UP_TO_DATE: "current",
    NodeState.BUILD: "rebuilt",
    NodeState.AWAIT: "waits",
    NodeState.RETAG: "retag",
    NodeState.UNPROMOTED: "retag",
    NodeState.HELD: "held",
    NodeState.UNUSABLE: "failed",
    NodeState.FAILED: "failed",
    NodeState.RETIRED: "retired",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One node.

    Attributes:
        text: its label, as it came.
        looks: a class of those above; empty for the usual looks.
        round: drawn round, for what comes from outside.
    """

    text: str
    looks: str = ""
    round: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """One edge between nodes by their numbers.

    Attributes:
        tail: where it begins.
        head: where it ends.
        solid: False: dashed.
    """

    tail: int
    head: int
    solid: bool = True


def flowchart(boxes: Sequence[Box], arrows: Iterable[Arrow], direction: str = "LR") -> str:
    """Return a flowchart.

    Args:
        boxes: the nodes; the number of one is its place.
        arrows: the edges.
        direction: ``LR`` or ``TD``.
    """
    lines = [f"flowchart {direction}"]
    for n, box in enumerate(boxes):
        left, right = ("([", "])") if box.round else ("[", "]")
        looks = f":::{box.looks}" if box.looks else ""
        lines.append(f'  n{n}{left}"{label(box.text)}"{right}{looks}')
    lines += [f"  n{a.tail} {'-->' if a.solid else '-.->'} n{a.head}" for a in arrows]
    used = {box.looks for box in boxes}
    lines += [f"  classDef {name} {looks}" for name, looks in _LOOKS.items() if name in used]
    return "\n".join(lines) + "\n"


def label(text: str) -> str:
    """Return text for a quoted label: whatever is not plain becomes a numbered character."""
    safe = terminal_text(text)
    if len(safe) > 2 * _LONGEST_LABEL:
        safe = safe[: 2 * _LONGEST_LABEL] + "…"
    plain = (c.isascii() and (c.isalnum() or c in "._/- ") for c in safe)
    return "".join(c if ok else f"#{ord(c)};" for c, ok in zip(safe, plain, strict=True))


def graph_mermaid(graph: Graph) -> str:
    """Return a graph as a Mermaid flowchart, parents above what stands on them."""
    number = {node.id: n for n, node in enumerate(graph.nodes)}
    arrows = (
        Arrow(tail=number[edge.parent], head=number[edge.child], solid=edge.final)
        for edge in graph.edges
    )
    return flowchart([_box(node) for node in graph.nodes], arrows, "TD")


def _box(node: Node) -> Box:
    if node.kind is ParentKind.UPSTREAM:
        return Box(text=node.id, looks="upstream", round=True)
    looks, words = _STATES.get(node.state, ""), NODE_STATES[node.state]
    # Colours alone do not reach everybody.
    text = f"{node.id} ({words})" if words else node.id
    return Box(text=text, looks=looks if node.selected else "outside")
