"""Errors as people read them. ``UPDATE_GOLDEN=1 pytest tests/render`` writes the golden files."""

from __future__ import annotations

import pytest

from orchestrator.errors import (
    BuildFailed,
    Interrupted,
    InvalidInput,
    OrchestrateError,
    Problem,
    RegistryUnavailable,
    StalePlan,
    TagConflict,
)
from orchestrator.render.cells import cell_width
from orchestrator.render.style import Style
from orchestrator.render.text import error_text, problems_text
from tests.render.conftest import Golden
from tests.render.runs import PROBLEMS

PLAIN = Style(color=False, width=80)

ERRORS = {
    "tag-conflict": TagConflict(
        "registry.example/python:3.12-4f1c2ab90d11 already points at 9ab2c1d2e3f4…, not "
        "77d0aa31cc02…",
        hint="immutable tags never move; run `orchestrate why python-3.12`",
    ),
    "stale-plan": StalePlan(
        (
            "hello: context changed",
            "python: upstream debian:bookworm-slim moved: 9ab2c1d2e3f4 → 77d0aa31cc02",
        ),
        hint="make a new one with `orchestrate plan --out FILE`",
    ),
    "build-failed": BuildFailed(
        "RUN pip install nosuch: exit code 1",
        cause="command",
        log_tail=("  Collecting nosuch", "10%\r55%\r100%", "ERROR: no matching distribution " * 4),
        hint="is the package's name right?",
    ),
    "registry": RegistryUnavailable("http://localhost:5000 does not answer: connection refused"),
    "interrupted": Interrupted(15),
    "invalid-input": InvalidInput(PROBLEMS[:1]),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str, golden: Golden) -> None:
    """`error:` names the thing, `hint:` is a way out, and what else is known stands between."""
    golden(f"error-{name}.txt", error_text(ERRORS[name], PLAIN))


@pytest.mark.parametrize("width", [0, 50, 80])
def test_problems(width: int, golden: Golden) -> None:
    """Place, code, what, the source line, a caret, a hint; and a count at the end."""
    golden(f"problems-{width}.txt", problems_text(PROBLEMS, Style(color=False, width=width)))


def test_problems_in_color(golden: Golden) -> None:
    """The severity and the caret carry the colour."""
    golden("problems-color.txt", problems_text(PROBLEMS, Style(color=True, width=80)))


def test_a_pipe_gets_one_line_per_problem_to_match() -> None:
    """Editors and CI read `file:line:column: error[CODE]: what` with a pattern."""
    lines = problems_text(PROBLEMS, Style(color=False, width=0)).splitlines()
    for p in PROBLEMS:
        place = f"{p.file}:{p.line}:{p.column}" if p.line else p.file
        assert f"{place}: {p.severity}[{p.code}]: {p.what}" in lines


@pytest.mark.parametrize("width", [40, 57, 80, 0])
@pytest.mark.parametrize(
    ("before", "word", "after"),
    [
        ("", "here", ""),
        ("key: ", "here", " # more"),
        ("\tkey:\t", "here", "\t# more"),
        ("名前名前: ", "here", "名前" * 60),
        ("x" * 500, "here", "y" * 500),
        ("名" * 500, "here", "前" * 500),
        ("e\u0301" * 30, "here", ""),
        ("\x1b[31mred\x1b[0m \u202e", "here", ""),
    ],
)
def test_the_caret_is_under_the_column(width: int, before: str, word: str, after: str) -> None:
    """Tabs, wide characters, escapes and long lines do not move the caret off its word."""
    problem = Problem(
        file="f",
        line=1,
        column=len(before) + 1,
        code="X",
        what="w",
        source_line=before + word + after,
    )
    style = Style(color=False, width=width)
    _, source, caret, *_ = problems_text((problem,), style).splitlines()
    column = caret.index("^")
    assert caret.strip(" │") == "^"
    at = max(n for n in range(len(source)) if cell_width(source[:n]) == column)
    assert source[at:].startswith(word), (source, caret)


def test_a_caret_behind_the_end() -> None:
    """A missing thing at the end of a line is pointed at behind the line."""
    problem = Problem(file="f", line=3, column=5, code="X", what="w", source_line="key:")
    _, source, caret, *_ = problems_text((problem,), PLAIN).splitlines()
    assert (source, caret) == (" 3 │ key:", "   │     ^")


def test_every_exit_of_the_tree_is_rendered() -> None:
    """No error of the tree is left to Python's own words."""
    assert error_text(OrchestrateError("what", hint="way out"), PLAIN) == (
        "error: what\nhint:  way out\n"
    )
    assert error_text(OrchestrateError("what"), PLAIN) == "error: what\n"
    assert error_text(Interrupted(2), PLAIN) == "stopped by SIGINT\n"
