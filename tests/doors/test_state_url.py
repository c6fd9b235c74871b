"""Addresses of databases: what of them may be shown, and where their passwords are."""

from __future__ import annotations

import pytest

from orchestrator.doors.state_url import StateUrl, is_url, state_url
from orchestrator.errors import UsageError


@pytest.mark.parametrize(
    ("text", "url", "password"),
    [
        ("postgresql://db/gold", "postgresql://db/gold", ""),
        ("postgres://gold@db/gold", "postgresql://gold@db/gold", ""),
        ("postgresql://gold:hunter2@db/gold", "postgresql://gold@db/gold", "hunter2"),
        ("postgresql://gold:hunter%40%2F2@db/gold", "postgresql://gold@db/gold", "hunter@/2"),
        ("postgresql://gold:@db/gold", "postgresql://gold@db/gold", ""),
        ("postgresql://:hunter2@db/gold", "postgresql://db/gold", "hunter2"),
        ("postgresql://gold:hunter:2@db", "postgresql://gold@db", "hunter:2"),
        (
            "postgresql://gold@db/gold?password=hunter2&sslmode=require",
            "postgresql://gold@db/gold?sslmode=require",
            "hunter2",
        ),
        ("postgresql://gold@db/gold?p%61ssword=hunter2", "postgresql://gold@db/gold", "hunter2"),
        ("postgresql://gold@db/gold?PASSWORD=hunter2", "postgresql://gold@db/gold", "hunter2"),
        (
            "postgresql://u:hunter2@[::1]:5432,two:5433/gold?options=-csearch_path%3Dgold",
            "postgresql://u@[::1]:5432,two:5433/gold?options=-csearch_path%3Dgold",
            "hunter2",
        ),
        ("postgresql://?service=gold", "postgresql://?service=gold", ""),
        ("postgresql:///gold?host=/run/postgresql", "postgresql:///gold?host=/run/postgresql", ""),
    ],
)
def test_what_may_be_shown(text: str, url: str, password: str) -> None:
    """The address without its password names the same database; the password is as it is used."""
    assert is_url(text)
    assert state_url(text) == StateUrl(url, password)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://gold:hunt/er2@db/gold",
        "postgresql://gold:hunt?er2@db/gold",
        "postgresql://gold:hunt@er2@db/gold",
        # What stands before the slash could be a port.
        "postgresql://gold:12/er2@db/gold",
        "postgresql://gold:12?er2@db/gold",
        "postgresql://gold@db/gold?sslpassword=hunter2",
        "mysql://gold:hunter2@db/gold",
        "postgresql://gold:hunter2/gold",
        "postgresql://one,gold:hunter2",
    ],
)
def test_what_cannot_be_shown_is_refused(text: str) -> None:
    """Where nobody can tell the end of a password, nothing of the address is repeated."""
    with pytest.raises(UsageError) as refused:
        state_url(text)
    said = f"{refused.value} {refused.value.hint}"
    assert "hunt" not in said
    assert "er2" not in said
    assert refused.value.hint


@pytest.mark.parametrize("text", ["state.db", "/var/lib/gold.db", "C:state.db", "a/b:c"])
def test_paths_are_no_addresses(text: str) -> None:
    """What has no scheme is a file."""
    assert not is_url(text)
