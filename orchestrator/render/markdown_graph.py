"""The graph in a comment: what is to be done and what that stands on, as large as can be read.

Each step down shows less: every image, then leaves of one parent as one node, then tiers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestrator.model.plan import Plan
from orchestrator.render.mermaid import Arrow, Box, flowchart
from orchestrator.render.text_plan import sign_of
from orchestrator.render.words import SIGNS

#: What can be read, which is less than what GitHub draws (500 edges, 50,000 characters).
_MOST_NODES, _MOST_EDGES, _MOST_CHARACTERS = 60, 400, 16_000
_LONGEST_LABEL = 64
_ALL = "<code>orchestrate graph</code> draws every image."
_LOOKS = {
    "+": "new",
    "~": "rebuilt",
    "?": "waits",
    ">": "retag",
    "!": "held",
    "=": "kept",
    "-": "outside",
    "x": "held",
}
_QUIET = "=-"
#: Words behind a number, where they are others.
_MANY = {"?": "waiting"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Touched:
    """The images of a graph: busy ones, and what they stand on.

    Attributes:
        signs: image id → its sign, parents before children.
        parents: image id → those of these images that it stands on, the final stage's first.
    """

    signs: Mapping[str, str]
    parents: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawing:
    boxes: list[Box]
    arrows: list[Arrow]
    said: str = ""


def plan_graph(plan: Plan, parents: Mapping[str, tuple[str, ...]], tiers: Mapping[str, str]) -> str:
    """Return a fenced Mermaid graph of what is to be done and what that stands on directly.

    Args:
        plan: what would be done.
        parents: image id → ids of the images it stands on, the final stage's first.
        tiers: image id → its tier.
    """
    signs = {decision.image: sign_of(decision) for decision in plan.decisions}
    busy = {image for image, sign in signs.items() if sign not in _QUIET}
    near = busy | {parent for image in busy for parent in parents.get(image, ())}
    shown = {image: sign for image, sign in signs.items() if image in near}
    # What is not touched has no edges of its own: it is there for those that stand on it.
    edges = {i: tuple(p for p in parents.get(i, ()) if p in shown) for i in shown if i in busy}
    touched = _Touched(signs=shown, parents=edges)
    for drawing in _steps(touched, tiers):
        if len(drawing.boxes) > _MOST_NODES or len(drawing.arrows) > _MOST_EDGES:
            continue
        text = flowchart(drawing.boxes, drawing.arrows)
        if len(text) <= _MOST_CHARACTERS:
            after = f"\n\n{drawing.said}" if drawing.said else ""
            return f"```mermaid\n{text}```{after}"
    return f"The graph is too large to be read. {_ALL}"


def _steps(touched: _Touched, tiers: Mapping[str, str]) -> Iterator[_Drawing]:
    yield _images(touched, {})
    yield _images(touched, _leaves(touched))
    named = {tiers.get(image, "") for image in touched.signs}
    if "" not in named and len(named) > 1:
        yield _levels(touched, tiers)
    yield _levels(touched, _depths(touched))


def _images(touched: _Touched, folded: Mapping[str, tuple[str, ...]]) -> _Drawing:
    """Draw images, of which some share a node.

    Args:
        touched: the images.
        folded: image id → those that share a node with it, itself included; the first is drawn.
    """
    number: dict[str, int] = {}
    boxes: list[Box] = []
    arrows: list[Arrow] = []
    for image, sign in touched.signs.items():
        alike = folded.get(image, (image,))
        if alike[0] != image:
            continue
        number[image] = len(boxes)
        more = f" … and {len(alike) - 1} more" if len(alike) > 1 else ""
        # Colours alone do not reach everybody.
        said = "" if sign == "=" else f" ({SIGNS[sign]})"
        boxes.append(Box(text=f"{image[:_LONGEST_LABEL]}{more}{said}", looks=_LOOKS[sign]))
        arrows += (
            Arrow(tail=number[parent], head=number[image], solid=nth == 0)
            for nth, parent in enumerate(touched.parents.get(image, ()))
            if parent in number
        )
    said = "Images that share a parent and a fate share a node." if folded else ""
    return _Drawing(boxes=boxes, arrows=arrows, said=_pointer(said))


def _pointer(said: str) -> str:
    return f"{said} {_ALL}" if said else ""


def _leaves(touched: _Touched) -> dict[str, tuple[str, ...]]:
    """Return image id → the leaves that stand on the same images and have the same fate."""
    below = {parent for parents in touched.parents.values() for parent in parents}
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for image, parents in touched.parents.items():
        if image not in below:
            alike.setdefault((touched.signs[image], parents), []).append(image)
    together = map(tuple, alike.values())
    return {image: images for images in together for image in images}


def _depths(touched: _Touched) -> dict[str, str]:
    depths: dict[str, int] = {}
    for image in touched.signs:
        on = (depths[p] + 1 for p in touched.parents.get(image, ()) if p in depths)
        depths[image] = max(on, default=0)
    return {image: f"level {depth + 1}" for image, depth in depths.items()}


def _levels(touched: _Touched, names: Mapping[str, str]) -> _Drawing:
    """Draw one node for all images with the same name: a tier, or how deep they stand."""
    counts: dict[str, Counter[str]] = {}
    for image, sign in touched.signs.items():
        counts.setdefault(names[image], Counter())[_MANY.get(sign, SIGNS[sign])] += 1
    number = {name: n for n, name in enumerate(counts)}
    boxes = [
        Box(text=f"{name[:_LONGEST_LABEL]}: " + ", ".join(f"{n} {w}" for w, n in said.items()))
        for name, said in counts.items()
    ]
    joined = {
        (number[names[parent]], number[names[image]]): nth == 0
        for image, parents in touched.parents.items()
        for nth, parent in reversed(list(enumerate(parents)))
        if names[parent] != names[image]
    }
    return _Drawing(
        boxes=boxes,
        arrows=[Arrow(tail=tail, head=head, solid=solid) for (tail, head), solid in joined.items()],
        said=_pointer("The graph has too many images to show each."),
    )
