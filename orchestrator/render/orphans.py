"""Published repositories that are in no file: lines for people, objects for machines."""

from __future__ import annotations

from orchestrator.model.orphan import Orphans
from orchestrator.render.style import Style
from orchestrator.render.words import counted, listed

_WAYS_OUT = (
    "Put such an image back as `retired: true`, name its id under `formerly:` of the image that "
    "it became, or delete the repository."
)


def orphans_text(orphans: Orphans, style: Style) -> str:
    """Return a paragraph; empty where there is nothing to tell."""
    lines: list[str] = []
    if orphans.found:
        lines.append(style.bold("Published, and in no file:"))
        for orphan in orphans.found:
            said = f"{orphan.repository}  (image {orphan.image})"
            lines += map(style.warn, style.wrap(style.clean(said), first="  ", then="    "))
        lines += map(style.note, style.wrap(_WAYS_OUT))
    elif not (orphans.unlisted or orphans.passed_over):
        return ""
    if orphans.unlisted:
        where = listed(orphans.unlisted)
        text = f"What is in no file is not known: {where} gives no list of repositories."
        lines += map(style.dim, style.wrap(style.clean(text)))
    if orphans.passed_over:
        text = f"{counted(orphans.passed_over, 'repository', 'repositories')} not looked into."
        lines += map(style.dim, style.wrap(text))
    return "\n" + "\n".join(lines) + "\n"


def orphans_json(orphans: Orphans | None) -> dict[str, object]:
    """Return the keys that a status gets; null where nobody looked."""
    if orphans is None:
        return {"orphans": None}
    return {
        "orphans": [
            {"repository": orphan.repository, "image": orphan.image} for orphan in orphans.found
        ],
        "orphans_unknown": {
            "registries": list(orphans.unlisted),
            "repositories": orphans.passed_over,
        },
    }
