"""What machines read of graphs and of what a change would set in motion."""

from __future__ import annotations

from orchestrator.model.blast import Blast
from orchestrator.model.graph import Graph

FORMAT = 1


def graph_json(graph: Graph) -> dict[str, object]:
    """Return a graph: nodes with parents before children, edges from parent to child.

    Form: orchestrator/schema/graph.json
    """
    return {
        "format": FORMAT,
        "kind": "graph",
        "hierarchy": graph.hierarchy,
        "nodes": [
            {
                "id": node.id,
                "kind": str(node.kind),
                "version": node.version,
                "tier": node.tier,
                "repository": node.repository,
                "state": str(node.state),
                "selected": node.selected,
            }
            for node in graph.nodes
        ],
        "edges": [
            {"parent": edge.parent, "child": edge.child, "final": edge.final}
            for edge in graph.edges
        ],
    }


def blast_json(blast: Blast) -> dict[str, object]:
    """Return how far a change would reach; times in seconds."""
    return {
        "format": FORMAT,
        "kind": "what-if",
        "hierarchy": blast.hierarchy,
        "changed": list(blast.changed),
        "upstreams": list(blast.upstreams),
        "rebuilds": [
            {
                "image": rebuild.image,
                "tier": rebuild.tier,
                "depth": rebuild.depth,
                "lasts_s": round(rebuild.lasts_s, 3),
                "known": rebuild.known,
            }
            for rebuild in blast.rebuilds
        ],
        "chain": list(blast.chain),
        "chain_s": round(blast.chain_s, 3),
        "total_s": round(blast.total_s, 3),
        "run_s": round(blast.run_s, 3),
        "slots": blast.slots,
        "guess_s": round(blast.guess_s, 3),
        "unknown": list(blast.unknown),
        "told": [
            {"team": told.team, "images": list(told.images), "channels": list(told.channels)}
            for told in blast.told
        ],
        "summary": {"rebuilds": len(blast.rebuilds), "images": blast.of},
    }
