"""A receiver without a network, and secrets without a place: for tests and stories."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from orchestrator.doors.memory.clock import MemoryClock
from orchestrator.errors import Unavailable
from orchestrator.model.message import DELIVERED, Message, Reception, Sent, try_later
from orchestrator.model.subscription import receiver_of
from orchestrator.model.target import Target

#: How long a real channel waits for a receiver that is slow.
_LIMIT_S = 15.0


class MemoryReceiver:
    """Somebody who is told, and may be unwilling, slow or dead. Thread-safe.

    Attributes:
        answer: what comes of the next tries.
        slow: it takes longer than a channel waits, and then does not take the message.
        dead: nobody is there.
        told: set once it has taken a message.
        hangs_until: it answers once this is set; None: at once.
    """

    def __init__(self) -> None:
        self.answer: Sent = DELIVERED
        self.slow = False
        self.dead = False
        self.told = threading.Event()
        self.hangs_until: threading.Event | None = None
        self._lock = threading.Lock()
        self._tries: list[Message] = []
        self._taken: list[Message] = []

    @property
    def taken(self) -> tuple[Message, ...]:
        """Every message that it has taken, in order, each as often as it came."""
        with self._lock:
            return tuple(self._taken)

    @property
    def tries(self) -> tuple[Message, ...]:
        """Every message that arrived, also those that were not taken, in order."""
        with self._lock:
            return tuple(self._tries)

    def take(self, message: Message) -> Sent:
        """Get one message."""
        with self._lock:
            self._tries.append(message)
            if self.answer.reception is Reception.DELIVERED and not self.slow:
                self._taken.append(message)
                self.told.set()
            return self.answer


class MemoryChannel:
    """A way to a receiver of memory.

    Args:
        receiver: who is told.
        clock: on which a slow receiver takes time.
        where: for people.
    """

    def __init__(self, receiver: MemoryReceiver, clock: MemoryClock, where: str = "memory") -> None:
        self._receiver = receiver
        self._clock = clock
        self.where = where

    def send(self, message: Message) -> Sent:
        """Tell the receiver; see the protocol."""
        if self._receiver.dead:
            return try_later("cannot connect to the receiver: Connection refused")
        if self._receiver.hangs_until is not None:
            self._receiver.hangs_until.wait(60)
        answer = self._receiver.take(message)
        if self._receiver.slow:
            self._clock.sleep(_LIMIT_S)
            return try_later(f"no whole answer within {_LIMIT_S:g} s")
        return answer


class MemoryChannels:
    """Receivers of memory behind every target, made when one is first spoken to. Thread-safe.

    Args:
        clock: on which slow receivers take time.
    """

    def __init__(self, clock: MemoryClock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._receivers: dict[str, MemoryReceiver] = {}

    def receiver(self, target: Target) -> MemoryReceiver:
        """Return who is behind a target."""
        with self._lock:
            return self._receivers.setdefault(receiver_of(target), MemoryReceiver())

    def open(self, target: Target) -> MemoryChannel:
        """Return a way to who is behind a target; see the protocol."""
        return MemoryChannel(self.receiver(target), self._clock, where=receiver_of(target))


class MemorySecrets:
    """Secrets by their references.

    Args:
        values: reference → secret.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def value(self, reference: str) -> str:
        """Return what a reference means; see the protocol."""
        if not (found := self._values.get(reference)):
            raise Unavailable(f"no secret {reference}", hint="put one there")
        return found
