"""What is stored, and what protects it: tables for people, objects for machines."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from orchestrator.model.protection import Guard, Protection, Shelf, Stored
from orchestrator.render.json import FORMAT, Object
from orchestrator.render.style import Style
from orchestrator.render.table import Cell, Row, table
from orchestrator.render.words import age_words, counted, listed, short

#: Guard → what protects, given its subjects. Every constant is here, in the order it is told.
GUARDS: Mapping[Guard, Callable[[list[str]], str]] = {
    Guard.FLOATING: lambda tags: f"tag {listed(tags)}",
    Guard.CURRENT: lambda images: f"current of {listed(images)}",
    Guard.CANDIDATE: lambda images: f"what the files of {listed(images)} lead to",
    Guard.DESCENDANT: lambda images: f"below {listed(images)}",
    Guard.ROLLBACK: lambda runs: f"rollback of {listed(runs)}",
    Guard.PLAN: lambda plans: f"plan {listed(plans)}",
    Guard.NEWEST: lambda upstreams: f"newest of {listed(upstreams)}",
}


def digests_text(shelves: tuple[Shelf, ...], style: Style, *, verbose: bool = False) -> str:
    """Return a table for each repository: digests, newest first, and what protects them.

    Args:
        shelves: repositories.
        style: how it may look.
        verbose: list the tags of build keys and of what is attached as well.
    """
    if not shelves:
        return "No images.\n"
    lines: list[str] = []
    for shelf in shelves:
        lines += [style.bold(line) for line in style.wrap(_heading(shelf))]
        if shelf.digests:
            rows = (_row(stored, style, verbose=verbose) for stored in shelf.digests)
            head = ("DIGEST", "AGE", "TAGS")
            lines += table(head, rows, style, right=frozenset({1}), whole=frozenset({0}))
        else:
            lines.append(style.dim("  nothing is stored"))
        lines.append("")
    every = [stored for shelf in shelves for stored in shelf.digests]
    loose = sum(not stored.protections for stored in every)
    kept = f"{loose} not protected" if loose else "all protected"
    total = f"{counted(len(every), 'digest')}{f', {kept}' if every else ''}."
    lines += map(style.bold, style.wrap(total))
    return "\n".join(lines) + "\n"


def _heading(shelf: Shelf) -> str:
    whose = f"mirror of {listed(shelf.upstreams)}" if shelf.upstreams else listed(shelf.images)
    return f"{whose}: {shelf.repository}"


def _row(stored: Stored, style: Style, *, verbose: bool) -> Row:
    tags = [*stored.tags, *((*stored.keys, *stored.attached) if verbose else ())]
    facts = []
    if stored.rejected:
        facts.append(Cell(text="rolled back", paint=style.bad))
    if stored.attached and not verbose:
        facts.append(Cell(text=f"with {counted(len(stored.attached), 'attached tag')}"))
    kept = protection_words(stored.protections)
    if kept:
        facts.append(Cell(text=f"kept: {'; '.join(kept)}", paint=style.dim))
    else:
        facts.append(Cell(text="not protected", paint=style.warn))
    return Row(
        cells=(
            Cell(text=short(stored.digest), paint=style.bold),
            Cell(text=age_words(stored.age_s) if stored.age_s is not None else ""),
            Cell(text=", ".join(tags)),
        ),
        below=tuple(facts),
    )


def protection_words(protections: tuple[Protection, ...]) -> list[str]:
    """Return what protects a digest, one phrase for each kind."""
    subjects: dict[Guard, list[str]] = {}
    for protection in protections:
        subjects.setdefault(protection.guard, []).append(protection.subject)
    return [say(subjects[guard]) for guard, say in GUARDS.items() if guard in subjects]


def digests_json(shelves: tuple[Shelf, ...]) -> Object:
    """Return every digest that a tag names, by repository, and what protects it."""
    every = [stored for shelf in shelves for stored in shelf.digests]
    return {
        "format": FORMAT,
        "kind": "digests",
        "repositories": [
            {
                "repository": shelf.repository,
                "images": list(shelf.images),
                "upstreams": list(shelf.upstreams),
                "digests": [_stored(stored) for stored in shelf.digests],
            }
            for shelf in shelves
        ],
        "summary": {
            "digests": len(every),
            "unprotected": sum(not stored.protections for stored in every),
        },
    }


def _stored(stored: Stored) -> Object:
    return {
        "digest": stored.digest,
        "tags": list(stored.tags),
        "keys": list(stored.keys),
        "attached": list(stored.attached),
        "image": stored.image,
        "created": stored.created,
        "age_s": stored.age_s,
        "rejected": stored.rejected,
        "protected_by": [
            {"guard": str(protection.guard), "subject": protection.subject}
            for protection in stored.protections
        ],
    }
