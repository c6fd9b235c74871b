"""What the tests of the registry door store and read."""

from __future__ import annotations

from orchestrator.doors.registry import Deadlines, HttpRegistry, Retries
from orchestrator.model.fingerprint import sha256
from orchestrator.model.manifest import compose_index

INDEX = compose_index((), {"version": "12"})
OTHER = compose_index((), {"version": "13"})
BLOB = b"a layer, or what is taken for one" * 1000
DIGEST = sha256(BLOB)
JSON = {"content_type": "application/json"}


def quick_door(**deadlines: float) -> HttpRegistry:
    """A door in real time that gives up fast."""
    return HttpRegistry(
        credentials=lambda registry: None,
        deadlines=Deadlines(**deadlines),
        retries=Retries(attempts=2, connect_attempts=2, first_s=0.01),
    )
