"""Events that are read when they are needed."""

from __future__ import annotations

from orchestrator.notify.stored import StoredEvents
from tests.notify.teams import memory_outbox, published


def test_events_come_in_the_order_they_are_asked_for_however_many_there_are() -> None:
    """Also where some are kept from before and there is no room for all."""
    outbox = memory_outbox()
    facts = [published("base", number) for number in range(1300)]
    ids = [each.id for each in facts]
    outbox.tell(facts, [])
    stored = StoredEvents(outbox)
    for some in (ids[:600], ids[500:1200], ids[::-1], ids[1000:1300], ids[:3]):
        found = stored.of(some)
        assert found is not None
        assert [each["id"] for each in found] == some


def test_the_same_events_are_the_same_objects() -> None:
    """A thousand messages about one run hold its events once."""
    outbox = memory_outbox()
    facts = [published("base"), published("python")]
    outbox.tell(facts, [])
    stored, ids = StoredEvents(outbox), [each.id for each in facts]
    assert stored.of(ids) is stored.of(list(ids))
    assert stored.of([*ids, "evt_gone"]) is None
