"""The diary's twin."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import replace

from orchestrator.doors.memory.leases import MemoryLeases
from orchestrator.doors.memory.outbox import Box, MemoryOutbox
from orchestrator.errors import StateUnavailable
from orchestrator.model.announcement import Announcement
from orchestrator.model.lease import Lease
from orchestrator.model.measure import Ended
from orchestrator.model.observation import Sighting
from orchestrator.model.packages import PackageAnswer, answers_kept_since
from orchestrator.model.run import (
    JournalledMove,
    MoveState,
    Outcome,
    Run,
    RunState,
    StepResult,
    Streak,
)


class MemoryHistory:
    """The diary in memory. Thread-safe.

    Attributes:
        leases: who may write.
    """

    def __init__(self) -> None:
        self.leases = MemoryLeases()
        self._lease: Lease | None = None
        self._lock = threading.Lock()
        self._runs: dict[str, Run] = {}
        self._plans: dict[str, str] = {}
        self._results: dict[str, list[StepResult]] = {}
        self._moves: dict[str, list[JournalledMove]] = {}
        self._claims: dict[tuple[str, str], str] = {}
        self._sightings: dict[tuple[str, str, str], Sighting] = {}
        self._answers: dict[tuple[str, str], PackageAnswer] = {}
        self._box = Box()

    @property
    def outbox(self) -> MemoryOutbox:
        """What others are to be told."""
        return MemoryOutbox(
            box=self._box, runs=self._runs, reading=lambda: self._lock, writing=self._writing
        )

    def fenced(self, lease: Lease) -> MemoryHistory:
        """Return the same diary, in which one can write only as long as a lease is good."""
        same = copy(self)
        same._lease = lease
        return same

    def begin_run(self, run: Run, plan: str = "") -> None:
        """Write a run that starts, and with it the plan that it carries out."""
        with self._writing():
            if run.id in self._runs:
                raise StateUnavailable(f"run {run.id} has begun before")
            self._runs[run.id] = run
            self._plans[run.id] = plan
            if self._lease is not None:
                self.leases.take_on(self._lease)

    def kept_plan(self, run_id: str) -> str:
        """Return the plan that a run began with; empty where none is kept."""
        with self._lock:
            return self._plans.get(run_id, "")

    def unsettled(self, hierarchy: str) -> tuple[Run, ...]:
        """Return the runs that never ended, or whose moves never did; see the protocol."""
        with self._lock:
            found = [
                run
                for run in self._runs.values()
                if run.hierarchy == hierarchy
                and (
                    run.state is RunState.RUNNING
                    or any(m.state is MoveState.PLANNED for m in self._moves.get(run.id, ()))
                )
            ]
            return tuple(sorted(found, key=lambda run: (run.started_at, run.id)))

    def unfinished(self, hierarchy: str) -> tuple[Run, ...]:
        """Return the runs that left something, and that no other one resumes."""
        with self._lock:
            resumed = {run.resumes for run in self._runs.values()}
            found = [
                run
                for run in self._runs.values()
                if run.hierarchy == hierarchy
                and run.state is not RunState.SUCCEEDED
                and run.id not in resumed
            ]
            return tuple(sorted(found, key=lambda r: (r.started_at, r.id), reverse=True))

    def finish_run(self, run_id: str, state: RunState, finished_at: str) -> None:
        """Write how a run ended."""
        with self._writing():
            self._expect(run_id)
            self._runs[run_id] = replace(self._runs[run_id], state=state, finished_at=finished_at)

    def record_step(self, run_id: str, result: StepResult) -> None:
        """Write one step's result."""
        with self._writing():
            self._expect(run_id)
            results = self._results.setdefault(run_id, [])
            tries = 1 + sum(each.image == result.image for each in results)
            results.append(replace(result, tries=tries))

    def claim(
        self,
        repository: str,
        key: str,
        digest: str,
        run_id: str,
        announcement: Announcement | None = None,
    ) -> str:
        """Claim a key once for all, or learn who did; see the protocol."""
        with self._writing():
            winner = self._claims.setdefault((repository, key), digest)
            if announcement is not None and winner == digest:
                self._box.expect(announcement)
            return winner

    def claimed(self, repository: str, key: str) -> str | None:
        """Return the digest that a key was claimed for; None where nobody has."""
        with self._lock:
            return self._claims.get((repository, key))

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
        """Replace a claim whose digest cannot be published; see the protocol."""
        with self._writing():
            if self._claims.get((repository, key)) != lost:
                return False
            self._claims[repository, key] = digest
            self._box.give_up(repository, key, lost)
            if announcement is not None:
                self._box.expect(announcement)
            return True

    def journal(self, run_id: str, moves: tuple[JournalledMove, ...]) -> None:
        """Write moves before any of them is done."""
        with self._writing():
            if moves:
                self._expect(run_id)
            self._moves.setdefault(run_id, []).extend(moves)

    def settle(self, run_id: str, move: JournalledMove, state: MoveState) -> None:
        """Write how one move ended."""
        with self._writing():
            moves = self._moves.get(run_id, [])
            for n in reversed(range(len(moves))):
                if _tag_of(moves[n]) == _tag_of(move):
                    moves[n] = replace(
                        moves[n], state=state, held_by=move.held_by, held_for=move.held_for
                    )
                    return
            raise StateUnavailable(f"no move of {move.repository}:{move.tag} in run {run_id}")

    def moves(self, run_id: str) -> tuple[JournalledMove, ...]:
        """Return a run's moves, in the order they were written."""
        with self._lock:
            return tuple(self._moves.get(run_id, ()))

    def held(self, hierarchy: str) -> tuple[tuple[str, JournalledMove], ...]:
        """Return (run, move) of everything that runs of a hierarchy held, the newest run first."""
        with self._lock:
            return tuple(
                (run_id, move)
                for run_id in sorted(self._moves, reverse=True)
                if run_id in self._runs and self._runs[run_id].hierarchy == hierarchy
                for move in self._moves[run_id]
                if move.state is MoveState.HELD
            )

    def runs(self, limit: int = 20) -> tuple[Run, ...]:
        """Return the newest runs, newest first."""
        with self._lock:
            newest = sorted(self._runs.values(), key=lambda r: (r.started_at, r.id), reverse=True)
            return tuple(newest[:limit])

    def run(self, run_id: str) -> Run | None:
        """Return one run by its id or an unambiguous prefix of it."""
        with self._lock:
            found = [run for run in self._runs.values() if run.id.startswith(run_id)]
            return self._runs.get(run_id) or (found[0] if len(found) == 1 else None)

    def results(self, run_id: str) -> tuple[StepResult, ...]:
        """Return a run's step results, in the order they ended; every try is one."""
        with self._lock:
            return tuple(self._results.get(run_id, ()))

    def last_outcomes(self, hierarchy: str) -> Mapping[str, Outcome]:
        """Return image id → how its last step ended, over all runs of a hierarchy."""
        with self._lock:
            return {
                result.image: result.outcome
                for run_id in sorted(self._results)
                if self._runs[run_id].hierarchy == hierarchy
                for result in self._results[run_id]
            }

    def repositories(self, hierarchy: str) -> tuple[str, ...]:
        """Return every repository in which runs of a hierarchy moved a tag, sorted."""
        with self._lock:
            found = {
                move.repository
                for run_id, moves in self._moves.items()
                if run_id in self._runs and self._runs[run_id].hierarchy == hierarchy
                for move in moves
            }
            return tuple(sorted(found))

    def durations(self) -> Mapping[str, float]:
        """Return image id → seconds its last build took."""
        return {result.image: result.duration_s for result in self._built()}

    def sizes(self) -> Mapping[str, int]:
        """Return image id → bytes that its layers had after its last build, compressed."""
        return {result.image: result.size_bytes for result in self._built()}

    def _built(self) -> list[StepResult]:
        """Return the results of all builds, the newest run's last."""
        with self._lock:
            return [
                result
                for run_id in sorted(self._results)
                for result in self._results[run_id]
                if result.outcome in (Outcome.BUILT, Outcome.UNCHANGED)
            ]

    def ended(self) -> tuple[Ended, ...]:
        """Return how every step of every run ended, in the order of the runs; every try is one."""
        with self._lock:
            return tuple(
                Ended(
                    hierarchy=self._runs[run_id].hierarchy,
                    image=result.image,
                    outcome=result.outcome,
                    changed=result.digest not in ("", result.was),
                    duration_s=result.duration_s,
                    run_started_at=self._runs[run_id].started_at,
                )
                for run_id in sorted(self._results)
                for result in self._results[run_id]
            )

    def hierarchies(self) -> tuple[str, ...]:
        """Return the names of the hierarchies that have runs or a ledger, sorted."""
        with self._lock:
            with_runs = {run.hierarchy for run in self._runs.values()}
            return tuple(sorted(with_runs | {name for name, *_ in self._sightings}))

    def streaks(self, hierarchy: str) -> Mapping[str, Streak]:
        """Return image id → the nightly runs that it failed in, in a row; see the protocol."""
        with self._lock:
            found: dict[str, Streak] = {}
            for run_id in sorted(self._results):
                run = self._runs[run_id]
                if run.hierarchy != hierarchy:
                    continue
                results = self._results[run_id]
                failed = {r.image for r in results if r.outcome is Outcome.FAILED}
                for image in {r.image for r in results if r.outcome.is_success}:
                    failed.discard(image)
                    found.pop(image, None)
                for image in failed if run.command == "patch" else ():
                    nights = found[image].nights + 1 if image in found else 1
                    found[image] = Streak(nights=nights, last_at=run.started_at)
            return found

    def sightings(self, hierarchy: str) -> tuple[Sighting, ...]:
        """Return what was seen of a hierarchy's upstreams, first seen first."""
        with self._lock:
            mine = [seen for (name, *_), seen in self._sightings.items() if name == hierarchy]
            return tuple(sorted(mine, key=lambda s: (s.first_seen_s, s.source, s.fingerprint)))

    def see(self, hierarchy: str, sightings: tuple[Sighting, ...], now_s: float) -> None:
        """Add to the ledger what is not in it; see the protocol."""
        with self._writing():
            for seen in sightings:
                self._sightings.setdefault((hierarchy, seen.source, seen.fingerprint), seen)
            for name, seen in self._sightings.items():
                if name[0] == hierarchy and seen.first_seen_s > now_s:
                    self._sightings[name] = replace(seen, first_seen_s=now_s)

    def absorb(self, hierarchy: str, source: str, fingerprint: str, at: str) -> None:
        """Write that every descendant stands on a content of an upstream; see the protocol."""
        with self._writing():
            content = self._sightings.get((hierarchy, source, fingerprint))
            for name, seen in self._sightings.items():
                if (
                    content
                    and name[:2] == (hierarchy, source)
                    and not seen.absorbed_at
                    and seen.first_seen_s <= content.first_seen_s
                ):
                    self._sightings[name] = replace(seen, absorbed_at=at)

    def answers(self, digests: tuple[str, ...]) -> tuple[PackageAnswer, ...]:
        """Return the last answer of every platform of some images, in the order of the digests."""
        with self._lock:
            return tuple(
                self._answers[name]
                for digest in dict.fromkeys(digests)
                for name in sorted(name for name in self._answers if name[0] == digest)
            )

    def keep_answers(self, answers: tuple[PackageAnswer, ...]) -> None:
        """Write answers in the place of the former ones of the same digest and platform."""
        with self._writing():
            for answer in answers:
                self._answers[answer.digest, answer.platform] = answer
            since = answers_kept_since(answers)
            self._answers = {k: a for k, a in self._answers.items() if a.asked_at >= since}

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the lock, as somebody who may write."""
        with self._lock:
            if self._lease is not None:
                self.leases.require(self._lease)
            yield

    def _expect(self, run_id: str) -> None:
        if run_id not in self._runs:
            raise StateUnavailable(f"run {run_id} is not known")


def _tag_of(move: JournalledMove) -> tuple[str, str, str]:
    return move.image, move.repository, move.tag
