"""A plan as a comment on a pull request: Markdown as GitHub and GitLab read it, with a graph.

Everything that comes from files or registries is escaped: it becomes neither markup nor a link,
and mentions nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from orchestrator.model.plan import Cause, Decision, Plan, Step, Verdict
from orchestrator.render.markdown_graph import plan_graph
from orchestrator.render.reason_words import reasons_words, telling
from orchestrator.render.style import terminal_text
from orchestrator.render.text_plan import behind_sentences, sign_of
from orchestrator.render.words import (
    SIGNS,
    counted,
    held_words,
    holds_tags,
    is_held,
    left_out_words,
    listed_up_to,
    mirror_words,
    plan_words,
    promotion_sentences,
    revision_words,
    told_words,
    unpromoted_sentences,
)

#: Characters that GitHub takes in a comment.
MOST_CHARACTERS = 65_536
#: Characters of each section, together less than that.
_MOST_ROWS, _MOST_REASONS, _MOST_TAGS, _MOST_KEPT = 14_000, 18_000, 8_000, 3_000
_MOST_COPIES = 4_000
#: Rows up to which the table has what only follows from something else.
_MOST_FOLLOWING = 25
#: Rows of a table that is not folded away.
_MOST_OPEN = 50
_MOST_NAMES = 8
_LONGEST_CELL, _LONGEST_NAME = 600, 100
_ALL = "<code>orchestrate plan --all</code> shows everything."

_ENTITIES = str.maketrans({c: f"&#{ord(c)};" for c in "\\`*_{}[]<>&|~$"})
# An invisible character where GitHub would see a mention, a reference to an issue, or an address.
_APART = "&#8203;"
_MENTION = re.compile(r"@|[#!%](?=[\w\"])|(?<=:)(?=//)|(?<=www)(?=\.)", re.IGNORECASE)
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._-]")


def marker(hierarchy: str) -> str:
    """Return the first line of every comment, by which a job finds the one it wrote before."""
    return f"<!-- orchestrate plan: {_NOT_PLAIN.sub('_', hierarchy)[:_LONGEST_NAME]} -->"


def plan_markdown(
    plan: Plan, parents: Mapping[str, tuple[str, ...]], tiers: Mapping[str, str] | None = None
) -> str:
    """Return a plan as a comment: a summary, a table with reasons, a graph, and folded details.

    Args:
        plan: what would be done.
        parents: image id → ids of the hierarchy's images it stands on, the final stage's first.
        tiers: image id → its tier, for a graph that is too large to show images.

    Returns:
        Markdown of at most 65,536 characters that begins with :func:`marker`.
    """
    shown = [d for d in plan.decisions if d.verdict is not Verdict.KEEP or is_held(d)]
    blocks = [
        marker(plan.hierarchy),
        f"### {_name(plan.hierarchy)}: {_nothing(plan) if plan.is_empty else plan_words(plan)}",
    ]
    if plan.selection:
        blocks.append(f"Only {escaped(' '.join(plan.selection))}.")
    if holds_tags(plan):
        blocks.append("The tree was dirty, so no floating tag moves.")
    said = (*promotion_sentences(plan), *unpromoted_sentences(plan))
    blocks += [" ".join(map(_sentence, said))]
    if plan.told:
        blocks.append(f"Subscribed: {escaped(told_words(plan.told))}.")
    if shown:
        blocks += [_table(shown), plan_graph(plan, parents, tiers or {})]
    at = f" at <code>{_name(revision_words(plan.revision))}</code>" if plan.revision else ""
    end = f"<sub>Plan <code>{_name(plan.id)}</code>{at}</sub>"
    for block in _details(plan, shown, parents):
        if sum(len(b) + 2 for b in (*blocks, block, end)) <= MOST_CHARACTERS:
            blocks.append(block)
    return "\n\n".join(filter(None, (*blocks, end))) + "\n"


def _sentence(text: str) -> str:
    """Return a sentence, with what stands between backticks as code."""
    pieces = text.split("`")
    return "".join(
        f"<code>{escaped(piece)}</code>" if n % 2 else escaped(piece)
        for n, piece in enumerate(pieces)
    )


def _nothing(plan: Plan) -> str:
    held = held_words(plan.decisions)
    return ", ".join(["nothing to do", *held, *left_out_words(plan)])


def _details(
    plan: Plan, shown: list[Decision], parents: Mapping[str, tuple[str, ...]]
) -> Iterator[str]:
    """Yield what is folded away, the most telling first."""
    moving = {parent for step in plan.steps for parent in parents.get(step.image, ())}
    if any(d.image in moving or len(reasons_words(d.reasons)) > 1 for d in shown):
        yield _folded("Every reason, and what it sets in motion", _reasons(plan, shown, parents))
    if plan.mirrors:
        copies = (f"- {escaped(mirror_words(copy))}" for copy in plan.mirrors)
        copied = _limited(copies, len(plan.mirrors), _MOST_COPIES, "\n", "- {}")
        yield _folded(f"{counted(len(plan.mirrors), 'upstream')} to copy first", copied)
    if late := behind_sentences(plan):
        said = "\n".join(f"- {escaped(sentence)}" for sentence in late)
        yield _folded("How long images have been behind", said)
    if plan.steps:
        yield _folded("Tags", _tags(plan.steps))
    kept = [d.image for d in plan.decisions if d.verdict is Verdict.KEEP and sign_of(d) == "="]
    if kept:
        verb = "is" if len(kept) == 1 else "are"
        title = f"{counted(len(kept), 'image')} {verb} up to date"
        names = _limited(map(escaped, kept), len(kept), _MOST_KEPT, ", ")
        yield _folded(title, f"Kept: {names}") if shown else f"{title}: {names}."


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


def _name(text: str) -> str:
    return escaped(text if len(text) <= _LONGEST_NAME else text[:_LONGEST_NAME] + "…")


def _follows(decision: Decision) -> bool:
    """Say whether an image is only built because what it stands on is."""
    return all(reason.cause is Cause.PARENT_PENDING for reason in decision.reasons)


def _table(shown: list[Decision]) -> str:
    """Return what is built, each with its first reason."""
    following = [d for d in shown if _follows(d)] if len(shown) > _MOST_FOLLOWING else []
    folded = {decision.image for decision in following}
    listed = [decision for decision in shown if decision.image not in folded]
    rows = (f"| {SIGNS[sign_of(d)]} | {_name(d.image)} | {_first_reason(d)} |" for d in listed)
    head = "|  | Image | Why |\n|---|---|---|\n"
    table = head + _limited(rows, len(listed), _MOST_ROWS, "\n", "| | {} | |") if listed else ""
    if len(listed) > _MOST_OPEN:
        table = _folded(f"{len(listed)} images, and why", table)
    if not following:
        return table
    wait = "image waits" if len(following) == 1 else "images wait"
    more = f"{'And ' if listed else ''}{len(following)} {wait} for what they stand on. {_ALL}"
    return f"{table}\n\n{more}".strip()


def _first_reason(decision: Decision) -> str:
    first, *others = reasons_words(telling(decision)) or [""]
    return escaped(first) + (f" (and {len(others)} more)" if others else "")


def _reasons(plan: Plan, shown: list[Decision], parents: Mapping[str, tuple[str, ...]]) -> str:
    children: dict[str, list[str]] = {}
    busy = {step.image for step in plan.steps}
    for image in busy:
        for parent in parents.get(image, ()):
            children.setdefault(parent, []).append(image)
    order = {decision.image: n for n, decision in enumerate(plan.decisions)}
    rows = (
        f"| {_name(d.image)} | {'<br>'.join(map(escaped, reasons_words(d.reasons)))} "
        f"| {_motion(d.image, children, order)} |"
        for d in sorted(shown, key=_follows)
    )
    head = "| Image | Why | Sets in motion |\n|---|---|---|\n"
    return head + _limited(rows, len(shown), _MOST_REASONS, "\n", f"| {{}} | {_ALL} | |")


def _motion(image: str, children: Mapping[str, list[str]], order: Mapping[str, int]) -> str:
    found: set[str] = set()
    waiting = [image]
    while waiting:
        fresh = [c for c in children.get(waiting.pop(), ()) if c not in found and c != image]
        found.update(fresh)
        waiting += fresh
    names = sorted(found, key=lambda name: order.get(name, -1))
    said = listed_up_to([*map(_name, names[:_MOST_NAMES]), *names[_MOST_NAMES:]], _MOST_NAMES)
    return f"{counted(len(names), 'image')}: {said}" if names else ""


def _tags(steps: tuple[Step, ...]) -> str:
    rows = (
        f"| {_name(step.image)} | <code>{escaped(step.immutable)}</code> | "
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
            shown.append(rest.format(f"… and {count - len(shown)} more"))
            break
        shown.append(item)
    return joint.join(shown)


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"
