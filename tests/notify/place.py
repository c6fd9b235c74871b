"""What delivery needs, in memory."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from orchestrator.doors.memory.channels import MemoryChannels, MemoryReceiver
from orchestrator.doors.memory.clock import MemoryClock
from orchestrator.doors.protocols_outbox import Outbox
from orchestrator.model.delivery import Delivered, DeliveryState
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.notify.deliver import Delivering, deliver
from tests.notify.teams import NOW_S, follows, hierarchy, hook, memory_outbox

TEAMS = ("web", "pay", "ops")


@dataclass
class Place:
    """What delivery needs, in memory, and a look into it."""

    gold: Hierarchy = field(
        default_factory=lambda: hierarchy(*(follows("*", team=team) for team in TEAMS))
    )
    clock: MemoryClock = field(default_factory=lambda: MemoryClock(NOW_S))
    outbox: Outbox = field(default_factory=memory_outbox)

    def __post_init__(self) -> None:
        self.channels = MemoryChannels(self.clock)
        self.stopping = threading.Event()

    def of(self, team: str = "web") -> MemoryReceiver:
        return self.channels.receiver(hook(team))

    def drain(self, **more: object) -> Delivered:
        settings: dict[str, object] = {
            "hierarchy": self.gold,
            "outbox": self.outbox,
            "channels": self.channels,
            "clock": self.clock,
            "stopping": self.stopping,
            "threads": 1,
            **more,
        }
        return deliver(Delivering(**settings))  # type: ignore[arg-type]

    def states(self) -> dict[str, DeliveryState]:
        found = self.outbox.deliveries("gold", list(DeliveryState))
        return {each.id[-2:].lstrip("0"): each.state for each in found}

    def later(self) -> None:
        """Let so much time pass that every pause is over."""
        self.clock.sleep(8 * 3600.0)
