"""Outboxes of every kind, and what is put into them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.doors.history import DatabaseHistory
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.doors.open_state import open_database
from orchestrator.doors.protocols_history import History
from orchestrator.doors.protocols_outbox import Outbox
from orchestrator.model.announcement import Announcement, EventType, announcement_id
from orchestrator.model.delivery import Delivery, DeliveryState
from tests.doors.test_history import BUILT, RUN

PLACE = "localhost:5000/gold/base"
WAITING, DELIVERED, DEAD, DROPPED = DeliveryState
LATER = replace(RUN, id="20261123T024631Z-3fa9", started_at="2026-11-23T02:46:31Z")
PUBLISHED = Announcement(
    id=announcement_id("gold", EventType.IMAGE_PUBLISHED, PLACE, BUILT.key, BUILT.digest),
    hierarchy="gold",
    run=RUN.id,
    type=EventType.IMAGE_PUBLISHED,
    subject="base",
    at="2026-11-22T02:47:00Z",
    repository=PLACE,
    key=BUILT.key,
    digest=BUILT.digest,
)
EVENT = {"specversion": "1.0", "data": {"why": "„ü“ \udcff\x00", "sizes": [1, 2.5, None, True]}}
FACT = Announcement(
    id="evt_" + "1" * 32,
    hierarchy="gold",
    run=RUN.id,
    type=EventType.IMAGE_FAILED,
    subject="python",
    at="2026-11-22T02:48:00Z",
    event=EVENT,
)
MESSAGE = Delivery(
    id="msg_" + "1" * 32,
    hierarchy="gold",
    team="payments",
    receiver="webhook-1a2b",
    run=RUN.id,
    thread=RUN.id,
    subject="python failed „ü“",
    at="2026-11-22T02:50:00Z",
    images=("base", "python"),
    events=(PUBLISHED.id, FACT.id),
)
TRIED = replace(
    MESSAGE, tries=3, next_at_s=1_795_315_591.25, why="it answered 503", only=("a@b.c", "ü@b.c")
)


@pytest.fixture(params=["sqlite", "postgres", "memory"])
def history(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[History]:
    """Each kind of diary in turn, empty."""
    if request.param == "memory":
        yield MemoryHistory()
        return
    state = str(tmp_path / "state.db")
    if request.param == "postgres":
        state = request.getfixturevalue("postgres_url")
    with DatabaseHistory(open_database(state)) as opened:
        yield opened


@pytest.fixture
def outbox(history: History) -> Outbox:
    """Its outbox."""
    return history.outbox


def claim(history: History, announcement: Announcement = PUBLISHED) -> str:
    """Claim what is to be published, and expect it."""
    it = announcement
    return history.claim(it.repository, it.key, it.digest, it.run, it)


def message(number: int) -> Delivery:
    """Return another message."""
    return replace(MESSAGE, id=f"msg_{number:032}")
