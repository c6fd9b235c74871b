"""Whoever has lost its lease writes nothing to an outbox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from orchestrator.doors.protocols_history import History
from orchestrator.errors import LeaseLost
from orchestrator.model.delivery import DeliveryState, ReceiverState
from orchestrator.model.run import RunState
from tests.doors.lease_scene import ANN, BOB
from tests.doors.outbox_scene import (
    DEAD,
    FACT,
    MESSAGE,
    PLACE,
    PUBLISHED,
    claim,
    history,
    message,
)
from tests.doors.test_history import BUILT, RUN

__all__ = ["history"]  # a fixture

#: Everything that writes to an outbox, or to a diary and so to its outbox.
WRITES: dict[str, Callable[[History], object]] = {
    "release": lambda history: history.outbox.release(PUBLISHED.id, RUN.id, "later"),
    "retract": lambda history: history.outbox.retract(PUBLISHED.id, RUN.id),
    "tell": lambda history: history.outbox.tell([FACT], [message(2)], RUN.id),
    "record": lambda history: history.outbox.record([replace(MESSAGE, state=DEAD)]),
    "note_receiver": lambda history: history.outbox.note_receiver(
        "gold", ReceiverState(team="web", receiver="a", why="410")
    ),
    "forget": lambda history: history.outbox.forget("gold", "2027-01-01T00:00:00Z"),
    "claim": lambda history: claim(history, replace(PUBLISHED, id="evt_x", key="k1-x")),
    "replace_claim": lambda history: history.replace_claim(
        PLACE, BUILT.key, lost=BUILT.digest, digest="sha256:9", run_id=RUN.id, announcement=FACT
    ),
}


def _all_of(history: History) -> object:
    outbox = history.outbox
    return (
        *(outbox.pending("gold"), outbox.released("gold"), outbox.untold("gold")),
        *(outbox.deliveries("gold", tuple(DeliveryState)), outbox.receivers("gold")),
        outbox.events([FACT.id, "evt_old"]),
    )


@pytest.mark.parametrize("write", WRITES)
def test_who_has_lost_its_lease_writes_nothing_to_the_outbox(history: History, write: str) -> None:
    """The outbox of a fenced diary is fenced: each write asks, in its own transaction."""
    history.begin_run(RUN)
    history.finish_run(RUN.id, RunState.FAILED, "2026-11-22T02:50:00Z")
    claim(history)
    history.outbox.tell([replace(FACT, id="evt_old")], [MESSAGE])
    lease = history.leases.acquire("gold", ANN, 60)
    assert lease is not None
    fenced = history.fenced(lease)
    history.leases.release(lease)
    assert history.leases.acquire("gold", BOB, 60)
    before = _all_of(history)
    with pytest.raises(LeaseLost, match="bob@ci"):
        WRITES[write](fenced)
    assert _all_of(history) == _all_of(fenced) == before


@pytest.mark.parametrize("write", WRITES)
def test_who_has_the_lease_writes_to_the_outbox(history: History, write: str) -> None:
    """What a fenced diary writes, everybody reads."""
    history.begin_run(RUN)
    history.finish_run(RUN.id, RunState.FAILED, "2026-11-22T02:50:00Z")
    claim(history)
    history.outbox.tell([replace(FACT, id="evt_old")], [MESSAGE])
    lease = history.leases.acquire("gold", ANN, 60)
    assert lease is not None
    before = _all_of(history)
    WRITES[write](history.fenced(lease))
    assert _all_of(history) != before


def test_no_write_of_an_outbox_is_forgotten() -> None:
    """Whatever is added to the outbox and writes is in the list above."""
    import inspect

    from orchestrator.doors.outbox import DatabaseOutbox

    methods = inspect.getsource(DatabaseOutbox).split("\n    def ")[1:]
    writing = {each.partition("(")[0] for each in methods if "writing()" in each}
    assert writing == WRITES.keys() - {"claim", "replace_claim"}
