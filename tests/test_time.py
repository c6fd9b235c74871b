"""Times as people and registries read them."""

import pytest

from orchestrator.model.time import day, rfc3339, run_id, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2023-11-14T22:13:20Z", 1_700_000_000),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000),
        ("2023-11-14T22:13:20.5Z", 1_700_000_001),
        ("2023-11-14T22:13:19.123456789Z", 1_700_000_000),
    ],
)
def test_fractions_are_rounded_up(text: str, seconds: int) -> None:
    """A parent made half a second later is never taken for older than it is."""
    assert seconds_of(text) == seconds


def test_times_are_utc_and_ids_sort() -> None:
    """What is written does not depend on where it is written, and later ids come later."""
    assert rfc3339(1_700_000_000.9) == "2023-11-14T22:13:20Z"
    assert day(1_700_000_000) == "20231114"
    assert run_id(1_700_000_000, "ffff") < run_id(1_700_000_001, "0000")
