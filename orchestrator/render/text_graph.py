"""A graph for people: a tree in which every image stands once in full."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.model.graph import Graph, Node, NodeState
from orchestrator.model.hierarchy import ParentKind
from orchestrator.render.cells import cell_width
from orchestrator.render.fold_graph import Bundle, Drawing, Place, bundles_of, drawing_of
from orchestrator.render.style import Style
from orchestrator.render.table import Cell, Paint, Row, table
from orchestrator.render.tree import drawn, ink_of
from orchestrator.render.words import NODE_STATES, counted, listed_up_to

_OUTSIDE = "not selected"
#: Columns of a name that others share a line with, at the least.
_LEAST_NAME = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class _Visit:
    image: str
    under: str | None
    base: str
    last: bool


def graph_text(graph: Graph, style: Style, *, every: bool = False) -> str:
    """Return a graph as a tree.

    An image with several parents stands in full under the one whose layers it has; under the
    others is a line that says where. Where there would be too many lines, nodes share some.

    Args:
        graph: what to draw.
        style: how it may look.
        every: a line for every image, however many.
    """
    if not graph.nodes:
        return "No images.\n"
    drawing = drawing_of(graph)
    bundles = {} if every else bundles_of(drawing)
    rows = _rows(drawing, bundles, style)
    looked = any(node.state not in _NOBODY_LOOKED for node in graph.nodes)
    header = ("IMAGE", "VERSION", "TIER", "STATE" if looked else "")
    lines = table(header, rows, style, whole=frozenset({0} if bundles else ()))
    lines += ["", *map(style.bold, style.wrap(_summary(graph)))]
    if bundles:
        text = "Shown in groups; `orchestrate graph --all` lists every image."
        lines += map(style.dim, style.wrap(text))
    return "\n".join(lines) + "\n"


_NOBODY_LOOKED = (NodeState.UNKNOWN, NodeState.RETIRED)


def _rows(drawing: Drawing, bundles: Mapping[Place, Bundle], style: Style) -> list[Row]:
    ink = ink_of(style)
    rows: list[Row] = []

    def visits(parent: str | None, base: str) -> list[_Visit]:
        """Return what to draw under a node, the first one last."""
        shown = [
            image
            for image in drawing.children.get(parent, ())
            if (place := (parent, image)) not in bundles or bundles[place].images[0] == image
        ]
        return [
            _Visit(image=image, under=parent, base=base, last=n == len(shown) - 1)
            for n, image in enumerate(shown)
        ][::-1]

    waiting = visits(None, "")
    while waiting:
        visit = waiting.pop()
        place = visit.under, visit.image
        lead, below = drawn(visit.base, ink, root=visit.under is None, last=visit.last)
        bundle = bundles.get(place) or Bundle(images=(visit.image,))
        if drawing.is_full(place):
            rows.append(_row(drawing, bundle, lead, style))
        else:
            rows.append(_elsewhere(drawing, bundle, lead, style))
        if place not in bundles and drawing.is_full(place):
            waiting += visits(visit.image, below)
    return rows


def _name(bundle: Bundle, lead: str, style: Style) -> str:
    name = style.clean(bundle.images[0])
    more = len(bundle.images) - 1
    if not more:
        return lead + name
    # The number is worth more than the end of a name.
    suffix = style.clean(f" … and {more} more")
    room = max(style.columns // 2 - cell_width(lead + suffix), _LEAST_NAME)
    return lead + style.cut(name, room) + suffix


def _elsewhere(drawing: Drawing, bundle: Bundle, lead: str, style: Style) -> Row:
    where = listed_up_to(tuple(dict.fromkeys(drawing.under[i] for i in bundle.images)), 2)
    return Row(
        cells=(
            Cell(text=_name(bundle, lead, style), paint=style.dim),
            *(Cell(text=""), Cell(text="")),
            Cell(text=f"see under {where}", paint=style.dim),
        )
    )


def _row(drawing: Drawing, bundle: Bundle, lead: str, style: Style) -> Row:
    nodes = [drawing.nodes[image] for image in bundle.images]
    node = nodes[0]
    tiers = {_tier(one) for one in nodes}
    versions = {one.version for one in nodes}
    known = node.selected and node.kind is ParentKind.IMAGE
    every = [*nodes, *(drawing.nodes[image] for image in bundle.above)]
    counts = Counter(NODE_STATES[one.state] for one in every if NODE_STATES[one.state])
    states = ", ".join(f"{number} {words}" for words, number in counts.most_common())
    failed = next((one for one in every if one.state is NodeState.FAILED), node)
    told = (
        f"{len(bundle.above)} on {'it' if len(nodes) == 1 else 'them'}" if bundle.above else "",
        *(counts if len(counts) == 1 else ()),
        "" if node.selected else _OUTSIDE,
    )
    return Row(
        cells=(
            Cell(text=_name(bundle, lead, style), paint=style.bold if known else style.dim),
            Cell(text=node.version if len(versions) == 1 else ""),
            Cell(text=_tier(node) if len(tiers) == 1 else "", paint=style.dim),
            Cell(text=", ".join(filter(None, told)), paint=_paint(failed, style)),
        ),
        below=(Cell(text=states, paint=_paint(failed, style)),) if len(counts) > 1 else (),
        indent=cell_width(lead),
    )


def _tier(node: Node) -> str:
    return "upstream" if node.kind is ParentKind.UPSTREAM else node.tier


def _paint(node: Node, style: Style) -> Paint:
    if not node.selected:
        return style.dim
    paints = {
        NodeState.UP_TO_DATE: style.good,
        NodeState.BUILD: style.warn,
        NodeState.AWAIT: style.note,
        NodeState.RETAG: style.note,
        NodeState.UNPROMOTED: style.note,
        NodeState.HELD: style.bad,
        NodeState.UNUSABLE: style.bad,
        NodeState.FAILED: style.bad,
    }
    return paints.get(node.state, style.dim)


def _summary(graph: Graph) -> str:
    images = [node for node in graph.nodes if node.kind is ParentKind.IMAGE]
    chosen = [node for node in images if node.selected]
    counts = Counter(NODE_STATES[node.state] for node in chosen if NODE_STATES[node.state])
    states = ", ".join(f"{number} {words}" for words, number in counts.most_common())
    outside = len(images) - len(chosen)
    upstreams = len(graph.nodes) - len(images)
    said = [counted(len(chosen), "image")]
    if outside:
        said.append(f"on {counted(outside, 'image')} not selected")
    if upstreams:
        said.append(f"{'and' if outside else 'on'} {counted(upstreams, 'upstream')}")
    return " ".join(said) + (f": {states}." if states else ".")
