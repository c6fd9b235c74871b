"""How images stand, and why one would be built: tables for people."""

from __future__ import annotations

from collections import Counter

from orchestrator.model.plan import Cause, Verdict
from orchestrator.model.status import Explanation, ImageStatus
from orchestrator.render.cells import cell_width
from orchestrator.render.style import Style
from orchestrator.render.table import Cell, Paint, Row, table
from orchestrator.render.words import (
    age_words,
    counted,
    is_held,
    listed,
    reasons_words,
    revision_words,
    short,
)

#: Columns before an image for each level that it stands higher, and levels that are shown.
_STEP, _MOST_LEVELS = 2, 6
_HEAD = ("IMAGE", "VERSION", "CURRENT", "AGE")


def state_of(status: ImageStatus) -> str:
    """Return one word or two for how an image stands; what ``status`` counts at its end."""
    decision = status.decision
    if is_held(decision):
        return "held back"
    if decision.verdict is Verdict.KEEP:
        return "up to date"
    if decision.verdict is Verdict.RETAG:
        return "candidate" if status.candidate else "tags differ"
    return "behind" if status.current else "never published"


def status_text(statuses: tuple[ImageStatus, ...], style: Style) -> str:
    """Return a table of images, what is current of each, and how far behind it is.

    Args:
        statuses: parents before children.
        style: how it may look.
    """
    if not statuses:
        return "No images.\n"
    lines = table((*_HEAD, "STATE"), _rows(statuses, style), style, right=frozenset({3}))
    counts = Counter(map(state_of, statuses))
    said = ", ".join(f"{number} {state}" for state, number in counts.most_common())
    lines += ["", *map(style.bold, style.wrap(f"{counted(len(statuses), 'image')}: {said}."))]
    if set(counts) - {"up to date"}:
        text = "`orchestrate why IMAGE` explains, `orchestrate plan` shows what a run would do."
        lines += map(style.note, style.wrap(text))
    return "\n".join(lines) + "\n"


def _rows(statuses: tuple[ImageStatus, ...], style: Style) -> list[Row]:
    facts = [_facts_cells(status, style) for status in statuses]
    widest = [max(map(cell_width, texts)) for texts in zip(*_texts(facts), strict=True)]
    room = style.columns - sum(map(max, widest, map(len, _HEAD))) - 2 * len(widest)
    rows = []
    for status, cells in zip(statuses, facts, strict=True):
        state, details = state_of(status), _details(status)
        waits = status.decision.verdict is Verdict.AWAIT and bool(status.current)
        told = ": ".join(details if waits and details else (state, *details))
        inline = len(details) <= 1 and cell_width(style.clean(told)) <= room
        paint = _paint(state, style)
        rows.append(
            Row(
                cells=(*cells, Cell(text=told if inline else state, paint=paint)),
                below=() if inline else tuple(Cell(text=d, paint=style.dim) for d in details),
                indent=_indent(status),
            )
        )
    return rows


def _texts(rows: list[tuple[Cell, ...]]) -> list[list[str]]:
    return [[cell.text for cell in cells] for cells in rows]


def _facts_cells(status: ImageStatus, style: Style) -> tuple[Cell, ...]:
    return (
        Cell(text=" " * _indent(status) + style.clean(status.image), paint=style.bold),
        Cell(text=style.clean(status.publication.version) if status.publication else ""),
        Cell(text=style.clean(status.immutable or short(status.current))),
        Cell(text=age_words(status.age_s) if status.age_s is not None else "", paint=style.dim),
    )


def _indent(status: ImageStatus) -> int:
    return _STEP * min(status.depth, _MOST_LEVELS)


def _paint(state: str, style: Style) -> Paint:
    paints = {"up to date": style.good, "held back": style.bad, "candidate": style.note}
    return paints.get(state, style.warn)


def _details(status: ImageStatus) -> list[str]:
    if status.decision.verdict is Verdict.RETAG and status.candidate:
        return [f"{short(status.candidate)} is built and waits for its tags"]
    reasons = [r for r in status.decision.reasons if r.cause is not Cause.NEVER_PUBLISHED]
    if state_of(status) == "never published":
        # That parents come first says nothing here: none of it is there.
        reasons = [r for r in reasons if r.cause is not Cause.PARENT_PENDING]
    return reasons_words(reasons)


