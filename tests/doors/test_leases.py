"""Who may write: one contract for leases in a database, and for their twin."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from orchestrator.doors.database import Database
from orchestrator.doors.fenced_registry import FencedRegistry
from orchestrator.doors.history import DatabaseHistory, SqliteHistory
from orchestrator.doors.leases import DatabaseLeases
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.doors.memory.registry import MemoryRegistry
from orchestrator.doors.open_state import open_database
from orchestrator.doors.process import Timekeeper, is_gone, this_process
from orchestrator.doors.protocols_history import History
from orchestrator.doors.protocols_lease import Leases
from orchestrator.errors import LeaseLost, StateUnavailable
from orchestrator.model.event import RunFinished
from orchestrator.model.lease import Ask, Holder, Standing
from orchestrator.model.manifest import compose_index
from orchestrator.model.names import Repository
from orchestrator.model.observation import Sighting
from orchestrator.model.packages import PackageAnswer
from orchestrator.model.run import MoveState, RunState
from tests.doors.test_history import BUILT, MOVE, RUN
from tests.world import World

DAY_S = 86_400.0
ANN = Holder(token="a", command="build", who="ann@ci", pid=1, process="ann's")
BOB = Holder(token="b", command="patch", who="bob@ci", pid=2, process="bob's")
CAT = Holder(token="c", command="rollback", who="cat@ci", pid=3)
ASK = Ask(command="build", who="bob@ci", because="B", alike="build", wanted=("hello",))
MORE = replace(ASK, who="cat@ci", because="C", forced=("base",), since=None)


@dataclass
class Scene:
    """Leases, and the time and the processes they go by."""

    leases: Leases
    now_s: float = 1000.0
    gone: set[str] = field(default_factory=set)


@pytest.fixture(params=["sqlite", "postgres", "memory"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """Each kind of leases in turn; nobody is at work."""
    if request.param == "memory":
        twin = MemoryHistory().leases
        made = Scene(twin, gone=twin.gone)
        twin.clock_s = lambda: made.now_s
        yield made
        return
    state = str(tmp_path / "state.db")
    if request.param == "postgres":
        state = request.getfixturevalue("postgres_url")
    database = open_database(state)
    made = Scene(MemoryHistory().leases)
    made.leases = _on(database, made)
    yield made
    database.close()


def _on(database: Database, made: Scene, clock: str = "this") -> DatabaseLeases:
    timekeeper = Timekeeper(name=clock, now_s=lambda: made.now_s)
    return DatabaseLeases(database, timekeeper, is_gone=lambda process: process in made.gone)


def test_one_at_a_time(scene: Scene) -> None:
    """A second one gets nothing until the first has given it back; then it has a later epoch."""
    first = scene.leases.acquire("gold", ANN, 60)
    assert first is not None
    assert scene.leases.acquire("gold", BOB, 60) is None
    scene.leases.require(first)
    scene.leases.release(first)
    second = scene.leases.acquire("gold", BOB, 60)
    assert second is not None
    assert second.epoch == first.epoch + 1
    assert (second.holder, second.joined) == (BOB, ())


def test_hierarchies_do_not_hinder_one_another(scene: Scene) -> None:
    """Another name has its own lease, and its own place to wait."""
    assert scene.leases.acquire("gold", ANN, 60)
    assert scene.leases.acquire("silver", BOB, 60)
    assert scene.leases.wait("gold", BOB, ASK, 60)
    assert scene.leases.wait("silver", ANN, ASK, 60)


def test_a_lease_is_over_in_time_unless_it_is_renewed(scene: Scene) -> None:
    """Renewed, it lasts from then on; not renewed, somebody else gets it."""
    lease = scene.leases.acquire("gold", ANN, 60)
    assert lease is not None
    scene.now_s += 59
    assert scene.leases.acquire("gold", BOB, 60) is None
    scene.leases.renew(lease, 60)
    scene.now_s += 59
    assert scene.leases.acquire("gold", BOB, 60) is None
    scene.now_s += 1
    assert scene.leases.standing("gold") == Standing()
    assert scene.leases.acquire("gold", BOB, 60)


def test_who_was_away_for_too_long_has_lost_it(scene: Scene) -> None:
    """It is told who took over; it can neither renew nor give back what is another one's."""
    lease = scene.leases.acquire("gold", ANN, 60)
    assert lease is not None
    scene.now_s += 61
    other = scene.leases.acquire("gold", BOB, 60)
    assert other is not None
    with pytest.raises(LeaseLost, match=r"`patch` of bob@ci \(pid 2\) took over gold at 2"):
        scene.leases.renew(lease, 60)
    with pytest.raises(LeaseLost) as told:
        scene.leases.require(lease)
    assert told.value.exit_code == 4
    assert told.value.hint
    scene.leases.release(lease)
    scene.leases.require(other)
    assert scene.leases.acquire("gold", CAT, 60) is None


