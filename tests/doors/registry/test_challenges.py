"""What registries say of how to log in."""

from __future__ import annotations

import time

import pytest

from orchestrator.doors.registry.auth import parse_challenges


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], []),
        (["Basic"], [("basic", {})]),
        (['BASIC Realm="a, b=c"'], [("basic", {"realm": "a, b=c"})]),
        (
            ['Bearer realm="https://a/t",service="s",scope="r:x:pull,push"'],
            [("bearer", {"realm": "https://a/t", "service": "s", "scope": "r:x:pull,push"})],
        ),
        (
            ['Basic realm="x", Bearer realm=y , scope="a"', "Digest"],
            [("basic", {"realm": "x"}), ("bearer", {"realm": "y", "scope": "a"}), ("digest", {})],
        ),
        (['Bearer realm="a\\"b"'], [("bearer", {"realm": 'a"b'})]),
        (['Bearer realm="unclosed'], [("bearer", {})]),
        (["", ",,,", '="', "\x00"], []),
    ],
)  # fmt: skip
def test_challenges(headers: list[str], expected: list[tuple[str, dict[str, str]]]) -> None:
    """Several in one header, commas in quotes, upper case, and nonsense."""
    found = [(one.scheme, dict(one.parameters)) for one in parse_challenges(headers)]
    assert found == expected


def test_long_challenges_take_no_time() -> None:
    """A hostile header cannot keep us busy."""
    start = time.monotonic()
    for text in (" " * 90_000, ", " * 45_000, 'a="' * 30_000, "Bearer " * 15_000):
        parse_challenges([text, "Bearer a" + text])
    assert time.monotonic() - start < 2
