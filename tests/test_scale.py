"""Hierarchies deeper than Python's own stack, and wide ones: everything gets through.

Correctness alone: how long ten thousand images take is measured by `scripts/bench scale`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from orchestrator import flow, questions
from orchestrator.decide.select import select, with_ancestors
from orchestrator.errors import BuildFailed
from orchestrator.explain.blast import blast_radius
from orchestrator.explain.graph import graph_of
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.plan import Plan
from orchestrator.model.run import Outcome
from orchestrator.plan.file import plan_json, read_plan
from orchestrator.plan.schedule import Schedule
from orchestrator.render.dot import graph_dot
from orchestrator.render.json import status_json
from orchestrator.render.json_graph import graph_json
from orchestrator.render.markdown import plan_markdown
from orchestrator.render.mermaid import graph_mermaid
from orchestrator.render.style import Style
from orchestrator.render.text_blast import blast_text
from orchestrator.render.text_graph import graph_text
from orchestrator.render.text_plan import plan_text
from orchestrator.render.text_status import status_text, why_text
from tests.world import World

COUNT = sys.getrecursionlimit() + 100
IDS = tuple(f"i{n:04}" for n in range(COUNT))
FIRST, LAST = IDS[0], IDS[-1]
STYLE = Style(color=False, width=80)


@dataclass(frozen=True)
class Large:
    """A large hierarchy of which nothing is published, loaded and planned once for all tests."""

    world: World
    hierarchy: Hierarchy
    plan: Plan
    parents: dict[str, tuple[str, ...]]


@pytest.fixture(scope="module", params=["deep", "wide"])
def large(request: pytest.FixtureRequest) -> Large:
    below = dict(zip(IDS[1:], IDS if request.param == "deep" else [FIRST] * COUNT, strict=False))
    texts = {image: f"FROM {below.get(image, 'debian:12')}\nRUN make\n" for image in IDS}
    world = World(dockerfiles=texts, others={})
    hierarchy = world.hierarchy()
    plan = flow.plan(hierarchy, world.doors, flow.Wish())
    parents = {image.id: image.image_parents() for image in hierarchy.images.values()}
    return Large(world, hierarchy, plan, parents)


SHOWN: dict[str, Callable[[Large], str]] = {
    "plan": lambda big: plan_text(big.plan, big.parents, STYLE),
    "plan, every image": lambda big: plan_text(big.plan, big.parents, STYLE, every=True),
    "plan, verbose": lambda big: plan_text(big.plan, big.parents, STYLE, verbose=True),
    "plan, Markdown": lambda big: plan_markdown(big.plan, big.parents),
    "status": lambda big: status_text(questions.status(big.hierarchy, big.world.doors), STYLE),
    "status, JSON": lambda big: json.dumps(
        status_json(questions.status(big.hierarchy, big.world.doors))
    ),
    "why": lambda big: why_text(questions.why(big.hierarchy, big.world.doors, LAST), STYLE),
    "graph": lambda big: graph_text(graph_of(big.hierarchy, set(IDS)), STYLE),
    "graph, JSON": lambda big: json.dumps(graph_json(graph_of(big.hierarchy, set(IDS)))),
    "graph, dot": lambda big: graph_dot(graph_of(big.hierarchy, set(IDS))),
    "graph, Mermaid": lambda big: graph_mermaid(graph_of(big.hierarchy, set(IDS))),
    "what if": lambda big: blast_text(
        blast_radius(big.hierarchy, frozenset({FIRST}), {}, 4), STYLE
    ),
}


@pytest.mark.parametrize("what", SHOWN)
def test_everything_can_be_shown(large: Large, what: str) -> None:
    """No chain is too long and no row too wide to be drawn, listed or explained."""
    assert SHOWN[what](large).strip()


def test_a_plan_has_them_all_and_can_be_saved(large: Large) -> None:
    """Every image has its step, parents before children; what was saved is what is read."""
    assert tuple(step.image for step in large.plan.steps) == IDS
    text = json.dumps(plan_json(large.plan)).encode()
    assert read_plan(text, "plan.json") == large.plan


def test_selectors_reach_both_ends(large: Large) -> None:
    """All that stands on the first image; all that the last one stands on."""
    deep = large.parents[LAST] != (FIRST,)
    assert select(large.hierarchy, [f"{FIRST}+"]) == set(IDS)
    below = set(IDS) if deep else {FIRST, LAST}
    assert select(large.hierarchy, [f"+{LAST}"]) == below
    assert with_ancestors(large.hierarchy, [LAST]) == below


def test_a_schedule_of_them_ends(large: Large) -> None:
    """Each becomes ready once, parents first; a failure at the bottom blocks all the others."""
    schedule = Schedule(large.plan, {})
    order: list[str] = []
    while schedule.unfinished:
        (image,) = schedule.ready(1)
        schedule.start(image)
        schedule.succeed(image)
        order.append(image)
    assert tuple(order) == IDS

    schedule = Schedule(large.plan, {})
    schedule.start(FIRST)
    assert schedule.fail(FIRST) == IDS[1:]
    assert not schedule.unfinished
    assert schedule.ready() == ()


def test_a_failure_at_the_bottom_of_a_run_blocks_them_all(large: Large) -> None:
    """The run ends, and says of every image what became of it."""
    world = World(dockerfiles=dict(large.world.dockerfiles), others={})
    world.builder.fail(FIRST, BuildFailed("RUN broken", cause="command"))
    outcomes = world.build()
    assert outcomes.pop(FIRST) is Outcome.FAILED
    assert (len(outcomes), set(outcomes.values())) == (COUNT - 1, {Outcome.BLOCKED})
