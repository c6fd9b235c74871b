"""What every history door promises: the file in SQLite, and its twin in memory.

Then what only a file can meet: other processes, sudden death, damage, and the future.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.doors.history import SqliteHistory
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.doors.protocols import History
from orchestrator.errors import StateUnavailable
from orchestrator.model.run import (
    Failure,
    FailureCause,
    JournalledMove,
    MoveState,
    Outcome,
    Run,
    RunState,
    StepResult,
)

ROOT = Path(__file__).parents[2]
RUN = Run(
    id="20261122T024631Z-3fa9",
    hierarchy="gold",
    command="build",
    who="ann@ci",
    trigger="manual",
    because="CVE-2026-1",
    revision="4f1c-dirty",
    started_at="2026-11-22T02:46:31Z",
    plan="20261122T024600Z-aaaa",
)
BUILT = StepResult(
    image="base",
    outcome=Outcome.BUILT,
    key="k1-" + "a" * 64,
    digest="sha256:" + "1" * 64,
    was="sha256:" + "0" * 64,
    immutable="12-20261122-aaaaaaaaaaaa",
    manifests={"linux/amd64": "sha256:" + "2" * 64, "linux/arm64": "sha256:" + "3" * 64},
    size_bytes=5_000_000_000,
    started_at="2026-11-22T02:46:32Z",
    duration_s=12.5,
)
FAILED = StepResult(
    image="python",
    outcome=Outcome.FAILED,
    started_at="2026-11-22T02:47:00Z",
    duration_s=1.25,
    failure=Failure(
        cause=FailureCause.COMMAND,
        what="Dockerfile:3: RUN make: exit code: 2",
        hint="look",
        log_tail=("cc -c main.c", "üñí"),
        log_path="/state/logs/python.log",
        exit_code=1,
    ),
)
MOVE = JournalledMove(
    image="base",
    repository="localhost:5000/gold/base",
    tag="stable",
    was=None,
    now="sha256:" + "1" * 64,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A place for a database, in a directory that is not there yet."""
    return tmp_path / "state" / "gold.db"


@pytest.fixture(params=["sqlite", "memory"])
def history(request: pytest.FixtureRequest, path: Path) -> Iterator[History]:
    """Each kind of history in turn, empty."""
    if request.param == "memory":
        yield MemoryHistory()
    else:
        with SqliteHistory(path) as opened:
            yield opened


def test_empty_history_has_nothing_and_knows_nothing(history: History) -> None:
    """Before the first run every question has an empty answer."""
    assert history.runs() == ()
    assert history.run("2026") is None
    assert history.results(RUN.id) == ()
    assert history.moves(RUN.id) == ()
    assert history.durations() == {}


def test_a_run_is_read_as_it_was_written_and_finished(history: History) -> None:
    """Nothing of a run is lost, and finishing it changes only its state and its end."""
    history.begin_run(RUN)
    assert history.run(RUN.id) == RUN
    history.finish_run(RUN.id, RunState.FAILED, "2026-11-22T02:50:00Z")
    finished = replace(RUN, state=RunState.FAILED, finished_at="2026-11-22T02:50:00Z")
    assert history.run(RUN.id) == finished
    assert history.runs() == (finished,)


def test_runs_are_newest_first_and_limited(history: History) -> None:
    """The newest runs come first whatever order they were written in."""
    for minute in (3, 1, 2):
        history.begin_run(replace(RUN, id=f"r{minute}", started_at=f"2026-11-22T02:0{minute}:00Z"))
    assert [run.id for run in history.runs()] == ["r3", "r2", "r1"]
    assert [run.id for run in history.runs(2)] == ["r3", "r2"]


def test_run_is_found_by_a_prefix_only_if_it_is_unambiguous(history: History) -> None:
    """A prefix that fits two runs names none; a whole id names its run though it begins others."""
    for run_id in ("20261122T01-a", "20261122T02-b", "2026%", "20261122"):
        history.begin_run(replace(RUN, id=run_id))
    assert history.run("20261122T01") == replace(RUN, id="20261122T01-a")
    assert history.run("20261122T0") is None
    assert history.run("20261122") == replace(RUN, id="20261122")
    assert history.run("2026%") == replace(RUN, id="2026%")
    assert history.run("20261122T01-_") is None


def test_results_come_back_whole_in_the_order_they_ended(history: History) -> None:
    """A step's platforms, sizes above 4 GiB and its failure are read as they were written."""
    history.begin_run(RUN)
    for result in (FAILED, BUILT):
        history.record_step(RUN.id, result)
    assert history.results(RUN.id) == (FAILED, BUILT)


