"""What only a file can meet: other processes, sudden death, damage, and the future."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.doors.history import SqliteHistory
from orchestrator.doors.sqlite import SqliteDatabase
from orchestrator.errors import StateUnavailable
from orchestrator.model.run import Failure, FailureCause, RunState
from tests.doors.contending import contend
from tests.doors.test_history import BUILT, FAILED, RUN

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A place for a database, in a directory that is not there yet."""
    return tmp_path / "state" / "gold.db"


def test_reading_makes_no_file(path: Path) -> None:
    """`plan` writes nothing: asking a history that is not there leaves no trace."""
    with SqliteHistory(path) as history:
        assert history.runs() == ()
        assert history.durations() == {}
    assert not path.parent.exists()


def test_reading_an_empty_file_leaves_it_empty(path: Path) -> None:
    """A writer that died before its first table left nothing that could be read."""
    path.parent.mkdir()
    path.touch()
    with SqliteHistory(path) as history:
        assert history.runs() == ()
    assert path.read_bytes() == b""


def test_reader_sees_what_a_later_writer_wrote(path: Path) -> None:
    """A history opened before the file existed finds it once somebody has made it."""
    with SqliteHistory(path) as reader, SqliteHistory(path) as writer:
        assert reader.runs() == ()
        writer.begin_run(RUN)
        assert reader.runs() == (RUN,)


def test_file_that_is_removed_is_not_written_to(path: Path) -> None:
    """Nobody else could read it: what is at the path counts, for who reads and for who writes."""
    with SqliteHistory(path) as first, SqliteHistory(path) as other:
        first.begin_run(RUN)
        assert other.runs() == (RUN,)
        for name in path.parent.iterdir():
            name.unlink()
        assert other.runs() == ()
        with pytest.raises(StateUnavailable, match="does not know run"):
            first.finish_run(RUN.id, RunState.FAILED, "later")
        other.begin_run(RUN)
        assert first.runs() == (RUN,)
        with SqliteHistory(path) as third:
            assert third.runs() == (RUN,)


def test_reader_becomes_a_writer(path: Path) -> None:
    """The same door reads an existing file and then writes to it."""
    with SqliteHistory(path) as first:
        first.begin_run(RUN)
    with SqliteHistory(path) as second:
        assert second.runs() == (RUN,)
        second.record_step(RUN.id, BUILT)
        assert second.results(RUN.id) == (BUILT,)


