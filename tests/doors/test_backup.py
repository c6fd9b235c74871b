"""The commands that the documentation gives to back up and restore the diary, tried."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.doors.history import DatabaseHistory
from orchestrator.doors.open_state import open_database, open_health
from orchestrator.doors.postgres import PostgresDatabase
from orchestrator.model.delivery import DeliveryState
from tests.docs.pages import DOCS, Command, read_page
from tests.doors.outbox_scene import FACT, MESSAGE, PUBLISHED
from tests.doors.test_history import BUILT, MOVE, RUN
from tests.doors.test_ledger import ANSWER, FIRST, NOW_S
from tests.postgres_server import PostgresServer

PAGE = read_page(DOCS / "how-to" / "state.md")
STATE = ".local/state/gold-orchestrator/state.db"
LATER = replace(RUN, id="20261124T000000Z-0000", started_at="2026-11-24T00:00:00Z")


def command(word: str) -> Command:
    """Return the one command of the page that has a word in it."""
    (found,) = [each for each in PAGE.commands if word in each.text]
    return found


def carry_out(step: Command, where: Path, text: str = "") -> None:
    subprocess.run(
        ["bash", "-c", text or step.text],
        cwd=where,
        env={**os.environ, "HOME": str(where)},
        check=True,
    )


@contextmanager
def history_at(state: str) -> Iterator[DatabaseHistory]:
    with DatabaseHistory(open_database(state)) as history:
        yield history


def fill(history: DatabaseHistory) -> None:
    history.begin_run(RUN, "a plan")
    history.record_step(RUN.id, BUILT)
    history.journal(RUN.id, (MOVE,))
    history.claim("r", "k", "sha256:first", RUN.id, PUBLISHED)
    history.outbox.tell((FACT,), (MESSAGE,))
    history.see("gold", (FIRST,), NOW_S)
    history.keep_answers((ANSWER,))


def check(history: DatabaseHistory) -> None:
    """Everything is as it was, and what came later is gone; it can be written."""
    assert history.runs() == (RUN,)
    assert history.kept_plan(RUN.id) == "a plan"
    assert history.results(RUN.id) == (BUILT,)
    assert history.moves(RUN.id) == (MOVE,)
    assert history.sightings("gold") == (FIRST,)
    assert history.answers((ANSWER.digest,)) == (ANSWER,)
    assert history.claim("r", "k", "sha256:second", "r2") == "sha256:first"
    assert history.outbox.pending("gold") == (PUBLISHED,)
    assert history.outbox.deliveries("gold", [DeliveryState.WAITING]) == (MESSAGE,)
    assert history.outbox.events([FACT.id]) == {FACT.id: FACT.event}
    history.begin_run(LATER)
    history.record_step(LATER.id, BUILT)


def test_a_file_is_backed_up_and_restored(tmp_path: Path) -> None:
    """While somebody writes: what is not committed yet is not in it; no other program is needed."""
    state = str(tmp_path / STATE)
    with history_at(state) as history, closing(open_database(state)) as other:
        fill(history)
        with other.writing() as connection:
            connection.execute("UPDATE runs SET who = 'bob'")
            carry_out(command("VACUUM INTO"), tmp_path)
        history.begin_run(LATER)
    carry_out(command("rm -f"), tmp_path)
    carry_out(command("cp backup.db"), tmp_path)
    assert open_health(state).facts().faults == ()
    with history_at(state) as history:
        check(history)


def test_a_server_is_backed_up_and_restored(postgres: PostgresServer, tmp_path: Path) -> None:
    """While somebody writes; onto the same database, and onto an empty one of another owner."""
    dump, restore = command("pg_dump"), command("pg_restore")
    address = "postgresql://gold@db.example/gold"
    with postgres.database() as name, postgres.database() as fresh:
        url, empty = postgres.url(name), postgres.url(fresh)
        with history_at(url) as history, closing(PostgresDatabase(url)) as other:
            fill(history)
            with other.writing() as connection:
                connection.execute("UPDATE runs SET who = 'bob'")
                carry_out(dump, tmp_path, dump.text.replace(address, url))
            history.begin_run(LATER)
        for target in (url, empty):
            carry_out(restore, tmp_path, restore.text.replace(address, target))
            assert open_health(target).facts().refusal == ""
            with history_at(target) as history:
                check(history)


@pytest.mark.parametrize("word", ["VACUUM INTO", "pg_dump"])
def test_no_command_of_the_page_has_a_password(word: str) -> None:
    """What is typed can be read by others."""
    assert "ORCHESTRATE_STATE" not in command(word).text
