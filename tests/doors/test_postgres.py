"""What only a server can meet: other sessions, its schemas, its rights, its language."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from orchestrator.doors.formats import newest_format
from orchestrator.doors.history import DatabaseHistory
from orchestrator.doors.open_state import open_database, open_health
from orchestrator.doors.postgres import PostgresDatabase
from orchestrator.doors.postgres_connection import translated
from orchestrator.errors import StateUnavailable
from orchestrator.model.run import Failure, FailureCause
from tests.doors.contending import contend
from tests.doors.diaries import history_at
from tests.doors.test_history import BUILT, FAILED, MOVE, RUN
from tests.postgres_server import PostgresServer

ROOT = Path(__file__).parents[2]


def tables(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1"
        ).fetchall()
    connection.close()
    return [name for (name,) in rows]


def test_reading_makes_no_tables(postgres_url: str) -> None:
    """`plan` writes nothing: asking an empty schema leaves it empty."""
    with history_at(postgres_url) as history:
        assert history.runs() == ()
        assert history.sightings("gold") == ()
        assert history.leases.standing("gold").active is None
    assert open_health(postgres_url).facts().format == 0
    assert tables(postgres_url) == []


def test_reader_sees_what_a_later_writer_wrote(postgres_url: str) -> None:
    """A history opened before the tables existed finds them once somebody has made them."""
    with history_at(postgres_url) as reader, history_at(postgres_url) as writer:
        assert reader.runs() == ()
        writer.begin_run(RUN)
        assert reader.runs() == (RUN,)
        reader.record_step(RUN.id, BUILT)
        assert writer.results(RUN.id) == (BUILT,)


def test_text_sorts_by_its_bytes(postgres: PostgresServer, postgres_url: str) -> None:
    """As in SQLite, whatever language the database is for: "newest" means the same everywhere."""
    assert postgres.run("SELECT 'a' < 'B'") == [(True,)], "the server has an ordinary language"
    with history_at(postgres_url) as history:
        for name in ("a", "B", "a-c", "ab"):
            history.begin_run(replace(RUN, id=name, hierarchy=f"h {name}"))
            history.record_step(name, replace(BUILT, duration_s=float(ord(name[-1]))))
        assert [run.id for run in history.runs()] == ["ab", "a-c", "a", "B"]
        assert history.durations() == {"base": float(ord("b"))}


def test_text_that_a_server_cannot_hold(postgres_url: str) -> None:
    """A NUL in what a build said does not end the run: a mark stands in its place."""
    strange = replace(FAILED, image="a\0b", failure=Failure(cause=FailureCause.COMMAND, what="\0"))
    with history_at(postgres_url) as history:
        history.begin_run(RUN)
        history.record_step(RUN.id, strange)
        (found,) = history.results(RUN.id)
    assert found == replace(strange, image="a\ufffdb")


def test_statements_in_their_words() -> None:
    """Marks in quotes are no marks, and percent signs are nothing of ours."""
    assert translated("SELECT '?', \"a\" FROM t WHERE b LIKE 'x%' AND c = ? AND d = 'it''s ?'") == (
        b"SELECT '?', \"a\" FROM t WHERE b LIKE 'x%%' AND c = %s AND d = 'it''s ?'"
    )


def test_rows_are_those_of_sqlite(state: str) -> None:
    """By name and by number, in order; sums are whole numbers; a missing column is an error."""
    with closing(open_database(state)) as database:
        history = DatabaseHistory(database)
        history.begin_run(RUN)
        history.record_step(RUN.id, BUILT)
        (row,) = database.read(
            lambda row: row, "SELECT run, sum(size_bytes) AS all_bytes FROM steps GROUP BY run"
        )
        (twice,) = database.read(lambda row: row, "SELECT 1 AS a, 2 AS a")
    assert tuple(row) == (row["run"], row[1]) == (RUN.id, BUILT.size_bytes)
    assert row["all_bytes"] == row[-1] == BUILT.size_bytes
    assert isinstance(row[1], int)
    assert (twice["a"], twice[1]) == (1, 2)
    assert len(row) == 2
    with pytest.raises(IndexError):
        row["absent"]


def test_one_transaction_in_another_is_refused(state: str) -> None:
    """And with it the one around it: half of it would be nobody's."""
    database = open_database(state)

    def nest() -> None:
        with database.writing() as connection:
            connection.execute("INSERT INTO migrations VALUES (0, '')")
            with database.writing():
                pass

    with DatabaseHistory(database) as history:
        with pytest.raises(StateUnavailable):
            nest()
        assert history.claim("r", "k", "d", "r1") == "d"
        assert database.read(tuple, "SELECT 1 FROM migrations WHERE number = 0") == ()


