"""The one place in the queue of a hierarchy: taking it, waiting in it, joining who has it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from orchestrator.cli.session import Session
from orchestrator.cli.workplace import Workplace
from orchestrator.decide.joined import joined
from orchestrator.doors.protocols_lease import Leases
from orchestrator.errors import Conflict, Interrupted, StateUnavailable
from orchestrator.model.lease import Ask, Holder, Lease, Place, Standing

#: Seconds between two looks whether the turn has come.
LOOK_S = 1.0


@dataclass(kw_only=True)
class Queue:
    """How one command comes to its turn.

    Attributes:
        hierarchy: its name.
        leases: who is where.
        holder: the command.
        ask: what it wants.
        lasts_s: how long a place lasts unless it is renewed.
        check: raises for what no run could do.
        waited: whether somebody was before it.
    """

    hierarchy: str
    leases: Leases
    holder: Holder
    ask: Ask
    lasts_s: float
    check: Callable[[Ask], None]
    waited: bool = False

    def enter(self, session: Session, place: Workplace, *, no_wait: bool) -> Lease | Place:
        """Return the lease, once it is this command's turn, or the one who will do its work.

        Args:
            session: is told what it waits for.
            place: its clock, and what signals do.
            no_wait: end where somebody is before it.

        Raises:
            Conflict: somebody is at work, and this one is not to wait, or somebody else does.
            Interrupted: a signal came; then nobody waits here any more.
        """
        clock, interrupts = place.doors.clock, place.interrupts
        say_again_s, told = clock.monotonic_s(), None
        try:
            while True:
                lease = self.leases.acquire(self.hierarchy, self.holder, self.lasts_s)
                if lease is not None:
                    return lease
                standing = self.leases.standing(self.hierarchy)
                if no_wait:
                    raise self._busy(standing, self._instead(standing))
                if not self.waited:
                    # Before anybody can see that it waits: from then on it leaves in order.
                    self.waited = True
                    interrupts.be_gentle(lambda grace_s: None)
                    interrupts.take_leave(self._leave)
                if clock.monotonic_s() >= say_again_s:
                    if not self.leases.wait(self.hierarchy, self.holder, self.ask, self.lasts_s):
                        if other := self._join():
                            return other
                        continue
                    say_again_s = clock.monotonic_s() + self.lasts_s / 4
                if standing.active and standing.active.holder != told:
                    told = standing.active.holder
                    session.say(self._waits(session, standing.active))
                clock.wait(interrupts.stopping, LOOK_S)
                if interrupts.number is not None:
                    session.say("left the queue")
                    raise Interrupted(interrupts.number)
        except BaseException:
            if self.waited:
                self._leave()
            raise

    def _leave(self) -> None:
        """Wait no more; where that cannot be said the place ends by itself."""
        with suppress(StateUnavailable):
            self.leases.leave(self.hierarchy, self.holder)

    def _join(self) -> Place | None:
        """Return whom it joined; None: nobody waits any more.

        Raises:
            Conflict: who waits cannot do this along with its own.
            UsageError: nobody could do it.
        """
        standing = self.leases.standing(self.hierarchy)
        waiting = standing.waiting
        if waiting is None or waiting.holder == self.holder:
            return None
        _, left = joined(waiting.asks[0], (*waiting.asks[1:], self.ask))
        if self.ask in left:
            raise self._busy(standing, "one run can wait; run this again when they have ended")
        self.check(self.ask)
        return waiting if self.leases.join(self.hierarchy, waiting.holder, self.ask) else None

    def _instead(self, standing: Standing) -> str:
        waiting = standing.waiting
        if waiting and self.ask in joined(waiting.asks[0], (*waiting.asks[1:], self.ask))[1]:
            return "one run can wait; run this again when they have ended"
        return "leave --no-wait out to " + ("join the one that waits" if waiting else "wait for it")

    def _busy(self, standing: Standing, hint: str) -> Conflict:
        said = []
        if standing.active:
            said.append(f"{standing.active.holder} is at work since {standing.active.since}")
        if standing.waiting and standing.waiting.holder != self.holder:
            said.append(f"{standing.waiting.holder} waits since {standing.waiting.since}")
        who = ", and ".join(said) or "another run was at work a moment ago"
        return Conflict(f"{self.hierarchy}: {who}", hint=hint)

    def _waits(self, session: Session, active: Place) -> str:
        line = session.err_style.clean(f"waiting: {active.holder} is at work since {active.since}")
        return f"{line}\nthis run is next; Ctrl-C leaves the queue"
