"""Messages, layouts and what channels need, for these tests."""

from __future__ import annotations

from orchestrator.doors.channels.needs import Needs
from orchestrator.doors.channels.safe_http import Limits, SafeHttp
from orchestrator.doors.clock import RealClock
from orchestrator.doors.memory.channels import MemorySecrets
from orchestrator.model.message import Layouts, Message

#: What no outcome, name or log may show.
PASSWORD = "s3cr3t-Passw0rd"
SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TOKEN = "xoxb-not-to-be-seen"

EVENT = {
    "specversion": "1.0",
    "type": "io.orchestrate.image.published",
    "id": "evt_1",
    "source": "/gold",
    "subject": "python",
    "data": {"was": "sha256:1", "now": "sha256:2", "package": "libssl3 · ä"},
}


def message(number: int = 1, **changes: object) -> Message:
    """Return a message of the payments team; each number is another one."""
    settings: dict[str, object] = {
        "id": f"msg_{number:08d}",
        "team": "payments",
        "at": f"2026-11-22T02:46:{number:02d}Z",
        "subject": f"python was updated ({number})",
        "thread": "python",
        "images": ("python",),
        "events": (EVENT,),
    }
    return Message(**{**settings, **changes})  # type: ignore[arg-type]


LAYOUTS = Layouts(
    text=lambda m: f"{m.subject}\n\nFROM registry.example/python@sha256:2\n",
    html=lambda m: f"<p>{m.subject} &amp; more</p>",
    blocks=lambda m: ({"type": "section", "text": {"type": "mrkdwn", "text": m.subject}},),
)


def needs(
    secrets: dict[str, str] | None = None,
    *,
    layouts: Layouts = LAYOUTS,
    http: SafeHttp | None = None,
    limit_s: float = 10.0,
) -> Needs:
    """Return what a channel needs, with secrets of memory and everything else real."""
    return Needs(
        secrets=MemorySecrets(secrets or {}),
        layouts=layouts,
        clock=RealClock(),
        http=http or SafeHttp(Limits(total_s=limit_s)),
    )
