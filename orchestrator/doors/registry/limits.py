"""How often a registry lets itself be asked: what it says of that, and what we do about it."""

from __future__ import annotations

import re
import threading
from collections.abc import Collection

from orchestrator.doors.protocols import Clock
from orchestrator.doors.registry.answers import Answer, Call, TransientFault, login_hint
from orchestrator.doors.registry.retry import retry_after_s
from orchestrator.errors import RegistryUnavailable
from orchestrator.model.names import DOCKER_HUB
from orchestrator.model.time import rfc3339

#: Requests at once to a registry that is somebody else's.
GUEST_REQUESTS = 4
#: For so long it is left alone when it says that nothing is left, and not until when.
_UNSAID_S = 60.0

_REMAINING = re.compile(r"\s*(\d{1,9})\b")
_WINDOW = re.compile(r";\s*w\s*=\s*(\d{1,9})\b")
_RESET = re.compile(r"\s*(\d{1,10})\b")
#: What is more is a time, not a number of seconds to wait: nobody closes for three years.
_MOST_S = 1e8


class RateLimits:
    """Which registries are to be left alone, and until when. Thread-safe.

    Only those where we are guests: a run must not stop half-way because of a limit on reading that
    our own registry counts down, and its 429 is waited out like any other passing fault.

    Args:
        guests: registries, as references name them, from which upstreams come.
        clock: tells when a window is over.
        patience_s: a pause that is not longer is waited out.
    """

    def __init__(self, guests: Collection[str], clock: Clock, patience_s: float) -> None:
        self._guests = frozenset(guests)
        self._clock = clock
        self._patience_s = patience_s
        self._lock = threading.Lock()
        # Registry → until when, and whether it refused something already.
        self._closed: dict[str, tuple[float, bool]] = {}

    def require(self, call: Call) -> None:
        """Refuse a call that its registry would refuse, without asking it.

        Raises:
            TransientFault: it is to be left alone for so short that waiting is better.
            RegistryUnavailable: it is to be left alone for longer; says until when.
        """
        if not self._closed:
            return
        with self._lock:
            until_s, refused = self._closed.get(call.registry, (0.0, False))
        left_s = until_s - self._clock.monotonic_s()
        # Docker Hub counts no HEAD, so an unchanged upstream can be looked at all the same.
        free = call.method == "HEAD" and call.registry == DOCKER_HUB and not refused
        if left_s <= 0 or free:
            return
        error = self._error(call, left_s)
        if left_s <= self._patience_s:
            raise TransientFault(error, retry_after_s=left_s)
        raise error

    def heed(self, call: Call, answer: Answer) -> None:
        """Take note of what a registry's own answer says of its limit.

        Raises:
            RegistryUnavailable: it refuses the call for longer than anybody waits.
        """
        if call.registry not in self._guests:
            return
        refused = answer.status == 429
        remaining = _REMAINING.match(answer.headers.get("ratelimit-remaining", ""))
        spent = remaining is not None and int(remaining[1]) == 0
        if not refused and not spent:
            return
        pause_s = self._pause_s(answer, spent=spent)
        if pause_s is None or (refused and pause_s <= self._patience_s):
            return  # The next try waits for as long as it was told to.
        with self._lock:
            self._closed[call.registry] = (self._clock.monotonic_s() + pause_s, refused)
        if refused:
            raise self._error(call, pause_s)

    def _pause_s(self, answer: Answer, *, spent: bool) -> float | None:
        """Return for how long to leave a registry alone; None: as after any other fault.

        Source: RFC 9110 for Retry-After; docs.docker.com/docker-hub/usage for the window;
        draft-ietf-httpapi-ratelimit-headers-03 for RateLimit-Reset, which GitLab gives as a time.
        """
        asked_s = retry_after_s(answer.headers.get("retry-after"), self._clock.now_s())
        if asked_s is not None or not spent:
            return asked_s
        window = _WINDOW.search(answer.headers.get("ratelimit-remaining", ""))
        if window:
            return float(window[1])
        reset = _RESET.match(answer.headers.get("ratelimit-reset", ""))
        if reset is None:
            return _UNSAID_S
        said_s = float(reset[1])
        return said_s if said_s < _MOST_S else max(0.0, said_s - self._clock.now_s())

    def _error(self, call: Call, left_s: float) -> RegistryUnavailable:
        again = rfc3339(self._clock.now_s() + left_s)
        return RegistryUnavailable(
            f"registry {call.registry} lets us ask nothing more before {again} ({call.doing})",
            status=429,
            hint=f"it limits requests: {login_hint(call.registry).partition(';')[0]} for more, "
            "or run again then",
        )
