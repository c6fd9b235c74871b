"""Graphs in the language of Graphviz."""

from __future__ import annotations

from orchestrator.model.graph import Graph, Node, NodeState
from orchestrator.model.hierarchy import ParentKind
from orchestrator.render.style import terminal_text
from orchestrator.render.words import NODE_STATES

_LOOKS = {
    NodeState.UNKNOWN: "",
    NodeState.UP_TO_DATE: 'color="#1a7f37"',
    NodeState.BUILD: 'color="#bf8700", penwidth=2',
    NodeState.AWAIT: 'color="#bf8700", style="rounded,dashed"',
    NodeState.RETAG: 'color="#0969da"',
    NodeState.UNPROMOTED: 'color="#0969da", penwidth=2',
    NodeState.HELD: 'color="#cf222e", penwidth=2',
    NodeState.UNUSABLE: 'color="#cf222e", penwidth=2, style="rounded,dotted"',
    NodeState.FAILED: 'color="#cf222e", penwidth=2, style="rounded,dashed"',
    NodeState.RETIRED: 'color="#8c959f", style="rounded,dotted"',
}
_OUTSIDE = 'color="#8c959f", fontcolor="#6e7781", style="rounded,dotted"'
_UPSTREAM = 'shape=cylinder, style="", color="#8250df"'


def graph_dot(graph: Graph) -> str:
    """Return a directed graph that `dot` draws, parents on the left."""
    lines = [
        f"digraph {_quoted(graph.hierarchy)} {{",
        "  rankdir=LR;",
        '  node [shape=box, style=rounded, fontname="sans-serif"];',
    ]
    lines += [f"  {_quoted(node.id)} [{_attributes(node)}];" for node in graph.nodes]
    for edge in graph.edges:
        looks = "" if edge.final else " [style=dashed]"
        lines.append(f"  {_quoted(edge.parent)} -> {_quoted(edge.child)}{looks};")
    return "\n".join([*lines, "}"]) + "\n"


def _attributes(node: Node) -> str:
    words = NODE_STATES[node.state]
    text = node.id + (f"\n{words}" if words else "")
    label = f"label={_label(text)}"
    if node.kind is ParentKind.UPSTREAM:
        return f"{label}, {_UPSTREAM}"
    looks = _LOOKS[node.state] if node.selected else _OUTSIDE
    return ", ".join(filter(None, (label, looks)))


def _quoted(text: str) -> str:
    r"""Return text as a quoted name: it ends neither the quotes nor begins an escape."""
    safe = terminal_text(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{safe}"'


def _label(text: str) -> str:
    r"""Return a label, in which ``&lt;``, ``\N`` and others would mean something."""
    lines = (_quoted(line.replace("&", "&amp;"))[1:-1] for line in text.split("\n"))
    return '"' + "\\n".join(lines) + '"'
