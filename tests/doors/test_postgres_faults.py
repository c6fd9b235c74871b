"""A server that goes away, a network that cuts, a process that dies: nothing by half, and on."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.doors.history import DatabaseHistory
from orchestrator.doors.open_state import open_database, open_health
from orchestrator.errors import StateUnavailable
from tests.doors.test_history import BUILT, MOVE, RUN
from tests.postgres_server import PostgresServer, running_postgres
from tests.postgres_wire import Wire

ROOT = Path(__file__).parents[2]
#: End of the message, with the length before it: BEGIN says READ COMMITTED.
COMMIT = b"\x0bCOMMIT\0"


@pytest.fixture(scope="module")
def mortal() -> Iterator[PostgresServer]:
    """A server that a test may stop."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def url(mortal: PostgresServer) -> Iterator[str]:
    """An empty schema on it; afterwards it runs again, whatever a test did to it."""
    with mortal.schema() as address:
        yield address
        (mortal.home / "data" / "standby.signal").unlink(missing_ok=True)
        mortal.stop()
        mortal.start()


@pytest.fixture
def wire(postgres: PostgresServer) -> Iterator[Wire]:
    """A network between us and a server."""
    with Wire(postgres.port).running() as between:
        yield between


def over(wire: Wire, url: str) -> str:
    """Return an address that goes through a wire."""
    return url.replace(f":{wire.target}/", f":{wire.port}/")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
def test_a_server_that_was_started_again(
    mortal: PostgresServer, url: str, how: signal.Signals
) -> None:
    """Whoever asked before asks again, and notices nothing; what was acknowledged is there."""
    with DatabaseHistory(open_database(url)) as history:
        history.begin_run(RUN)
        mortal.stop(how)
        mortal.start()
        assert history.runs() == (RUN,)
        mortal.stop(how)
        mortal.start()
        history.record_step(RUN.id, BUILT)
        assert history.results(RUN.id) == (BUILT,)


def test_a_server_that_stops_in_the_middle(mortal: PostgresServer, url: str) -> None:
    """What was under way is an error and not there; what comes next waits for the server."""
    database = open_database(url)

    def write() -> None:
        with database.writing() as connection:
            connection.execute("UPDATE runs SET who = 'bob'")
            mortal.stop()
            connection.execute("UPDATE runs SET because = 'C'")

    with DatabaseHistory(database) as history:
        history.begin_run(RUN)
        with pytest.raises(StateUnavailable) as lost:
            write()
        assert lost.value.hint
        back = threading.Thread(target=mortal.start)
        back.start()
        history.record_step(RUN.id, BUILT)
        back.join()
        assert history.runs() == (RUN,)
        assert history.results(RUN.id) == (BUILT,)


def test_a_server_that_does_not_come_back(mortal: PostgresServer, url: str) -> None:
    """Is not waited for for ever; and whoever never reached it does not wait at all."""
    with DatabaseHistory(open_database(url, busy_timeout_s=0.3)) as history:
        history.begin_run(RUN)
        mortal.stop()
        with pytest.raises(StateUnavailable, match="cannot be reached"):
            history.record_step(RUN.id, BUILT)
        with (
            DatabaseHistory(open_database(url, busy_timeout_s=3600)) as stranger,
            pytest.raises(StateUnavailable, match="cannot be reached"),
        ):
            stranger.runs()
        mortal.start()
        assert history.results(RUN.id) == ()


def test_a_server_that_stands_still(mortal: PostgresServer, url: str) -> None:
    """One of its processes is left for another one; all of it, and it is an error before long."""
    with DatabaseHistory(open_database(url + "&connect_timeout=2", busy_timeout_s=0.3)) as history:
        history.begin_run(RUN)
        with mortal.standing_still():
            assert history.runs() == (RUN,)
        with mortal.standing_still():
            history.record_step(RUN.id, BUILT)
        with (
            mortal.standing_still(whole=True),
            pytest.raises(StateUnavailable, match="cannot be reached") as away,
        ):
            history.runs()
        assert away.value.hint
        assert history.results(RUN.id) == (BUILT,)


def test_a_standby_reads_and_says_that_it_is_one(mortal: PostgresServer, url: str) -> None:
    """What to do is to name the primary too."""
    mark = mortal.home / "data" / "standby.signal"
    with DatabaseHistory(open_database(url)) as history:
        history.begin_run(RUN)
        mortal.stop()
        mark.touch()
        mortal.start()
        assert history.runs() == (RUN,)
        with pytest.raises(StateUnavailable, match="read-only, a standby") as refused:
            history.record_step(RUN.id, BUILT)
        assert "standby" in open_health(url).facts().refusal
        mortal.stop()
        mark.unlink()
        mortal.start()
        history.record_step(RUN.id, BUILT)
    assert "target_session_attrs=read-write" in refused.value.hint


