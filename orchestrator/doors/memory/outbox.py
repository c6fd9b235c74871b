"""The outbox's twin."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from orchestrator.errors import StateUnavailable
from orchestrator.model.announcement import Announcement, AnnouncementState
from orchestrator.model.delivery import Backlog, Delivery, DeliveryState, Queue, ReceiverState
from orchestrator.model.run import Run, RunState

_PENDING, _RELEASED, _TOLD = AnnouncementState


@dataclass
class Box:
    """What is in an outbox; whoever uses it holds the diary's lock.

    Attributes:
        announcements: id → announcement, and how far it is.
        deliveries: id → delivery, in the order they were made.
        receivers: (hierarchy, team, receiver) → what is known of it.
        told: ids of the runs that were told.
    """

    announcements: dict[str, tuple[Announcement, AnnouncementState]] = field(default_factory=dict)
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    receivers: dict[tuple[str, str, str], ReceiverState] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)

    def state(self, announcement_id: str) -> AnnouncementState | None:
        """Return how far an announcement is; None: there is none."""
        found = self.announcements.get(announcement_id)
        return found[1] if found else None

    def expect(self, announcement: Announcement) -> None:
        """Write what may come true; what was pending is its run's from now on."""
        if self.state(announcement.id) in (None, _PENDING):
            self.announcements[announcement.id] = announcement, _PENDING

    def give_up(self, repository: str, key: str, digest: str) -> None:
        """Forget what was pending of a digest that a key will not lead to."""
        lost = [
            it.id
            for it, state in self.announcements.values()
            if state is _PENDING and (it.repository, it.key, it.digest) == (repository, key, digest)
        ]
        for each in lost:
            del self.announcements[each]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryOutbox:
    """The outbox in memory, as one who may write or not has it. Thread-safe.

    Attributes:
        box: what is in it.
        runs: the diary's.
        reading: holds the diary's lock.
        writing: holds it as somebody who may write.
    """

    box: Box
    runs: Mapping[str, Run]
    reading: Callable[[], AbstractContextManager[object]]
    writing: Callable[[], AbstractContextManager[object]]

    def release(self, announcement_id: str, run_id: str, at: str) -> None:
        """Write that what was pending is a fact now; see the protocol."""
        with self.writing():
            if self.box.state(announcement_id) is _PENDING:
                it, _ = self.box.announcements[announcement_id]
                self.box.announcements[announcement_id] = replace(it, run=run_id, at=at), _RELEASED

    def retract(self, announcement_id: str, run_id: str) -> None:
        """Forget what was pending for a run; see the protocol."""
        with self.writing():
            if self.box.state(announcement_id) is _PENDING:
                it, _ = self.box.announcements[announcement_id]
                if it.run == run_id:
                    del self.box.announcements[announcement_id]

    def pending(self, hierarchy: str) -> tuple[Announcement, ...]:
        """Return what nobody knows yet whether it came true, the oldest first."""
        with self.reading():
            return self._in(hierarchy, _PENDING)

    def released(self, hierarchy: str) -> tuple[Announcement, ...]:
        """Return the facts of runs that have ended and that nobody was told, the oldest first."""
        with self.reading():
            found = self._in(hierarchy, _RELEASED)
            return tuple(it for it in found if self._is_over(self.runs.get(it.run)))

    def untold(self, hierarchy: str) -> tuple[Run, ...]:
        """Return the runs that have ended and of which nobody was told, the oldest first."""
        with self.reading():
            found = [
                run
                for run in self.runs.values()
                if run.hierarchy == hierarchy and self._is_over(run) and run.id not in self.box.told
            ]
            return tuple(sorted(found, key=lambda run: (run.started_at, run.id)))

    def tell(
        self,
        announcements: Sequence[Announcement],
        deliveries: Sequence[Delivery],
        run_id: str = "",
    ) -> None:
        """Write facts as told, and the messages for everybody; see the protocol."""
        with self.writing():
            if run_id and run_id not in self.runs:
                raise StateUnavailable(f"run {run_id} is not known")
            # Before anything is changed: what is no JSON is refused whole.
            facts = [replace(each, event=_as_json(each.event)) for each in announcements]
            for each in facts:
                if self.box.state(each.id) is not _TOLD:
                    self.box.announcements[each.id] = each, _TOLD
            for message in deliveries:
                self.box.deliveries.setdefault(message.id, message)
            if run_id:
                self.box.told.add(run_id)

    def deliveries(
        self,
        hierarchy: str,
        states: Sequence[DeliveryState],
        *,
        team: str = "",
        receiver: str = "",
        limit: int = 0,
    ) -> tuple[Delivery, ...]:
        """Return deliveries, the oldest first; see the protocol."""
        with self.reading():
            found = [
                each
                for each in self.box.deliveries.values()
                if each.hierarchy == hierarchy
                and each.state in states
                and team in ("", each.team)
                and receiver in ("", each.receiver)
            ]
            return tuple(found[-limit:])

    def queues(self, hierarchy: str) -> tuple[Queue, ...]:
        """Return for whom something waits; see the protocol."""
        found: dict[tuple[str, str], list[int]] = {}
        for each in self.deliveries(hierarchy, [DeliveryState.WAITING]):
            found.setdefault((each.team, each.receiver), []).append(each.tries)
        return tuple(
            Queue(team=team, receiver=receiver, messages=len(tries), tries=max(tries))
            for (team, receiver), tries in found.items()
        )

    def told(self, ids: Sequence[str]) -> frozenset[str]:
        """Return those ids whose facts were told, whether anybody wanted them or not."""
        with self.reading():
            return frozenset(each for each in ids if self.box.state(each) is _TOLD)

    def events(self, ids: Sequence[str]) -> Mapping[str, Mapping[str, object]]:
        """Return id → event of announcements that were told; see the protocol."""
        with self.reading():
            known = self.box.announcements
            return {
                each: known[each][0].event for each in ids if each in known and known[each][0].event
            }

    def record(self, deliveries: Sequence[Delivery]) -> None:
        """Write what became of deliveries; see the protocol."""
        with self.writing():
            for each in deliveries:
                if each.id in self.box.deliveries:
                    self.box.deliveries[each.id] = replace(
                        self.box.deliveries[each.id],
                        state=each.state,
                        tries=each.tries,
                        next_at_s=each.next_at_s,
                        why=each.why,
                        only=each.only,
                    )

    def receivers(self, hierarchy: str) -> tuple[ReceiverState, ...]:
        """Return the receivers of which anything is known, sorted by team and receiver."""
        with self.reading():
            known = sorted(self.box.receivers.items())
            return tuple(state for (name, *_), state in known if name == hierarchy)

    def note_receiver(self, hierarchy: str, state: ReceiverState) -> None:
        """Write what is known of a receiver now; one without anything is forgotten."""
        name = hierarchy, state.team, state.receiver
        with self.writing():
            self.box.receivers.pop(name, None)
            if state.disabled_at or state.paused_until_s or state.why:
                self.box.receivers[name] = state

    def backlog(self, hierarchy: str) -> Backlog:
        """Return how much is still to be told."""
        waiting = self.deliveries(hierarchy, [DeliveryState.WAITING])
        return Backlog(
            waiting=len(waiting),
            dead=len(self.deliveries(hierarchy, [DeliveryState.DEAD])),
            oldest_at=min((each.at for each in waiting), default=""),
        )

    def forget(self, hierarchy: str, before: str) -> None:
        """Delete what was delivered or dropped, and made before a time; see the protocol."""
        with self.writing():
            over = (DeliveryState.DELIVERED, DeliveryState.DROPPED)
            for each in list(self.box.deliveries.values()):
                if each.hierarchy == hierarchy and each.state in over and each.at < before:
                    del self.box.deliveries[each.id]
            needed = {id_ for each in self.box.deliveries.values() for id_ in each.events}
            for it, state in list(self.box.announcements.values()):
                is_old = it.hierarchy == hierarchy and it.at < before
                if state is _TOLD and is_old and it.id not in needed:
                    self.box.announcements[it.id] = replace(it, event={}), state

    def _in(self, hierarchy: str, wanted: AnnouncementState) -> tuple[Announcement, ...]:
        known = self.box.announcements.values()
        found = [it for it, state in known if it.hierarchy == hierarchy and state is wanted]
        return tuple(sorted(found, key=lambda it: (it.at, it.id)))

    def _is_over(self, run: Run | None) -> bool:
        return run is None or run.state is not RunState.RUNNING


def _as_json(event: Mapping[str, object]) -> Mapping[str, object]:
    """Return an event as it comes out of a database."""
    said: Mapping[str, object] = json.loads(json.dumps(dict(event)))
    return said