def test_every_try_of_a_step_is_kept(history: History) -> None:
    """A second result of the same image does not replace the first."""
    history.begin_run(RUN)
    history.record_step(RUN.id, replace(BUILT, outcome=Outcome.FAILED, manifests={}))
    history.record_step(RUN.id, BUILT)
    outcomes = [result.outcome for result in history.results(RUN.id)]
    assert outcomes == [Outcome.FAILED, Outcome.BUILT]


def test_durations_are_those_of_the_last_build_of_each_image(history: History) -> None:
    """Steps that built nothing and older runs do not count; an unchanged result was built."""
    history.begin_run(replace(RUN, id="r1"))
    history.begin_run(replace(RUN, id="r2"))
    history.record_step("r2", replace(BUILT, duration_s=7.0))
    history.record_step("r2", replace(BUILT, image="web", outcome=Outcome.CUT_OFF, duration_s=0.0))
    history.record_step("r2", replace(FAILED, image="web"))
    history.record_step("r1", replace(BUILT, image="web", outcome=Outcome.UNCHANGED))
    history.record_step("r1", BUILT)
    assert history.durations() == {"base": 7.0, "web": 12.5}


def test_first_claim_wins_and_stays(history: History) -> None:
    """Whoever claims later learns the first digest; other keys and repositories are free."""
    assert history.claim("r/base", "k1-a", "sha256:1", "r1") == "sha256:1"
    assert history.claim("r/base", "k1-a", "sha256:2", "r2") == "sha256:1"
    assert history.claim("r/base", "k1-b", "sha256:2", "r2") == "sha256:2"
    assert history.claim("r/web", "k1-a", "sha256:3", "r2") == "sha256:3"


def test_claim_is_replaced_only_while_it_names_what_was_lost(history: History) -> None:
    """Of two who saw the same lost digest one replaces it, and the other is told no."""
    history.claim("r/base", "k1-a", "sha256:1", "r1")

    def replace_by(digest: str) -> bool:
        return history.replace_claim("r/base", "k1-a", lost="sha256:1", digest=digest, run_id="r2")

    assert replace_by("sha256:2") is True
    assert replace_by("sha256:3") is False
    assert history.claim("r/base", "k1-a", "sha256:4", "r3") == "sha256:2"


def test_moves_are_journalled_in_order_and_settled_one_by_one(history: History) -> None:
    """Settling one move leaves the others as planned; absent before and after stay apart."""
    deleted = replace(MOVE, tag="12", was="sha256:" + "5" * 64, now=None)
    history.begin_run(RUN)
    history.journal(RUN.id, (MOVE, deleted))
    history.settle(RUN.id, deleted, MoveState.CONFLICT)
    assert history.moves(RUN.id) == (MOVE, replace(deleted, state=MoveState.CONFLICT))
    assert history.moves("another") == ()


def test_second_move_of_a_tag_is_the_one_that_is_settled(history: History) -> None:
    """A tag that moves twice in a run has two entries, and the older keeps its state."""
    history.begin_run(RUN)
    history.journal(RUN.id, (replace(MOVE, state=MoveState.FAILED),))
    history.journal(RUN.id, (MOVE,))
    history.settle(RUN.id, MOVE, MoveState.MOVED)
    assert [move.state for move in history.moves(RUN.id)] == [MoveState.FAILED, MoveState.MOVED]


def test_what_belongs_to_no_known_run_is_refused(history: History) -> None:
    """A diary that was replaced in the middle of a run says so instead of losing entries."""
    with pytest.raises(StateUnavailable):
        history.record_step("unknown", BUILT)
    with pytest.raises(StateUnavailable):
        history.finish_run("unknown", RunState.FAILED, "")
    with pytest.raises(StateUnavailable):
        history.journal("unknown", (MOVE,))
    with pytest.raises(StateUnavailable):
        history.settle("unknown", MOVE, MoveState.MOVED)


def test_threads_share_one_history(history: History) -> None:
    """Eight threads that claim the same keys agree on every winner."""
    won: list[dict[str, str]] = [{} for _ in range(8)]

    def work(me: int) -> None:
        for key in map(str, range(50)):
            won[me][key] = history.claim("r", key, f"sha256:{me}", "r1")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(each == won[0] for each in won)
    assert len(won[0]) == 50


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
        connection = history._connection
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
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CONTENDING, str(path.parent), str(n)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for n in range(4)
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate()[0].splitlines() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
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
