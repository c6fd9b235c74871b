"""`orchestrate graph`: what stands on what."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from orchestrator.cli.command import command
from orchestrator.cli.selecting import ABOUT_SELECTORS, choose, selection_options
from orchestrator.cli.session import Session
from orchestrator.cli.streams import write_out
from orchestrator.cli.workplace import Workplace, workplace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.decide.select import Chosen, Selection
    from orchestrator.model.graph import Graph, NodeState


@command(
    "graph",
    forms=("text", "mermaid", "dot", "json"),
    about=f"""Draw what stands on what: images, and the upstreams they come from.

    Needs the files alone; with --status it asks the registry how every image stands. What is not
    selected is shown where something selected stands on it.

    {ABOUT_SELECTORS}
    """,
    examples=(
        ("orchestrate graph", "all of it, as a tree"),
        ("orchestrate graph +hello", "what hello stands on"),
        ("orchestrate graph --status base+2", "how base stands, and two levels on it"),
        ("orchestrate graph -o dot", "for `dot -Tsvg`"),
        ("orchestrate graph tier:runtime -o mermaid", "for a page that draws Mermaid"),
    ),
)
@click.option(
    "--status", "looks", is_flag=True, help="Mark every image by how it stands in the registry."
)
@click.option("--all", "every", is_flag=True, help="List every image, however many there are.")
@selection_options
def graph(session: Session, selection: Selection, looks: bool, every: bool) -> int:
    """Look, and draw."""
    from orchestrator.explain.graph import graph_of
    from orchestrator.render.json_graph import graph_json
    from orchestrator.render.text import graph_text

    with workplace(session, fetch=looks) as place:
        chosen = choose(session, place, selection)
        states = _states(place, chosen) if looks else None
        drawn = graph_of(place.hierarchy, chosen.images, states)
    if draw := _language(session.settings.output):
        _warn_of_limits(session, drawn)
        return write_out(draw(drawn))
    every = every or session.settings.verbose
    return session.answer(
        lambda style: graph_text(drawn, style, every=every), lambda: graph_json(drawn)
    )


def _states(place: Workplace, chosen: Chosen) -> Mapping[str, NodeState]:
    from orchestrator import questions
    from orchestrator.explain.graph import node_states

    found = questions.status(place.hierarchy, place.doors, chosen)
    outcomes = place.doors.history.last_outcomes(place.hierarchy.name)
    return node_states(tuple(status.decision for status in found), outcomes)


def _language(form: str) -> Callable[[Graph], str] | None:
    if form == "mermaid":
        from orchestrator.render.mermaid import graph_mermaid

        return graph_mermaid
    if form == "dot":
        from orchestrator.render.dot import graph_dot

        return graph_dot
    return None


def _warn_of_limits(session: Session, drawn: Graph) -> None:
    if session.settings.output != "mermaid":
        return
    from orchestrator.render.mermaid import MOST_EDGES

    if len(drawn.edges) > MOST_EDGES:
        session.warn(
            f"the graph has {len(drawn.edges)} edges, and Mermaid draws {MOST_EDGES} unless its "
            "maxEdges is raised: select fewer images, or use -o dot"
        )
