"""What every history door promises: SQLite, PostgreSQL, and the twin in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.doors.history import DatabaseHistory
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.doors.open_state import open_database
from orchestrator.doors.protocols_history import History
from orchestrator.errors import StateUnavailable
from orchestrator.model.run import (
    Failure,
    FailureCause,
    HeldBy,
    JournalledMove,
    MoveState,
    Outcome,
    Run,
    RunState,
    StepResult,
)

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
    platform_bytes={"linux/amd64": 3_000_000_000, "linux/arm64": 2_000_000_000},
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
        transient=True,
    ),
)
MOVE = JournalledMove(
    image="base",
    repository="localhost:5000/gold/base",
    tag="stable",
    was=None,
    now="sha256:" + "1" * 64,
)


@pytest.fixture(params=["sqlite", "postgres", "memory"])
def history(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[History]:
    """Each kind of history in turn, empty."""
    if request.param == "memory":
        yield MemoryHistory()
        return
    state = str(tmp_path / "state.db")
    if request.param == "postgres":
        state = request.getfixturevalue("postgres_url")
    with DatabaseHistory(open_database(state)) as opened:
        yield opened


def test_empty_history_has_nothing_and_knows_nothing(history: History) -> None:
    """Before the first run every question has an empty answer."""
    assert history.runs() == ()
    assert history.run("2026") is None
    assert history.results(RUN.id) == ()
    assert history.moves(RUN.id) == ()
    assert history.durations() == {}
    assert history.last_outcomes("gold") == {}
    assert history.repositories("gold") == ()


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


def test_sizes_are_those_of_the_last_build_of_each_image(history: History) -> None:
    """As large as they come; a failure has none that counts."""
    history.begin_run(replace(RUN, id="r1"))
    history.begin_run(replace(RUN, id="r2"))
    history.record_step("r2", replace(BUILT, size_bytes=7 << 30))
    history.record_step("r2", replace(FAILED, image="web"))
    history.record_step("r1", replace(BUILT, image="web", size_bytes=12))
    history.record_step("r1", BUILT)
    assert history.sizes() == {"base": 7 << 30, "web": 12}


def test_last_outcomes_are_those_of_the_last_step_of_each_image(history: History) -> None:
    """A later try and a later run count, whatever order runs were written in; others' do not."""
    history.begin_run(replace(RUN, id="r2"))
    history.begin_run(replace(RUN, id="r1"))
    history.begin_run(replace(RUN, id="r3", hierarchy="silver"))
    history.record_step("r2", replace(BUILT, outcome=Outcome.FAILED))
    history.record_step("r2", replace(BUILT, outcome=Outcome.UNCHANGED))
    history.record_step("r2", replace(BUILT, image="web", outcome=Outcome.BLOCKED))
    history.record_step("r1", replace(BUILT, outcome=Outcome.BLOCKED))
    history.record_step("r1", replace(BUILT, image="web"))
    history.record_step("r1", FAILED)
    history.record_step("r3", replace(BUILT, image="python"))
    assert history.last_outcomes("gold") == {
        "base": Outcome.UNCHANGED,
        "web": Outcome.BLOCKED,
        "python": Outcome.FAILED,
    }
    assert history.last_outcomes("silver") == {"python": Outcome.BUILT}
    assert history.last_outcomes("bronze") == {}


def test_repositories_are_those_in_which_tags_were_moved(history: History) -> None:
    """Each once, sorted, whatever became of the move; other hierarchies' are theirs."""
    history.begin_run(RUN)
    history.begin_run(replace(RUN, id="other", hierarchy="silver"))
    web = replace(MOVE, image="web", repository="localhost:5000/gold/a", state=MoveState.FAILED)
    history.journal(RUN.id, (MOVE, replace(MOVE, tag="12"), web))
    history.journal("other", (replace(MOVE, repository="localhost:5000/silver/base"),))
    assert history.repositories("gold") == ("localhost:5000/gold/a", MOVE.repository)
    assert history.repositories("silver") == ("localhost:5000/silver/base",)
    assert history.repositories("bronze") == ()


def test_first_claim_wins_and_stays(history: History) -> None:
    """Whoever claims later learns the first digest; other keys and repositories are free."""
    assert history.claim("r/base", "k1-a", "sha256:1", "r1") == "sha256:1"
    assert history.claim("r/base", "k1-a", "sha256:2", "r2") == "sha256:1"
    assert history.claim("r/base", "k1-b", "sha256:2", "r2") == "sha256:2"
    assert history.claim("r/web", "k1-a", "sha256:3", "r2") == "sha256:3"