def test_who_was_away_but_was_not_missed_goes_on(scene: Scene) -> None:
    """A lease that is over, and that nobody took, can be renewed."""
    lease = scene.leases.acquire("gold", ANN, 60)
    assert lease is not None
    scene.now_s += 600
    scene.leases.require(lease)
    scene.leases.renew(lease, 60)
    assert scene.leases.acquire("gold", BOB, 60) is None


def test_a_lease_is_lost_also_when_nobody_has_it_any_more(scene: Scene) -> None:
    """The one in between has ended; the epoch says that there was one."""
    lease = scene.leases.acquire("gold", ANN, 60)
    assert lease is not None
    scene.now_s += 61
    other = scene.leases.acquire("gold", BOB, 60)
    assert other is not None
    scene.leases.release(other)
    with pytest.raises(LeaseLost):
        scene.leases.require(lease)
    with pytest.raises(LeaseLost):
        scene.leases.renew(lease, 60)


def test_who_is_gone_holds_nothing(scene: Scene) -> None:
    """Nobody waits a minute for a process of this machine that was killed."""
    assert scene.leases.acquire("gold", ANN, 60)
    assert scene.leases.wait("gold", BOB, ASK, 60)
    scene.gone |= {"ann's", "bob's"}
    assert scene.leases.standing("gold") == Standing()
    assert scene.leases.acquire("gold", CAT, 60)


def test_who_waits_is_next(scene: Scene) -> None:
    """Nobody overtakes it, and once it is at work the place is free."""
    lease = scene.leases.acquire("gold", ANN, 60)
    assert lease is not None
    assert scene.leases.wait("gold", BOB, ASK, 60)
    assert not scene.leases.wait("gold", CAT, ASK, 60)
    scene.leases.release(lease)
    assert scene.leases.acquire("gold", CAT, 60) is None
    assert scene.leases.acquire("gold", BOB, 60)
    assert scene.leases.wait("gold", CAT, ASK, 60)


def test_who_waits_must_say_so_again(scene: Scene) -> None:
    """Saying it again keeps the place, and since when; whoever is silent loses it."""
    assert scene.leases.acquire("gold", ANN, 600)
    assert scene.leases.wait("gold", BOB, ASK, 60)
    before = scene.leases.standing("gold").waiting
    scene.now_s += 59
    assert scene.leases.wait("gold", BOB, ASK, 60)
    scene.now_s += 59
    assert scene.leases.standing("gold").waiting == before
    assert not scene.leases.wait("gold", CAT, ASK, 60)
    scene.now_s += 1
    assert scene.leases.wait("gold", CAT, ASK, 60)
    assert not scene.leases.wait("gold", BOB, ASK, 60)


def test_who_joins_is_taken_along(scene: Scene) -> None:
    """What it asks for, whole, goes with the lease of the one that waited."""
    lease = scene.leases.acquire("gold", ANN, 60)
    assert lease is not None
    assert scene.leases.wait("gold", BOB, ASK, 60)
    assert scene.leases.join("gold", BOB, MORE)
    assert scene.leases.wait("gold", BOB, ASK, 60)
    waiting = scene.leases.standing("gold").waiting
    assert waiting is not None
    assert waiting.asks == (ASK, MORE)
    scene.leases.release(lease)
    taken = scene.leases.acquire("gold", BOB, 60)
    assert taken is not None
    assert taken.joined == (MORE,)


def test_nobody_joins_who_waits_no_more(scene: Scene) -> None:
    """Not one that is at work already, nor one that is gone, nor another than it saw."""
    lease = scene.leases.acquire("gold", ANN, 60)
    assert lease is not None
    assert not scene.leases.join("gold", BOB, MORE)
    assert scene.leases.wait("gold", BOB, ASK, 60)
    assert not scene.leases.join("gold", CAT, MORE)
    scene.leases.release(lease)
    assert scene.leases.acquire("gold", BOB, 60)
    assert not scene.leases.join("gold", BOB, MORE)
    assert scene.leases.wait("gold", ANN, ASK, 60)
    scene.gone.add("ann's")
    assert not scene.leases.join("gold", ANN, MORE)


