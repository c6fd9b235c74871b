"""Secrets are checked before a build, and hidden in what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.doors.buildx_secrets import redactor, secret_values
from orchestrator.errors import BuildFailed
from orchestrator.model.hierarchy import Secret


def test_values_come_from_the_environment_and_from_files(tmp_path: Path) -> None:
    """A file is relative to the hierarchy's directory; an empty variable is a value."""
    (tmp_path / "key").write_bytes(b"open\nsesame\xff\n")
    secrets = (
        Secret(name="a", env="A"),
        Secret(name="b", env="B"),
        Secret(name="c", file="key"),
    )
    values = secret_values(secrets, {"A": "1", "B": ""}, str(tmp_path))
    assert values == ("1", "", "open\nsesame\ufffd\n")


def test_missing_secret_is_named_with_a_way_out(tmp_path: Path) -> None:
    """The name of the secret, where it should come from, and what to do."""
    with pytest.raises(BuildFailed, match="secret pip: the environment variable PIP") as failed:
        secret_values((Secret(name="pip", env="PIP"),), {}, ".")
    assert "export PIP" in failed.value.hint
    with pytest.raises(BuildFailed, match="secret key: cannot read keys/k: No such file"):
        secret_values((Secret(name="key", file="keys/k"),), {}, str(tmp_path))


def test_every_line_of_a_value_is_hidden_but_none_that_is_in_half_of_all_words() -> None:
    """A key of many lines is hidden in parts; values that contain others leave nothing over."""
    redact = redactor(("pass", "password123", "begin\n  key-data  \nend", "", "no"))
    assert redact("x password123 pass key-data no end begin") == "x *** *** *** no end ***"
