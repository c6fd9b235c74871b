"""What channels need beside their settings."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from orchestrator.doors.channels.safe_http import SafeHttp
from orchestrator.doors.protocols import Clock
from orchestrator.doors.protocols_channels import Secrets
from orchestrator.model.message import Layouts
from orchestrator.model.target import is_reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """The same for all channels; each takes what it needs.

    Attributes:
        secrets: where secrets are.
        layouts: how messages look.
        clock: for the times that are signed.
        http: the only way out over HTTP.
        hurry: once it is set nobody waits for a program any more: it would outlive us, without end.
    """

    secrets: Secrets
    layouts: Layouts
    clock: Clock
    http: SafeHttp
    hurry: threading.Event = field(default_factory=threading.Event)

    def meant(self, setting: str) -> str:
        """Return a setting that may be a reference as what it means now.

        Raises:
            Unavailable: the secret is not there.
        """
        return self.secrets.value(setting) if is_reference(setting) else setting
