"""Graphs as a tree, in Mermaid's language, in Graphviz's, and as JSON."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from orchestrator.explain.graph import graph_of
from orchestrator.model.graph import Edge, Graph, Node, NodeState
from orchestrator.model.hierarchy import ParentKind
from orchestrator.render.cells import cell_width
from orchestrator.render.dot import graph_dot
from orchestrator.render.json_graph import graph_json
from orchestrator.render.mermaid import graph_mermaid
from orchestrator.render.style import Style, terminal_text
from orchestrator.render.text import graph_text
from tests.render.conftest import Golden
from tests.render.large import large
from tests.render.sample import SAMPLE, hierarchy_of

STATES = dict(zip(SAMPLE, list(NodeState)[1:], strict=False))
GRAPHS = {
    "all": graph_of(hierarchy_of(SAMPLE), frozenset(SAMPLE)),
    "states": graph_of(hierarchy_of(SAMPLE), frozenset(SAMPLE), STATES),
    "focused": graph_of(hierarchy_of(SAMPLE), frozenset({"docs-site", "hello"}), STATES),
}
HOSTILE = [
    'a"b', "a\\b", "end", "subgraph", 'x" click n0 href "javascript:alert(1)"', "%%{init: {}}%%",
    "a&amp;b", "<b>bold</b>", "n0]:::x", "\u202ereversed \x1b[31m", "two\nlines", "`code`", "-->",
    "{x}", "\\N \\G \\l", "a;b", "#quot;", "名前", "x" * 300, "", "}", "]", "-", "é",
]  # fmt: skip


@pytest.mark.parametrize("name", GRAPHS)
def test_as_a_tree(name: str, golden: Golden) -> None:
    """Every image once in full; where it stands on several, the others say where to look."""
    shown = graph_text(GRAPHS[name], Style(color=False, width=80))
    golden(f"graph-{name}-80.txt", shown)
    assert max(map(cell_width, shown.splitlines())) <= 80


@pytest.mark.parametrize("name", GRAPHS)
def test_as_mermaid(name: str, golden: Golden) -> None:
    """States have classes and words; a build stage's parent has a dashed edge."""
    golden(f"graph-{name}.mmd", graph_mermaid(GRAPHS[name]))


@pytest.mark.parametrize("name", GRAPHS)
def test_as_dot(name: str, golden: Golden) -> None:
    """For `dot -Tsvg`."""
    golden(f"graph-{name}.dot", graph_dot(GRAPHS[name]))


def test_as_json(golden: Golden) -> None:
    """`orchestrate schema graph` describes it."""
    said = graph_json(GRAPHS["focused"])
    golden("graph.json", said)
    schema = json.loads(files("orchestrator").joinpath("schema", "graph.json").read_text())
    validator = Draft202012Validator(schema)
    for graph in GRAPHS.values():
        validator.validate(graph_json(graph))
    assert not validator.is_valid({**said, "nodes": [{}]})
    states = schema["properties"]["nodes"]["items"]["properties"]["state"]["enum"]
    assert states == [*map(str, NodeState)]


def test_in_ascii_and_in_colour() -> None:
    """A terminal without Unicode gets the same tree; colours change nothing but colours."""
    plain = graph_text(GRAPHS["states"], Style(color=False, width=80, unicode=False))
    assert plain.isascii()
    colored = graph_text(GRAPHS["states"], Style(color=True, width=80))
    assert re.sub(r"\x1b\[\d+m", "", colored) == graph_text(
        GRAPHS["states"], Style(color=False, width=80)
    )


def test_nothing_to_draw() -> None:
    """A selection may mean nothing."""
    empty = graph_of(hierarchy_of(SAMPLE), frozenset())
    assert graph_text(empty, Style(color=False, width=80)) == "No images.\n"
    assert graph_mermaid(empty) == "flowchart TD\n"
    assert graph_json(empty)["nodes"] == []


def test_a_chain_of_thousands_is_drawn() -> None:
    """No limit of recursion; the nearest levels are seen."""
    nodes = tuple(Node(id=f"i{n}", kind=ParentKind.IMAGE) for n in range(3000))
    edges = tuple(Edge(parent=f"i{n}", child=f"i{n + 1}", final=True) for n in range(2999))
    graph = Graph(hierarchy="gold", nodes=nodes, edges=edges)
    lines = graph_text(graph, Style(color=False, width=80), every=True).splitlines()
    assert len(lines) == 3003
    assert max(map(cell_width, lines)) <= 80


def of_names(names: list[str]) -> Graph:
    kinds = list(ParentKind)
    states = list(NodeState)
    unique = list(dict.fromkeys(names))
    nodes = tuple(
        Node(id=n, kind=kinds[i % 2], state=states[i % 8], version=n, tier=n, selected=i % 3 > 0)
        for i, n in enumerate(unique)
    )
    edges = tuple(Edge(parent=unique[0], child=n, final=i > 2) for i, n in enumerate(unique[1:]))
    return Graph(hierarchy=names[0], nodes=nodes, edges=edges)


names = st.lists(st.one_of(st.text(max_size=30), st.sampled_from(HOSTILE)), min_size=1, max_size=8)
_DOT_STRING = r'"(?:[^"\\]|\\.)*"'
_DOT_LINES = re.compile(
    rf"digraph {_DOT_STRING} \{{|  rankdir=LR;|  node \[shape=box, style=rounded, "
    rf'fontname="sans-serif"\];|  {_DOT_STRING} \[label={_DOT_STRING}[a-z0-9=", #]*\];'
    rf"|  {_DOT_STRING} -> {_DOT_STRING}(?: \[style=dashed\])?;|\}}"
)
_MERMAID_LINES = re.compile(
    r"flowchart TD|  n\d+\(?\[\"[A-Za-z0-9._/ #;-]*\"\]\)?(?::::[a-z]+)?"
    r"|  n\d+ (?:-->|-\.->) n\d+|  classDef [a-z]+ [a-z0-9#:,-]+"
)


@given(names)
def test_names_leave_neither_their_labels_nor_their_lines(names: list[str]) -> None:
    """Whatever an image is called, it is text in a label, in both languages."""
    graph = of_names(names)
    for line in graph_dot(graph).splitlines():
        assert _DOT_LINES.fullmatch(line), line
    for line in graph_mermaid(graph).splitlines():
        assert _MERMAID_LINES.fullmatch(line), line
    shown = graph_text(graph, Style(color=False, width=60))
    assert all(cell_width(line) <= 60 for line in shown.splitlines())
    assert all(terminal_text(line) == line for line in shown.splitlines())


def test_a_backslash_begins_no_escape() -> None:
    r"""In Graphviz's labels ``\N`` is the node's name, and ``&lt;`` another character."""
    assert '[label="\\\\N &amp;lt;"]' in graph_dot(
        Graph(hierarchy="g", nodes=(Node(id="\\N &lt;", kind=ParentKind.IMAGE),), edges=())
    )


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs Graphviz")
def test_graphviz_draws_it() -> None:
    """`dot` takes it without a complaint, hostile names and hundreds of nodes included."""
    for graph in (of_names(HOSTILE), large(10, 4, 11).graph, *GRAPHS.values()):
        done = subprocess.run(
            ["dot", "-Tplain"], input=graph_dot(graph), capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stderr) == (0, "")
        drawn = sum(line.startswith("node ") for line in done.stdout.splitlines())
        assert drawn == len(graph.nodes)
