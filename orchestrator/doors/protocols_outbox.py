"""What the verbs need of the outbox: facts to tell, and messages on their way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from orchestrator.model.announcement import Announcement
from orchestrator.model.delivery import Delivery, DeliveryState, ReceiverState
from orchestrator.model.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """How much of a hierarchy is still to be told, for people.

    Attributes:
        waiting: deliveries that are to be sent.
        dead: deliveries that were given up.
        oldest_at: RFC 3339 UTC of the oldest that waits; empty: none does.
    """

    waiting: int = 0
    dead: int = 0
    oldest_at: str = ""


class Outbox(Protocol):
    """Facts that are to be told, and messages on their way. Thread-safe; part of the diary.

    What is written through the outbox of a fenced diary is fenced. Every method raises
    :class:`orchestrator.errors.StateUnavailable`; those that write also
    :class:`orchestrator.errors.LeaseLost`.
    """

    def release(self, announcement_id: str, run_id: str, at: str) -> None:
        """Write that what was pending is a fact now, found out by a run; else nothing happens."""

    def retract(self, announcement_id: str) -> None:
        """Forget what was pending: it did not come true; else nothing happens."""

    def pending(self, hierarchy: str) -> tuple[Announcement, ...]:
        """Return what nobody knows yet whether it came true, the oldest first."""

    def released(self, hierarchy: str) -> tuple[Announcement, ...]:
        """Return the facts of runs that have ended and that nobody was told, the oldest first."""

    def untold(self, hierarchy: str) -> tuple[Run, ...]:
        """Return the runs that have ended and of which nobody was told, the oldest first."""

    def tell(
        self,
        announcements: Sequence[Announcement],
        deliveries: Sequence[Delivery],
        run_id: str = "",
    ) -> None:
        """Write facts as told, and the messages for everybody who wants them: all or nothing.

        An announcement or a delivery that is there already, and told, stays as it is: to do it
        again changes nothing.

        Args:
            announcements: with their events.
            deliveries: of these and of earlier ones.
            run_id: the run that is told with it; empty: it has not ended yet.
        """

    def deliveries(
        self,
        hierarchy: str,
        states: Sequence[DeliveryState],
        *,
        team: str = "",
        limit: int = 0,
    ) -> tuple[Delivery, ...]:
        """Return deliveries, the oldest first.

        Args:
            hierarchy: whose.
            states: in these states only.
            team: of this one only; empty: of all.
            limit: the newest so many only; 0: all.
        """

    def events(self, ids: Sequence[str]) -> Mapping[str, Mapping[str, object]]:
        """Return id → event of announcements that were told; who is not known is left out."""

    def record(self, deliveries: Sequence[Delivery]) -> None:
        """Write what became of deliveries: state, tries, when next, why, who is left."""

    def receivers(self, hierarchy: str) -> tuple[ReceiverState, ...]:
        """Return the receivers of which anything is known, sorted by team and receiver."""

    def note_receiver(self, hierarchy: str, state: ReceiverState) -> None:
        """Write what is known of a receiver now; one without anything is forgotten."""

    def backlog(self, hierarchy: str) -> Backlog:
        """Return how much is still to be told."""

    def forget(self, hierarchy: str, before: str) -> None:
        """Delete what was delivered or dropped, and was made before a time (RFC 3339 UTC).

        Announcements stay, without their events once no delivery needs them: nothing is told
        twice.
        """
