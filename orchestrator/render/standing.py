"""Who is at work on a hierarchy, and who waits, as text and as JSON."""

from __future__ import annotations

from orchestrator.model.lease import Place, Standing
from orchestrator.render.style import Style


def standing_text(standing: Standing, style: Style) -> str:
    """Return a line for each of them; nothing where nobody is there."""
    lines = []
    if standing.active:
        lines.append(f"at work: {_told(standing.active)}")
    if standing.waiting:
        more = len(standing.waiting.asks) - 1
        joined = f", {more} joined" if more > 0 else ""
        lines.append(f"waiting: {_told(standing.waiting)}{joined}")
    return "".join(style.note(style.clean(line)) + "\n" for line in lines)


def standing_json(standing: Standing) -> dict[str, object]:
    """Return both; null where nobody is."""
    return {"active": _json(standing.active), "waiting": _json(standing.waiting)}


def _told(place: Place) -> str:
    return f"{place.holder}, since {place.since}"


def _json(place: Place | None) -> dict[str, object] | None:
    if place is None:
        return None
    holder = place.holder
    return {
        "command": holder.command,
        "who": holder.who,
        "pid": holder.pid,
        "since": place.since,
        "joined": max(0, len(place.asks) - 1),
    }
