"""The ledger of upstreams: what is new goes in, what nobody waits for any more is marked.

Only commands that may write come here for more than a look.
Source: docs/adr/0010-upstreams.md
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.doors.protocols_history import History
from orchestrator.explain.absorbed import absorbed
from orchestrator.explain.behind import behind
from orchestrator.model.behind import Behind
from orchestrator.model.event import RunFinished
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.observation import Observations
from orchestrator.model.plan import Decision, Plan
from orchestrator.model.time import rfc3339


def note_sightings(
    hierarchy: Hierarchy, seen: Observations, history: History, now_s: float
) -> None:
    """Write what was seen of upstreams for the first time; nothing is written where nothing is new.

    Raises:
        StateUnavailable: it cannot be written: a soak would begin anew with every run.
    """
    there = {(s.source, s.fingerprint): s for s in history.sightings(hierarchy.name)}
    new = tuple(s for s in seen.sightings if (s.source, s.fingerprint) not in there)
    if new or any(s.first_seen_s > now_s for s in there.values()):
        history.see(hierarchy.name, new, now_s)


def lacking(
    hierarchy: Hierarchy,
    seen: Observations,
    decisions: tuple[Decision, ...],
    history: History,
    now_s: float,
) -> Mapping[str, tuple[Behind, ...]]:
    """Return the images that lack something of an upstream; see :func:`behind`. Reads only."""
    ledger = history.sightings(hierarchy.name) if hierarchy.upstreams else ()
    return behind(hierarchy, seen, decisions, ledger, now_s)


def note_absorbed(
    hierarchy: Hierarchy,
    plan: Plan,
    seen: Observations,
    history: History,
    now_s: float,
    finished: RunFinished | None = None,
) -> None:
    """Write which contents of upstreams every image has now; see :func:`absorbed`.

    Raises:
        StateUnavailable: it cannot be written.
    """
    ledger = history.sightings(hierarchy.name)
    for content in absorbed(hierarchy, plan, seen, ledger, finished):
        history.absorb(hierarchy.name, content.source, content.fingerprint, rfc3339(now_s))
