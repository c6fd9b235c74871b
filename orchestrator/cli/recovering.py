"""Runs that were cut short are settled before anything begins."""

from __future__ import annotations

from orchestrator.cli.session import Session
from orchestrator.cli.workplace import Workplace


def recovered(session: Session, place: Workplace) -> None:
    """Settle what dead runs of the hierarchy left, and say so, one line for each.

    Whoever calls holds the hierarchy, so that nobody else carries out what looks unfinished.

    Raises:
        StateUnavailable: the diary cannot be read or written.
    """
    from orchestrator import flow
    from orchestrator.render.recovery import recovered_words

    for each in flow.recover(place.hierarchy, place.doors):
        session.log("recovered", run=each.run.id, moves=len(each.moves))
        session.warn(recovered_words(each.run, each.moves, whole=each.whole))
