"""What is to be drawn of a hierarchy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.explain.graph import graph_of, node_states
from orchestrator.model.graph import Edge, Graph, NodeState
from orchestrator.model.hierarchy import ParentKind
from orchestrator.model.plan import Cause, Decision, Reason, Verdict
from orchestrator.model.run import Outcome
from tests.render.sample import DEBIAN, SAMPLE, hierarchy_of


def drawn(*selected: str) -> Graph:
    return graph_of(hierarchy_of(SAMPLE), frozenset(selected or SAMPLE))


def test_everything_is_drawn_where_nothing_is_selected() -> None:
    """Every image and upstream once, parents before children."""
    graph = drawn()
    assert [node.id for node in graph.nodes] == [DEBIAN, *SAMPLE]
    assert {node.id for node in graph.nodes if node.kind is ParentKind.UPSTREAM} == {DEBIAN}
    assert all(node.selected for node in graph.nodes)


def test_an_image_with_two_parents_has_two_edges() -> None:
    """First the one whose layers it has, then the one that a build stage uses."""
    edges = [edge for edge in drawn().edges if edge.child == "docs-site"]
    assert edges == [
        Edge(parent="nginx", child="docs-site", final=True),
        Edge(parent="python", child="docs-site", final=False),
    ]


def test_parents_outside_the_selection_are_leaves() -> None:
    """One sees what it stands on, and nothing of what that stands on."""
    graph = drawn("hello", "docs-site")
    assert {node.id: node.selected for node in graph.nodes} == {
        "python": False,
        "gunicorn": False,
        "hello": True,
        "nginx": False,
        "docs-site": True,
    }
    assert {edge.child for edge in graph.edges} == {"hello", "docs-site"}


def test_retired_images_are_known_without_looking() -> None:
    """The file says so."""
    hierarchy = hierarchy_of(SAMPLE)
    retired = replace(hierarchy.images["hello"], retired=True, parents=())
    hierarchy = replace(hierarchy, images={**hierarchy.images, "hello": retired})
    graph = graph_of(hierarchy, frozenset(SAMPLE))
    states = {node.id: node.state for node in graph.nodes}
    assert (states["hello"], states["base"]) == (NodeState.RETIRED, NodeState.UNKNOWN)


@pytest.mark.parametrize(
    ("verdict", "cause", "outcome", "state"),
    [
        (Verdict.KEEP, None, Outcome.FAILED, NodeState.UP_TO_DATE),
        (Verdict.KEEP, Cause.REJECTED, None, NodeState.HELD),
        (Verdict.KEEP, Cause.NOT_SELECTED, None, NodeState.UNKNOWN),
        (Verdict.KEEP, Cause.RETIRED, None, NodeState.RETIRED),
        (Verdict.KEEP, Cause.RENAMED, None, NodeState.UP_TO_DATE),
        (Verdict.BUILD, Cause.CONTEXT, None, NodeState.BUILD),
        (Verdict.BUILD, Cause.CONTEXT, Outcome.FAILED, NodeState.FAILED),
        (Verdict.BUILD, Cause.CONTEXT, Outcome.BLOCKED, NodeState.BUILD),
        (Verdict.AWAIT, Cause.PARENT_PENDING, None, NodeState.AWAIT),
        (Verdict.RETAG, Cause.TAG_MISSING, Outcome.FAILED, NodeState.RETAG),
    ],
)
def test_states(
    verdict: Verdict, cause: Cause | None, outcome: Outcome | None, state: NodeState
) -> None:
    """What a run would do, and whether the last one failed with it."""
    reasons = (Reason(cause=cause),) if cause else ()
    decision = Decision(image="a", verdict=verdict, reasons=reasons)
    assert node_states((decision,), {"a": outcome} if outcome else {}) == {"a": state}