def test_a_statement_that_failed_takes_the_others_with_it(postgres_url: str) -> None:
    """COMMIT would answer well, and write nothing: who caught the error hears of it."""
    database = open_database(postgres_url)

    def go_on() -> None:
        with database.writing() as connection:
            connection.execute("UPDATE runs SET who = 'bob'")
            with pytest.raises(psycopg.Error):
                connection.execute("INSERT INTO runs (id) VALUES ('half')")

    with DatabaseHistory(database) as history:
        history.begin_run(RUN)
        with pytest.raises(StateUnavailable, match="refused a statement"):
            go_on()
        assert history.runs() == (RUN,)


def test_an_error_of_the_caller_writes_nothing(state: str) -> None:
    """Whatever happens inside, also what has nothing to do with the database."""
    database = open_database(state)

    def stop() -> None:
        with database.writing() as connection:
            connection.execute("UPDATE runs SET who = 'bob'")
            raise KeyboardInterrupt

    with DatabaseHistory(database) as history:
        history.begin_run(RUN)
        with pytest.raises(KeyboardInterrupt):
            stop()
        assert history.runs() == (RUN,)
        history.record_step(RUN.id, BUILT)


def test_a_newer_version_is_refused_also_later(state: str) -> None:
    """An older program writes nothing any more, though it had the database open before."""
    database = open_database(state)
    with DatabaseHistory(database) as history:
        history.begin_run(RUN)
        with database.writing() as connection:
            connection.execute("INSERT INTO migrations VALUES (99, '')")
        with pytest.raises(StateUnavailable, match=r"newer orchestrate \(format 99"):
            history.record_step(RUN.id, BUILT)
        with (
            DatabaseHistory(open_database(state)) as other,
            pytest.raises(StateUnavailable, match="newer orchestrate") as refused,
        ):
            other.runs()
    assert "--state" in refused.value.hint


@pytest.mark.parametrize("table", ["bookmarks (url TEXT)", "migrations (id INT, migration TEXT)"])
def test_a_schema_of_another_program_is_left_alone(postgres_url: str, table: str) -> None:
    """Somebody else's tables get none of ours among them; the way out is a schema of our own."""
    with psycopg.connect(postgres_url) as connection:
        connection.execute(f"CREATE TABLE {table}".encode())
    connection.close()
    with history_at(postgres_url) as history:
        with pytest.raises(StateUnavailable, match="another program"):
            history.runs()
        with pytest.raises(StateUnavailable, match="another program") as refused:
            history.begin_run(RUN)
    assert "CREATE SCHEMA" in refused.value.hint
    assert "search_path" in refused.value.hint
    assert len(tables(postgres_url)) == 1


def test_schemas_are_databases_of_their_own(postgres: PostgresServer) -> None:
    """Also for the lock of those who write: one does not wait for the other."""
    with (
        postgres.schema() as one,
        postgres.schema() as two,
        closing(open_database(one)) as database,
        history_at(two) as second,
    ):
        DatabaseHistory(database).begin_run(RUN)
        assert second.runs() == ()
        with database.writing():
            second.begin_run(replace(RUN, id="r2"))
        assert [run.id for run in second.runs()] == ["r2"]


