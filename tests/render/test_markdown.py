"""Plans on pull requests. ``UPDATE_GOLDEN=1 pytest tests/render`` writes the golden files."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from orchestrator.model.plan import Cause, Decision, Reason, Verdict
from orchestrator.render.markdown import escaped, marker, plan_markdown
from orchestrator.render.style import terminal_text
from tests.render.conftest import Golden
from tests.render.sample import WORLDS

HOSTILE = [
    "a|b",
    "`code`",
    "``` fence",
    "<script>alert(1)</script>",
    "<!-- comment -->",
    "[link](http://evil.example)",
    "![image](http://evil.example/x.png)",
    "http://evil.example and www.evil.example",
    "@team #12 owner/repo#3",
    "**bold** _it_ ~~gone~~",
    "\\| \\` \\",
    "&amp; &#64;x",
    "$math$",
    "line\nbreak\n\n| new | row |",
    "end",
    '"]:::x; click n0 href "javascript:alert(1)"',
    "%%{init: {}}%%",
    "\u202ereversed \x1b[31m",
    "x" * 5000,
]


@pytest.mark.parametrize("name", WORLDS)
def test_every_situation(name: str, golden: Golden) -> None:
    """A summary, a table with the reasons, a graph, and what is kept folded away."""
    world = WORLDS[name]()
    golden(f"plan-{name}.md", plan_markdown(world.plan(), world.parents()))


def parsed(text: str) -> list[Token]:
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    return [t for token in tokens for t in (token, *(token.children or ()))]


@given(st.one_of(st.text(), st.sampled_from(HOSTILE)))
def test_escaped_text_reads_as_it_was(text: str) -> None:
    """In a table's cell, any text is one text, and reads as it would on a terminal."""
    table = f"|a|b|\n|-|-|\n| {escaped(text)} | end |\n"
    tokens = parsed(table)
    assert {t.type for t in tokens} <= {
        "table_open", "thead_open", "tr_open", "th_open", "inline", "text", "th_close",
        "tr_close", "thead_close", "tbody_open", "td_open", "td_close", "tbody_close",
        "table_close", "text_special",
    }  # fmt: skip
    cells = [t.content for t in tokens if t.type == "inline"]
    assert (cells[:2], len(cells), cells[3]) == (["a", "b"], 4, "end")
    around = parsed(f"x{escaped(text)}x")
    read = "".join(t.content for t in around if t.type in ("text", "text_special"))
    shown = terminal_text(text)
    shown = shown if len(shown) <= 600 else shown[:600] + "…"
    assert read.replace("\u200b", "") == f"x{shown}x"


@pytest.mark.parametrize("text", ["@team", "mail a@b.example", "see #12", "http://x", "www.x.y"])
def test_nobody_is_mentioned_and_nothing_is_linked(text: str) -> None:
    """GitHub links what it finds in the text that is left, after entities are read."""
    read = "".join(t.content for t in parsed(escaped(text)) if t.type in ("text", "text_special"))
    for trap in ("@t", "@b", "#1", "://", "www."):
        assert trap not in read


def hostile_markdown(names: list[str]) -> str:
    reasons = tuple(Reason(cause=Cause.CONTEXT, subject=n, was=n, now=n) for n in names[:3])
    decisions = tuple(
        Decision(image=name, verdict=verdict, reasons=reasons)
        for name, verdict in zip(names, list(Verdict) * len(names), strict=False)
    )
    plan = WORLDS["cold"]().plan()
    steps = tuple(
        replace(step, image=name, immutable=name)
        for step, name in zip(plan.steps * len(names), names, strict=False)
    )
    plan = replace(
        plan, hierarchy=names[0], revision=names[1], id=names[2], decisions=decisions, steps=steps
    )
    return plan_markdown(plan, dict.fromkeys(names[1:], (names[0],)))


def test_a_hostile_plan_stays_a_table_and_a_graph() -> None:
    """Names and paths neither leave their cells nor their graph, nor become HTML of their own."""
    text = hostile_markdown(HOSTILE)
    tokens = parsed(text)
    assert sum(t.type == "fence" for t in tokens) == 1
    assert {t.type for t in tokens}.isdisjoint({"link_open", "image", "em_open", "code_inline"})
    allowed = {"<br>", "<code>", "</code>", "<sub>", "</sub>"}
    assert {t.content for t in tokens if t.type == "html_inline"} <= allowed
    blocks = [t.content.strip() for t in tokens if t.type == "html_block"]
    allowed_blocks = (marker(HOSTILE[0]), "<details><summary>", "</details>", "<sub>")
    assert all(b.startswith(allowed_blocks) for b in blocks)


def test_a_graph_has_only_what_mermaid_reads() -> None:
    """Labels are quoted and made of letters, digits and numbered characters."""
    graph = hostile_markdown(HOSTILE).partition("```mermaid\n")[2].partition("```")[0]
    for line in graph.splitlines()[1:]:
        if '"' in line:
            head, label, tail = line.split('"')
            assert head.strip().rstrip("[").startswith("n")
            assert tail.startswith("]:::")
            assert all(c.isalnum() or c in "._/- #;" for c in label)


@pytest.mark.parametrize("count", [60, 5000])
def test_a_comment_is_never_too_long_for_github(count: int) -> None:
    """65,536 characters are the limit, and 500 edges that of a graph."""
    names = [f"image-{n}-" + "é" * 40 for n in range(count)]
    reasons = tuple(Reason(cause=Cause.PARENT_PENDING, subject=name) for name in names[:20])
    decisions = tuple(Decision(image=n, verdict=Verdict.BUILD, reasons=reasons) for n in names)
    plan = WORLDS["cold"]().plan()
    steps = tuple(replace(plan.steps[0], image=name) for name in names)
    plan = replace(plan, decisions=decisions, steps=steps)
    text = plan_markdown(plan, {name: tuple(names[:n]) for n, name in enumerate(names[:60])})
    assert len(text) <= 65_536
    assert text.count(" --> ") + text.count(" -.-> ") <= 400
    assert "more" in text
