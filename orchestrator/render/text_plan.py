"""A plan for people: a tree with a sign per image, the reasons, a summary, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestrator.model.behind import Behind
from orchestrator.model.plan import Decision, Plan, Step, Verdict
from orchestrator.render.cells import cell_width, pad, wrap
from orchestrator.render.fold import groups_of
from orchestrator.render.reason_words import reasons_words, telling
from orchestrator.render.style import Style
from orchestrator.render.table import Paint
from orchestrator.render.text_packages import packages_lines
from orchestrator.render.tree import Branch, Forest, branches, forest_of
from orchestrator.render.words import (
    behind_words,
    counted,
    held_words,
    holds_tags,
    is_held,
    is_left_out,
    is_unpromoted,
    left_out_words,
    listed,
    listed_up_to,
    mirror_words,
    plan_words,
    promotion_sentences,
    revision_words,
    short,
    told_words,
    unpromoted_sentences,
)

#: Steps above which tags are left out, unless everything is asked for.
_MOST_TAGGED = 24
#: Copies into mirrors that are listed, unless everything is asked for.
_MOST_MIRRORS = 12
#: Names on a line of images that are up to date.
_MOST_FOLDED = 12
#: Upstreams that are named as what images are behind, and images behind each.
_MOST_BEHIND, _MOST_NAMED = 5, 6
#: Widest column of names, where the terminal is wide.
_WIDEST_NAMES = 48

#: Columns below which reasons stand under the names.
_ROOMY = 56

#: Sign → what it means, in the order of the legend.
_LEGEND = {
    "+": "new",
    "~": "rebuilt",
    "?": "rebuilt if what it waits for changes",
    ">": "tags only",
    "^": "waits for promotion",
    "!": "held back",
    "=": "up to date",
    "-": "left out",
    "x": "cannot be built",
}


def plan_text(
    plan: Plan,
    parents: Mapping[str, tuple[str, ...]],
    style: Style,
    *,
    verbose: bool = False,
    every: bool = False,
    next_steps: bool = True,
) -> str:
    """Return a plan as a tree of images.

    Images that are up to date share lines; a plan without any step is one sentence. Where there
    would be too many lines, images to which the same happens for the same reason share one.

    Args:
        plan: what would be done.
        parents: image id → ids of the hierarchy's images it stands on, the final stage's first.
        style: how it may look.
        verbose: list every image, with its key and all it stands on.
        every: list every image.
        next_steps: end with the commands that carry the plan out.
    """
    held = sum(map(is_held, plan.decisions))
    failed = plan.summary()[Verdict.FAIL]
    lines: list[str] = []
    folds = False
    if plan.decisions and (verbose or every or held or failed or not plan.is_empty):
        forest = forest_of(plan, parents)
        groups = None if verbose or every else groups_of(forest)
        folds = groups is not None
        lines += [*_headline(plan, style), ""]
        tree = branches(forest, parents, style, groups, unfold=verbose or every)
        lines += _tree(plan, tree, forest, style, verbose=verbose)
        lines.append("")
    lines += _mirrors(plan, style, every=verbose or every)
    for sentence in behind_sentences(plan):
        lines += map(style.dim, style.wrap(sentence, then="  "))
    lines += packages_lines(plan.packages, plan.created, style)
    if not plan.is_empty:
        lines += _summary(plan, style)
        lines += _ending(plan, style, next_steps=next_steps, folds=folds)
    else:
        lines += _nothing(plan, held, style)
    return "\n".join(lines) + "\n"


def sign_of(decision: Decision) -> str:
    """Return the one character that stands for a decision in the tree."""
    if decision.verdict is Verdict.BUILD:
        return "~" if decision.current else "+"
    if decision.verdict is Verdict.KEEP:
        if is_left_out(decision):
            return "-"
        if is_unpromoted(decision):
            return "^"
        return "!" if is_held(decision) else "="
    return {Verdict.AWAIT: "?", Verdict.FAIL: "x"}.get(decision.verdict, ">")


def _paint(sign: str, style: Style) -> Paint:
    paints = {"+": style.good, "~": style.warn, "?": style.note, ">": style.note, "!": style.bad}
    paints |= {"x": style.bad, "^": style.note}
    return paints.get(sign, style.dim)


def _headline(plan: Plan, style: Style) -> list[str]:
    at = f" at {revision_words(plan.revision)}" if plan.revision else ""
    name, *more = style.wrap(f"{plan.hierarchy}{at}, plan {plan.id}")
    lines = [style.bold(name), *map(style.bold, more)]
    if plan.selection:
        lines += map(style.note, style.wrap(f"only {' '.join(plan.selection)}", then="  "))
    return lines


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    branch: Branch
    sign: str
    name: str
    said: list[tuple[str, Paint]]

    @property
    def width(self) -> int:
        return 2 + cell_width(self.branch.lead) + cell_width(self.name)


def _tree(
    plan: Plan, tree: list[Branch], forest: Forest, style: Style, *, verbose: bool
) -> Iterator[str]:
    steps = {step.image: step for step in plan.steps}
    tagged = verbose or len(steps) <= _MOST_TAGGED
    entries = [_entry(branch, steps, style, verbose=verbose, tagged=tagged) for branch in tree]
    column = _column([entry for entry in entries if entry.said], style)
    for entry in entries:
        yield from _drawn(entry, column, style)
    signs = {entry.sign for entry in entries}
    listed_images = {image for branch in tree for image in branch.images}
    idle = len(forest.decided) - len(forest.busy) - len(forest.left_out)
    if idle and not any(image not in forest.busy for image in listed_images):
        text = f"{counted(idle, 'image')} {'is' if idle == 1 else 'are'} up to date"
        yield from (f"  {style.dim(line)}" for line in style.wrap(text))
    yield ""
    yield from _legend(signs, style)


def _column(entries: list[_Entry], style: Style) -> int:
    """Return where reasons begin: beside the names, or under them where there is no room."""
    widest = min(style.columns * 2 // 5, _WIDEST_NAMES) if style.columns >= _ROOMY else 0
    names = [entry.width for entry in entries if entry.width <= widest]
    drawn = [2 + cell_width(entry.branch.carry) for entry in entries]
    return max(names + drawn, default=0) + 2


def _entry(
    branch: Branch, steps: Mapping[str, Step], style: Style, *, verbose: bool, tagged: bool
) -> _Entry:
    decision = branch.decision
    if decision is None:
        return _Entry(
            branch=branch, sign="=", name=listed_up_to(branch.images, _MOST_FOLDED), said=[]
        )
    step = steps.get(decision.image)
    said: list[tuple[str, Paint]] = []
    said += ((line, style.plain) for line in _reasons(decision, verbose=verbose))
    if len(branch.images) > 1 or branch.above:
        return _group(branch, decision, said, style)
    if branch.also_on and (step or verbose):
        said.append((f"also on {listed(branch.also_on)}", style.dim))
    if step and tagged and (verbose or step.verdict is not Verdict.RETAG):
        said.append((_tags(step), style.dim))
    if verbose:
        said += ((line, style.dim) for line in _details(decision, step))
    name = style.clean(decision.image)
    return _Entry(branch=branch, sign=sign_of(decision), name=name, said=said)


def _group(
    branch: Branch, decision: Decision, said: list[tuple[str, Paint]], style: Style
) -> _Entry:
    first, *others = branch.images
    more = style.clean(f" … and {len(others)} more") if others else ""
    text = "; ".join(line for line, _ in said)
    if branch.above:
        stand = "image stands" if branch.above == 1 else "images stand"
        text += f"; {branch.above} {stand} on {'them' if others else 'it'}"
    told: list[tuple[str, Paint]] = [(text.removeprefix("; "), style.plain)]
    # Cut here, because what comes behind it tells more than the end of a name.
    room = max(style.columns * 2 // 5, 24) - len(more) - 2 - cell_width(branch.lead)
    name = style.cut(style.clean(first), max(room, 24)) + more
    return _Entry(branch=branch, sign=sign_of(decision), name=name, said=told)


def _reasons(decision: Decision, *, verbose: bool) -> list[str]:
    return reasons_words(decision.reasons if verbose else telling(decision), every=verbose)


def _tags(step: Step) -> str:
    moving = [move.tag for move in step.floating if move.tag != f"current-{step.image}"]
    return f"tag {step.immutable}" + (f", moves {listed(moving)}" if moving else "")


def _details(decision: Decision, step: Step | None) -> Iterator[str]:
    key = step.key if step else decision.key
    facts = {"key": key, "current": decision.current}
    known = [f"{name} {short(value)}" for name, value in facts.items() if value]
    if known:
        yield ", ".join(known)
    if step:
        for parent in step.parents:
            at = short(parent.digest) if parent.digest else "(to be built)"
            yield f"on {parent.subject} {at}"
        yield f"for {listed(step.platforms)}"


def _drawn(entry: _Entry, column: int, style: Style) -> Iterator[str]:
    paint = _paint(entry.sign, style)
    lead, carry = entry.branch.lead, entry.branch.carry
    head = style.dim if entry.sign == "=" else style.bold
    start = f"{paint(entry.sign)} {style.dim(lead)}"
    if not entry.said:
        room = style.columns - 2 - max(cell_width(lead), cell_width(carry))
        first, *more = wrap(style.clean(entry.name), room)
        yield start + head(first)
        yield from (f"  {style.dim(pad(carry, cell_width(lead)) + line)}" for line in more)
        return
    said = [
        (hang + line, colour)
        for text, colour in entry.said
        for hang, line in _hanging(style.clean(text), style.columns - column)
    ]
    name = style.cut(entry.name, style.columns - 2 - cell_width(lead))
    if entry.width + 2 > column:
        yield start + head(name)
    else:
        line, colour = said.pop(0)
        yield start + head(name) + " " * (column - entry.width) + colour(line)
    gap = pad(carry, column - 2)
    yield from (f"  {style.dim(gap)}{colour(line)}" for line, colour in said)


def _hanging(text: str, room: int) -> list[tuple[str, str]]:
    """Return lines that fit, the second and further ones marked by two spaces before them."""
    if cell_width(text) <= room:
        return [("", text)]
    return [("  " if n else "", line) for n, line in enumerate(wrap(text, room - 2))]


def _legend(signs: set[str], style: Style) -> Iterator[str]:
    items = [(sign, meaning) for sign, meaning in _LEGEND.items() if sign in signs]
    line, width = "", 0
    for sign, meaning in items:
        item_width = len(sign) + 1 + len(meaning)
        if line and width + 3 + item_width > style.columns:
            yield line
            line, width = "", 0
        line += ("   " if line else "") + f"{_paint(sign, style)(sign)} {style.dim(meaning)}"
        width += (3 if width else 0) + item_width
    yield line


def _mirrors(plan: Plan, style: Style, *, every: bool) -> list[str]:
    """Return a line for each copy that comes before everything else."""
    shown = plan.mirrors if every else plan.mirrors[:_MOST_MIRRORS]
    lines = [line for copy in shown for line in style.wrap(mirror_words(copy), then="    ")]
    if len(plan.mirrors) > len(shown):
        lines.append(f"and {len(plan.mirrors) - len(shown)} more")
    return [*map(style.note, lines), ""] if lines else []


def behind_sentences(plan: Plan) -> list[str]:
    """Return a sentence for every upstream that images have been behind for a known time."""
    images: dict[str, list[str]] = {}
    longest: dict[str, Behind] = {}
    for image, lacks in plan.behind.items():
        for lack in lacks:
            if lack.for_s is not None:
                images.setdefault(lack.upstream, []).append(image)
                before = longest.get(lack.upstream, lack)
                longest[lack.upstream] = max(before, lack, key=lambda b: b.for_s or 0.0)
    late = sorted(longest.values(), key=lambda b: (-(b.for_s or 0.0), b.upstream))
    lines: list[str] = []
    for lack in late[:_MOST_BEHIND]:
        who = listed_up_to(images[lack.upstream], _MOST_NAMED)
        lines.append(f"{behind_words((lack,))}: {who}.".replace("behind", "Behind", 1))
    if len(late) > _MOST_BEHIND:
        more = len(late) - _MOST_BEHIND
        lines.append(f"And behind {more} more: `orchestrate status` has them all.")
    return lines


def _summary(plan: Plan, style: Style) -> list[str]:
    lines = [style.bold(line) for line in style.wrap(f"Plan: {plan_words(plan)}.")]
    if plan.told:
        lines += [style.dim(line) for line in style.wrap(f"Subscribed: {told_words(plan.told)}.")]
    for sentence in (*promotion_sentences(plan), *unpromoted_sentences(plan)):
        lines += map(style.note, style.wrap(sentence))
    return lines


def _ending(plan: Plan, style: Style, *, next_steps: bool, folds: bool) -> list[str]:
    lines: list[str] = []
    if holds_tags(plan):
        text = "The tree is dirty, so no floating tag moves: commit, or use --allow-dirty."
        lines += [style.warn(line) for line in style.wrap(text)]
    if len(plan.steps) > _MOST_TAGGED:
        text = "Tags are shown by --verbose."
        if folds:
            text = "`orchestrate plan --all` lists every image, --verbose its tags too."
        lines += [style.dim(line) for line in style.wrap(text)]
    if next_steps:
        for does, command in (
            ("carry it out:", "orchestrate build"),
            ("or review it first:", "orchestrate plan --out FILE, then orchestrate apply FILE"),
        ):
            first = f"  {does:<21}"
            lines += [
                style.dim(first) + style.note(line.strip()) if n == 0 else style.note(line)
                for n, line in enumerate(style.wrap(command, first=" " * len(first)))
            ]
    return lines


def _nothing(plan: Plan, held: int, style: Style) -> list[str]:
    failed = plan.summary()[Verdict.FAIL]
    apart = held_words(plan.decisions)
    apart += [f"{failed} cannot be built"] if failed else []
    apart += left_out_words(plan)
    good = len(plan.decisions) - held - failed - sum(map(is_left_out, plan.decisions))
    verb = "is" if good == 1 else "are"
    told = [f"{counted(good, 'image')} {verb} up to date"] if good or not apart else []
    text = f"Nothing to do: {', '.join(told + apart)}."
    waits = (line for sentence in unpromoted_sentences(plan) for line in style.wrap(sentence))
    return [*map(style.bold, style.wrap(text)), *map(style.note, waits)]
