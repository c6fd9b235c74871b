"""A hierarchy in, what is to be drawn of it out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Set

from orchestrator.model.graph import Edge, Graph, Node, NodeState
from orchestrator.model.hierarchy import Hierarchy, Image, Parent, ParentKind
from orchestrator.model.plan import ADVISORY, Cause, Decision, Verdict
from orchestrator.model.run import Outcome

_STATES = {
    Verdict.BUILD: NodeState.BUILD,
    Verdict.AWAIT: NodeState.AWAIT,
    Verdict.RETAG: NodeState.RETAG,
    Verdict.FAIL: NodeState.UNUSABLE,
}


def graph_of(
    hierarchy: Hierarchy, selected: Set[str], states: Mapping[str, NodeState] | None = None
) -> Graph:
    """Return the selected images, and what they stand on directly.

    Args:
        hierarchy: what stands on what.
        selected: image ids.
        states: image id → how it stands; None: nobody looked.
    """
    chosen = [image for image in hierarchy.images.values() if image.id in selected]
    shown = {image.id for image in chosen}
    shown |= {parent for image in chosen for parent in image.image_parents()}
    nodes: dict[str, Node] = {}
    edges: list[Edge] = []
    for image in hierarchy.images.values():
        if image.id not in shown:
            continue
        if image.id in selected:
            for parent in _parents(image):
                if parent.kind is ParentKind.UPSTREAM and parent.subject not in nodes:
                    nodes[parent.subject] = _upstream(parent.subject, hierarchy)
                edges.append(Edge(parent=parent.subject, child=image.id, final=parent.final))
        nodes[image.id] = Node(
            id=image.id,
            kind=ParentKind.IMAGE,
            version=image.version,
            tier=image.tier or "",
            repository=str(image.repository),
            state=_state(image, states),
            selected=image.id in selected,
        )
    return Graph(hierarchy=hierarchy.name, nodes=tuple(nodes.values()), edges=tuple(edges))


def _parents(image: Image) -> list[Parent]:
    """Return one parent for each subject, the final stage's first."""
    first: dict[str, Parent] = {}
    for parent in sorted(image.parents, key=lambda parent: not parent.final):
        first.setdefault(parent.subject, parent)
    return list(first.values())


def _upstream(name: str, hierarchy: Hierarchy) -> Node:
    source = hierarchy.upstreams[name].source if name in hierarchy.upstreams else name
    return Node(id=name, kind=ParentKind.UPSTREAM, repository=str(source))


def _state(image: Image, states: Mapping[str, NodeState] | None) -> NodeState:
    if image.retired:
        return NodeState.RETIRED
    return (states or {}).get(image.id, NodeState.UNKNOWN)


def node_states(
    decisions: tuple[Decision, ...], outcomes: Mapping[str, Outcome]
) -> dict[str, NodeState]:
    """Return image id → how it stands.

    An image that is to be built and whose last build failed has failed.

    Args:
        decisions: what a run would do now.
        outcomes: image id → how its last step ended.
    """
    return {decision.image: _stands(decision, outcomes) for decision in decisions}


def _stands(decision: Decision, outcomes: Mapping[str, Outcome]) -> NodeState:
    causes = {reason.cause for reason in decision.reasons}
    if Cause.RETIRED in causes:
        return NodeState.RETIRED
    if Cause.NOT_SELECTED in causes:
        return NodeState.UNKNOWN
    if decision.verdict is Verdict.KEEP:
        if Cause.UNPROMOTED in causes:
            return NodeState.UNPROMOTED
        return NodeState.HELD if causes - ADVISORY else NodeState.UP_TO_DATE
    built = decision.verdict in (Verdict.BUILD, Verdict.AWAIT)
    if built and outcomes.get(decision.image) is Outcome.FAILED:
        return NodeState.FAILED
    return _STATES[decision.verdict]
