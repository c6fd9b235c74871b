"""Who may write: one contract for leases in a database, and for their twin."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.doors.history import SqliteHistory
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.doors.open_state import open_database
from orchestrator.errors import LeaseLost, StateUnavailable
from orchestrator.model.lease import Standing
from tests.doors.lease_scene import ANN, ASK, BOB, CAT, DAY_S, Scene, leases_on, scene

__all__ = ["scene"]  # a fixture


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
    leases = leases_on(database, made)
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
    assert leases_on(database, made, "first").acquire("gold", ANN, 60)
    made.now_s = 1.0
    second = leases_on(database, made, "second")
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
    leases = leases_on(database, Scene(MemoryHistory().leases))
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
    leases = leases_on(database, Scene(MemoryHistory().leases))
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
    leases = leases_on(database, Scene(MemoryHistory().leases))
    assert leases.acquire("gold", ANN, 60)
    with database.writing() as connection:
        connection.execute("UPDATE leases SET holder = '{\"who\": 1}'")
    with pytest.raises(StateUnavailable, match="not ours"):
        leases.acquire("gold", BOB, 60)
    database.close()
