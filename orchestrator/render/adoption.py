"""What becomes of images that others published: a table for people, objects for machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from orchestrator.model.adoption import Adoption, AdoptionState
from orchestrator.model.run import JournalledMove
from orchestrator.render.json import FORMAT, Object, move_object
from orchestrator.render.style import Style
from orchestrator.render.table import Cell, Paint, Row, table
from orchestrator.render.words import counted, short

#: State → its words; every constant is here.
STATES: Mapping[AdoptionState, str] = {
    AdoptionState.ADOPTABLE: "can be adopted",
    AdoptionState.ADOPTED: "adopted",
    AdoptionState.OURS: "already ours",
    AdoptionState.NOTHING: "nothing to adopt",
    AdoptionState.RETIRED: "retired",
    AdoptionState.REFUSED: "refused",
    AdoptionState.FAILED: "failed",
}


def adoption_text(adoptions: tuple[Adoption, ...], style: Style, run: str = "") -> str:
    """Return a table of images, what is published of each, and what came of it.

    Args:
        adoptions: parents before children.
        style: how it may look.
        run: id of the run that adopted; empty: nothing was written.
    """
    if not adoptions:
        return "No images.\n"
    lines = table(("IMAGE", "PUBLISHED", "STATE"), (_row(a, style) for a in adoptions), style)
    counts = Counter(adoption.state for adoption in adoptions)
    said = ", ".join(f"{counts[state]} {words}" for state, words in STATES.items() if counts[state])
    total = f"{counted(len(adoptions), 'image')}: {said}."
    lines += ["", *map(style.bold, style.wrap(total))]
    for hint in _hints(counts, run):
        lines += map(style.note, style.wrap(hint))
    return "\n".join(lines) + "\n"


def _row(adoption: Adoption, style: Style) -> Row:
    state = STATES[adoption.state]
    published = f"{short(adoption.found)} {', '.join(adoption.tags)}".strip()
    why = f"{state}: {adoption.why}" if adoption.why else state
    inline = adoption.state is AdoptionState.NOTHING
    return Row(
        cells=(
            Cell(text=adoption.image, paint=style.bold),
            Cell(text=published),
            Cell(text=why if inline else state, paint=_paint(adoption.state, style)),
        ),
        below=(Cell(text=adoption.why, paint=style.dim),) if adoption.why and not inline else (),
    )


def _paint(state: AdoptionState, style: Style) -> Paint:
    if state in (AdoptionState.ADOPTED, AdoptionState.ADOPTABLE):
        return style.good
    return style.dim if state.is_good else style.bad


def _hints(counts: Mapping[AdoptionState, int], run: str) -> Iterable[str]:
    if counts[AdoptionState.ADOPTABLE]:
        yield "Nothing was written; `orchestrate adopt` without --dry-run does it."
    if counts[AdoptionState.REFUSED]:
        yield "What is refused is left as it is; `orchestrate build` builds it anew."
    if counts[AdoptionState.FAILED]:
        yield f"`orchestrate show {run}` tells what failed; adopting again goes on from there."
    if counts[AdoptionState.ADOPTED]:
        yield f"`orchestrate rollback {run}` takes it back."


def adoption_json(
    adoptions: tuple[Adoption, ...], run: str = "", moves: tuple[JournalledMove, ...] = ()
) -> Object:
    """Return what was found of every image and what came of it, parents before children."""
    counts = Counter(str(adoption.state) for adoption in adoptions)
    return {
        "format": FORMAT,
        "kind": "adoption",
        "run": run or None,
        "images": [
            {
                "image": adoption.image,
                "repository": adoption.repository,
                "state": str(adoption.state),
                "tags": list(adoption.tags),
                "found": adoption.found,
                "digest": adoption.digest,
                "key": adoption.key,
                "immutable": adoption.immutable,
                "why": adoption.why,
            }
            for adoption in adoptions
        ],
        "moves": [move_object(move) for move in moves],
        "summary": dict(sorted(counts.items())),
    }
