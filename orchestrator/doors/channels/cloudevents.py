"""A message as machines take it: CloudEvents as JSON, one or a batch."""

from __future__ import annotations

import json

from orchestrator.model.message import Message

ONE = "application/cloudevents+json"
SEVERAL = "application/cloudevents-batch+json"


def as_json(message: Message) -> tuple[str, bytes]:
    """Return the media type and the bytes, the same on every try.

    Source: the JSON format of CloudEvents 1.0, and its batch format.
    """
    single = len(message.events) == 1
    content = message.events[0] if single else message.events
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    # A lone surrogate, from a file name, is no text that anybody else reads.
    return (ONE if single else SEVERAL), text.encode("utf-8", "replace")
