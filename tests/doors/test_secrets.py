"""Secrets by reference, from where operators keep them."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.doors.memory.channels import MemorySecrets
from orchestrator.doors.protocols_channels import Secrets
from orchestrator.doors.secrets import RealSecrets
from orchestrator.errors import Unavailable


@pytest.fixture(params=["real", "memory"])
def secrets(request: pytest.FixtureRequest, tmp_path: Path) -> Secrets:
    """Both kinds, with the same two secrets."""
    if request.param == "memory":
        return MemorySecrets({"env:A": "one", "file:b": "two", "env:EMPTY": ""})
    (tmp_path / "b").write_text("two\n")
    return RealSecrets({"A": "one", "EMPTY": ""}, str(tmp_path))


def test_what_a_reference_means(secrets: Secrets) -> None:
    """The variable's value, or what is in the file without the newline at its end."""
    assert (secrets.value("env:A"), secrets.value("file:b")) == ("one", "two")


@pytest.mark.parametrize("reference", ["env:MISSING", "file:missing", "env:EMPTY", "env:", "x"])
def test_what_is_not_there(secrets: Secrets, reference: str) -> None:
    """It is an error with a way out, never an empty secret."""
    with pytest.raises(Unavailable) as refusal:
        secrets.value(reference)
    assert refusal.value.hint


def test_a_changed_secret_counts_at_once(tmp_path: Path) -> None:
    """Nothing is kept between two uses."""
    secrets = RealSecrets({}, str(tmp_path))
    for value in ("old", "new"):
        (tmp_path / "a").write_text(value)
        assert secrets.value("file:a") == value


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\n", "the secret file:a is empty"),
        (b"\xff\xfe", "the secret a is not text"),
        (b"a" * 70_000, "a is too large for a secret"),
    ],
)
def test_a_file_that_is_no_secret(tmp_path: Path, content: bytes, why: str) -> None:
    """A binary or a log that was named by mistake is refused, and nothing of it is shown."""
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(Unavailable) as refusal:
        RealSecrets({}, str(tmp_path)).value("file:a")
    assert refusal.value.what == why


def test_a_secret_in_place_of_its_name_is_not_shown() -> None:
    """Who wrote the password itself does not find it in a log."""
    with pytest.raises(Unavailable) as refusal:
        RealSecrets({}, "/").value("hunter22")
    assert "hunter22" not in repr(refusal.value)


def test_a_variable_that_is_no_text() -> None:
    """Bytes that are no UTF-8 cannot be signed with; no part of them is said."""
    with pytest.raises(Unavailable) as raised:
        RealSecrets({"KEY": "hunter2\udcff"}, ".").value("env:KEY")
    assert raised.value.what == "the environment variable KEY is not text"
