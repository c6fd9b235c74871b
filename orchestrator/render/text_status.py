"""How images stand, and why one would be built: tables for people."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from orchestrator.model.plan import Cause, Verdict
from orchestrator.model.status import Explanation, ImageStatus
from orchestrator.model.time import rfc3339, seconds_of
from orchestrator.render.cells import cell_width
from orchestrator.render.fold import MOST_LINES, common, on_hold
from orchestrator.render.reason_words import reasons_words
from orchestrator.render.style import Style
from orchestrator.render.table import Cell, Paint, Row, table
from orchestrator.render.text_packages import packages_lines
from orchestrator.render.words import (
    age_words,
    behind_words,
    counted,
    is_held,
    is_unpromoted,
    listed,
    promoting_runs,
    revision_words,
    short,
)

#: Columns before an image for each level that it stands higher, and levels that are shown.
_STEP, _MOST_LEVELS = 2, 6
#: Runs that are named as those that promote what waits.
_MOST_RUNS = 3
_HEAD = ("IMAGE", "VERSION", "CURRENT", "AGE")


def state_of(status: ImageStatus) -> str:
    """Return one word or two for how an image stands; what ``status`` counts at its end."""
    decision = status.decision
    if any(reason.cause is Cause.RETIRED for reason in decision.reasons):
        return "retired"
    if is_unpromoted(decision):
        return "candidate"
    if is_held(decision):
        return "held back"
    if decision.verdict is Verdict.KEEP:
        return "up to date"
    if decision.verdict is Verdict.FAIL:
        return "cannot be built"
    if decision.verdict is Verdict.RETAG:
        return "candidate" if status.candidate else "tags differ"
    return "behind" if status.current else "never published"


def status_text(statuses: tuple[ImageStatus, ...], style: Style, *, every: bool = False) -> str:
    """Return a table of images, what is current of each, and how far behind it is.

    Where there would be too many rows, images that are up to date are only counted, and if these
    are not enough, images that are behind for the same reason share a row.

    Args:
        statuses: parents before children.
        style: how it may look.
        every: a row for every image.
    """
    if not statuses:
        return "No images.\n"
    groups = _single(statuses) if every else _grouped(statuses)
    shown = sum(map(len, groups))
    lines = table((*_HEAD, "STATE"), _rows(groups, style), style, right=frozenset({3}))
    if not groups:
        lines = []
    counts = Counter(map(state_of, statuses))
    said = ", ".join(f"{number} {state}" for state, number in counts.most_common())
    lines += [""] * bool(lines)
    lines += map(style.bold, style.wrap(f"{counted(len(statuses), 'image')}: {said}."))
    if len(groups) < len(statuses):
        without = " but those that are up to date" if shown < len(statuses) else ""
        text = f"Shown in groups{without}; `orchestrate status --all` lists every image."
        if len(groups) == shown:
            text = "Those that are up to date are listed by `orchestrate status --all`."
        lines += map(style.dim, style.wrap(text))
    lines += _packages(statuses, style)
    runs = promoting_runs(status.decision for status in statuses)
    for run in runs[:_MOST_RUNS]:
        text = f"`orchestrate promote {run}` promotes what that run built and nobody promoted."
        lines += map(style.note, style.wrap(text))
    if set(counts) - {"up to date"}:
        text = "`orchestrate why IMAGE` explains, `orchestrate plan` shows what a run would do."
        lines += map(style.note, style.wrap(text))
    return "\n".join(lines) + "\n"


def _packages(statuses: tuple[ImageStatus, ...], style: Style) -> list[str]:
    known = {status.image: status.packages for status in statuses if status.packages}
    # Age and time of what is published say when somebody looked.
    looked_s = (
        seconds_of(status.publication.created) + (status.age_s or 0.0)
        for status in statuses
        if status.publication
    )
    return packages_lines(known, rfc3339(next(looked_s, 0.0)), style)


Group = tuple[ImageStatus, ...]


def _grouped(statuses: Group) -> list[Group]:
    """Return the rows: each image, or those that share one where there are too many."""
    if len(statuses) <= MOST_LINES:
        return _single(statuses)
    behind = tuple(status for status in statuses if state_of(status) != "up to date")
    if len(behind) <= MOST_LINES:
        return _single(behind)
    found: list[Group] = []
    apart = on_hold(status.decision for status in behind)
    for by_parent in (True, False):
        alike: dict[object, list[ImageStatus]] = {}
        for status in behind:
            like = _like(status, by_parent=by_parent)
            key = status.image if status.image in apart else like
            alike.setdefault(key, []).append(status)
        found = [tuple(group) for group in alike.values()]
        if len(found) <= MOST_LINES:
            break
    return found


def _single(statuses: Group) -> list[Group]:
    return [(status,) for status in statuses]


def _like(status: ImageStatus, *, by_parent: bool) -> object:
    """Return why an image is behind, without what differs from image to image."""
    causes = frozenset(
        (r.cause, r.subject if by_parent and r.cause is Cause.PARENT_PENDING else "")
        for r in status.decision.reasons
    )
    return state_of(status), status.depth, causes


def _rows(groups: list[Group], style: Style) -> list[Row]:
    if not groups:
        return []
    statuses = [_one(group) for group in groups]
    facts = [_facts_cells(group, style) for group in groups]
    widest = [max(map(cell_width, texts)) for texts in zip(*_texts(facts), strict=True)]
    room = style.columns - sum(map(max, widest, map(len, _HEAD))) - 2 * len(widest)
    rows = []
    for status, cells in zip(statuses, facts, strict=True):
        state, details = state_of(status), _with_age(status, _details(status))
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


def _one(group: Group) -> ImageStatus:
    """Return the first image, with the reasons that hold for all."""
    decision = common([status.decision for status in group])
    alike = all(status.behind == group[0].behind for status in group)
    return replace(group[0], decision=decision, behind=group[0].behind if alike else ())


def _facts_cells(group: Group, style: Style) -> tuple[Cell, ...]:
    status = group[0]
    name = Cell(text=" " * _indent(status) + style.clean(status.image), paint=style.bold)
    if len(group) > 1:
        more = f" … and {len(group) - 1} more"
        room = max(style.columns * 2 // 5 - len(more), 16)
        name = replace(name, text=style.cut(name.text, room) + style.clean(more))
        return (name, *(Cell(text="") for _ in _HEAD[1:]))
    return (
        name,
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


def _with_age(status: ImageStatus, details: list[str]) -> list[str]:
    """Return the details with how long an image has been behind which upstream."""
    behind = behind_words(status.behind)
    if not behind:
        return details
    if status.decision.verdict is Verdict.AWAIT and len(details) == 1:
        return [f"{behind}, {details[0]}"]
    return [behind, *details]


def why_text(explanation: Explanation, style: Style) -> str:
    """Return why an image would be built or why not: a sentence, the reasons, the key's parts."""
    status = explanation.status
    sentence, paint = _verdict(status, style)
    lines = [paint(line) for line in style.wrap(sentence)]
    for reason in reasons_words(status.decision.reasons):
        lines += style.wrap(reason, first="  ", then="    ")
    lines += ["", *_facts(explanation, style)]
    if explanation.parts:
        lines += ["", *_parts(explanation, style)]
    if explanation.parents:
        lines += ["", *_parents(explanation, style)]
    return "\n".join(lines) + "\n"


def _verdict(status: ImageStatus, style: Style) -> tuple[str, Paint]:
    image, decision = status.image, status.decision
    if is_unpromoted(decision):
        run = next(r.subject for r in decision.reasons if r.cause is Cause.UNPROMOTED)
        command = style.clean(f"orchestrate promote {run} +{image}")
        return f"{image} waits for its promotion: `{command}`.", style.note
    if is_held(decision):
        return f"{image} is held back: a run leaves it as it is.", style.bad
    if any(reason.cause is Cause.RETIRED for reason in decision.reasons):
        return f"{image} is retired: nothing builds it any more.", style.dim
    if decision.verdict is Verdict.KEEP:
        return f"{image} is up to date: a run leaves it as it is.", style.good
    if decision.verdict is Verdict.FAIL:
        return f"{image} cannot be built: something it is made of cannot be had.", style.bad
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
    behind = behind_words(status.behind)
    if behind:
        facts["behind"] = behind.removeprefix("behind ")
    if status.candidate:
        facts["candidate"] = short(status.candidate)
    awaited = listed(_awaited(explanation))
    if explanation.parts:
        facts["key"] = short(explanation.key) or "not known before its parents"
    if explanation.parts and explanation.key and awaited:
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
