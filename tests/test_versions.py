"""Versions in tags, and the ranges that they are in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.names import is_tag
from orchestrator.model.versions import Shape, is_in_range, is_range, shape_of, version_in


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("1", Shape("", 1, "")),
        ("1.27", Shape("", 2, "")),
        ("v1.27.3", Shape("v", 3, "")),
        ("1.27-alpine3.19", Shape("", 2, "-alpine3.19")),
        ("3.11_x", Shape("", 2, "_x")),
        ("1.2.3.4", None),
        ("1.2.", None),
        ("bookworm", None),
        ("v", None),
        ("1.27alpine", None),
        ("V1", None),
        ("1" * 19, None),
        ("\uff11", None),
    ],
)
def test_the_shape_of_a_tag(tag: str, expected: Shape | None) -> None:
    """A prefix, one to three numbers, a suffix; everything else says no version."""
    assert shape_of(tag) == expected


@pytest.mark.parametrize(
    ("tag", "like", "expected"),
    [
        ("1.28", "1.27", (1, 28, 0)),
        ("24.04", "22.04", (24, 4, 0)),
        ("v2.0.1-alpine", "v1.27.3-alpine", (2, 0, 1)),
        ("1.28-slim", "1.27", None),
        ("1.28.1", "1.27", None),
        ("v1.28", "1.27", None),
        ("latest", "1.27", None),
    ],
)
def test_only_tags_of_one_shape_are_versions_of_one_thing(
    tag: str, like: str, expected: tuple[int, int, int] | None
) -> None:
    """As many numbers, the same prefix and the same suffix."""
    shape = shape_of(like)
    assert shape is not None
    assert version_in(tag, shape) == expected


@pytest.mark.parametrize(
    ("version", "range_", "expected"),
    [
        ((1, 28, 0), "^1.27", True),
        ((2, 0, 0), "^1.27", False),
        ((1, 26, 9), "^1.27", False),
        ((1, 99, 0), ">= 1.27   <2", True),
        ((24, 4, 0), "~24.04", True),
        ((24, 10, 0), "~24.04", False),
        ((2, 5, 0), "1.x || 2.x", True),
        ((3, 0, 0), "1.x || 2.x", False),
        ((1, 29, 7), "1.27 - 1.29", True),
        ((0, 0, 0), "*", True),
    ],
)
def test_which_versions_are_in_a_range(
    version: tuple[int, int, int], range_: str, expected: bool
) -> None:
    """As npm has it, with numbers as distributions write them."""
    assert is_range(range_)
    assert is_in_range(version, range_) == expected


@given(st.from_regex(r"\A[<>=~^ |v0-9x*.-]{0,20}\Z"))
def test_whatever_is_a_range_can_be_asked(text: str) -> None:
    """No text that was taken for a range fails later."""
    if is_range(text):
        assert is_in_range((1, 2, 3), text) in (True, False)


@given(st.text("v0123456789.-_ax", max_size=30))
def test_a_tag_that_has_a_shape_is_a_version_of_it(tag: str) -> None:
    """And nothing of it is lost."""
    shape = shape_of(tag)
    if shape is not None:
        version = version_in(tag, shape)
        assert version is not None
        assert is_tag(tag)
        assert tag.startswith(shape.prefix)
        assert tag.endswith(shape.suffix)
