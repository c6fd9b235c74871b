"""Tag templates."""

from __future__ import annotations

import pytest

from orchestrator.model.tags import expand, placeholders


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("stable", ()),
        ("{version}-{date}-{key}", ("version", "date", "key")),
        ("{label.cost-center}{version}{version}", ("label.cost-center", "version")),
        ("{{version}}", ("version",)),
        ("{}", ("",)),
        ("{a", ()),
    ],
)
def test_placeholders_are_what_stands_between_braces(
    template: str, expected: tuple[str, ...]
) -> None:
    """Each once, in order."""
    assert placeholders(template) == expected


def test_what_is_not_known_yet_stays_visible() -> None:
    """A plan shows the tag of an image whose key depends on what is still to be built."""
    values = {"version": "3.11", "date": "20261122", "label.team": "{key}"}
    assert expand("{version}-{date}-{key}", values) == "3.11-20261122-<key>"
    assert expand("{label.team}-{label.tier}", values) == "{key}-<label.tier>"
