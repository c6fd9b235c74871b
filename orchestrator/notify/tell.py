"""Facts that nobody was told become messages in the outbox: all of a run, or nothing of it.

Source: docs/adr/0026-when-runs-tell.md
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestrator.doors.protocols import Clock, Registry
from orchestrator.doors.protocols_crash import NO_CRASH, CrashPoints
from orchestrator.doors.protocols_history import History
from orchestrator.doors.protocols_scanner import Scanner
from orchestrator.errors import LeaseLost, OrchestrateError, StateUnavailable
from orchestrator.model.announcement import Announcement
from orchestrator.model.crash import CrashPoint
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.notified import Later
from orchestrator.model.run import Run
from orchestrator.model.time import rfc3339
from orchestrator.notify.compose import Composing, compose
from orchestrator.notify.facts import (
    artifacts_of,
    facts_of,
    is_settled,
    parents_first,
    started_of,
)
from orchestrator.notify.match import deliveries_of, wanted
from orchestrator.notify.standing import facts_between_runs
from orchestrator.publish.pending import settle_pending

#: For so long it can be looked up what was delivered, in seconds.
_KEPT_S = 30 * 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What telling needs.

    Attributes:
        hierarchy: whose runs; knows the subscriptions.
        registry: what was published is read there.
        history: the diary, with its outbox.
        clock: for the times of messages.
        scanner: what finds vulnerabilities; None: nothing.
        crash: told where a test may kill the process.
        cancelled: set it to stop: what is not told yet is told later.
    """

    hierarchy: Hierarchy
    registry: Registry
    history: History
    clock: Clock
    scanner: Scanner | None = None
    crash: CrashPoints = NO_CRASH
    cancelled: threading.Event = field(default_factory=threading.Event)


def started(run: Run, site: Telling) -> None:
    """Tell that a run began, with a message of its own; again changes nothing.

    Raises:
        StateUnavailable: the diary cannot be read or written.
        LeaseLost: another run took over.
    """
    _tell((started_of(run),), run.id, site, whole=False)


def announce(site: Telling) -> tuple[Later, ...]:
    """Tell of every run that has ended and that nobody was told of, the oldest first.

    One transaction for each run: what was told is told whole, so it may be killed and done again.
    A run that cannot be told yet keeps back those after it that are about one of its images: who
    hears of an image hears of it in order.

    Returns:
        Runs that cannot be told yet: a registry does not answer.

    Raises:
        StateUnavailable: the diary cannot be read or written.
        LeaseLost: another run took over.
    """
    hierarchy, history = site.hierarchy, site.history
    settle_pending(hierarchy, site.registry, history, site.clock)
    published: dict[str, list[Announcement]] = {}
    for each in parents_first(history.outbox.released(hierarchy.name), hierarchy):
        published.setdefault(each.run, []).append(each)
    later: list[Later] = []
    kept_back: set[str] = set()

    def tell(facts: Sequence[Announcement], run_id: str, *, whole: bool) -> None:
        images = {each.subject for each in facts if each.type.is_of_image}
        if not kept_back.isdisjoint(images):
            later.append(Later(run=run_id, why="an earlier run is to be told before it"))
        else:
            try:
                _tell(facts, run_id, site, whole=whole)
            except (StateUnavailable, LeaseLost):
                raise
            except OrchestrateError as error:
                later.append(Later(run=run_id, why=error.what))
            else:
                return
        kept_back.update(images)

    untold = history.outbox.untold(hierarchy.name)
    for run in untold:
        images = published.pop(run.id, [])
        if not is_settled(run, hierarchy, history):
            kept_back.update(each.subject for each in images)
            why = "nobody knows where one of its tags is; `orchestrate resume` or the next run asks"
            later.append(Later(run=run.id, why=why))
            continue
        facts = facts_of(run, hierarchy, history, site.clock.now_s())
        tell((*_begun(run, history), *images, *artifacts_of(images), *facts), run.id, whole=True)
    for run_id, images in published.items():
        # Of runs that were told already: it became known later that they had published these.
        tell((*images, *artifacts_of(images)), run_id, whole=False)
    between = facts_between_runs(hierarchy, history, site.clock.now_s())
    if between:
        tell(between, between[0].run, whole=False)
    if untold:
        history.outbox.forget(hierarchy.name, rfc3339(site.clock.now_s() - _KEPT_S))
    return tuple(later)


def _begun(run: Run, history: History) -> tuple[Announcement, ...]:
    """Return that a run began, if nobody was told: it was killed right then."""
    fact = started_of(run)
    return () if history.outbox.told((fact.id,)) else (fact,)


def _tell(facts: Sequence[Announcement], run_id: str, site: Telling, *, whole: bool) -> None:
    """Write facts as told, and the messages for everybody who wants them.

    Args:
        facts: in the order they are told.
        run_id: what they are about.
        site: what telling needs.
        whole: the run is told with them.
    """
    hierarchy, now_s = site.hierarchy, site.clock.now_s()
    at, today = rfc3339(now_s), rfc3339(now_s)[:10]
    asked = wanted(facts, hierarchy, today)
    composing = Composing(
        hierarchy=hierarchy,
        registry=site.registry,
        history=site.history,
        clock=site.clock,
        scanner=site.scanner,
        cancelled=site.cancelled,
    )
    composed = compose([each for each in facts if each.id in asked], composing) if asked else ()
    events = {each.id: each for each in composed}
    every = [events.get(each.id, each) for each in facts]
    deliveries = deliveries_of(every, hierarchy, run_id=run_id, at=at, today=today)
    site.history.outbox.tell(every, deliveries, run_id if whole else "")
    site.crash.reached(CrashPoint.TOLD)
