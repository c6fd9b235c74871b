"""Leases of every kind, and who asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from orchestrator.doors.database import Database
from orchestrator.doors.history import DatabaseHistory
from orchestrator.doors.leases import DatabaseLeases
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.doors.open_state import open_database
from orchestrator.doors.process import Timekeeper
from orchestrator.doors.protocols_history import History
from orchestrator.doors.protocols_lease import Leases
from orchestrator.model.lease import Ask, Holder

DAY_S = 86_400.0
ANN = Holder(token="a", command="build", who="ann@ci", pid=1, process="ann's")
BOB = Holder(token="b", command="patch", who="bob@ci", pid=2, process="bob's")
CAT = Holder(token="c", command="rollback", who="cat@ci", pid=3)
ASK = Ask(command="build", who="bob@ci", because="B", alike="build", wanted=("hello",))
MORE = replace(ASK, who="cat@ci", because="C", forced=("base",), since=None)


@dataclass
class Scene:
    """Leases, the diary that they are in, and the time and the processes they go by."""

    leases: Leases
    history: History = field(default_factory=MemoryHistory)
    now_s: float = 1000.0
    gone: set[str] = field(default_factory=set)


@pytest.fixture(params=["sqlite", "postgres", "memory"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """Each kind of leases in turn; nobody is at work."""
    if request.param == "memory":
        diary = MemoryHistory()
        twin = diary.leases
        made = Scene(twin, diary, gone=twin.gone)
        twin.clock_s = lambda: made.now_s
        yield made
        return
    state = str(tmp_path / "state.db")
    if request.param == "postgres":
        state = request.getfixturevalue("postgres_url")
    database = open_database(state)
    made = Scene(MemoryHistory().leases)
    made.leases = leases_on(database, made)
    made.history = DatabaseHistory(database)
    yield made
    database.close()


def leases_on(database: Database, made: Scene, clock: str = "this") -> DatabaseLeases:
    timekeeper = Timekeeper(name=clock, now_s=lambda: made.now_s)
    return DatabaseLeases(database, timekeeper, is_gone=lambda process: process in made.gone)