def why_text(explanation: Explanation, style: Style) -> str:
    """Return why an image would be built or why not: a sentence, the reasons, the key's parts."""
    status = explanation.status
    sentence, paint = _verdict(status, style)
    lines = [paint(line) for line in style.wrap(sentence)]
    for reason in reasons_words(status.decision.reasons):
        lines += style.wrap(reason, first="  ", then="    ")
    lines += ["", *_facts(explanation, style), ""]
    lines += _parts(explanation, style)
    if explanation.parents:
        lines += ["", *_parents(explanation, style)]
    return "\n".join(lines) + "\n"


def _verdict(status: ImageStatus, style: Style) -> tuple[str, Paint]:
    image, decision = status.image, status.decision
    if is_held(decision):
        return f"{image} is held back: it is not as the files say, and a run leaves it.", style.bad
    if decision.verdict is Verdict.KEEP:
        return f"{image} is up to date: a run leaves it as it is.", style.good
    if decision.verdict is Verdict.RETAG:
        return f"{image} needs no build; a run puts its tags right.", style.warn
    if decision.verdict is Verdict.AWAIT:
        sentence = f"{image} would be built if what it waits for really changes."
        return sentence, style.warn
    return f"{image} would be {'rebuilt' if decision.current else 'built'}.", style.warn


def _facts(explanation: Explanation, style: Style) -> list[str]:
    status, said = explanation.status, explanation.status.publication
    current = "nothing is published"
    if status.current:
        tag = f"{status.immutable} " if status.immutable else ""
        age = f", {age_words(status.age_s)} old" if status.age_s is not None else ""
        commit = f", from {revision_words(said.revision)}" if said and said.revision else ""
        current = f"{tag}({short(status.current)}){age}{commit}"
    facts = {"image": status.repository, "current": current}
    if status.candidate:
        facts["candidate"] = short(status.candidate)
    awaited = listed(_awaited(explanation))
    facts["key"] = short(explanation.key) if explanation.key else "not known before its parents"
    if explanation.key and awaited:
        facts["key"] += f", if {awaited} does not change"
    return [line for name, text in facts.items() for line in _fact(name, text, style)]


def _fact(name: str, text: str, style: Style) -> list[str]:
    lead = f"{name:<11}"
    first, *more = style.wrap(text, first=" " * cell_width(lead))
    return [style.dim(lead) + first[len(lead) :], *more]


def _awaited(explanation: Explanation) -> list[str]:
    waits = (Cause.PARENT_PENDING, Cause.REJECTED)
    reasons = explanation.status.decision.reasons
    return [reason.subject for reason in reasons if reason.cause in waits and reason.subject]


def _parts(explanation: Explanation, style: Style) -> list[str]:
    rows = []
    awaited = _awaited(explanation)
    for part in explanation.parts:
        if part.part == "parents" and awaited:
            told, paint = f"waits for {listed(awaited)}", style.note
        elif part.same:
            told, paint = "same", style.dim
        else:
            told, paint = ("differs" if part.was else "new"), style.warn
        rows.append(_compared(part.part, part.was, part.now, Cell(text=told, paint=paint), style))
    return table(("PART OF THE KEY", "WAS", "NOW", ""), rows, style)


def _parents(explanation: Explanation, style: Style) -> list[str]:
    rows = []
    awaited = _awaited(explanation)
    for subject, was, now in explanation.parents:
        if subject in awaited:
            told, paint = "about to change", style.note
        elif was == now:
            told, paint = "same", style.dim
        else:
            told, paint = ("moved" if was else "new"), style.warn
        rows.append(_compared(subject, was, now, Cell(text=told, paint=paint), style))
    return table(("PARENT", "WAS", "NOW", ""), rows, style)


def _compared(name: str, was: str, now: str, told: Cell, style: Style) -> Row:
    quiet = style.dim if was == now else None
    return Row(
        cells=(
            Cell(text=name),
            Cell(text=short(was) or "-", paint=quiet),
            Cell(text=short(now) or "-", paint=quiet),
            told,
        )
    )
