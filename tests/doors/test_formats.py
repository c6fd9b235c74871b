"""Databases that older versions wrote are read as they are, and brought up to date by a write."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import replace

import psycopg
import pytest

from orchestrator.doors.database import Database
from orchestrator.doors.formats import newest_format, statements
from orchestrator.doors.history import DatabaseHistory
from orchestrator.doors.open_state import open_database
from orchestrator.doors.postgres import in_its_words
from orchestrator.errors import StateUnavailable
from orchestrator.model.delivery import DeliveryState
from orchestrator.model.run import MoveState, RunState
from tests.doors import write_format as written
from tests.doors.test_history import BUILT, MOVE, RUN
from tests.doors.test_ledger import ANSWER, DEBIAN, NOW_S, SECOND, THIRD

#: Every format that a release, or a checkout that people ran, wrote.
FORMATS = sorted(int(path.stem) for path in written.FORMATS.glob("*.sql"))
STATES = tuple(DeliveryState)
OLD = [number for number in FORMATS if number < newest_format()]


def dumped(number: int) -> str:
    return written.FORMATS.joinpath(f"{number:04}.sql").read_text(encoding="utf-8")


def put(state: str, number: int) -> None:
    """Make a database of a format, as that version left it."""
    if "://" not in state:
        with closing(sqlite3.connect(state)) as connection:
            connection.executescript(dumped(number))
        return
    # No older version wrote to PostgreSQL: these are its tables, made by its own migrations.
    with psycopg.connect(state) as server:
        # The rows come in no order that references would allow.
        server.execute("SET session_replication_role = replica")
        for each in range(1, number + 1):
            for statement in statements(each):
                server.execute(in_its_words(statement).encode())
        for row in re.findall(r"(?ms)^INSERT INTO .*?\);$", dumped(number)):
            server.execute(row.encode())
    server.close()


def format_of(database: Database) -> int:
    (number,) = database.read(lambda row: int(row[0]), "SELECT max(number) FROM migrations")
    return number


def test_every_format_is_tried() -> None:
    """Nobody adds a migration without saying what the databases before it looked like."""
    assert list(range(1, newest_format() + 1)) == FORMATS


@pytest.mark.parametrize("number", FORMATS)
def test_a_migration_never_changes(number: int) -> None:
    """What a version wrote is what its migrations still make: others may have such databases."""

    def tables(script: str) -> list[tuple[str, str]]:
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.executescript(script)
            return connection.execute(
                "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"
            ).fetchall()

    made = "".join(s for each in range(1, number + 1) for s in statements(each))
    assert tables(dumped(number)) == tables(made)


def check_runs(history: DatabaseHistory) -> None:
    assert history.runs() == (written.NIGHT, written.ENDED)
    tries = (BUILT, written.FAILED, written.AGAIN, written.BLOCKED)
    assert history.results(RUN.id) == tries
    assert history.results(written.NIGHT.id) == (written.LATE,)
    moved = replace(MOVE, state=MoveState.MOVED)
    assert history.moves(RUN.id) == (moved, written.OLD_TAG)
    assert history.durations() == {"base": 12.5}
    assert history.streaks("gold")["python"].nights == 1


def check_outbox(history: DatabaseHistory, number: int) -> None:
    """Require what was in the outbox, and that something can be put into it."""
    outbox, is_there = history.outbox, number >= 4
    assert outbox.pending("gold") == ((written.PENDING,) if is_there else ())
    messages = (written.WAITS, written.SENT) if is_there else ()
    assert sorted(outbox.deliveries("gold", STATES), key=lambda each: each.id) == list(messages)
    facts = [written.PUBLISHED.id, written.FACT.id]
    assert outbox.events(facts) == (dict.fromkeys(facts, written.EVENT) if is_there else {})
    assert outbox.receivers("gold") == ((written.RECEIVER,) if is_there else ())
    fact = replace(written.FACT, id="evt_new")
    outbox.tell((fact,), (replace(written.WAITS, id="msg_new", events=(fact.id,)),))
    assert outbox.events([fact.id]) == {fact.id: written.EVENT}


@pytest.mark.parametrize("number", OLD)
def test_reading_migrates_nothing(state: str, number: int) -> None:
    """`plan` writes nothing: what an older version wrote is read, and stays as it is."""
    put(state, number)
    database = open_database(state)
    with DatabaseHistory(database) as history:
        check_runs(history)
        seen = (written.ABSORBED, SECOND) if number >= 2 else ()
        assert history.sightings("gold") == seen
        assert history.answers((ANSWER.digest,)) == ((ANSWER,) if number >= 2 else ())
        assert history.leases.standing("gold").active is None
        assert history.outbox.untold("gold") == ()
        assert history.outbox.deliveries("gold", STATES) == ()
        assert history.outbox.pending("gold") == history.outbox.released("gold") == ()
        assert history.kept_plan(RUN.id) == ("plan of that run" if number >= 3 else "")
        assert format_of(database) == number
        with DatabaseHistory(open_database(state)) as writer:
            writer.see("gold", (THIRD,), NOW_S)
        # Who was told of those runs nobody knows: nobody is told now.
        assert history.outbox.untold("gold") == ()
        # The one who only read sees it too.
        assert history.sightings("gold") == (*seen, THIRD)


@pytest.mark.parametrize("number", FORMATS)
def test_a_write_brings_it_up_to_date(state: str, number: int) -> None:
    """Everything in it stays, and everything new can be written."""
    put(state, number)
    database = open_database(state)
    with DatabaseHistory(database) as history:
        won = history.claim(written.PLACE, BUILT.key, "sha256:other", "r2")
        assert won == BUILT.digest
        assert format_of(database) == newest_format()
        check_runs(history)
        if number >= 2:
            assert history.sightings("gold") == (written.ABSORBED, SECOND)
            assert history.answers((ANSWER.digest,)) == (ANSWER,)
        history.see("gold", (THIRD,), NOW_S)
        history.absorb("gold", DEBIAN, THIRD.fingerprint, "2026-11-24T00:00:00Z")
        assert all(seen.absorbed_at for seen in history.sightings("gold"))
        check_outbox(history, number)
        history.finish_run(written.NIGHT.id, RunState.INTERRUPTED, "2026-11-23T02:00:00Z")
        night = [history.run(written.NIGHT.id)] if number >= 4 else []
        assert list(history.outbox.untold("gold")) == night
        history.begin_run(replace(RUN, id="later", resumes=written.NIGHT.id), "a plan")
        assert history.run("later") == replace(RUN, id="later", resumes=written.NIGHT.id)
        assert history.kept_plan("later") == "a plan"


def test_a_migration_that_fails_leaves_what_was_there(state: str) -> None:
    """A table of that name is in the way: nothing is half migrated, and reading goes on."""
    put(state, 2)
    if "://" in state:
        with psycopg.connect(state) as server:
            server.execute("CREATE TABLE run_plans (nobody TEXT)")
        server.close()
    else:
        with closing(sqlite3.connect(state)) as connection:
            connection.execute("CREATE TABLE run_plans (nobody TEXT)")
    database = open_database(state)
    with DatabaseHistory(database) as history:
        with pytest.raises(StateUnavailable, match="run_plans"):
            history.claim("r", "k", "d", "r1")
        assert format_of(database) == 2
        check_runs(history)
