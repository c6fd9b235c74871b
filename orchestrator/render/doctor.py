"""What `doctor` found: for people by area, the gravest in sight; and as JSON."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

from orchestrator.model.finding import Area, Finding, Level, Repair
from orchestrator.render.style import Style
from orchestrator.render.table import Paint
from orchestrator.render.words import counted

FORMAT = 1

#: Area → its heading. Every constant is here: a test says so.
HEADINGS = {
    Area.ENGINE: "Engine",
    Area.BUILDX: "buildx and builders",
    Area.PLATFORMS: "Platforms",
    Area.REGISTRY: "Registries",
    Area.CLOCK: "Clock",
    Area.DISK: "Disk",
    Area.DATABASE: "Database",
    Area.LEFTOVERS: "Leftovers",
    Area.FILES: "Files",
    Area.DELIVERIES: "Notices to teams",
}
_MARKS = {Level.OK: "✓", Level.WARNING: "!", Level.ERROR: "✗", Level.UNKNOWN: "?"}


def doctor_text(
    findings: tuple[Finding, ...],
    repaired: tuple[Repair, ...],
    style: Style,
    *,
    quiet: bool = False,
) -> str:
    """Return one line for every check, below it how to mend what is wrong, and how many.

    Args:
        findings: by area.
        repaired: what was mended before.
        style: how it may look.
        quiet: only what is not well; empty where all is.
    """
    shown = [f for f in findings if not quiet or f.level is not Level.OK]
    blocks = []
    for area, group in groupby(shown, key=lambda finding: finding.area):
        lines = [style.bold(HEADINGS[area])]
        for finding in group:
            lines += _finding(finding, style)
        blocks.append("\n".join(lines))
    if repaired and not quiet:
        lines = [style.bold("Repaired")]
        for each in repaired:
            lines += style.wrap(f"{each.what}: {each.done}", first=f"  {style.clean('✓')} ")
        blocks.append("\n".join(lines))
    if not quiet:
        blocks.append("\n".join(_sum(findings, style)))
    return "\n\n".join(blocks) + "\n" if blocks else ""


def repair_text(repair: Repair, style: Style) -> str:
    """Return what is wrong, and below it what will be done about it."""
    lines = style.wrap(repair.what, first=f"{style.clean('!')} ")
    lines += style.wrap(f"repair: {repair.does}", first="  ")
    return "\n".join(lines) + "\n"


def _finding(finding: Finding, style: Style) -> list[str]:
    paint = _paint(finding.level, style)
    mark = style.clean(_MARKS[finding.level])
    first, *more = style.wrap(finding.what, first=f"  {mark} ")
    lines = [first.replace(mark, paint(mark), 1), *more]
    if finding.hint:
        first, *more = style.wrap(finding.hint, first="    hint: ")
        lines += [first.replace("hint:", style.note("hint:"), 1), *more]
    if finding.command:
        # Never wrapped: it is to be copied.
        lines.append(f"    {style.dim('$')} {style.clean(finding.command)}")
    return lines


def _paint(level: Level, style: Style) -> Paint:
    paints = {Level.OK: style.good, Level.WARNING: style.warn, Level.ERROR: style.bad}
    return paints.get(level, style.warn)


def _sum(findings: tuple[Finding, ...], style: Style) -> list[str]:
    counts = Counter(finding.level for finding in findings)
    said = [counted(counts[Level.ERROR], "error")] if counts[Level.ERROR] else []
    said += [counted(counts[Level.WARNING], "warning")] if counts[Level.WARNING] else []
    said += [f"{counts[Level.UNKNOWN]} not known"] if counts[Level.UNKNOWN] else []
    checks = counted(len(findings), "check")
    text = f"{', '.join(said)} in {checks}." if said else f"{checks}: all is well."
    worst = next((e for e in (Level.ERROR, Level.WARNING, Level.UNKNOWN) if counts[e]), Level.OK)
    return [_paint(worst, style)(line) for line in style.wrap(text)]


def doctor_json(findings: tuple[Finding, ...], repaired: tuple[Repair, ...]) -> dict[str, object]:
    """Return everything as a JSON object."""
    counts = Counter(finding.level for finding in findings)
    return {
        "format": FORMAT,
        "kind": "doctor",
        "findings": [
            {
                "code": str(finding.code),
                "area": str(finding.area),
                "level": str(finding.level),
                "what": finding.what,
                "hint": finding.hint,
                "command": finding.command,
                "facts": dict(finding.facts),
            }
            for finding in findings
        ],
        "repaired": [
            {"code": str(each.code), "what": each.what, "does": each.does, "done": each.done}
            for each in repaired
        ],
        "summary": {str(level): counts[level] for level in Level},
    }