def test_another_server_becomes_the_primary(
    mortal: PostgresServer, url: str, postgres: PostgresServer
) -> None:
    """Whoever is still connected to what is a standby now finds the other one."""
    schema = url.rpartition("%3D")[2]
    with (
        Wire(mortal.port).running() as wire,
        DatabaseHistory(open_database(over(wire, url))) as history,
    ):
        history.begin_run(RUN)
        mortal.stop()
        (mortal.home / "data" / "standby.signal").touch()
        mortal.start()
        assert history.runs() == (RUN,)
        postgres.run(f"CREATE SCHEMA {schema}")
        try:
            wire.target = postgres.port
            history.begin_run(replace(RUN, id="r2"))
            assert [run.id for run in history.runs()] == ["r2"]
        finally:
            postgres.run(f"DROP SCHEMA {schema} CASCADE")


def test_a_session_that_is_ended_in_the_middle(postgres: PostgresServer, postgres_url: str) -> None:
    """By an administrator: nothing of the transaction is there, and the next use works."""
    database = open_database(postgres_url)

    def write() -> None:
        with database.writing() as connection:
            connection.execute("UPDATE runs SET who = 'bob'")
            (number,) = connection.execute("SELECT pg_backend_pid()").fetchone()
            postgres.run(f"SELECT pg_terminate_backend({number})")
            connection.execute("UPDATE runs SET because = 'C'")

    with DatabaseHistory(database) as history:
        history.begin_run(RUN)
        with pytest.raises(StateUnavailable, match="was stopped"):
            write()
        assert history.runs() == (RUN,)
        history.record_step(RUN.id, BUILT)


def test_a_holder_that_stands_still_holds_nothing_up(
    postgres: PostgresServer, postgres_url: str
) -> None:
    """The server ends its transaction; another one writes; and it cannot write when it wakes up."""
    database = open_database(postgres_url)

    def stand_still() -> None:
        with database.writing() as connection:
            connection.execute("UPDATE runs SET who = 'bob'")
            # In earnest it is a quarter of a minute.
            connection.execute("SET LOCAL idle_in_transaction_session_timeout = 50")
            with DatabaseHistory(open_database(postgres_url)) as other:
                other.record_step(RUN.id, BUILT)
            connection.execute("UPDATE runs SET because = 'C'")

    with DatabaseHistory(database) as history:
        history.begin_run(RUN)
        with pytest.raises(StateUnavailable):
            stand_still()
        assert history.runs() == (RUN,)
        assert history.results(RUN.id) == (BUILT,)


def test_idle_transactions_end_soon_of_themselves(postgres_url: str) -> None:
    """Sooner than whoever waits for the lock gives up, and commits reach the disk."""
    database = open_database(postgres_url)
    with database.writing() as connection:
        said = [
            connection.execute(f"SELECT current_setting('{name}')").fetchone()[0]
            for name in (
                "idle_in_transaction_session_timeout",
                "lock_timeout",
                "statement_timeout",
                "synchronous_commit",
            )
        ]
    database.close()
    assert said == ["15s", "30s", "61s", "on"]


def test_commits_are_durable_whatever_the_server_prefers(
    postgres: PostgresServer, postgres_url: str
) -> None:
    """A server that answers before the disk does is told not to: claims must survive."""
    postgres.run("DROP ROLE IF EXISTS hasty")
    postgres.run("CREATE ROLE hasty SUPERUSER LOGIN")
    for setting in (
        "synchronous_commit = off",
        "default_transaction_isolation = 'serializable'",
        "default_transaction_read_only = on",
    ):
        postgres.run(f"ALTER ROLE hasty SET {setting}")
    database = open_database(postgres_url.replace("postgres@", "hasty@"))
    with database.writing() as connection:
        said = connection.execute(
            "SELECT current_setting('synchronous_commit'), current_setting('transaction_isolation')"
        ).fetchone()
    database.close()
    assert tuple(said) == ("on", "read committed")


def test_connections_that_were_cut_between_two_uses(wire: Wire, postgres_url: str) -> None:
    """Nobody notices, neither who reads nor who writes."""
    with DatabaseHistory(open_database(over(wire, postgres_url))) as history:
        history.begin_run(RUN)
        wire.cut()
        assert history.runs() == (RUN,)
        wire.cut()
        history.record_step(RUN.id, BUILT)
        assert history.results(RUN.id) == (BUILT,)


