"""Who has lost its lease writes nothing, neither into a diary nor into a registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.doors.fenced_registry import FencedRegistry
from orchestrator.doors.history import DatabaseHistory
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.doors.memory.registry import MemoryRegistry
from orchestrator.doors.open_state import open_database
from orchestrator.doors.protocols_history import History
from orchestrator.errors import LeaseLost
from orchestrator.model.event import RunFinished
from orchestrator.model.manifest import compose_index
from orchestrator.model.names import Repository
from orchestrator.model.observation import Sighting
from orchestrator.model.packages import PackageAnswer
from orchestrator.model.run import MoveState, RunState
from tests.doors.lease_scene import ANN, BOB
from tests.doors.test_history import BUILT, MOVE, RUN
from tests.world import World

SIGHTING = Sighting(
    source="r/debian:12", fingerprint="f", digest="sha256:1", manifests={}, first_seen_s=1.0
)
ANSWER = PackageAnswer(
    digest="sha256:1", platform="linux/amd64", manager="apt", asked_at="", installed={}, updates=()
)
#: Everything that writes into a diary.
WRITES: dict[str, Callable[[History], object]] = {
    "begin_run": lambda history: history.begin_run(replace(RUN, id="other")),
    "finish_run": lambda history: history.finish_run(RUN.id, RunState.FAILED, "later"),
    "record_step": lambda history: history.record_step(RUN.id, BUILT),
    "claim": lambda history: history.claim("r", "k1-b", "sha256:1", RUN.id),
    "replace_claim": lambda history: history.replace_claim(
        "r", "k1-a", lost="sha256:1", digest="sha256:2", run_id=RUN.id
    ),
    "journal": lambda history: history.journal(RUN.id, (MOVE,)),
    "settle": lambda history: history.settle(RUN.id, MOVE, MoveState.MOVED),
    "see": lambda history: history.see("gold", (SIGHTING,), 2.0),
    "absorb": lambda history: history.absorb("gold", "r/debian:12", "f", "later"),
    "keep_answers": lambda history: history.keep_answers((ANSWER,)),
}


@pytest.fixture(params=["sqlite", "postgres", "memory"])
def history(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[History]:
    """Each kind of diary in turn, with a run in it."""
    state = str(tmp_path / "state.db")
    if request.param == "postgres":
        state = request.getfixturevalue("postgres_url")
    kept = DatabaseHistory(open_database(state))
    made = MemoryHistory() if request.param == "memory" else kept
    made.begin_run(RUN)
    made.journal(RUN.id, (MOVE,))
    made.claim("r", "k1-a", "sha256:1", RUN.id)
    yield made
    kept.close()


@pytest.mark.parametrize("write", WRITES)
def test_who_has_lost_its_lease_writes_nothing(history: History, write: str) -> None:
    """Every write asks, in its own transaction; before that it writes, and others read it."""
    lease = history.leases.acquire("gold", ANN, 60)
    assert lease is not None
    fenced = history.fenced(lease)
    WRITES[write](fenced)
    history.leases.release(lease)
    assert history.leases.acquire("gold", BOB, 60)
    runs, moves, results = history.runs(), history.moves(RUN.id), history.results(RUN.id)
    assert fenced.runs() == runs
    with pytest.raises(LeaseLost, match="bob@ci"):
        WRITES[write](fenced)
    assert (history.runs(), history.moves(RUN.id), history.results(RUN.id)) == (
        runs,
        moves,
        results,
    )


def test_no_write_of_a_diary_is_forgotten() -> None:
    """Whatever is added to the diary and writes is fenced too, and in the list above."""
    import inspect

    source = inspect.getsource(DatabaseHistory)
    methods = source.split("\n    def ")[1:]
    words = ("writing()", "ledger.see", "ledger.absorb", "ledger.keep")
    writing = {m.partition("(")[0] for m in methods if any(word in m for word in words)}
    assert writing == set(WRITES)


def test_who_has_lost_its_lease_moves_no_tag() -> None:
    """Tags are neither put nor removed; a manifest under its digest, which nobody sees, may be."""
    twin, leases = MemoryRegistry(deletes_tags=True), MemoryHistory().leases
    lease = leases.acquire("gold", ANN, 60)
    assert lease is not None
    registry = FencedRegistry(twin, lambda: leases.require(lease))
    repository, index = Repository("localhost:5000", "gold/base"), compose_index((), {})
    registry.put_manifest(repository, "stable", index)
    leases.release(lease)
    assert leases.acquire("gold", BOB, 60)
    registry.put_manifest(repository, index.digest, index)
    for change in (
        lambda: registry.put_manifest(repository, "next", index),
        lambda: registry.delete_tag(repository, "stable"),
        lambda: registry.delete_manifest(repository, index.digest),
    ):
        with pytest.raises(LeaseLost):
            change()
    assert registry.tags(repository) == ("stable",)


def test_a_fenced_registry_is_the_same_in_all_else() -> None:
    """A whole run over it comes out as without it."""
    world = World()
    plain = world.doors
    fenced = replace(plain, registry=FencedRegistry(plain.registry, lambda: None))
    from orchestrator import flow

    hierarchy = world.hierarchy()
    made = flow.plan(hierarchy, fenced, flow.Wish())
    *_, finished = flow.run(made, hierarchy, fenced, world.intent("build"))
    assert world.tag("hello") is not None
    assert world.plan().is_empty
    assert isinstance(finished, RunFinished)
