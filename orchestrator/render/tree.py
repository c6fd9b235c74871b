"""The images of a plan as a tree: each under the parent whose layers it has, the rest folded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.model.plan import Decision, Plan, Verdict
from orchestrator.render.style import Style
from orchestrator.render.words import is_held, is_left_out

UNIT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One line of the tree.

    Attributes:
        images: one image, or several that share the line.
        decision: of the one image, or of all that share the line; None where these are up to
            date.
        lead: what is drawn before the name.
        carry: what is drawn before further lines of the same image.
        also_on: parents under which it is not listed.
        above: images that stand on those of the line and are not listed.
    """

    images: tuple[str, ...]
    decision: Decision | None
    lead: str
    carry: str
    also_on: tuple[str, ...] = ()
    above: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Images under one parent that share a line, and what stands on them.

    Attributes:
        images: in the plan's order.
        decision: the first one's, with what is true of all.
        above: how many images stand on them and are to be listed.
    """

    images: tuple[str, ...]
    decision: Decision
    above: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """What is drawn under what.

    Attributes:
        decided: image id → decision, parents before children.
        under: image id → the one parent it is drawn under; None: it is a root.
        children: image id, or None for the roots → what is drawn under it.
        busy: images that are listed: something is to be done, or stands on them.
        left_out: images that were not asked for or are retired, and nothing busy stands on.
    """

    decided: Mapping[str, Decision]
    under: Mapping[str, str | None]
    children: Mapping[str | None, list[str]]
    busy: frozenset[str]
    left_out: frozenset[str]


def forest_of(plan: Plan, parents: Mapping[str, tuple[str, ...]]) -> Forest:
    """Return what is drawn under what.

    Args:
        plan: its decisions have parents before children.
        parents: image id → the images it stands on, the one of the final stage first.
    """
    decided = {decision.image: decision for decision in plan.decisions}
    children: dict[str | None, list[str]] = {None: []}
    under: dict[str, str | None] = {}
    for image in decided:
        known = [parent for parent in parents.get(image, ()) if parent in children]
        under[image] = known[0] if known else None
        children[image] = []
        children[under[image]].append(image)
    busy = {image for image, d in decided.items() if d.verdict is not Verdict.KEEP or is_held(d)}
    for image in reversed(decided):
        above = under[image]
        if image in busy and above is not None:
            busy.add(above)
    left_out = (image for image, d in decided.items() if is_left_out(d) and image not in busy)
    return Forest(
        decided=decided,
        under=under,
        children=children,
        busy=frozenset(busy),
        left_out=frozenset(left_out),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ink:
    """What a tree is drawn with.

    Attributes:
        fork: before a child that others follow.
        end: before the last child.
        pipe: before what is under a fork.
        more: in the place of levels that are too many to draw.
        widest: columns that a lead may take.
    """

    fork: str
    end: str
    pipe: str
    more: str
    widest: int


def ink_of(style: Style) -> Ink:
    """Return what a tree is drawn with on such a terminal."""
    return Ink(
        fork=style.clean("├─ "),
        end=style.clean("└─ "),
        pipe=style.clean("│  "),
        more=style.clean("…")[:1].ljust(UNIT),
        widest=max(style.columns // 4 // UNIT * UNIT, 2 * UNIT),
    )


def drawn(base: str, ink: Ink, *, root: bool, last: bool) -> tuple[str, str]:
    """Return what is drawn before a node, and before what stands under it.

    Args:
        base: what its siblings have before them.
        ink: what is drawn with.
        root: it stands under nothing.
        last: no sibling follows.
    """
    if root:
        return "", ""
    if len(base) + UNIT > ink.widest:
        base = ink.more + base[2 * UNIT - ink.widest :]
    return base + (ink.end if last else ink.fork), base + (" " * UNIT if last else ink.pipe)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Visit:
    image: str
    fold: bool
    base: str
    root: bool
    last: bool


def branches(
    forest: Forest,
    parents: Mapping[str, tuple[str, ...]],
    style: Style,
    groups: Mapping[str, Group] | None = None,
    *,
    unfold: bool,
) -> list[Branch]:
    """Return the lines of a plan's tree, from the top.

    Args:
        forest: what is drawn under what.
        parents: image id → the images it stands on, the one of the final stage first.
        style: how it may look.
        groups: image id → the group it shares a line with, of which the first is visited; where
            there are groups, what is up to date is in no line.
        unfold: list every image, also where nothing is to be done.
    """
    ink = ink_of(style)
    found: list[Branch] = []

    def visits(parent: str | None, base: str) -> list[_Visit]:
        """Return what to list, the first one last; what is idle shares one line at the end."""
        below = forest.children[parent]
        listed = [child for child in below if unfold or child in forest.busy]
        if groups is not None:
            listed = [i for i in listed if i not in groups or groups[i].images[0] == i]
        idle = [] if unfold or groups is not None else _idle(below, forest)
        shown = [(image, False) for image in listed] + [(image, True) for image in idle[:1]]
        return [
            _Visit(image=image, fold=fold, base=base, root=parent is None, last=n == len(shown) - 1)
            for n, (image, fold) in enumerate(shown)
        ][::-1]

    waiting = visits(None, "")
    while waiting:
        visit = waiting.pop()
        image = visit.image
        lead, below = drawn(visit.base, ink, root=visit.root, last=visit.last)
        if visit.fold:
            idle = _idle(forest.children[forest.under[image]], forest)
            every = tuple(name for i in idle for name in _with_descendants(i, forest))
            found.append(Branch(images=every, decision=None, lead=lead, carry=below))
            continue
        group = (groups or {}).get(image)
        if group:
            found.append(
                Branch(
                    images=group.images,
                    decision=group.decision,
                    lead=lead,
                    carry=below,
                    above=group.above,
                )
            )
            continue
        deeper = visits(image, below)
        found.append(
            Branch(
                images=(image,),
                decision=forest.decided[image],
                lead=lead,
                carry=below + (ink.pipe if deeper else ""),
                also_on=tuple(p for p in parents.get(image, ()) if p != forest.under[image]),
            )
        )
        waiting += deeper
    return found


def _idle(images: list[str], forest: Forest) -> list[str]:
    """Return those with which nothing happens, without what is left out with all on it."""
    return [i for i in images if i not in forest.busy and _with_descendants(i, forest)]


def _with_descendants(image: str, forest: Forest) -> list[str]:
    """Return an image and what is drawn under it, without what is left out."""
    found: list[str] = []
    waiting = [image]
    while waiting:
        at = waiting.pop()
        if at not in forest.left_out:
            found.append(at)
        waiting += reversed(forest.children[at])
    return found
