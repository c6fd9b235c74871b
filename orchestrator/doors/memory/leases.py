"""The leases' twin."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from orchestrator.doors.leases import lost, without
from orchestrator.model.lease import Ask, Holder, Lease, Place, Standing
from orchestrator.model.time import rfc3339


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """A place that was taken, until a time."""

    place: Place
    expires_s: float


@dataclass
class MemoryLeases:
    """Leases within one process. Thread-safe.

    Attributes:
        clock_s: seconds by which leases end; nobody sets it back.
        now_s: seconds since 1970 UTC.
        gone: processes that are gone.
    """

    clock_s: Callable[[], float] = time.monotonic
    now_s: Callable[[], float] = time.time
    gone: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Begin with nobody at work."""
        self._lock = threading.Lock()
        self._epochs: dict[str, int] = {}
        self._active: dict[str, _Taken] = {}
        self._waiting: dict[str, _Taken] = {}

    def acquire(self, hierarchy: str, holder: Holder, lasts_s: float) -> Lease | None:
        """Take the lease, unless somebody has it, or waits for it before; see the protocol."""
        with self._lock:
            active, waiting = self._active.get(hierarchy), self._waiting.get(hierarchy)
            if self._is_taken(active, holder) or self._is_taken(waiting, holder):
                return None
            joined = waiting.place.asks[1:] if waiting else ()
            if waiting and joined:
                self._waiting[hierarchy] = replace(waiting, expires_s=float("-inf"))
            else:
                self._waiting.pop(hierarchy, None)
            self._epochs[hierarchy] = self._epochs.get(hierarchy, 0) + 1
            place = Place(holder=holder, since=rfc3339(self.now_s()))
            self._active[hierarchy] = self._taken(place, lasts_s)
            return Lease(
                hierarchy=hierarchy,
                epoch=self._epochs[hierarchy],
                holder=holder,
                since=place.since,
                joined=joined,
            )

    def renew(self, lease: Lease, lasts_s: float) -> None:
        """Keep a lease for longer; see the protocol."""
        with self._lock:
            self._require(lease)
            taken = self._active[lease.hierarchy]
            self._active[lease.hierarchy] = self._taken(taken.place, lasts_s)

    def require(self, lease: Lease) -> None:
        """Do nothing, if a lease is still good; see the protocol."""
        with self._lock:
            self._require(lease)

    def release(self, lease: Lease, *, undone: bool = False) -> None:
        """Give a lease back; see the protocol."""
        with self._lock:
            if self._epochs.get(lease.hierarchy) != lease.epoch:
                return
            taken = self._active[lease.hierarchy]
            self._active[lease.hierarchy] = replace(taken, expires_s=float("-inf"))
            if taken.expires_s == float("-inf"):
                return
            if not undone:
                self._take_on(lease)
            if not undone or not lease.joined:
                return
            own = Ask(command=lease.holder.command, who=lease.holder.who)
            gone = Place(holder=lease.holder, since=lease.since, asks=(own,))
            waiting = self._waiting.get(
                lease.hierarchy, _Taken(place=gone, expires_s=float("-inf"))
            )
            more = without(lease.joined, waiting.place.asks[1:])
            place = replace(waiting.place, asks=(*waiting.place.asks, *more))
            self._waiting[lease.hierarchy] = replace(waiting, place=place)

    def standing(self, hierarchy: str) -> Standing:
        """Return who is at work and who waits; see the protocol."""
        with self._lock:
            active, waiting = self._active.get(hierarchy), self._waiting.get(hierarchy)
            return Standing(
                active=active.place if active and self._is_taken(active) else None,
                waiting=waiting.place if waiting and self._is_taken(waiting) else None,
            )

    def wait(self, hierarchy: str, holder: Holder, ask: Ask, lasts_s: float) -> bool:
        """Be the one who waits, or say that it still is; see the protocol."""
        with self._lock:
            waiting = self._waiting.get(hierarchy)
            if self._is_taken(waiting, holder):
                return False
            if waiting and waiting.place.holder == holder:
                place = waiting.place
            else:
                joined = waiting.place.asks[1:] if waiting else ()
                since = rfc3339(self.now_s())
                place = Place(holder=holder, since=since, asks=(ask, *joined))
            self._waiting[hierarchy] = self._taken(place, lasts_s)
            return True

    def join(self, hierarchy: str, waiting: Holder, ask: Ask) -> bool:
        """Add to what the one who waits will do; False: that one waits no more."""
        with self._lock:
            taken = self._waiting.get(hierarchy)
            if taken is None or taken.place.holder != waiting or not self._is_taken(taken):
                return False
            place = replace(taken.place, asks=(*taken.place.asks, ask))
            self._waiting[hierarchy] = replace(taken, place=place)
            return True

    def leave(self, hierarchy: str, holder: Holder) -> int:
        """Wait no more; see the protocol."""
        with self._lock:
            taken = self._waiting.get(hierarchy)
            if taken is None or taken.place.holder != holder:
                return 0
            joined = len(taken.place.asks) - 1
            if joined:
                self._waiting[hierarchy] = replace(taken, expires_s=float("-inf"))
            else:
                del self._waiting[hierarchy]
            return joined

    def take_on(self, lease: Lease) -> None:
        """Leave what joined a lease to nobody else any more; the diary's twin says when."""
        with self._lock:
            self._take_on(lease)

    def _take_on(self, lease: Lease) -> None:
        taken = self._waiting.get(lease.hierarchy)
        if taken is None or not lease.joined:
            return
        own, *others = taken.place.asks
        place = replace(taken.place, asks=(own, *without(tuple(others), lease.joined)))
        if place.asks[1:] or taken.expires_s > float("-inf"):
            self._waiting[lease.hierarchy] = replace(taken, place=place)
        else:
            del self._waiting[lease.hierarchy]

    def _require(self, lease: Lease) -> None:
        if self._epochs.get(lease.hierarchy) != lease.epoch:
            taken = self._active.get(lease.hierarchy)
            raise lost(lease, taken.place if taken else None)

    def _taken(self, place: Place, lasts_s: float) -> _Taken:
        return _Taken(place=place, expires_s=self.clock_s() + lasts_s)

    def _is_taken(self, taken: _Taken | None, holder: Holder | None = None) -> bool:
        return (
            taken is not None
            and taken.place.holder != holder
            and self.clock_s() < taken.expires_s
            and taken.place.holder.process not in self.gone
        )
