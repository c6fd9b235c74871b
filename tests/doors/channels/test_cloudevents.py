"""The bytes of messages."""

from __future__ import annotations

import json

from orchestrator.doors.channels.cloudevents import as_json
from tests.doors.channels.notices import EVENT, message


def test_the_bytes_are_those_of_the_events_however_many_messages_there_are() -> None:
    """Bodies are kept for a while; none is ever another message's."""
    several = [message(n, events=({**EVENT, "id": f"evt_{n}"}, EVENT)) for n in range(9)]
    for each in (*several, *several[::-1], *several[:2] * 3):
        media_type, body = as_json(each)
        assert media_type == "application/cloudevents-batch+json"
        assert json.loads(body) == list(each.events)


def test_the_same_events_are_written_once() -> None:
    """A run is told to a thousand teams; each gets the same bytes."""
    events = ({**EVENT, "id": "evt_same"}, EVENT)
    first, second = (as_json(message(n, team=str(n), events=events))[1] for n in (1, 2))
    assert first is second
    assert as_json(message(3, events=tuple(map(dict, events))))[1] == first
