"""The diary's twin."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace

from orchestrator.errors import StateUnavailable
from orchestrator.model.run import JournalledMove, MoveState, Outcome, Run, RunState, StepResult


class MemoryHistory:
    """The diary in memory. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[str, Run] = {}
        self._results: dict[str, list[StepResult]] = {}
        self._moves: dict[str, list[JournalledMove]] = {}
        self._claims: dict[tuple[str, str], str] = {}

    def begin_run(self, run: Run) -> None:
        """Write a run that starts."""
        with self._lock:
            if run.id in self._runs:
                raise StateUnavailable(f"run {run.id} has begun before")
            self._runs[run.id] = run

    def finish_run(self, run_id: str, state: RunState, finished_at: str) -> None:
        """Write how a run ended."""
        with self._lock:
            self._expect(run_id)
            self._runs[run_id] = replace(self._runs[run_id], state=state, finished_at=finished_at)

    def record_step(self, run_id: str, result: StepResult) -> None:
        """Write one step's result."""
        with self._lock:
            self._expect(run_id)
            self._results.setdefault(run_id, []).append(result)

    def claim(self, repository: str, key: str, digest: str, run_id: str) -> str:
        """Claim a key once for all, or learn who did; see the protocol."""
        with self._lock:
            return self._claims.setdefault((repository, key), digest)

    def replace_claim(
        self, repository: str, key: str, *, lost: str, digest: str, run_id: str
    ) -> bool:
        """Replace a claim whose digest is not in the registry, if it still says ``lost``."""
        with self._lock:
            if self._claims.get((repository, key)) != lost:
                return False
            self._claims[repository, key] = digest
            return True

    def journal(self, run_id: str, moves: tuple[JournalledMove, ...]) -> None:
        """Write moves before any of them is done."""
        with self._lock:
            if moves:
                self._expect(run_id)
            self._moves.setdefault(run_id, []).extend(moves)

    def settle(self, run_id: str, move: JournalledMove, state: MoveState) -> None:
        """Write how one move ended."""
        with self._lock:
            moves = self._moves.get(run_id, [])
            for n in reversed(range(len(moves))):
                if _tag_of(moves[n]) == _tag_of(move):
                    moves[n] = replace(moves[n], state=state)
                    return
            raise StateUnavailable(f"no move of {move.repository}:{move.tag} in run {run_id}")

    def moves(self, run_id: str) -> tuple[JournalledMove, ...]:
        """Return a run's moves, in the order they were written."""
        with self._lock:
            return tuple(self._moves.get(run_id, ()))

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
        with self._lock:
            return {
                result.image: result.duration_s
                for run_id in sorted(self._results)
                for result in self._results[run_id]
                if result.outcome in (Outcome.BUILT, Outcome.UNCHANGED)
            }

    def _expect(self, run_id: str) -> None:
        if run_id not in self._runs:
            raise StateUnavailable(f"run {run_id} is not known")


def _tag_of(move: JournalledMove) -> tuple[str, str, str]:
    return move.image, move.repository, move.tag
