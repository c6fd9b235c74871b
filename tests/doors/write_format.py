"""Writes what a database of the newest format looks like to tests/doors/formats."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from orchestrator.doors.formats import newest_format
from orchestrator.doors.history import SqliteHistory
from orchestrator.model.delivery import DeliveryState, ReceiverState
from orchestrator.model.lease import Ask, Holder
from orchestrator.model.run import MoveState, Outcome, RunState, StepResult
from tests.doors import outbox_scene, test_history
from tests.doors.test_history import BUILT, MOVE, RUN
from tests.doors.test_ledger import ANSWER, DEBIAN, FIRST, NOW_S, SECOND

FORMATS = Path(__file__).with_name("formats")
NIGHT = replace(
    RUN,
    id="20261123T010000Z-77aa",
    command="patch",
    trigger="schedule",
    because="",
    revision="",
    plan="",
    started_at="2026-11-23T01:00:00Z",
)
BLOCKED = StepResult(
    image="gunicorn",
    outcome=Outcome.BLOCKED,
    started_at="2026-11-22T02:47:09Z",
    blocked_by="python",
)
_FAILURE = test_history.FAILED.failure
assert _FAILURE is not None
#: What older versions did not know, they did not write.
FAILED = replace(test_history.FAILED, failure=replace(_FAILURE, transient=False))
AGAIN = replace(FAILED, duration_s=2.5, tries=2)
LATE = replace(FAILED, started_at="2026-11-23T01:00:05Z")
OLD_TAG = replace(MOVE, tag="12", was="sha256:" + "0" * 64)
ABSORBED = replace(FIRST, absorbed_at="2026-11-22T02:48:00Z")
ENDED = replace(RUN, state=RunState.FAILED, finished_at="2026-11-22T02:48:00Z")
PLACE = "localhost:5000/gold/base"
WHEN_S = 1795315591.0
PUBLISHED, FACT, EVENT = outbox_scene.PUBLISHED, outbox_scene.FACT, outbox_scene.EVENT
RELEASED = replace(PUBLISHED, id="evt_" + "2" * 32, key="k1-b", run=NIGHT.id)
PENDING = replace(PUBLISHED, id="evt_" + "3" * 32, key="k1-c", run=NIGHT.id)
WAITS = outbox_scene.TRIED
SENT = replace(WAITS, id="msg_" + "2" * 32, state=DeliveryState.DELIVERED, only=(), why="")
RECEIVER = ReceiverState(team="web", receiver="a", disabled_at="2026-11-22T03:00:00Z", why="410")


def fill(history: SqliteHistory) -> None:
    """Write a run that failed, a night that never ended, a ledger, and somebody at work.

    The run was told, what the night has published not yet.
    """
    history.begin_run(RUN, "plan of that run")
    history.record_step(RUN.id, BUILT)
    history.claim(PLACE, BUILT.key, BUILT.digest, RUN.id, PUBLISHED)
    history.outbox.release(PUBLISHED.id, RUN.id, PUBLISHED.at)
    for result in (FAILED, AGAIN, BLOCKED):
        history.record_step(RUN.id, result)
    history.journal(RUN.id, (MOVE, OLD_TAG))
    history.settle(RUN.id, MOVE, MoveState.MOVED)
    history.finish_run(RUN.id, ENDED.state, ENDED.finished_at)
    history.outbox.tell((replace(PUBLISHED, event=EVENT), FACT), (SENT, WAITS), RUN.id)
    history.outbox.record((SENT,))
    history.outbox.note_receiver("gold", RECEIVER)
    history.begin_run(NIGHT)
    for each in (RELEASED, PENDING):
        history.claim(PLACE, each.key, each.digest, NIGHT.id, each)
    history.outbox.release(RELEASED.id, NIGHT.id, RELEASED.at)
    history.record_step(NIGHT.id, LATE)
    history.see("gold", (FIRST, SECOND), NOW_S)
    history.absorb("gold", DEBIAN, FIRST.fingerprint, ABSORBED.absorbed_at)
    history.keep_answers((ANSWER,))
    holder = Holder(token="a", command="patch", who="ann@ci", pid=1)
    assert history.leases.acquire("gold", holder, 60)
    ask = Ask(command="build", who="bob@ci", because="B", alike="build", wanted=("hello",))
    assert history.leases.wait("gold", replace(holder, token="b"), ask, 60)


def dump(path: Path) -> str:
    """Return a database as text."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE migrations SET applied_at = '2026-11-22T02:46:31Z'")
        connection.commit()
        return "\n".join(connection.iterdump()) + "\n"


def main() -> None:
    """Write the file of the newest format."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "state.db")
        with SqliteHistory(path, now_s=lambda: WHEN_S) as history:
            fill(history)
        FORMATS.joinpath(f"{newest_format():04}.sql").write_text(dump(path), encoding="utf-8")


if __name__ == "__main__":
    main()
