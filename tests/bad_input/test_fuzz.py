"""A few of the mutations of `tests.bad_input.fuzz`, always the same ones."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from tests.bad_input import fuzz

CASES = 150


def test_no_mutation_makes_a_check_crash_hang_or_show_control_characters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 0 or 3, printable words, in bounded time."""
    monkeypatch.chdir(tmp_path)
    for hierarchy, dockerfile in islice(fuzz.cases(1), CASES):
        code, said = fuzz.checked(hierarchy, dockerfile)
        assert fuzz.complaint(code, said) == "", (hierarchy, dockerfile)


@pytest.mark.parametrize(
    ("code", "said", "what"),
    [
        (0, "OK\n", ""),
        (3, "error\n", ""),
        (1, "error: this is a bug\n", "exit 1"),
        (3, "\x1b[2J", "it shows what a terminal might act on"),
    ],
)
def test_what_is_wrong_is_seen(code: int, said: str, what: str) -> None:
    """The fuzzer itself, so that it cannot pass by seeing nothing."""
    assert fuzz.complaint(code, said) == what