def test_only_the_owner_can_read_a_new_database(path: Path) -> None:
    """Run history names people and hosts: the file is 0600, a directory made for it 0700."""
    before = os.umask(0o022)
    try:
        with SqliteHistory(path) as history:
            history.begin_run(RUN)
            modes = {f.name: f.stat().st_mode & 0o777 for f in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert set(modes.values()) == {0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_database_uses_a_write_ahead_log_and_strict_tables(path: Path) -> None:
    """Readers never wait for a writer, and no column takes a value of another type."""
    with SqliteHistory(path) as history:
        history.begin_run(RUN)
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        tables = connection.execute("SELECT name, strict FROM pragma_table_list('steps')")
        assert tables.fetchall() == [("steps", 1)]
    connection.close()


def test_database_of_a_newer_version_is_refused(path: Path) -> None:
    """An older program neither reads nor writes what it does not understand."""
    with SqliteHistory(path) as history:
        history.begin_run(RUN)
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO migrations VALUES (99, '')")
    connection.close()
    with SqliteHistory(path) as history:
        with pytest.raises(StateUnavailable, match=r"newer orchestrate \(format 99") as reading:
            history.runs()
        with pytest.raises(StateUnavailable, match="newer orchestrate"):
            history.claim("r", "k", "d", "r1")
    assert "--state" in reading.value.hint


def test_database_of_another_program_is_left_alone(path: Path) -> None:
    """A file with somebody else's tables gets none of ours."""
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()
    with SqliteHistory(path) as history, pytest.raises(StateUnavailable, match="another program"):
        history.begin_run(RUN)
    with sqlite3.connect(path) as connection:
        names = connection.execute("SELECT name FROM sqlite_master").fetchall()
    connection.close()
    assert names == [("bookmarks",)]


def test_damaged_database_is_named_with_a_way_out(path: Path) -> None:
    """Bytes that are no database give the path and what can be done, reading and writing."""
    path.parent.mkdir()
    path.write_bytes(b"this is not a database" * 400)
    with SqliteHistory(path) as history:
        with pytest.raises(StateUnavailable, match=f"{path} is damaged") as reading:
            history.runs()
        with pytest.raises(StateUnavailable, match="is damaged"):
            history.begin_run(RUN)
    assert "move it away" in reading.value.hint


def test_values_that_are_not_ours_count_as_damage(path: Path) -> None:
    """A word that no version ever wrote is an error of the file, not of the program."""
    with SqliteHistory(path) as history:
        history.begin_run(RUN)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE runs SET state = 'asleep'")
    connection.close()
    with SqliteHistory(path) as history, pytest.raises(StateUnavailable, match="not ours"):
        history.runs()


def test_locked_database_is_waited_for_and_then_named(path: Path) -> None:
    """A writer that never ends does not hang us for ever."""
    with SqliteHistory(path, busy_timeout_s=0.2) as history:
        history.begin_run(RUN)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        began_s = time.monotonic()
        with pytest.raises(StateUnavailable, match="is locked") as locked:
            history.record_step(RUN.id, BUILT)
        assert 0.2 <= time.monotonic() - began_s < 10
        other.execute("ROLLBACK")
        other.close()
        history.record_step(RUN.id, BUILT)
        assert history.results(RUN.id) == (BUILT,)
    assert "try again" in locked.value.hint


def test_full_database_keeps_what_it_had(path: Path) -> None:
    """When there is no room the entry is refused whole, and the file stays usable."""
    with SqliteHistory(path) as history:
        history.begin_run(RUN)
        database = history._database
        assert isinstance(database, SqliteDatabase)
        connection = database._connection
        assert connection is not None
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        huge = replace(FAILED, failure=Failure(cause=FailureCause.COMMAND, what="x" * 1_000_000))
        with pytest.raises(StateUnavailable, match="cannot grow") as full:
            history.record_step(RUN.id, huge)
        assert history.results(RUN.id) == ()
        history.record_step(RUN.id, replace(FAILED, failure=None))
    assert "free some room" in full.value.hint


def test_place_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A path below a file is an error with the path, not a traceback."""
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "state.db"
    with SqliteHistory(path) as history, pytest.raises(StateUnavailable, match="cannot be made"):
        history.begin_run(RUN)


CONTENDING = """
import sys
from dataclasses import replace
from pathlib import Path
from orchestrator.doors.history import SqliteHistory
from tests.doors.test_history import BUILT, RUN
print("ready", flush=True)
sys.stdin.readline()
directory, me = Path(sys.argv[1]), sys.argv[2]
for n in range(10):
    with SqliteHistory(directory / f"{n}.db") as history:
        history.begin_run(replace(RUN, id=me))
        for key in map(str, range(10)):
            print(n, key, history.claim("r", key, "sha256:" + me, me))
with SqliteHistory(directory / "shared.db") as history:
    for step in range(50):
        history.record_step(RUN.id, replace(BUILT, image=f"{me}-{step}"))
"""


def test_four_processes_share_databases_that_nobody_made(path: Path) -> None:
    """Started together, none fails, each key has exactly one winner, and no entry is lost."""
    with SqliteHistory(path.parent / "shared.db") as history:
        history.begin_run(RUN)
    answers = contend(CONTENDING, str(path.parent))
    assert len(answers[0]) == 100
    assert all(each == answers[0] for each in answers)
    with SqliteHistory(path.parent / "shared.db") as history:
        images = {result.image for result in history.results(RUN.id)}
    assert images == {f"{me}-{step}" for me in range(4) for step in range(50)}


DYING = """
import os, sys
from dataclasses import replace
from pathlib import Path
from orchestrator.doors.history import SqliteHistory
from tests.doors.test_history import BUILT, MOVE, RUN
with SqliteHistory(Path(sys.argv[1])) as history:
    history.begin_run(RUN)
    print("begun", flush=True)
    for n in range(1_000_000):
        history.record_step(RUN.id, replace(BUILT, image=f"image-{n}"))
        history.journal(RUN.id, (replace(MOVE, tag=f"a{n}"), replace(MOVE, tag=f"b{n}")))
        print(n, flush=True)
"""


def test_killed_writer_leaves_a_readable_database(path: Path) -> None:
    """After kill -9 everything that was acknowledged is there, and nothing is there by half."""
    process = subprocess.Popen(
        [sys.executable, "-c", DYING, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    acknowledged = 0
    with process.stdout:
        for line in process.stdout:
            acknowledged += 1
            if line == "40\n":
                process.send_signal(signal.SIGKILL)
    process.wait()
    with SqliteHistory(path) as history:
        results, moves = history.results(RUN.id), history.moves(RUN.id)
        history.finish_run(RUN.id, RunState.INTERRUPTED, "")
    assert len(results) >= acknowledged - 1 > 40
    assert all(result.manifests == BUILT.manifests for result in results)
    assert len(moves) in (2 * len(results), 2 * len(results) - 2)