def test_claim_is_read_as_it_is_now(history: History) -> None:
    """Nobody's before it is made, also where there is no diary yet; the new one once replaced."""
    assert history.claimed("r/base", "k1-a") is None
    history.claim("r/base", "k1-a", "sha256:1", "r1")
    assert history.claimed("r/base", "k1-a") == "sha256:1"
    assert history.claimed("r/web", "k1-a") is history.claimed("r/base", "k1-b") is None
    history.replace_claim("r/base", "k1-a", lost="sha256:1", digest="sha256:2", run_id="r2")
    assert history.claimed("r/base", "k1-a") == "sha256:2"


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


def test_what_is_held_says_why_and_is_found_again(history: History) -> None:
    """Held moves come back with their reason, the newest run first, and of one hierarchy only."""
    waits = JournalledMove(
        image="base",
        repository="localhost:5000/gold/base",
        tag="stable",
        was=None,
        now="sha256:" + "1" * 64,
        state=MoveState.HELD,
        held_by=HeldBy.CANARY,
        held_for="hello",
    )
    planned = replace(waits, tag="12", state=MoveState.PLANNED, held_by=None, held_for="")
    later = replace(RUN, id="20261123T024631Z-3fa9", started_at="2026-11-23T02:46:31Z")
    other = replace(RUN, id="20261124T024631Z-3fa9", hierarchy="silver")
    for run in (RUN, later, other):
        history.begin_run(run)
        history.journal(run.id, (waits, planned))
    assert history.moves(RUN.id) == (waits, planned)
    assert history.held("gold") == ((later.id, waits), (RUN.id, waits))
    settled = replace(planned, state=MoveState.HELD, held_by=HeldBy.PARENT, held_for="python")
    history.settle(RUN.id, settled, MoveState.HELD)
    assert history.moves(RUN.id) == (waits, settled)
    moved = replace(planned, state=MoveState.MOVED)
    history.settle(later.id, planned, MoveState.MOVED)
    assert history.moves(later.id) == (waits, moved)
    assert history.held("bronze") == ()


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


def test_plan_is_kept_with_the_run(history: History) -> None:
    """What was written with the run's beginning is read back; without one it is empty."""
    history.begin_run(RUN, "plan-2:abc")
    history.begin_run(replace(RUN, id="other"))
    assert history.kept_plan(RUN.id) == "plan-2:abc"
    assert history.kept_plan("other") == history.kept_plan("absent") == ""


def test_unsettled_are_runs_and_journals_that_never_ended(history: History) -> None:
    """Oldest first, of one hierarchy; a run that ended counts while a move of it is planned."""
    planned = replace(MOVE, state=MoveState.PLANNED)
    for number, state in enumerate((RunState.RUNNING, RunState.FAILED, RunState.INTERRUPTED)):
        run = replace(RUN, id=f"r{number}", started_at=f"2026-11-2{9 - number}T00:00:00Z")
        history.begin_run(run)
        history.finish_run(run.id, state, "")
    history.begin_run(replace(RUN, id="foreign", hierarchy="other"))
    history.journal("r1", (planned,))
    assert [run.id for run in history.unsettled(RUN.hierarchy)] == ["r1", "r0"]
    history.settle("r1", planned, MoveState.MOVED)
    assert [run.id for run in history.unsettled(RUN.hierarchy)] == ["r0"]


def test_unfinished_are_runs_that_nobody_resumed(history: History) -> None:
    """Newest first; who is resumed is not there, whatever became of the one that resumes it.

    One that failed is among them: whether it may be resumed is another question.
    """
    for number, (state, resumes) in enumerate(
        [
            (RunState.INTERRUPTED, ""),
            (RunState.INTERRUPTED, "r0"),
            (RunState.SUCCEEDED, ""),
            (RunState.RUNNING, ""),
            (RunState.FAILED, ""),
        ]
    ):
        at = f"2026-11-2{number}T00:00:00Z"
        history.begin_run(replace(RUN, id=f"r{number}", started_at=at, resumes=resumes))
        history.finish_run(f"r{number}", state, "")
    assert [run.id for run in history.unfinished(RUN.hierarchy)] == ["r4", "r3", "r1"]
    assert history.run("r1") == replace(
        RUN, id="r1", started_at="2026-11-21T00:00:00Z", resumes="r0", state=RunState.INTERRUPTED,
        finished_at="",
    )  # fmt: skip
