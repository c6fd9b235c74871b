"""A lease is kept as long as its holder works, by a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from orchestrator.cli.session import Session
from orchestrator.errors import LeaseLost, StateUnavailable
from orchestrator.model.lease import LASTS_S, Lease

if TYPE_CHECKING:
    from orchestrator.doors.protocols_lease import Leases

#: For tests: how many seconds a lease lasts.
LASTS_VARIABLE = "_ORCHESTRATE_LEASE_S"


def lasts_s(session: Session) -> float:
    """Return how long a lease lasts unless it is renewed, in seconds."""
    said = session.environment.variables.get(LASTS_VARIABLE, "")
    return float(said) if said else LASTS_S


class Heart:
    """Renews a lease, in a thread of its own, until it is stopped or the lease is lost.

    Attributes:
        lost: how it was lost; None: it is not, as far as anybody knows.
    """

    def __init__(self, leases: Leases, lease: Lease, lasts_s: float) -> None:
        self.lost: LeaseLost | None = None
        self._when_lost: tuple[threading.Event, ...] = ()
        self._leases = leases
        self._lease = lease
        self._lasts_s = lasts_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop_when_lost(self, *events: threading.Event) -> None:
        """Set these once the lease is lost."""
        self._when_lost = events
        if self.lost is not None:
            self._tell()

    def stop(self) -> None:
        """End, and wait for the end."""
        self._stopped.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._stopped.wait(self._lasts_s / 4):
            try:
                self._leases.renew(self._lease, self._lasts_s)
            except LeaseLost as error:
                self.lost = error
                self._tell()
                return
            except StateUnavailable:
                # The next one may go through; what is written needs the database as well.
                continue

    def _tell(self) -> None:
        for event in self._when_lost:
            event.set()


@contextmanager
def beating(
    leases: Leases, lease: Lease, lasts_s: float, leave: Callable[[], None]
) -> Iterator[Heart]:
    """Keep a lease while the context lasts, and give it back at its end."""
    heart = Heart(leases, lease, lasts_s)
    heart.start()
    try:
        yield heart
    finally:
        heart.stop()
        leave()
