"""A message as machines take it: CloudEvents as JSON, one or a batch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypeAlias

from orchestrator.model.message import Message

ONE = "application/cloudevents+json"
SEVERAL = "application/cloudevents-batch+json"

_Events: TypeAlias = tuple[Mapping[str, object], ...]

#: Bodies that are kept: those that are being sent to many receivers in these moments.
_MOST_KEPT = 4
# Events → their bytes. The very same object is asked for: to compare two would take as long as to
# write one. Replaced as a whole, so that no thread needs a lock: one whose entry is lost to
# another one's writes it again.
_kept: tuple[tuple[_Events, bytes], ...] = ()


def as_json(message: Message) -> tuple[str, bytes]:
    """Return the media type and the bytes, the same on every try.

    A message about the very same events as one of the last few costs nothing: a run is told to a
    thousand teams.

    Source: the JSON format of CloudEvents 1.0, and its batch format.
    """
    global _kept
    media_type = ONE if len(message.events) == 1 else SEVERAL
    for events, body in _kept:
        if events is message.events:
            return media_type, body
    body = _bytes(message.events)
    _kept = ((message.events, body), *_kept[: _MOST_KEPT - 1])
    return media_type, body


def _bytes(events: _Events) -> bytes:
    content = events[0] if len(events) == 1 else events
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    # A lone surrogate, from a file name, is no text that anybody else reads.
    return text.encode("utf-8", "replace")
