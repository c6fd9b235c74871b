"""Comments on plans of hundreds of images: within GitHub's limits, and still worth reading."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.model.plan import Cause, Reason
from orchestrator.render.markdown import MOST_CHARACTERS, marker, plan_markdown
from orchestrator.render.mermaid import MOST_CHARACTERS as MOST_IN_GRAPH
from orchestrator.render.mermaid import MOST_EDGES
from tests.render.conftest import Golden
from tests.render.large import Large, large
from tests.render.test_markdown import parsed


def comment(world: Large) -> str:
    return plan_markdown(world.plan, world.parents, world.tiers)


def graph(text: str) -> str:
    return text.partition("```mermaid\n")[2].partition("```")[0]


SHAPES = {
    "small": (2, 2, 3), "leaves": (3, 5, 12), "500": (10, 4, 11), "800": (10, 6, 12),
    "flat": (500, 0, 0), "deep": (1, 1, 500), "wide": (250, 1, 0), "10,000": (100, 9, 10),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_every_size_fits(name: str) -> None:
    """The comment and its graph stay under the limits; one graph, all tables whole."""
    text = comment(large(*SHAPES[name]))
    assert len(text) <= MOST_CHARACTERS
    assert len(graph(text)) <= MOST_IN_GRAPH
    assert graph(text).count(" --> ") + graph(text).count(" -.-> ") <= MOST_EDGES
    assert 0 < sum('["' in line for line in graph(text).splitlines()) <= 60
    assert sum(token.type == "fence" for token in parsed(text)) == 1
    assert text.count("<details>") == text.count("</details>") == 2


def test_a_long_table_is_folded_away() -> None:
    """Of a first run nothing follows from something else: the graph must not be pages below."""
    world = large(*SHAPES["500"])
    new = (Reason(cause=Cause.NEVER_PUBLISHED),)
    decisions = tuple(replace(d, reasons=new) for d in world.plan.decisions)
    text = plan_markdown(replace(world.plan, decisions=decisions), world.parents, world.tiers)
    assert "<details><summary>491 images, and why</summary>\n\n|  | Image | Why |" in text
    assert text.count("<details>") == text.count("</details>") == 3
    assert text.index("</details>") < text.index("```mermaid")
    assert len(text) <= MOST_CHARACTERS


def test_a_small_graph_has_every_image() -> None:
    """Up to 60 nodes each is drawn by itself."""
    world = large(*SHAPES["small"])
    assert all(f'"{image} ' in graph(comment(world)) for image in world.decisions)


def test_leaves_that_share_a_fate_share_a_node() -> None:
    """The first step down: applications on one app server are one node with a number."""
    text = comment(large(*SHAPES["leaves"]))
    assert '"app-0-0-0 #8230; and 11 more #40;waits#41;"' in graph(text)
    assert "Images that share a parent and a fate share a node." in text


def test_500_images_are_drawn_by_tier(golden: Golden) -> None:
    """The second step down; the tables say how much they leave out, and where all of it is."""
    text = comment(large(*SHAPES["500"]))
    assert '"application#58; 440 waiting"' in graph(text)
    assert "And 490 images wait for what they stand on." in text
    assert "orchestrate plan --all" in text
    golden("plan-500.md", text)


def test_without_tiers_levels_are_drawn() -> None:
    """Not everybody says what tier an image is of."""
    world = large(*SHAPES["500"])
    text = plan_markdown(world.plan, world.parents, dict.fromkeys(world.parents, ""))
    assert '"level 4#58; 440 waiting"' in graph(text)


def test_a_change_among_hundreds_is_in_the_table() -> None:
    """What only follows is counted; what changed by itself is listed, with what it causes."""
    world = large(*SHAPES["500"])
    world.change("gunicorn-3-2")
    text = comment(world)
    assert "| rebuilt | gunicorn-3-2 | context images/gunicorn-3-2 changed" in text
    assert "| 11 images: app-3-2-0, " in text


def test_many_own_changes_end_with_a_number() -> None:
    """A table that is cut says how many rows are missing, and where they are."""
    world = large(*SHAPES["800"])
    for image in world.decisions:
        world.change(image)
    text = comment(world)
    assert len(text) <= MOST_CHARACTERS
    assert "| … and " in text
    assert "more | <code>orchestrate plan --all</code> shows everything. | |" in text


def test_hundreds_that_are_left_out_are_no_part_of_it() -> None:
    """A plan of one image out of 500 is a small comment."""
    world = large(*SHAPES["500"])
    others = set(world.decisions) - {"app-0-0-0"}
    world.keep(*others, reasons=(Reason(cause=Cause.NOT_SELECTED),))
    text = comment(world)
    assert "### gold: 1 waiting, 490 left out" in text
    assert len(text) < 1500


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("gold", "<!-- orchestrate plan: gold -->"),
        ("a.b_c-d", "<!-- orchestrate plan: a.b_c-d -->"),
        ("x --> <script>", "<!-- orchestrate plan: x_--___script_ -->"),
    ],
)
def test_the_marker_is_a_comment_of_one_line(name: str, line: str) -> None:
    """A job finds its comment by it, one for each hierarchy of a repository."""
    assert marker(name) == line
