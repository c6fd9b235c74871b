"""`orchestrate graph`."""

from __future__ import annotations

import pytest

from orchestrator.doors.memory.registry import RegistryCall
from tests.cli.stage import Stage


def test_the_graph_needs_no_network(stage: Stage) -> None:
    """Only the files: it works where the registry is down."""

    def down(call: RegistryCall) -> None:
        raise AssertionError(f"asked for {call}")

    stage.world.registry.fault = down
    ran = stage.run("graph")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith("8 images on 1 upstream.\n")
    assert "see under nginx" in ran.out


def test_with_status_every_image_is_marked(stage: Stage) -> None:
    """By what a run would do, and whether the last one failed with it."""
    stage.run("build")
    stage.world.edit("web", "RUN exit 1")
    stage.write()
    stage.run("build")
    nodes = stage.run("graph", "--status", "-o", "json").data["nodes"]
    states = {node["id"]: node["state"] for node in nodes}
    assert states["base"] == "up-to-date"
    assert (states["web"], states["nginx"], states["debian:12"]) == ("failed", "await", "unknown")
    assert "failed last" in stage.run("graph", "--status").out


def test_the_graph_is_focused_by_selectors(stage: Stage) -> None:
    """The selected images; what they stand on is there, and not selected."""
    nodes = stage.run("graph", "gunicorn+", "--exclude", "hello", "-o", "json").data["nodes"]
    assert {node["id"]: node["selected"] for node in nodes} == {"python": False, "gunicorn": True}


def test_a_selector_that_means_nothing_is_an_error(stage: Stage) -> None:
    """With the nearest name."""
    ran = stage.run("graph", "pyton")
    assert (ran.code, ran.out) == (2, "")
    assert "did you mean python?" in ran.err


@pytest.mark.parametrize(
    ("form", "first"), [("mermaid", "flowchart TD"), ("dot", 'digraph "gold"')]
)
def test_other_languages(stage: Stage, form: str, first: str) -> None:
    """For pages and for Graphviz."""
    ran = stage.run("graph", "-o", form)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(first)


def test_more_than_mermaid_draws_is_warned_of(stage: Stage) -> None:
    """501 edges: it is printed, and somebody should know."""
    stage.world.dockerfiles |= {f"i{n}": "FROM base\n" for n in range(493)}
    stage.world.write()
    stage.write()
    ran = stage.run("graph", "-o", "mermaid")
    assert ran.code == 0
    assert ran.err == (
        "warning: the graph has 502 edges, and Mermaid draws 500 unless its maxEdges is raised: "
        "select fewer images, or use -o dot\n"
    )
    assert stage.run("graph", "-o", "dot").err == ""


@pytest.mark.parametrize("option", ["--all", "-v"])
def test_a_large_graph_is_folded_as_text_alone(stage: Stage, option: str) -> None:
    """`--all` and -v list every image; for programs nothing is ever left out."""
    stage.world.dockerfiles |= {f"i{n}": "FROM base\n" for n in range(200)}
    stage.world.write()
    stage.write()
    folded = stage.run("graph").out
    assert len(folded.splitlines()) < 70
    assert "… and 199 more" in folded
    assert len(stage.run("graph", option).out.splitlines()) > 208
    for form in ("json", "dot", "mermaid"):
        assert stage.run("graph", "-o", form).out.count("i199") > 0
        assert stage.run("graph", "-o", form).out == stage.run("graph", "--all", "-o", form).out
