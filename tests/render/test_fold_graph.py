"""Graphs of hundreds of images on one screen, and a way to see all of them."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from orchestrator.model.graph import Edge, Graph, Node, NodeState
from orchestrator.model.hierarchy import ParentKind
from orchestrator.render.cells import cell_width
from orchestrator.render.fold import MOST_LINES
from orchestrator.render.fold_graph import bundles_of, drawing_of
from orchestrator.render.style import Style
from orchestrator.render.text import graph_text
from tests.render.conftest import Golden
from tests.render.large import large

STYLE = Style(color=False, width=80)


def alike(graph: Graph, state: NodeState = NodeState.UNKNOWN) -> Graph:
    """Return the same graph, every image selected and in one state."""
    nodes = (replace(node, selected=True, state=state) for node in graph.nodes)
    return replace(graph, nodes=tuple(nodes))


def with_states(graph: Graph, states: dict[str, NodeState]) -> Graph:
    nodes = (replace(node, state=states.get(node.id, node.state)) for node in graph.nodes)
    return replace(graph, nodes=tuple(nodes))


def fan(children: int, extra: tuple[Edge, ...] = ()) -> Graph:
    """Return `a` and `z`, and images on `a`."""
    names = [f"i{n:03}" for n in range(children)]
    nodes = tuple(Node(id=name, kind=ParentKind.IMAGE) for name in ("a", "z", *names))
    edges = tuple(Edge(parent="a", child=name, final=True) for name in names)
    return Graph(hierarchy="gold", nodes=nodes, edges=edges + extra)


def counted_in(shown: str) -> int:
    """Return how many nodes the lines of a tree stand for; lines that only point do not count."""
    tree = shown.partition("\n\n")[0].splitlines()[1:]
    tree = [line for line in tree if "see under" not in line and not re.match(r" +\d", line)]
    more = sum(int(n) for line in tree for n in re.findall(r"… and (\d+) more", line))
    above = sum(int(n) for line in tree for n in re.findall(r"(\d+) on (?:it|them)", line))
    return len(tree) + more + above


def test_800_images_fit_on_a_screen(golden: Golden) -> None:
    """Leaves share a line under what they stand on, with what is in the way; the sum is right."""
    graph = alike(large(10, 6, 12).graph)
    shown = graph_text(graph, STYLE)
    assert len(shown.splitlines()) <= MOST_LINES + 6
    assert max(map(cell_width, shown.splitlines())) <= 80
    assert counted_in(shown) == len(graph.nodes) == 792
    assert "`orchestrate graph --all` lists every image" in shown
    golden("graph-800-80.txt", shown)


@pytest.mark.parametrize("shape", [(60, 1, 1), (2, 2, 200), (1, 1, 500), (1, 200, 2), (300, 0, 0)])
@pytest.mark.parametrize("same", [True, False])
def test_every_shape_is_folded(shape: tuple[int, int, int], same: bool) -> None:
    """Wide anywhere, in one state or in all of them: few lines, and nobody is lost."""
    graph = large(*shape).graph
    graph = alike(graph) if same else graph
    shown = graph_text(graph, Style(color=False, width=500))
    assert len(shown.splitlines()) <= 2 * MOST_LINES + 6
    assert counted_in(shown) == len(graph.nodes)
    assert max(map(cell_width, graph_text(graph, STYLE).splitlines())) <= 80


def test_all_of_them_can_be_seen() -> None:
    """Every image has its line, and nothing is said of groups."""
    graph = large(10, 6, 12).graph
    shown = graph_text(graph, STYLE, every=True)
    assert len(shown.splitlines()) > 792
    assert all(re.search(rf"(?m)\b{re.escape(n.id)}(\s|$)", shown) for n in graph.nodes)
    assert "groups" not in shown


def test_up_to_60_lines_are_not_folded() -> None:
    """One more, and they are."""
    assert bundles_of(drawing_of(fan(MOST_LINES - 2))) == {}
    assert "more" not in graph_text(fan(MOST_LINES - 2), STYLE)
    shown = graph_text(fan(MOST_LINES - 1), STYLE)
    assert f"i000 … and {MOST_LINES - 2} more" in shown


def test_what_failed_stays_in_sight() -> None:
    """One of 800 that differs has a line of its own."""
    graph = alike(large(10, 6, 12).graph, NodeState.UP_TO_DATE)
    shown = graph_text(with_states(graph, {"app-3-2-7": NodeState.FAILED}), STYLE)
    assert re.search(r"app-3-2-7 +application +failed last", shown)
    assert counted_in(shown) == 792
    # Also where states are so many that groups mix them.
    mixed = large(300, 0, 0).graph
    mixed = with_states(mixed, {n.id: list(NodeState)[i % 6] for i, n in enumerate(mixed.nodes)})
    shown = graph_text(with_states(mixed, {"python-3.150": NodeState.FAILED}), STYLE)
    assert re.search(r"python-3.150 +runtime +failed last", shown)


def test_lines_that_only_point_are_folded_too() -> None:
    """An image on two parents has a line under both, and is folded under both."""
    extra = tuple(Edge(parent="z", child=f"i{n:03}", final=False) for n in range(100))
    graph = fan(100, extra)
    shown = graph_text(graph, STYLE)
    assert re.search(r"(?m)^└─ i000 … and 99 more +see under a$", shown)
    assert counted_in(shown) == 102


def test_a_chain_of_thousands_is_folded() -> None:
    """Its end is folded into what it stands on; no limit of recursion."""
    nodes = tuple(Node(id=f"i{n}", kind=ParentKind.IMAGE) for n in range(3000))
    edges = tuple(Edge(parent=f"i{n}", child=f"i{n + 1}", final=True) for n in range(2999))
    graph = Graph(hierarchy="gold", nodes=nodes, edges=edges)
    shown = graph_text(graph, Style(color=False, width=200))
    assert len(shown.splitlines()) <= MOST_LINES + 6
    assert counted_in(shown) == 3000


def test_the_number_outlives_a_long_name() -> None:
    """What is cut is the name."""
    graph = fan(100)
    long = {node.id: f"{node.id}-{'x' * 150}" for node in graph.nodes}
    graph = Graph(
        hierarchy="gold",
        nodes=tuple(replace(node, id=long[node.id]) for node in graph.nodes),
        edges=tuple(replace(e, parent=long[e.parent], child=long[e.child]) for e in graph.edges),
    )
    shown = graph_text(graph, STYLE)
    assert "… and 99 more" in shown
    assert max(map(cell_width, shown.splitlines())) <= 80
