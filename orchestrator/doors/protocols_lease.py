"""What keeps two runs of one hierarchy apart."""

from __future__ import annotations

from typing import Protocol

from orchestrator.model.lease import Ask, Holder, Lease, Standing


class Leases(Protocol):
    """One run at work for each hierarchy, and one that waits. Thread-safe.

    Who holds a lease, or the place of the one that waits, must say so again before ``lasts_s`` are
    over; a process of this machine that is gone has lost it at once. The state database, not the
    holder, decides whether a lease is still good: whoever was away for longer finds that another
    one has a later epoch.

    Every method raises :class:`orchestrator.errors.StateUnavailable`.
    """

    def acquire(self, hierarchy: str, holder: Holder, lasts_s: float) -> Lease | None:
        """Take the lease, unless somebody has it, or waits for it before; None: somebody does.

        The place of the one that waits, if this one or nobody alive has it, is empty afterwards,
        and what had joined it goes with the lease. It is also left to whoever comes next until the
        fenced diary has a run that began, or the lease is given back with it done: who is killed
        before that has taken nothing away.
        """

    def renew(self, lease: Lease, lasts_s: float) -> None:
        """Keep a lease for longer; also one that is over, if nobody has taken it.

        Raises:
            LeaseLost: another one has it.
        """

    def require(self, lease: Lease) -> None:
        """Do nothing, if a lease is still good.

        Raises:
            LeaseLost: another one has it.
        """

    def release(self, lease: Lease, *, undone: bool = False) -> None:
        """Give a lease back; nothing happens if another one has it.

        Args:
            lease: which.
            undone: not all was done; what others had joined for is left to whoever comes next.
        """

    def standing(self, hierarchy: str) -> Standing:
        """Return who is at work and who waits; who is gone is not there. Writes nothing."""

    def wait(self, hierarchy: str, holder: Holder, ask: Ask, lasts_s: float) -> bool:
        """Be the one who waits, or say that it still is; False: another one waits.

        What had joined one that is gone stays.
        """

    def join(self, hierarchy: str, waiting: Holder, ask: Ask) -> bool:
        """Add to what the one who waits will do; False: that one waits no more."""

    def leave(self, hierarchy: str, holder: Holder) -> int:
        """Wait no more; what had joined is left to whoever comes next.

        Returns:
            How many had.
        """
