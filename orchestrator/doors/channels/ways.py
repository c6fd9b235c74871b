"""The ways to receivers, opened for real."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from orchestrator.doors.protocols import Clock
from orchestrator.doors.protocols_channels import Channel, Secrets
from orchestrator.model.message import Layouts
from orchestrator.model.target import Target

if TYPE_CHECKING:
    from orchestrator.doors.channels.needs import Needs


class RealChannels:
    """Opens what targets ask for. Thread-safe.

    Most commands tell nobody anything: HTTP, TLS and mail are imported when a channel is opened.

    Args:
        secrets: where secrets are.
        layouts: makes how messages look; called when a channel is first opened.
        clock: for the times that are signed.
        hurry: once it is set programs are stopped that are being told; None: nobody sets it.
    """

    def __init__(
        self,
        secrets: Secrets,
        layouts: Callable[[], Layouts],
        clock: Clock,
        hurry: threading.Event | None = None,
    ) -> None:
        self._secrets = secrets
        self._layouts = layouts
        self._clock = clock
        self._hurry = hurry or threading.Event()
        self._needs: Needs | None = None

    def open(self, target: Target) -> Channel:
        """Return the channel that a target asks for; see the protocol."""
        from orchestrator.doors.channels.registry import open_channel

        # Two threads may make it twice: one is as good as the other.
        needs = self._needs = self._needs or self._made()
        return open_channel(target, needs)

    def _made(self) -> Needs:
        from orchestrator.doors.channels.needs import Needs
        from orchestrator.doors.channels.safe_http import SafeHttp

        return Needs(
            secrets=self._secrets,
            layouts=self._layouts(),
            clock=self._clock,
            http=SafeHttp(),
            hurry=self._hurry,
        )