def test_a_connection_that_is_cut_in_the_middle(wire: Wire, postgres_url: str) -> None:
    """An error, and nothing is there."""
    database = open_database(over(wire, postgres_url))

    def write() -> None:
        with database.writing() as connection:
            connection.execute("UPDATE runs SET who = 'bob'")
            wire.cut()
            connection.execute("UPDATE runs SET because = 'C'")

    with DatabaseHistory(database) as history:
        history.begin_run(RUN)
        with pytest.raises(StateUnavailable):
            write()
        assert history.runs() == (RUN,)


def test_a_commit_whose_answer_is_lost_is_asked_for(wire: Wire, postgres_url: str) -> None:
    """The server did it: no error, and nothing is written twice."""
    with DatabaseHistory(open_database(over(wire, postgres_url))) as history:
        history.begin_run(RUN)
        wire.swallow = COMMIT
        history.record_step(RUN.id, BUILT)
        assert wire.cuts == 1
        wire.swallow = b""
        assert history.results(RUN.id) == (BUILT,)


def test_a_commit_that_never_arrived_is_an_error(wire: Wire, postgres_url: str) -> None:
    """The server did not do it, and nothing is there."""
    with DatabaseHistory(open_database(over(wire, postgres_url))) as history:
        history.begin_run(RUN)
        wire.cut_before = COMMIT
        with pytest.raises(StateUnavailable):
            history.record_step(RUN.id, BUILT)
        assert wire.cuts == 1
        wire.cut_before = b""
        assert history.results(RUN.id) == ()


def test_a_commit_that_nobody_can_ask_for(wire: Wire, postgres_url: str) -> None:
    """Where the network stays away, the error says that it is not known."""
    url = over(wire, postgres_url)
    with DatabaseHistory(open_database(url, busy_timeout_s=0.3)) as history:
        history.begin_run(RUN)
        wire.swallow = COMMIT
        wire.target = 1
        with pytest.raises(StateUnavailable, match="nobody can tell") as unknown:
            history.record_step(RUN.id, BUILT)
    assert "run the same command again" in unknown.value.hint


HOLDING = """
import sys
from orchestrator.doors.open_state import open_database
database = open_database(sys.argv[1])
with database.writing() as connection:
    connection.execute("UPDATE runs SET who = 'bob'")
    print("inside", flush=True)
    sys.stdin.readline()
"""
DYING = """
import sys
from dataclasses import replace
from orchestrator.doors.history import DatabaseHistory
from orchestrator.doors.open_state import open_database
from tests.doors.test_history import BUILT, MOVE, RUN
with DatabaseHistory(open_database(sys.argv[1])) as history:
    history.begin_run(RUN)
    print("begun", flush=True)
    for n in range(1_000_000):
        history.record_step(RUN.id, replace(BUILT, image=f"image-{n}"))
        history.journal(RUN.id, (replace(MOVE, tag=f"a{n}"), replace(MOVE, tag=f"b{n}")))
        print(n, flush=True)
"""


def test_a_process_that_is_killed_in_a_transaction(postgres_url: str) -> None:
    """Its lock is free at once, and nothing of what it did is there."""
    with DatabaseHistory(open_database(postgres_url)) as history:
        history.begin_run(RUN)
        line = [sys.executable, "-c", HOLDING, postgres_url]
        pipe = subprocess.PIPE
        with subprocess.Popen(line, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as process:
            assert process.stdout
            assert process.stdout.readline() == "inside\n"
            process.kill()
        history.record_step(RUN.id, BUILT)
        assert history.runs() == (RUN,)


def test_a_process_that_is_killed_somewhere(postgres_url: str) -> None:
    """Everything that was acknowledged is there, and nothing is there by half."""
    line = [sys.executable, "-c", DYING, postgres_url]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        acknowledged = 0
        for said in process.stdout:
            acknowledged += 1
            if said == "40\n":
                process.kill()
    with DatabaseHistory(open_database(postgres_url)) as history:
        results, moves = history.results(RUN.id), history.moves(RUN.id)
        history.journal(RUN.id, (replace(MOVE, tag="more"),))
    assert len(results) >= acknowledged - 1 > 40
    assert all(result.manifests == BUILT.manifests for result in results)
    assert len(moves) in (2 * len(results), 2 * len(results) - 2)
