"""What stands on what, as far as somebody asked to see it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from orchestrator.model.hierarchy import ParentKind


class NodeState(StrEnum):
    """How an image stands; UNKNOWN where nobody looked."""

    UNKNOWN = "unknown"
    UP_TO_DATE = "up-to-date"
    BUILD = "build"
    AWAIT = "await"
    RETAG = "retag"
    HELD = "held"
    UNUSABLE = "unusable"
    FAILED = "failed"
    RETIRED = "retired"
    UNPROMOTED = "unpromoted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """An image or an upstream.

    Attributes:
        id: image id, or the upstream's name; no two nodes of a graph have the same.
        kind: which of both.
        version: of an image; empty for an upstream.
        tier: free word, may be empty.
        repository: where it is published, or looked up.
        state: how it stands.
        selected: it was asked for; False: it is shown because something selected stands on it.
    """

    id: str
    kind: ParentKind
    version: str = ""
    tier: str = ""
    repository: str = ""
    state: NodeState = NodeState.UNKNOWN
    selected: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One node stands on another.

    Attributes:
        parent: id of the node below.
        child: id of the image that stands on it.
        final: the child has the parent's layers; False: only a build stage uses it.
    """

    parent: str
    child: str
    final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Nodes, parents before children, and the edges between them.

    Attributes:
        hierarchy: its name.
        nodes: upstreams just before the first image that stands on them.
        edges: by child in the nodes' order, the final stage's parent first.
    """

    hierarchy: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
