"""What the verbs need of the diary: runs, claims, journal, ledger; and of the logs beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from orchestrator.doors.protocols_lease import Leases
from orchestrator.doors.protocols_outbox import Outbox
from orchestrator.model.announcement import Announcement
from orchestrator.model.lease import Lease
from orchestrator.model.measure import Ended
from orchestrator.model.observation import Sighting
from orchestrator.model.packages import PackageAnswer
from orchestrator.model.run import (
    JournalledMove,
    MoveState,
    Outcome,
    Run,
    RunState,
    StepResult,
    Streak,
)


class History(Protocol):
    """The diary: runs, steps, claims, the journal of tag moves. Thread-safe.

    Every method raises :class:`orchestrator.errors.StateUnavailable`.
    """

    @property
    def leases(self) -> Leases:
        """Who may write."""

    @property
    def outbox(self) -> Outbox:
        """What others are to be told."""

    def fenced(self, lease: Lease) -> History:
        """Return the same diary, in which one can write only as long as a lease is good.

        Whatever writes in it raises :class:`orchestrator.errors.LeaseLost`, and writes nothing,
        once another one has the lease; to look and to write are one transaction.
        """

    def begin_run(self, run: Run, plan: str = "") -> None:
        """Write a run that starts, and with it the plan that it carries out.

        Args:
            run: which.
            plan: of :func:`orchestrator.plan.kept.keep`; empty: it has none.
        """

    def kept_plan(self, run_id: str) -> str:
        """Return the plan that a run began with; empty where none is kept."""

    def unsettled(self, hierarchy: str) -> tuple[Run, ...]:
        """Return the runs that never ended, or whose journal has moves that never did.

        The oldest is first.
        """

    def unfinished(self, hierarchy: str) -> tuple[Run, ...]:
        """Return the runs that did not succeed, and that no other one resumes.

        The newest is first.
        """

    def finish_run(self, run_id: str, state: RunState, finished_at: str) -> None:
        """Write how a run ended."""

    def record_step(self, run_id: str, result: StepResult) -> None:
        """Write one step's result, with a row per platform."""

    def claim(
        self,
        repository: str,
        key: str,
        digest: str,
        run_id: str,
        announcement: Announcement | None = None,
    ) -> str:
        """Claim a key once for all, or learn who did.

        Args:
            repository: where.
            key: the build key.
            digest: what it is to lead to.
            run_id: who claims.
            announcement: is pending from now on if the digest won, in the same transaction; one
                that was pending for another run is this run's. What is a fact stays one.

        Returns:
            The digest that won: ``digest`` itself, or the one claimed before.
        """

    def claimed(self, repository: str, key: str) -> str | None:
        """Return the digest that a key was claimed for; None where nobody has."""

    def replace_claim(
        self,
        repository: str,
        key: str,
        *,
        lost: str,
        digest: str,
        run_id: str,
        announcement: Announcement | None = None,
    ) -> bool:
        """Replace a claim whose digest cannot be published, if it still says ``lost``.

        In the same transaction what was pending of the lost digest is forgotten, and the
        announcement is pending, as by :meth:`claim`.
        """

    def journal(self, run_id: str, moves: tuple[JournalledMove, ...]) -> None:
        """Write moves before any of them is done."""

    def settle(self, run_id: str, move: JournalledMove, state: MoveState) -> None:
        """Write how one move ended."""

    def moves(self, run_id: str) -> tuple[JournalledMove, ...]:
        """Return a run's moves, in the order they were written."""

    def held(self, hierarchy: str) -> tuple[tuple[str, JournalledMove], ...]:
        """Return (run, move) of everything that runs of a hierarchy held, the newest run first."""

    def runs(self, limit: int = 20) -> tuple[Run, ...]:
        """Return the newest runs, newest first."""

    def run(self, run_id: str) -> Run | None:
        """Return one run by its id or an unambiguous prefix of it."""

    def results(self, run_id: str) -> tuple[StepResult, ...]:
        """Return a run's step results, in the order they ended."""

    def last_outcomes(self, hierarchy: str) -> Mapping[str, Outcome]:
        """Return image id → how its last step ended, over all runs of a hierarchy."""

    def repositories(self, hierarchy: str) -> tuple[str, ...]:
        """Return every repository in which runs of a hierarchy moved a tag, sorted."""

    def durations(self) -> Mapping[str, float]:
        """Return image id → seconds its last build took."""

    def sizes(self) -> Mapping[str, int]:
        """Return image id → bytes that its layers had after its last build, compressed."""

    def ended(self) -> tuple[Ended, ...]:
        """Return how every step of every run ended, in the order of the runs; every try is one."""

    def hierarchies(self) -> tuple[str, ...]:
        """Return the names of the hierarchies that have runs or a ledger, sorted."""

    def sightings(self, hierarchy: str) -> tuple[Sighting, ...]:
        """Return what was seen of a hierarchy's upstreams, first seen first."""

    def see(self, hierarchy: str, sightings: tuple[Sighting, ...], now_s: float) -> None:
        """Add to the ledger what is not in it; the time that is there stays.

        A time after ``now_s``, written while a clock was wrong, becomes ``now_s``.
        """

    def absorb(self, hierarchy: str, source: str, fingerprint: str, at: str) -> None:
        """Write that every descendant stands on a content of an upstream, or needs not to.

        Also what was first seen before it, and is not absorbed yet, is then. What is absorbed
        stays as it is.

        Args:
            hierarchy: its name.
            source: the upstream's.
            fingerprint: of the content.
            at: RFC 3339 UTC.
        """

    def answers(self, digests: tuple[str, ...]) -> tuple[PackageAnswer, ...]:
        """Return the last answer of every platform of some images, by the index's digest."""

    def keep_answers(self, answers: tuple[PackageAnswer, ...]) -> None:
        """Write answers in the place of the former ones of the same digest and platform.

        Others that are 90 days older are forgotten: nobody asks about those images any more.
        """

    def streaks(self, hierarchy: str) -> Mapping[str, Streak]:
        """Return image id → the nightly runs (command ``patch``) that it failed in, in a row.

        Only of images that failed the last time a step of theirs was tried in any run.
        """


class Logs(Protocol):
    """The logs of builds that ran here. Thread-safe.

    A log is called by its image's id; each platform of an image with several has one of its own,
    which is called ``IMAGE@OS-ARCH``. Every method raises
    :class:`orchestrator.errors.StateUnavailable`.
    """

    def names(self, run: str, image: str) -> tuple[str, ...]:
        """Return what an image's logs of a run are called, sorted; none where there is none."""

    def size_bytes(self, run: str, name: str) -> int | None:
        """Return how long a log is now; None where there is none.

        It grows while the build runs, and begins anew with another try.
        """

    def read(self, run: str, name: str, offset: int, most: int) -> bytes:
        """Return at most so many bytes that stand in a log from a byte on; empty at its end."""
