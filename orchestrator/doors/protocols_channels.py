"""What tells a team something, and what it needs to know for it."""

from __future__ import annotations

from typing import Protocol

from orchestrator.model.message import Message, Sent, try_later
from orchestrator.model.target import Target


class Channel(Protocol):
    """A way to one receiver, or to several at once. Thread-safe; keeps nothing open."""

    where: str
    """Which receiver, for people; no secret is in it."""

    def send(self, message: Message) -> Sent:
        """Try once to deliver a message, within a time that the channel bounds itself.

        Whatever the receiver does, or the place where a secret should be, is in the answer and
        never raised. A message that is sent again carries the same id.
        """


class Channels(Protocol):
    """Opens the ways to receivers. Thread-safe."""

    def open(self, target: Target) -> Channel:
        """Return the channel that a target asks for; nobody is asked anything yet."""


class Secrets(Protocol):
    """Values that are known by reference only. Thread-safe."""

    def value(self, reference: str) -> str:
        """Return what ``env:NAME`` or ``file:PATH`` means now; it is not kept.

        Returns:
            Not empty; without the newline at the end of a file.

        Raises:
            Unavailable: it is not there, or is empty; the error names the reference.
        """


class NoChannels:
    """Reaches nobody: where nothing is told, as in a measurement."""

    where = "nowhere"

    def open(self, target: Target) -> NoChannels:
        """Return itself, whatever is asked for."""
        return self

    def send(self, message: Message) -> Sent:
        """Send nothing; it may work elsewhere."""
        return try_later("there is no way to anybody here")


NO_CHANNELS = NoChannels()
