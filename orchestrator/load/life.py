"""The life of an image: renamed, retired, replaced, at its end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from orchestrator.load.draft import Draft, DraftImage
from orchestrator.load.problems import Problems, shown, where
from orchestrator.load.yaml_nodes import Scalar
from orchestrator.model.hierarchy import Parent, ParentKind

WARNED_DAYS = 90


def check_life(draft: Draft) -> None:
    """Keep what is wrong with former ids, and with who takes whose place."""
    problems = draft.found
    for image in draft.images.values():
        for name in image.formerly:
            _check_former(image, name, draft, problems)
        if "replaced_by" in image.said:
            _check_replaced(image, image.said["replaced_by"], draft, problems)
    _check_circles(draft, problems)


def successors(draft: Draft) -> dict[str, str]:
    """Return retired image → the image to stand on instead; empty where there is none.

    Of a chain of retired images it is the end of the chain.
    """
    found: dict[str, str] = {}
    for name in draft.images:
        path: dict[str, None] = {}
        here, end = name, ""
        while here in draft.images and here not in path:
            image = draft.images[here]
            if here in found or not image.retired:
                end = found.get(here, here)
                break
            path[here] = None
            here = str(image.said.get("replaced_by", ""))
        found.update(dict.fromkeys(path, end))
    return found


def doubt_ends(draft: Draft, today: str | None, problems: Problems) -> None:
    """Warn of images whose last supported day is near or over.

    Args:
        draft: the files.
        today: ``YYYY-MM-DD``; None: nobody knows, and nothing is said.
        problems: where the warnings go.
    """
    if today is None:
        return
    day = date.fromisoformat(today)
    soon = (day + timedelta(days=WARNED_DAYS)).isoformat()
    ending: dict[tuple[str, int, int, str], list[DraftImage]] = {}
    for image in draft.images.values():
        eol = image.said.get("eol")
        if eol is not None and not image.broken and not image.retired and eol <= soon:
            ending.setdefault((eol.file.name, eol.line, eol.column, str(eol)), []).append(image)
    for images in ending.values():
        # An inherited day is said once, for all that have it.
        eol = images[0].said["eol"]
        who, has = _named(images), "has" if len(images) == 1 else "have"
        days = (date.fromisoformat(eol) - day).days
        if days < 0:
            what = f"{who} {has} reached the end of support on {eol}"
            it = "it" if len(images) == 1 else "them"
            hint = f"retire {it}: `retired: true`, and `replaced_by:` where there is another"
            problems.warn("EOL-OVER", eol, what, hint)
        else:
            when = "today" if days == 0 else "tomorrow" if days == 1 else f"in {days} days"
            what = f"support of {who} ends on {eol}, {when}"
            problems.warn("EOL-SOON", eol, what, "move what stands on it to another image")


def doubt_order(
    draft: Draft, parents: Mapping[str, tuple[Parent, ...]], problems: Problems
) -> None:
    """Warn of images that are to be supported longer than what they stand on."""
    outliving: dict[tuple[str, str, int, int, str], list[DraftImage]] = {}
    for name, found in parents.items():
        eol = draft.images[name].said.get("eol")
        if eol is None:
            continue
        for subject in dict.fromkeys(p.subject for p in found if p.kind is ParentKind.IMAGE):
            parent = draft.images.get(subject)
            end = None if parent is None or parent.broken else parent.said.get("eol")
            if end is not None and end < eol:
                place = (eol.file.name, eol.line, eol.column)
                outliving.setdefault((subject, *place, str(eol)), []).append(draft.images[name])
    for (subject, *_), images in outliving.items():
        eol, end = images[0].said["eol"], draft.images[subject].said["eol"]
        what = f"{_named(images)} {'is' if len(images) == 1 else 'are'} supported until {eol}"
        what = f"{what}, and the parent {shown(subject)} only until {end} ({where(end, eol)})"
        problems.warn("EOL-ORDER", eol, what, "stand on another parent, or correct one of the days")


def _check_former(image: DraftImage, name: Scalar, draft: Draft, problems: Problems) -> None:
    what = f"image {shown(image.id)} was formerly {shown(name)}"
    if name in draft.names:
        if name == image.id:
            what, hint = f"{what}, which is its id now", "remove it from `formerly`"
        else:
            other = where(draft.names[name], name)
            what = f"{what}, and there is an image {shown(name)} ({other})"
            hint = "an id that came back cannot stand for another image: give one another id"
        problems.error("FORMER-ID", name, what, hint)
        return
    first = draft.former[name]
    if first is not image:
        what = f"{what}, and so was image {shown(first.id)} ({where(first.id, name)})"
        problems.error("FORMER-ID", name, what, "an id can go on in one image only", once=True)


def _check_replaced(image: DraftImage, name: Scalar, draft: Draft, problems: Problems) -> None:
    what = f"image {shown(image.id)} is replaced by {shown(name)}"
    if name not in draft.names:
        if "images" in draft.top.wrong:
            return
        now = draft.former.get(name)
        hint = f"it is called {now.id} now" if now else problems.did_you_mean(name, draft.names)
        hint = hint or "name an image of this hierarchy, or leave it out"
        problems.error("UNKNOWN-IMAGE", name, f"{what}, which is no image", hint)
    elif name == image.id:
        problems.error("REPLACED-BY", name, f"{what}, which is itself", "name another image")
    elif not image.retired:
        hint = "write `retired: true`, or leave `replaced_by` out"
        problems.error("REPLACED-BY", name, f"{what}, but is not retired", hint, once=True)


def _check_circles(draft: Draft, problems: Problems) -> None:
    """Refuse retired images that replace one another."""
    done: set[str] = set()
    for name in draft.images:
        path: dict[str, None] = {}
        here = name
        while here in draft.images and draft.images[here].retired and here not in done:
            done.add(here)
            path[here] = None
            here = str(draft.images[here].said.get("replaced_by", ""))
        if here in path and here != next(reversed(path)):
            circle = [*list(path)[list(path).index(here) :], here]
            what = f"retired images replace one another: {' → '.join(circle[:20])}"
            hint = "one of them has to name an image that is built"
            problems.error("REPLACED-BY", draft.images[here].place("replaced_by"), what, hint)


def _named(images: list[DraftImage]) -> str:
    if len(images) == 1:
        return f"image {shown(images[0].id)}"
    more = f" and {len(images) - 5} more" if len(images) > 5 else ""
    return f"images {', '.join(shown(image.id) for image in images[:5])}{more}"
