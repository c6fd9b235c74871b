"""Copies into mirrors, as plans and runs show them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.model.plan import Plan
from orchestrator.render.lines import event_line
from orchestrator.render.markdown import plan_markdown
from orchestrator.render.style import Style
from orchestrator.render.text import finished_text, plan_text
from tests.render.conftest import Golden
from tests.render.runs import COPY, FINISHED, MADE, MIRRORING, NOT_MADE, STOPPED
from tests.render.sample import WORLDS


def _plan(world: str, copies: int = 1) -> Plan:
    made = tuple(replace(COPY, upstream=f"debian:{n}") for n in range(1, copies))
    return replace(WORLDS[world]().plan(), mirrors=(COPY, *made))


@pytest.mark.parametrize("width", [0, 80])
@pytest.mark.parametrize("world", ["upstream-moved", "no-op"])
def test_plan(world: str, width: int, golden: Golden) -> None:
    """A line for each copy, before the sum; also where nothing is to be built."""
    shown = plan_text(_plan(world), WORLDS[world]().parents(), Style(color=False, width=width))
    golden(f"mirrors-plan-{world}-{width}.txt", shown)


def test_many_copies_are_counted() -> None:
    """A screen is not filled with them, unless everything is asked for."""
    plan, parents = _plan("no-op", 40), WORLDS["no-op"]().parents()
    style = Style(color=False, width=0)
    assert "\nand 28 more\n" in plan_text(plan, parents, style)
    assert plan_text(plan, parents, style, every=True).count("mirror debian:") == 40


def test_comment(golden: Golden) -> None:
    """A comment on a pull request folds them."""
    world = WORLDS["upstream-moved"]()
    golden("mirrors-comment.md", plan_markdown(_plan("upstream-moved"), world.parents()))


@pytest.mark.parametrize("width", [0, 60])
def test_lines(width: int, golden: Golden) -> None:
    """What begins, what is tried again, and how it ended; how far it is, is no line."""
    lines = [event_line(event, Style(color=False, width=width)) for event in MIRRORING]
    assert lines[1] is None
    golden(f"mirrors-lines-{width}.txt", "\n".join(filter(None, lines)) + "\n")


def test_end_of_a_run(golden: Golden) -> None:
    """A copy that was not made is an error in full, one that was stopped is none."""
    event = replace(FINISHED["failed"](), mirrors=(MADE, NOT_MADE, STOPPED))
    golden("mirrors-finished.txt", finished_text(event, Style(color=False, width=80)))
