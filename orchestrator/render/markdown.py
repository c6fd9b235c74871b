"""A plan as a comment on a pull request: Markdown as GitHub and GitLab read it, with a graph.

Everything that comes from files or registries is escaped: it becomes neither markup nor a link,
and mentions nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from orchestrator.model.plan import Decision, Plan, Step, Verdict
from orchestrator.render.style import terminal_text
from orchestrator.render.text_plan import sign_of
from orchestrator.render.words import (
    counted,
    holds_tags,
    is_held,
    plan_words,
    reasons_words,
    revision_words,
)

#: First line of every comment, by which a job finds the one it wrote before.
MARKER = "<!-- orchestrate plan -->"

#: Characters of each section; GitHub takes 65,536 in a comment, and 50,000 in a graph.
_MOST_ROWS, _MOST_TAGS, _MOST_KEPT = 30_000, 12_000, 6_000
#: Images in a graph, since more cannot be read, and lines: GitHub draws at most 500.
_MOST_NODES, _MOST_EDGES = 60, 400
_LONGEST_CELL, _LONGEST_LABEL = 600, 64

_ENTITIES = str.maketrans({c: f"&#{ord(c)};" for c in "\\`*_{}[]<>&|~$"})
# An invisible character where GitHub would see a mention, a reference to an issue, or an address.
_APART = "&#8203;"
_MENTION = re.compile(r"@|#(?=\d)|(?<=:)(?=//)|(?<=www)(?=\.)", re.IGNORECASE)

_VERDICTS = {
    "+": "new",
    "~": "rebuilt",
    "?": "waits",
    ">": "tags only",
    "!": "held back",
    "=": "kept",
}
_CLASSES = {
    "+": "stroke:#1a7f37,stroke-width:3px",
    "~": "stroke:#bf8700,stroke-width:3px",
    "?": "stroke:#bf8700,stroke-dasharray:4",
    ">": "stroke:#0969da",
    "!": "stroke:#cf222e,stroke-width:3px",
    "=": "stroke:#8c959f",
}
_CLASS_NAMES = {"+": "new", "~": "rebuilt", "?": "waits", ">": "retag", "!": "held", "=": "kept"}


def plan_markdown(plan: Plan, parents: Mapping[str, tuple[str, ...]]) -> str:
    """Return a plan as a comment: a summary, a table with reasons, a graph, and folded details.

    Args:
        plan: what would be done.
        parents: image id → ids of the hierarchy's images it stands on, the final stage's first.

    Returns:
        Markdown of at most 65,536 characters that begins with :data:`MARKER`.
    """
    shown = [d for d in plan.decisions if d.verdict is not Verdict.KEEP or is_held(d)]
    kept = [d.image for d in plan.decisions if d.verdict is Verdict.KEEP and not is_held(d)]
    blocks = [
        MARKER,
        f"### {escaped(plan.hierarchy)}: {plan_words(plan) if plan.steps else 'nothing to do'}",
    ]
    if holds_tags(plan):
        blocks.append("The tree was dirty, so no floating tag moves.")
    if shown:
        blocks += [_table(shown), _graph(plan, parents)]
    if plan.steps:
        blocks.append(_folded("Tags", _tags(plan.steps)))
    if kept:
        verb = "is" if len(kept) == 1 else "are"
        title = f"{counted(len(kept), 'image')} {verb} up to date"
        names = _limited(map(escaped, kept), len(kept), _MOST_KEPT, ", ")
        blocks.append(_folded(title, f"Kept: {names}") if shown else f"{title}: {names}.")
    at = f" at <code>{escaped(revision_words(plan.revision))}</code>" if plan.revision else ""
    blocks.append(f"<sub>Plan <code>{escaped(plan.id)}</code>{at}</sub>")
    return "\n\n".join(blocks) + "\n"


def escaped(text: str) -> str:
    """Return text that Markdown shows as it is, on one line, also inside a table.

    Entities rather than backslashes: they hold in tables and in HTML alike.
    """
    safe = terminal_text(text)
    if len(safe) > _LONGEST_CELL:
        safe = safe[:_LONGEST_CELL] + "…"
    pieces = []
    last = 0
    for found in _MENTION.finditer(safe):
        pieces += [safe[last : found.end()].translate(_ENTITIES), _APART]
        last = found.end()
    return "".join((*pieces, safe[last:].translate(_ENTITIES)))


def _table(decisions: list[Decision]) -> str:
    rows = (
        f"| {_VERDICTS[sign_of(d)]} | {escaped(d.image)} "
        f"| {'<br>'.join(map(escaped, reasons_words(d.reasons)))} |"
        for d in decisions
    )
    head = "|  | Image | Why |\n|---|---|---|\n"
    return head + _limited(rows, len(decisions), _MOST_ROWS, "\n", "| | {} | |")


def _tags(steps: tuple[Step, ...]) -> str:
    rows = (
        f"| {escaped(step.image)} | <code>{escaped(step.immutable)}</code> | "
        + ", ".join(f"<code>{escaped(move.tag)}</code>" for move in step.floating)
        + " |"
        for step in steps
    )
    head = "| Image | Gets | Then move |\n|---|---|---|\n"
    return head + _limited(rows, len(steps), _MOST_TAGS, "\n", "| {} | | |")


def _limited(items: Iterable[str], count: int, most: int, joint: str, rest: str = "{}") -> str:
    """Return as many of the ``count`` items as there is room for, and how many there are beside."""
    shown: list[str] = []
    used = 0
    for item in items:
        used += len(item) + len(joint)
        if used > most:
            shown.append(rest.format(f"and {count - len(shown)} more"))
            break
        shown.append(item)
    return joint.join(shown)


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"


def _graph(plan: Plan, parents: Mapping[str, tuple[str, ...]]) -> str:
    """Return a Mermaid graph of what is to be done and what that stands on directly."""
    decided = {decision.image: decision for decision in plan.decisions}
    busy = {d.image for d in plan.decisions if sign_of(d) != "="}
    below = {parent for image in busy for parent in parents.get(image, ())}
    nodes = [image for image in decided if image in busy | below]
    number = {image: n for n, image in enumerate(nodes[:_MOST_NODES])}
    lines = ["```mermaid", "graph LR"]
    for image, n in number.items():
        sign = sign_of(decided[image])
        # Colours alone do not reach everybody.
        text = image if sign == "=" else f"{image[:_LONGEST_LABEL]} ({_VERDICTS[sign]})"
        lines.append(f'  n{n}["{_label(text)}"]:::{_CLASS_NAMES[sign]}')
    edges = [
        f"  n{number[parent]} {'-->' if nth == 0 else '-.->'} n{n}"
        for image, n in number.items()
        for nth, parent in enumerate(parents.get(image, ()))
        if parent in number
    ]
    lines += edges[:_MOST_EDGES]
    used = {sign_of(decided[image]) for image in number}
    lines += [f"  classDef {_CLASS_NAMES[s]} {css}" for s, css in _CLASSES.items() if s in used]
    lines.append("```")
    if len(nodes) > len(number):
        lines += ["", f"The graph shows {len(number)} of {len(nodes)} images."]
    return "\n".join(lines)


def _label(text: str) -> str:
    """Return text for a quoted Mermaid label: whatever is not plain becomes a number."""
    safe = terminal_text(text)[: 2 * _LONGEST_LABEL]
    plain = (c.isascii() and (c.isalnum() or c in "._/- ") for c in safe)
    return "".join(c if ok else f"#{ord(c)};" for c, ok in zip(safe, plain, strict=True))
