"""Events as they were stored: read when a message is sent, and kept for a while."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from orchestrator.doors.protocols_outbox import Outbox

#: Events that are kept at once, at most, beside those of one message. A thousand teams are told
#: the same few hundred events of a run.
_MOST_KEPT = 1024


class StoredEvents:
    """The events of messages. Thread-safe.

    The same ids give the same objects, as long as they are kept.

    Args:
        outbox: where they are.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._lock = threading.Lock()
        self._events: dict[str, Mapping[str, object]] = {}
        self._together: dict[tuple[str, ...], tuple[Mapping[str, object], ...]] = {}

    def of(self, ids: Sequence[str]) -> tuple[Mapping[str, object], ...] | None:
        """Return events, in order; None: not all of them are there.

        Raises:
            StateUnavailable: they cannot be read.
        """
        # Whoever else wants something wants the same, so it is as well to wait for that.
        with self._lock:
            key = tuple(ids)
            if key not in self._together:
                missing = [each for each in key if each not in self._events]
                found = self._outbox.events(missing) if missing else {}
                if any(each not in found for each in missing):
                    return None
                if len(self._events) + len(missing) > _MOST_KEPT:
                    kept = {each: self._events[each] for each in key if each in self._events}
                    self._events, self._together = kept, {}
                self._events.update(found)
                self._together[key] = tuple(self._events[each] for each in key)
            return self._together[key]
