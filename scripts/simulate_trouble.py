"""What goes wrong in simulated nights: registries that misbehave, and builds that fail."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from orchestrator.doors.memory.registry import RegistryCall
from orchestrator.errors import BuildFailed, RegistryUnavailable
from orchestrator.model.run import FailureCause


class Trouble:
    """A registry that misbehaves: the same requests get the same faults, whoever comes first.

    Attributes:
        share: of the requests, that go wrong; 0: none.
        slow_s: seconds that a request in a hundred takes.
        count: bad answers so far.
    """

    def __init__(self, seed: int, clock: Any) -> None:
        self.share = 0.0
        self.slow_s = 0.0
        self.count = 0
        self._seed = seed
        self._clock = clock
        self._lock = threading.Lock()
        self._asked: Counter[tuple[str, str, str, bool]] = Counter()
        self._pauses = False

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Misbehave no more for a while: somebody else looks."""
        self._pauses = True
        try:
            yield
        finally:
            self._pauses = False

    def end(self) -> None:
        """Misbehave no more."""
        self.share = self.slow_s = 0.0

    def __call__(self, call: RegistryCall) -> None:
        """Let a call pass, or fail before or after its work is done."""
        if self._pauses or not (self.share or self.slow_s):
            return
        name = (call.method, str(call.repository), call.reference, call.done)
        with self._lock:
            self._asked[name] += 1
            said = f"{self._seed} {name} {self._asked[name]}".encode()
        luck = int.from_bytes(hashlib.sha256(said).digest()[:4]) / 2**32
        if self.slow_s and luck > 0.99:
            self._clock.sleep(self.slow_s)
        if luck >= self.share:
            return
        with self._lock:
            self.count += 1
        status = (429, 500, 503, None)[int(luck / self.share * 4)]
        lost = " (the answer was lost)" if call.done else ""
        raise RegistryUnavailable(
            f"registry {call.repository.registry} answered {status}{lost}",
            status=status,
            transient=True,
        )


def failure(image: str, *, transient: bool = False) -> BuildFailed:
    """Return what the build of an image ends with, for once or for good."""
    if transient:
        cause = FailureCause.REGISTRY
        return BuildFailed(f"{image}: connection reset by peer", cause=cause, transient=True)
    return BuildFailed(f"{image}: exit code 1", cause=FailureCause.COMMAND)
