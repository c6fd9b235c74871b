"""Which images of a large plan share a line, so that hundreds of them fit on a screen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from orchestrator.model.plan import Cause, Decision, Reason, Verdict
from orchestrator.render.tree import Forest, Group

#: Lines that need no folding.
MOST_LINES = 60
#: Lines that a group must save to be worth one.
LEAST_SAVED = 2
#: Images on hold that are all listed by name: each has its own day and reason.
_MOST_HELD = 20

#: What happens to an image, why, and its own id where it shares no line with any other.
_Kind = tuple[Verdict, frozenset[Cause], str]
#: Of an image that is only built because what it stands on is.
_CONSEQUENCE: _Kind = (Verdict.AWAIT, frozenset((Cause.PARENT_PENDING,)), "")
#: Of images that are only listed because of what stands on them.
_IDLE: tuple[_Kind, ...] = ((Verdict.KEEP, frozenset(), ""),)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tree:
    """What is drawn under an image, itself included.

    Attributes:
        kind: what happens to the image, and why.
        kinds: what happens to the busy ones, and why.
        height: levels above it.
        size: busy images.
    """

    kind: _Kind
    kinds: frozenset[_Kind]
    height: int
    size: int


def groups_of(forest: Forest, most: int = MOST_LINES) -> dict[str, Group] | None:
    """Return image id → the group that it shares a line with; None where nothing is to be folded.

    Folded are images under one parent to which the same happens for the same causes, with what
    stands on them: first those that only follow what they stand on, from the top of the cascade
    down, and only if that is not enough those that have causes of their own.

    Args:
        forest: what is drawn under what.
        most: lines that are not too many.
    """
    listed = len(forest.busy) + bool(len(forest.decided) - len(forest.busy))
    if listed <= most:
        return None
    trees = _trees(forest, on_hold(forest.decided.values()))
    highest = max((tree.height for tree in trees.values()), default=0)
    found: dict[str, Group] = {}
    for plain in (True, False):
        low, high = 0, highest
        while low < high:
            middle = (low + high) // 2
            if _lines(forest, _groups(forest, trees, middle, plain=plain)) <= most:
                high = middle
            else:
                low = middle + 1
        found = _groups(forest, trees, low, plain=plain)
        if _lines(forest, found) <= most:
            break
    return found


def on_hold(decisions: Iterable[Decision]) -> frozenset[str]:
    """Return the ids of images that somebody holds on a parent; none where they are too many."""
    held = [d.image for d in decisions if any(r.cause is Cause.HELD for r in d.reasons)]
    return frozenset(held if len(held) <= _MOST_HELD else ())


def _trees(forest: Forest, apart: frozenset[str]) -> dict[str, _Tree]:
    found: dict[str, _Tree] = {}
    for image in reversed(list(forest.decided)):
        if image not in forest.busy:
            continue
        above = [found[child] for child in forest.children[image] if child in found]
        kind = _kind(forest.decided[image], apart)
        found[image] = _Tree(
            kind=kind,
            kinds=frozenset({kind}.union(*(tree.kinds for tree in above))),
            height=max((tree.height + 1 for tree in above), default=0),
            size=1 + sum(tree.size for tree in above),
        )
    return found


def _kind(decision: Decision, apart: frozenset[str]) -> _Kind:
    causes = frozenset(reason.cause for reason in decision.reasons)
    return decision.verdict, causes, decision.image if decision.image in apart else ""


def _groups(
    forest: Forest, trees: Mapping[str, _Tree], height: int, *, plain: bool
) -> dict[str, Group]:
    """Return the groups of images that are not higher than this.

    Args:
        forest: what is drawn under what.
        trees: what is drawn under each busy image.
        height: levels above an image that may be folded with it.
        plain: fold only what follows from something else.
    """
    found: dict[str, Group] = {}
    waiting: list[str | None] = [None]
    while waiting:
        alike: dict[tuple[_Kind, frozenset[_Kind]], list[str]] = {}
        for image in forest.children[waiting.pop()]:
            tree = trees.get(image)
            if tree is None:
                continue
            kind = tree.kind
            follows = tree.kinds == {_CONSEQUENCE}
            # Nobody looks for what has a cause of its own behind something that has another.
            alone = tree.kinds <= {kind, _CONSEQUENCE} and kind not in _IDLE
            low = tree.height <= height
            if (follows and (low or not plain)) or (alone and low and not plain):
                alike.setdefault((kind, tree.kinds), []).append(image)
            else:
                waiting.append(image)
        for images in alike.values():
            size = sum(trees[image].size for image in images)
            if size - 1 < LEAST_SAVED:
                waiting += images
                continue
            group = Group(
                images=tuple(images),
                decision=common([forest.decided[image] for image in images]),
                above=size - len(images),
            )
            found |= dict.fromkeys(images, group)
    return found


def _lines(forest: Forest, groups: Mapping[str, Group]) -> int:
    lines = 0
    waiting: list[str | None] = [None]
    while waiting:
        for image in forest.children[waiting.pop()]:
            if image not in forest.busy:
                continue
            group = groups.get(image)
            if group is None:
                waiting.append(image)
            lines += group is None or group.images[0] == image
    return lines


def common(decisions: list[Decision]) -> Decision:
    """Return the first decision with what is true of all: reasons that differ lose their details.

    Args:
        decisions: at least one; all have the same causes.
    """
    if len(decisions) == 1:
        return decisions[0]
    reasons: dict[Reason, None] = {}
    shared = set.intersection(*(set(decision.reasons) for decision in decisions))
    for reason in decisions[0].reasons:
        if reason in shared:
            reasons[reason] = None
        elif not _is_told(reason.cause, shared):
            reasons[Reason(cause=reason.cause)] = None
    return replace(decisions[0], reasons=tuple(reasons))


def _is_told(cause: Cause, shared: Iterable[Reason]) -> bool:
    return any(reason.cause is cause for reason in shared)
