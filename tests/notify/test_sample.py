"""A test message has the form of a real one, says that it is a test, and is always another one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.explain.notice import notice_of
from orchestrator.model.announcement import EventType
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.notify.sample import sample_message
from orchestrator.render.notice_text import notice_text
from tests.notify.events import require_valid
from tests.notify.teams import NOW_S, follows, hierarchy

UNIQUE = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("gold", "image"),
    [
        (hierarchy(follows("gunicorn", team="web")), "gunicorn"),
        (hierarchy(follows("nothing-of-that-name", team="web")), "base"),
        (replace(hierarchy(follows("*", team="web")), images={}), "sample"),
    ],
    ids=["of the team's images", "of any image", "of no image"],
)
def test_sample_is_an_event_like_a_real_one(gold: Hierarchy, image: str) -> None:
    """Its schema is that of image.published; people and machines can tell that it is a test."""
    message = sample_message(gold, "web", NOW_S, UNIQUE)
    (event,) = message.events
    require_valid(EventType.IMAGE_PUBLISHED, event)
    assert (message.id, event["subject"]) == (f"msg_{UNIQUE}", image)
    assert notice_of(message.events).test
    assert "test" in message.subject.lower()
    assert "test" in notice_text(message.events).lower()
