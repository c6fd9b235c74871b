"""What came of messages, written many at once and counted."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.doors.protocols import Clock
from orchestrator.doors.protocols_outbox import Outbox
from orchestrator.model.delivery import Delivered, Delivery, DeliveryState, ReceiverState

#: Results that are written at once.
MOST_AT_ONCE = 200
#: Seconds after which those that there are are written.
LONGEST_S = 1.0


class Acks:
    """Results on their way into the outbox. For one thread at a time.

    Args:
        outbox: where they are written.
        hierarchy: its name.
        clock: says when it is time to write.
        seen: called for each message whose fate was written.
    """

    def __init__(
        self, outbox: Outbox, hierarchy: str, clock: Clock, seen: Callable[[Delivery], None]
    ) -> None:
        self._outbox = outbox
        self._hierarchy = hierarchy
        self._clock = clock
        self._seen = seen
        self._written_s = clock.monotonic_s()
        self._unwritten: list[Delivery] = []
        self._states: dict[tuple[str, str], ReceiverState] = {}
        self._delivered = 0
        self._teams: set[str] = set()
        self._later: dict[str, Delivery] = {}
        self._dead: list[Delivery] = []
        self._dropped: list[Delivery] = []
        self._notes: dict[tuple[str, str], ReceiverState] = {}

    def add(self, delivery: Delivery) -> None:
        """Take what came of a message; it may be written now.

        Raises:
            StateUnavailable: it cannot be written.
            LeaseLost: somebody else writes now.
        """
        self._unwritten.append(delivery)
        is_time = self._clock.monotonic_s() - self._written_s >= LONGEST_S
        if is_time or len(self._unwritten) >= MOST_AT_ONCE:
            self.write()

    def note(self, state: ReceiverState) -> None:
        """Take what is known of a receiver from now on; it is written with the next result."""
        self._states[state.team, state.receiver] = state

    def write(self) -> None:
        """Write what there is.

        Raises:
            StateUnavailable: it cannot be written.
            LeaseLost: somebody else writes now.
        """
        # Receivers first: if the rest is lost, who is gone is still gone.
        for state in self._states.values():
            self._outbox.note_receiver(self._hierarchy, state)
        self._notes.update(self._states)
        self._states.clear()
        if self._unwritten:
            self._outbox.record(self._unwritten)
            for delivery in self._unwritten:
                self._count(delivery)
                self._seen(delivery)
            self._unwritten.clear()
        self._written_s = self._clock.monotonic_s()

    def delivered(self, *, cut_short: bool) -> Delivered:
        """Return what was written so far, all together."""
        notes = sorted(self._notes.items())
        return Delivered(
            delivered=self._delivered,
            teams=tuple(sorted(self._teams)),
            later=tuple(self._later.values()),
            dead=tuple(self._dead),
            dropped=tuple(self._dropped),
            paused=tuple(state for _, state in notes if state.paused_until_s),
            gone=tuple(state for _, state in notes if state.disabled_at),
            cut_short=cut_short,
        )

    def _count(self, delivery: Delivery) -> None:
        self._later.pop(delivery.id, None)
        match delivery.state:
            case DeliveryState.DELIVERED:
                self._delivered += 1
                self._teams.add(delivery.team)
            case DeliveryState.WAITING:
                self._later[delivery.id] = delivery
            case DeliveryState.DEAD:
                self._dead.append(delivery)
            case DeliveryState.DROPPED:
                self._dropped.append(delivery)