def test_a_writer_that_never_ends_is_named(postgres_url: str) -> None:
    """It is waited for, but not for ever; reading goes on all the while."""
    with history_at(postgres_url, busy_timeout_s=0.2) as history:
        history.begin_run(RUN)
        other = PostgresDatabase(postgres_url)
        with other.writing():
            with pytest.raises(StateUnavailable, match="is locked") as locked:
                history.record_step(RUN.id, BUILT)
            assert history.results(RUN.id) == ()
            assert "is locked" in open_health(postgres_url, busy_timeout_s=0.1).facts().refusal
        other.close()
        history.record_step(RUN.id, BUILT)
        assert history.results(RUN.id) == (BUILT,)
    assert "try again" in locked.value.hint


CONTENDING = """
import sys
from dataclasses import replace
from orchestrator.doors.history import DatabaseHistory
from orchestrator.doors.open_state import open_database
from tests.doors.test_history import BUILT, RUN
print("ready", flush=True)
sys.stdin.readline()
url, me = sys.argv[1:]
with DatabaseHistory(open_database(url)) as history:
    history.begin_run(replace(RUN, id=me))
    for key in map(str, range(40)):
        print(key, history.claim("r", key, "sha256:" + me, me))
    for step in range(20):
        history.record_step(me, replace(BUILT, image=f"{me}-{step}"))
"""


def test_processes_share_a_database_that_nobody_made(postgres_url: str) -> None:
    """Started together, none fails, the tables are made once, each key has exactly one winner."""
    answers = contend(CONTENDING, postgres_url)
    assert len(answers[0]) == 40
    assert all(each == answers[0] for each in answers)
    database = open_database(postgres_url)
    with DatabaseHistory(database) as history:
        assert [len(history.results(str(n))) for n in range(4)] == [20, 20, 20, 20]
        numbers = database.read(lambda row: int(row[0]), "SELECT number FROM migrations ORDER BY 1")
    assert numbers == tuple(range(1, newest_format() + 1))


def test_threads_race_for_claims(state: str) -> None:
    """Eight, each with a connection of its own: every key has one winner, and all hear of it."""
    heard: list[list[str]] = [[] for _ in range(8)]

    def race(me: int) -> None:
        with history_at(state) as history:
            heard[me] = [history.claim("r", str(key), f"d{me}", "r1") for key in range(25)]

    threads = [threading.Thread(target=race, args=(me,)) for me in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(heard[0]) == 25
    assert all(each == heard[0] for each in heard)


def test_a_driver_that_is_missing_says_how_to_get_it(postgres_url: str) -> None:
    """Every command that needs the diary fails with the same advice, and `doctor` shows it."""
    script = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from orchestrator.doors.history import DatabaseHistory\n"
        "from orchestrator.doors.open_state import open_database, open_health\n"
        "from orchestrator.errors import StateUnavailable\n"
        "history = DatabaseHistory(open_database(sys.argv[1]))\n"
        "for ask in (history.runs, open_health(sys.argv[1]).facts):\n"
        "    try:\n        ask()\n"
        "    except StateUnavailable as error:\n        print(error.what, error.hint)\n"
    )
    line = [sys.executable, "-c", script, postgres_url]
    said = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.count("needs a driver that is not installed") == 2
    assert said.count("pip install 'gold-orchestrator[postgres]'") == 2


def test_a_journal_is_written_whole_or_not_at_all(state: str) -> None:
    """A move that the database refuses takes the others of its journal with it."""
    with history_at(state) as history:
        history.begin_run(RUN)
        with pytest.raises(StateUnavailable):
            history.journal(RUN.id, (MOVE, replace(MOVE, tag="b", repository=None)))  # type: ignore[arg-type]
        assert history.moves(RUN.id) == ()