@pytest.mark.parametrize("how", ["killed", "left"])
def test_what_joined_one_that_is_gone_is_left_to_the_next(scene: Scene, how: str) -> None:
    """Its own wish went with it; what others were told that it would do did not."""
    lease = scene.leases.acquire("gold", ANN, 600)
    assert lease is not None
    assert scene.leases.wait("gold", BOB, ASK, 60)
    assert scene.leases.join("gold", BOB, MORE)
    if how == "left":
        assert scene.leases.leave("gold", BOB) == 1
    else:
        scene.gone.add("bob's")
    assert scene.leases.standing("gold").waiting is None
    own = replace(ASK, who="cat@ci")
    assert scene.leases.wait("gold", CAT, own, 60)
    waiting = scene.leases.standing("gold").waiting
    assert waiting is not None
    assert waiting.asks == (own, MORE)
    assert scene.leases.leave("gold", CAT) == 1
    scene.leases.release(lease)
    taken = scene.leases.acquire("gold", ANN, 60)
    assert taken is not None
    assert taken.joined == (MORE,)


@pytest.mark.parametrize("waits", [False, True])
def test_what_joined_one_that_did_nothing_is_left_to_the_next(scene: Scene, waits: bool) -> None:
    """Its files were wrong, or it was stopped as it began; somebody waits by then, or comes."""
    assert scene.leases.wait("gold", BOB, ASK, 60)
    assert scene.leases.join("gold", BOB, MORE)
    lease = scene.leases.acquire("gold", BOB, 60)
    assert lease is not None
    if waits:
        assert scene.leases.wait("gold", ANN, ASK, 60)
    scene.leases.release(lease, undone=True)
    scene.leases.release(lease, undone=True)
    assert (scene.leases.standing("gold").waiting is not None) == waits
    taken = scene.leases.acquire("gold", ANN, 60)
    assert taken is not None
    assert taken.joined == (MORE,)


def test_leaving_frees_the_place(scene: Scene) -> None:
    """Whoever leaves another one's place changes nothing."""
    assert scene.leases.acquire("gold", ANN, 60)
    assert scene.leases.wait("gold", BOB, ASK, 60)
    assert scene.leases.leave("gold", CAT) == 0
    assert not scene.leases.wait("gold", CAT, ASK, 60)
    assert scene.leases.leave("gold", BOB) == 0
    assert scene.leases.wait("gold", CAT, ASK, 60)


def test_threads_that_race_get_one_lease(scene: Scene) -> None:
    """Of eight that ask at once one gets it."""
    got: list[object] = []

    def ask(number: int) -> None:
        holder = replace(ANN, token=str(number))
        if lease := scene.leases.acquire("gold", holder, 60):
            got.append(lease)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1


@pytest.mark.parametrize("shift_s", [-DAY_S, DAY_S])
def test_a_clock_that_is_set_locks_nobody_out_for_long(state: str, shift_s: float) -> None:
    """Where leases go by a clock that can be set: whoever is alive renews, who is not expires."""
    database = open_database(state)
    made = Scene(MemoryHistory().leases, now_s=10 * DAY_S)
    leases = _on(database, made)
    lease = leases.acquire("gold", ANN, 60)
    assert lease is not None
    made.now_s += shift_s
    leases.renew(lease, 60)
    assert leases.acquire("gold", BOB, 60) is None
    assert leases.wait("gold", BOB, ASK, 60)
    made.now_s += shift_s
    if leases.acquire("gold", BOB, 60) is None:
        assert shift_s < 0
        made.now_s += 60
        assert leases.wait("gold", BOB, ASK, 60)
        assert leases.acquire("gold", BOB, 60)
    with pytest.raises(LeaseLost):
        leases.renew(lease, 60)
    database.close()


def test_a_lease_of_before_a_restart_is_nobodys(state: str) -> None:
    """Times of two starts of a machine are not compared: all processes of the first are gone."""
    database = open_database(state)
    made = Scene(MemoryHistory().leases)
    assert _on(database, made, "first").acquire("gold", ANN, 60)
    made.now_s = 1.0
    second = _on(database, made, "second")
    assert second.standing("gold") == Standing()
    lease = second.acquire("gold", BOB, 60)
    assert lease is not None
    assert lease.epoch == 2
    database.close()


