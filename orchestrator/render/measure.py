"""Spared builds, and how long upstream changes took: tables for people, objects for machines."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.explain.measure import percentiles
from orchestrator.model.measure import Saved, UpstreamChange
from orchestrator.render.style import Style
from orchestrator.render.table import Cell, Row, table
from orchestrator.render.words import age_words, counted, duration_words, minute_words, short

FORMAT = 1
#: Rows of a table; the JSON has all of them.
_MOST_ROWS = 40


def saved_text(saved: tuple[Saved, ...], style: Style, since: str = "") -> str:
    """Return a table of images with the builds that were spared, and a sentence that sums it up.

    Args:
        saved: most seconds first.
        style: how it may look.
        since: what was asked for, for the sentence; empty: everything.
    """
    when = f" since {since}" if since else ""
    if not saved:
        return f"No build was spared{when}.\n"
    several = len({image.hierarchy for image in saved}) > 1
    head = ("IMAGE", "CUT OFF", "REUSED", "USUALLY", "SPARED")
    rows = [
        Row(
            cells=(
                Cell(text=_name(image, several=several), paint=style.bold),
                Cell(text=str(image.cut_off)),
                Cell(text=str(image.reused)),
                Cell(text=_known(image.usual_s), paint=style.dim),
                Cell(text=_known(image.spared_s if image.usual_s is not None else None)),
            )
        )
        for image in saved[:_MOST_ROWS]
    ]
    lines = table(head, rows, style, right=frozenset({1, 2, 3, 4}))
    if len(saved) > _MOST_ROWS:
        text = f"and {counted(len(saved) - _MOST_ROWS, 'image')} more, which `-o json` lists"
        lines += map(style.dim, style.wrap(text))
    cut_off, reused = sum(i.cut_off for i in saved), sum(i.reused for i in saved)
    spared = duration_words(sum(image.spared_s for image in saved))
    text = (
        f"{counted(cut_off + reused, 'build')} spared{when}, which would have taken {spared}: "
        f"{cut_off} by the early cut-off, {reused} by the build key."
    )
    lines += ["", *map(style.bold, style.wrap(text))]
    unknown = sum(image.builds for image in saved if image.usual_s is None)
    if unknown:
        text = f"How long {unknown} of them would have taken is not known; that time is not in it."
        lines += map(style.dim, style.wrap(text))
    return "\n".join(lines) + "\n"


def saved_json(saved: tuple[Saved, ...], since: str = "") -> dict[str, object]:
    """Return every image with its spared builds; times in seconds, null where not known."""
    return {
        "format": FORMAT,
        "kind": "saved",
        "since": since,
        "images": [
            {
                "hierarchy": image.hierarchy,
                "image": image.image,
                "builds": image.builds,
                "cut_off": image.cut_off,
                "reused": image.reused,
                "usual_s": image.usual_s,
                "spared_s": round(image.spared_s, 3) if image.usual_s is not None else None,
            }
            for image in saved
        ],
        "total": {
            "builds": sum(image.builds for image in saved),
            "cut_off": sum(image.cut_off for image in saved),
            "reused": sum(image.reused for image in saved),
            "spared_s": round(sum((image.spared_s for image in saved), 0.0), 3),
            "unknown": sum(image.builds for image in saved if image.usual_s is None),
        },
    }


def slo_text(changes: tuple[UpstreamChange, ...], style: Style, since: str = "") -> str:
    """Return how long upstream changes took to arrive everywhere, and those that have not.

    Args:
        changes: first seen first.
        style: how it may look.
        since: what was asked for, for the sentences; empty: everything.
    """
    when = f" since {since}" if since else ""
    if not changes:
        return f"No upstream changed{when}.\n"
    several = len({change.hierarchy for change in changes}) > 1
    done = [change for change in changes if change.absorbed_at]
    late = [change for change in changes if not change.absorbed_at]
    lines: list[str] = []
    if done:
        lines += [*_absorbed(done, style, several=several), ""]
        lines += map(style.bold, style.wrap(_sentence(done, when)))
    if late:
        have = "has" if len(late) == 1 else "have"
        text = f"{counted(len(late), 'upstream change')}{when} {have} not reached every image yet:"
        lines += [*([""] if lines else []), *map(style.warn, style.wrap(text))]
        lines += _late(late, style, several=several)
        text = "`orchestrate status` shows the images that are behind."
        lines += map(style.note, style.wrap(text))
    return "\n".join(lines) + "\n"


def slo_json(changes: tuple[UpstreamChange, ...], since: str = "") -> dict[str, object]:
    """Return the percentiles by upstream and of all, and every change; times in seconds."""
    return {
        "format": FORMAT,
        "kind": "slo",
        "since": since,
        "upstreams": [
            {"hierarchy": hierarchy, "source": source, **_percentiles_object(took_s)}
            for (hierarchy, source), took_s in _by_upstream(changes).items()
        ],
        "total": _percentiles_object([c.took_s for c in changes if c.absorbed_at]),
        "absorbed": [
            {**_change_object(change), "absorbed_at": change.absorbed_at, "took_s": change.took_s}
            for change in changes
            if change.absorbed_at
        ],
        "open": [
            {**_change_object(change), "age_s": change.took_s}
            for change in changes
            if not change.absorbed_at
        ],
    }


def _name(image: Saved, *, several: bool) -> str:
    return f"{image.hierarchy}: {image.image}" if several else image.image


def _known(seconds: float | None) -> str:
    return duration_words(seconds) if seconds is not None else "?"


def _absorbed(done: list[UpstreamChange], style: Style, *, several: bool) -> list[str]:
    rows = []
    for (hierarchy, source), took_s in _by_upstream(done).items():
        found = percentiles(took_s)
        assert found is not None  # every upstream here has a change
        times = (found.p50_s, found.p90_s, found.p99_s, found.max_s)
        rows.append(
            Row(
                cells=(
                    Cell(text=f"{hierarchy}: {source}" if several else source, paint=style.bold),
                    Cell(text=str(found.count)),
                    *(Cell(text=age_words(time_s)) for time_s in times),
                )
            )
        )
    head = ("UPSTREAM", "CHANGES", "P50", "P90", "P99", "MAX")
    return table(head, rows, style, right=frozenset({1, 2, 3, 4, 5}))


def _sentence(done: list[UpstreamChange], when: str) -> str:
    found = percentiles([change.took_s for change in done])
    assert found is not None  # there is one at least
    reached = f"{counted(found.count, 'upstream change')}{when} reached every image"
    if found.count == 1:
        return f"{reached} within {age_words(found.max_s)}."
    shares = {"half of them": found.p50_s, "90 %": found.p90_s, "99 %": found.p99_s}
    told = [f"{share} within {age_words(time_s)}" for share, time_s in shares.items()]
    return f"{reached}: {', '.join(told)}, all within {age_words(found.max_s)}."


def _late(late: list[UpstreamChange], style: Style, *, several: bool) -> list[str]:
    rows = [
        Row(
            cells=(
                Cell(
                    text=f"{change.hierarchy}: {change.source}" if several else change.source,
                    paint=style.bold,
                ),
                Cell(text=short(change.digest), paint=style.dim),
                Cell(text=minute_words(change.first_seen_at)),
                Cell(text=age_words(change.took_s)),
            )
        )
        # The oldest first: it is the one to ask about.
        for change in late[:_MOST_ROWS]
    ]
    head = ("UPSTREAM", "DIGEST", "FIRST SEEN", "AGE")
    lines = table(head, rows, style, right=frozenset({3}))
    if len(late) > _MOST_ROWS:
        text = f"and {len(late) - _MOST_ROWS} more, which `-o json` lists"
        lines += map(style.dim, style.wrap(text))
    return lines


def _by_upstream(changes: Iterable[UpstreamChange]) -> dict[tuple[str, str], list[float]]:
    """Return (hierarchy, source) → seconds that its absorbed changes took."""
    found: dict[tuple[str, str], list[float]] = {}
    for change in changes:
        took_s = found.setdefault((change.hierarchy, change.source), [])
        if change.absorbed_at:
            took_s.append(change.took_s)
    return found


def _percentiles_object(took_s: list[float]) -> dict[str, object]:
    found = percentiles(took_s)
    return {
        "count": found.count if found else 0,
        "p50_s": found.p50_s if found else None,
        "p90_s": found.p90_s if found else None,
        "p99_s": found.p99_s if found else None,
        "max_s": found.max_s if found else None,
    }


def _change_object(change: UpstreamChange) -> dict[str, object]:
    return {
        "hierarchy": change.hierarchy,
        "source": change.source,
        "digest": change.digest,
        "first_seen_at": change.first_seen_at,
    }
