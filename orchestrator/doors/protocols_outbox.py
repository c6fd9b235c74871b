"""What the verbs need of the outbox: facts to tell, and messages on their way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from orchestrator.model.announcement import Announcement
from orchestrator.model.delivery import Backlog as Backlog
from orchestrator.model.delivery import Delivery, DeliveryState, Queue, ReceiverState
from orchestrator.model.run import Run


class Outbox(Protocol):
    """Facts that are to be told, and messages on their way. Thread-safe; part of the diary.

    What is written through the outbox of a fenced diary is fenced. Every method raises
    :class:`orchestrator.errors.StateUnavailable`; those that write also
    :class:`orchestrator.errors.LeaseLost`.
    """

    def release(self, announcement_id: str, run_id: str, at: str) -> None:
        """Write that what was pending is a fact now, found out by a run; else nothing happens."""

    def retract(self, announcement_id: str, run_id: str) -> None:
        """Forget what was pending for a run: it did not come true; else nothing happens.

        What another run expects by now stays.
        """

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

        An announcement that was told, and a delivery that is there, stays as it is: to do it again
        changes nothing.

        Args:
            announcements: with their events.
            deliveries: of these and of earlier ones.
            run_id: the run that is told with it; empty: it has not ended yet.

        Raises:
            StateUnavailable: also where the run is not known; then nothing is written.
        """

    def deliveries(
        self,
        hierarchy: str,
        states: Sequence[DeliveryState],
        *,
        team: str = "",
        receiver: str = "",
        limit: int = 0,
    ) -> tuple[Delivery, ...]:
        """Return deliveries in the order they were made, whatever the clocks said.

        Args:
            hierarchy: whose.
            states: in these states only.
            team: of this one only; empty: of all.
            receiver: of the team's this one only; empty: of all.
            limit: the newest so many only; 0: all.
        """

    def queues(self, hierarchy: str) -> tuple[Queue, ...]:
        """Return for whom something waits, whose first message was made first, first."""

    def told(self, ids: Sequence[str]) -> frozenset[str]:
        """Return those ids whose facts were told, whether anybody wanted them or not."""

    def events(self, ids: Sequence[str]) -> Mapping[str, Mapping[str, object]]:
        """Return id → event of announcements that were told; who is not known is left out."""

    def record(self, deliveries: Sequence[Delivery]) -> None:
        """Write what became of deliveries: state, tries, when next, why, who is left.

        What is forgotten by now stays so.
        """

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
