"""The images of a plan as a tree: each under the parent whose layers it has, the rest folded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.model.plan import Decision, Plan, Verdict
from orchestrator.render.style import Style
from orchestrator.render.words import is_held

_UNIT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One line of the tree.

    Attributes:
        images: one image, or several that are up to date and share the line.
        decision: of the one image; None where several share the line.
        lead: what is drawn before the name.
        carry: what is drawn before further lines of the same image.
        also_on: parents under which it is not listed.
    """

    images: tuple[str, ...]
    decision: Decision | None
    lead: str
    carry: str
    also_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ink:
    """What the tree is drawn with.

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Visit:
    image: str
    fold: bool
    base: str
    root: bool
    last: bool


def branches(
    plan: Plan, parents: Mapping[str, tuple[str, ...]], style: Style, *, unfold: bool
) -> list[Branch]:
    """Return the lines of a plan's tree, from the top.

    Args:
        plan: its decisions have parents before children.
        parents: image id → the images it stands on, the one of the final stage first.
        style: how it may look.
        unfold: list every image, also where nothing is to be done.
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
    ink = _Ink(
        fork=style.clean("├─ "),
        end=style.clean("└─ "),
        pipe=style.clean("│  "),
        more=style.clean("…")[:1].ljust(_UNIT),
        widest=max(style.columns // 4 // _UNIT * _UNIT, 2 * _UNIT),
    )
    found: list[Branch] = []
    waiting = _visits(None, children, busy, "", unfold=unfold)
    while waiting:
        visit = waiting.pop()
        lead, below = _drawn(visit, ink)
        if visit.fold:
            idle = [i for i in children[under[visit.image]] if i not in busy]
            images = tuple(name for image in idle for name in _with_descendants(image, children))
            found.append(Branch(images=images, decision=None, lead=lead, carry=below))
            continue
        deeper = _visits(visit.image, children, busy, below, unfold=unfold)
        found.append(
            Branch(
                images=(visit.image,),
                decision=decided[visit.image],
                lead=lead,
                carry=below + (ink.pipe if deeper else ""),
                also_on=tuple(p for p in parents.get(visit.image, ()) if p != under[visit.image]),
            )
        )
        waiting += deeper
    return found


def _visits(
    parent: str | None,
    children: Mapping[str | None, list[str]],
    busy: set[str],
    base: str,
    *,
    unfold: bool,
) -> list[_Visit]:
    """Return the children to list, the first one last; what is idle shares one line at the end."""
    listed = [child for child in children[parent] if unfold or child in busy]
    idle = [] if unfold else [child for child in children[parent] if child not in busy]
    shown = [(image, False) for image in listed] + [(image, True) for image in idle[:1]]
    return [
        _Visit(image=image, fold=fold, base=base, root=parent is None, last=n == len(shown) - 1)
        for n, (image, fold) in enumerate(shown)
    ][::-1]


def _drawn(visit: _Visit, ink: _Ink) -> tuple[str, str]:
    """Return what is drawn before an image, and before what stands under it."""
    if visit.root:
        return "", ""
    base = visit.base
    if len(base) + _UNIT > ink.widest:
        base = ink.more + base[2 * _UNIT - ink.widest :]
    return base + (ink.end if visit.last else ink.fork), base + (
        " " * _UNIT if visit.last else ink.pipe
    )


def _with_descendants(image: str, children: Mapping[str | None, list[str]]) -> list[str]:
    found: list[str] = []
    waiting = [image]
    while waiting:
        at = waiting.pop()
        found.append(at)
        waiting += reversed(children[at])
    return found