def test_a_server_says_what_time_it_is(postgres_url: str) -> None:
    """Machines that share a database go by its clock, in a transaction of it or not."""
    database = open_database(postgres_url)
    before_s = database.clock.now_s()
    with database.writing():
        assert database.clock.now_s() > before_s
    assert database.clock.name == "server"
    database.close()


def test_looking_writes_nothing(tmp_path: Path) -> None:
    """Whoever only looks makes no database."""
    with SqliteHistory(tmp_path / "state.db") as history:
        assert history.leases.standing("gold") == Standing()
    assert not (tmp_path / "state.db").exists()


def test_an_epoch_that_was_given_twice_is_good_for_the_last_one(state: str) -> None:
    """In a database that began anew, or was restored, whoever was at work is so no more.

    Neither while another one has the same epoch, nor after that one has ended; and it does not give
    back what is not its own.
    """
    database = open_database(state)
    leases = _on(database, Scene(MemoryHistory().leases))
    first = leases.acquire("gold", ANN, 60)
    assert first is not None
    with database.writing() as connection:
        connection.execute("DELETE FROM leases")
    with pytest.raises(LeaseLost, match=r"no longer knows that `build` of ann@ci") as told:
        leases.require(first)
    assert "removed or replaced" in told.value.hint
    second = leases.acquire("gold", BOB, 60)
    assert second is not None
    assert second.epoch == first.epoch
    leases.release(first)
    assert leases.acquire("gold", CAT, 60) is None
    with pytest.raises(LeaseLost, match="bob@ci"):
        leases.renew(first, 60)
    leases.release(second)
    with pytest.raises(LeaseLost, match="bob@ci"):
        leases.require(first)
    database.close()


def test_of_an_older_holder_nobody_says_that_it_took_over(state: str) -> None:
    """A copy from before the lease: it is not known there."""
    database = open_database(state)
    leases = _on(database, Scene(MemoryHistory().leases))
    older = leases.acquire("gold", BOB, 60)
    assert older is not None
    copied = database.read(tuple, "SELECT epoch, holder FROM leases")[0]
    leases.release(older)
    lease = leases.acquire("gold", ANN, 60)
    assert lease is not None
    with database.writing() as connection:
        connection.execute("UPDATE leases SET epoch = ?, holder = ?", copied)
    with pytest.raises(LeaseLost, match="no longer knows"):
        leases.require(lease)
    database.close()


def test_a_damaged_row_is_told(state: str) -> None:
    """What is no holder is not taken for nobody."""
    database = open_database(state)
    leases = _on(database, Scene(MemoryHistory().leases))
    assert leases.acquire("gold", ANN, 60)
    with database.writing() as connection:
        connection.execute("UPDATE leases SET holder = '{\"who\": 1}'")
    with pytest.raises(StateUnavailable, match="not ours"):
        leases.acquire("gold", BOB, 60)
    database.close()


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


def test_this_process_is_there() -> None:
    """It knows itself, and what it says of itself is one word a part."""
    mine = this_process()
    assert len(mine.split(" ")) == 4
    assert not is_gone(mine)


def test_a_process_that_was_killed_is_gone() -> None:
    """Also before anybody has collected it; one that is only stopped is there."""
    line = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(line, stdin=subprocess.PIPE) as child:
        boot, namespace, _, _ = this_process().split(" ")
        began = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19]
        theirs = f"{boot} {namespace} {child.pid} {began}"
        assert not is_gone(theirs)
        child.send_signal(signal.SIGSTOP)
        assert not is_gone(theirs)
        child.kill()
        # Not collected yet: waitid leaves it as it is.
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert is_gone(theirs)
    assert is_gone(theirs)


def test_a_later_process_of_the_same_number_is_another_one() -> None:
    """The number alone says nothing."""
    boot, namespace, pid, began = this_process().split(" ")
    assert is_gone(f"{boot} {namespace} {pid} {int(began) - 1}")


@pytest.mark.parametrize("part", [0, 1])
def test_of_processes_elsewhere_nobody_knows(part: int) -> None:
    """Another start of the machine, another container: they may well be there."""
    words = this_process().split(" ")
    words[part], words[2] = "another", "4194304"
    assert not is_gone(" ".join(words))
    assert not is_gone("")
