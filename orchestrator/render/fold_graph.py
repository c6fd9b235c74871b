"""Which nodes of a large graph share a line, so that hundreds of them fit on a screen."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from orchestrator.model.graph import Graph, Node, NodeState
from orchestrator.render.fold import LEAST_SAVED, MOST_LINES

#: (what it is drawn under, itself): a node is drawn under each of its parents.
Place = tuple[str | None, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Nodes under one parent that share a line.

    Attributes:
        images: their ids, in the graph's order.
        above: ids of the nodes that stand in full on those, and are not listed.
    """

    images: tuple[str, ...]
    above: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What is drawn under what.

    Attributes:
        nodes: by id, parents before children.
        under: id → the node that it stands in full under; roots are not in it.
        children: id, or None for the roots → what is drawn under it, in full or not.
    """

    nodes: Mapping[str, Node]
    under: Mapping[str, str]
    children: Mapping[str | None, list[str]]

    def is_full(self, place: Place) -> bool:
        """Say whether a node stands here in full; else here is only a line that says where."""
        parent, image = place
        return self.under.get(image) == parent


def drawing_of(graph: Graph) -> Drawing:
    """Return what is drawn under what: in full under the parent whose layers a node has."""
    under: dict[str, str] = {}
    children: dict[str | None, list[str]] = {}
    for edge in graph.edges:
        under.setdefault(edge.child, edge.parent)
        children.setdefault(edge.parent, []).append(edge.child)
    nodes = {node.id: node for node in graph.nodes}
    children[None] = [image for image in nodes if image not in under]
    return Drawing(nodes=nodes, under=under, children=children)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tree:
    """What is drawn under a node that stands in full, itself included.

    Attributes:
        height: levels above it.
        lines: of all of it.
        states: of those in it that stand there in full.
    """

    height: int
    lines: int
    states: frozenset[NodeState]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """What may share a line.

    Attributes:
        alike: only what stands alike.
        failed: also what failed, behind what did not.
    """

    alike: bool = False
    failed: bool = False


def bundles_of(drawing: Drawing, most: int = MOST_LINES) -> dict[Place, Bundle]:
    """Return place → the nodes that share a line there, of which the first is drawn.

    Nothing is folded where there are few lines. Else from the top down, as far as is needed:
    nodes under one parent that stand alike, with what stands on them; if that is not enough those
    that do not, but what failed; and only then, where very much did, that too.

    Args:
        drawing: what is drawn under what.
        most: lines that are not too many.
    """
    trees = _trees(drawing)
    if sum(trees[image].lines for image in drawing.children[None]) <= most:
        return {}
    highest = max(tree.height for tree in trees.values())
    found: dict[Place, Bundle] = {}
    for rule in (_Rule(alike=True), _Rule(), _Rule(failed=True)):
        low, high = 0, highest
        while low < high:
            middle = (low + high) // 2
            if _lines(drawing, _bundles(drawing, trees, middle, rule)) <= most:
                high = middle
            else:
                low = middle + 1
        found = _bundles(drawing, trees, low, rule)
        if _lines(drawing, found) <= most:
            break
    return found


def _trees(drawing: Drawing) -> dict[str, _Tree]:
    found: dict[str, _Tree] = {}
    for image in reversed(list(drawing.nodes)):
        children = drawing.children.get(image, ())
        full = [found[child] for child in children if drawing.is_full((image, child))]
        states = frozenset((drawing.nodes[image].state,)).union(*(tree.states for tree in full))
        found[image] = _Tree(
            height=max((tree.height + 1 for tree in full), default=bool(children)),
            lines=1 + sum(tree.lines for tree in full) + len(children) - len(full),
            states=states,
        )
    return found


def _bundles(
    drawing: Drawing, trees: Mapping[str, _Tree], height: int, rule: _Rule
) -> dict[Place, Bundle]:
    """Return the bundles of nodes that are not higher than this.

    Args:
        drawing: what is drawn under what.
        trees: what is drawn under each node.
        height: levels above a node that may be folded with it.
        rule: what may share a line.
    """
    found: dict[Place, Bundle] = {}
    waiting: list[str | None] = [None]
    while waiting:
        parent = waiting.pop()
        kinds: dict[Hashable, list[str]] = {}
        for image in drawing.children.get(parent, ()):
            full = drawing.is_full((parent, image))
            hidden = _hides_failure(drawing.nodes[image], trees[image]) and not rule.failed
            if full and (trees[image].height > height or hidden):
                waiting.append(image)
                continue
            kind: Hashable = drawing.under[image] if rule.alike and not full else None
            if full:
                kind = _kind(drawing.nodes[image], trees[image], rule)
            kinds.setdefault(kind, []).append(image)
        for images in kinds.values():
            full_ones = [image for image in images if drawing.is_full((parent, image))]
            lines = sum(trees[i].lines for i in full_ones) + len(images) - len(full_ones)
            if lines - 1 < LEAST_SAVED:
                waiting += full_ones
                continue
            bundle = Bundle(images=tuple(images), above=_above(drawing, full_ones))
            found |= {(parent, image): bundle for image in images}
    return found


def _hides_failure(node: Node, tree: _Tree) -> bool:
    return NodeState.FAILED in tree.states and node.state is not NodeState.FAILED


def _kind(node: Node, tree: _Tree, rule: _Rule) -> Hashable:
    if rule.alike:
        return node.kind, node.selected, node.state, tree.states
    return node.kind, node.selected, NodeState.FAILED in tree.states


def _above(drawing: Drawing, images: list[str]) -> tuple[str, ...]:
    found: list[str] = []
    waiting = images[::-1]
    while waiting:
        image = waiting.pop()
        full = [i for i in drawing.children.get(image, ()) if drawing.is_full((image, i))]
        found += full
        waiting += full[::-1]
    return tuple(found)


def _lines(drawing: Drawing, bundles: Mapping[Place, Bundle]) -> int:
    lines = 0
    waiting: list[str | None] = [None]
    while waiting:
        parent = waiting.pop()
        for image in drawing.children.get(parent, ()):
            bundle = bundles.get((parent, image))
            if bundle is None and drawing.is_full((parent, image)):
                waiting.append(image)
            lines += bundle is None or bundle.images[0] == image
    return lines
