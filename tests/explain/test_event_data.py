"""Events read back, whoever wrote them."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.explain.event_data import bytes_of, number_of, text_of, type_of
from orchestrator.model.announcement import EventType


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("io.gold-orchestrator.image.published.v1", EventType.IMAGE_PUBLISHED),
        ("image.published", EventType.IMAGE_PUBLISHED),
        ("io.gold-orchestrator.upstream.moved.v2", EventType.UPSTREAM_MOVED),
        ("dev.cdevents.artifact.published.0.3.0", EventType.ARTIFACT_PUBLISHED),
        ("io.gold-orchestrator.image.publishedly.v1", None),
        ("dev.cdevents.build.finished.0.3.0", None),
        (7, None),
    ],
)
def test_a_type_is_known_by_its_words(said: object, kind: EventType | None) -> None:
    """Whoever's name stands before them, and whichever version behind."""
    assert type_of({"type": said}) is kind


@pytest.mark.parametrize(
    "value",
    [
        float("inf"),
        float("nan"),
        -1,
        pytest.param(10**400, id="huge"),
        2.0**64,
        True,
        "12",
        None,
        [1],
    ],
)
def test_what_is_no_size_is_none(value: Any) -> None:
    """JSON has numbers that no size or time is, and that nobody could show."""
    assert number_of({"a": {"b": value}}, "a", "b") is None
    assert bytes_of({"a": {"b": value}}, "a", "b") is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("3.11", "3.11"),
        (3.11, "3.11"),
        (0, "0"),
        pytest.param(10**5000, "", id="huge"),
        (True, ""),
        (None, ""),
        ({}, ""),
    ],
)
def test_a_number_is_text_where_text_is_wanted(value: Any, text: str) -> None:
    """A version that YAML took for a number, in an event of somebody else's."""
    assert text_of({"a": value}, "a") == text
