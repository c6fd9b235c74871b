"""The table of problem codes in docs/reference/errors.md, kept true."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.load.problems import Problems, SourceFile

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "reference" / "errors.md"
CODE = re.compile(r"[A-Z]+(?:-[A-Z0-9]+)*")
#: Calls that make a problem, and where a code stands in them if it has no keyword.
MAKERS = {
    "error": 0, "warn": 0, "_once": 0, "Complaint": 0, "Unreadable": 0,
    "problem": 1, "_refuse": 1, "Finding": 1, "trouble": 1, "_problem": 2, "keep": 3,
}  # fmt: skip


def codes_in(source: str) -> Iterator[str]:
    """Yield the codes that a module's calls can give."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        name = node.func.id if isinstance(node.func, ast.Name) else name
        given = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
        if name in MAKERS and len(node.args) > MAKERS[name]:
            given.append(node.args[MAKERS[name]])
        for value in given:
            if (
                isinstance(value, ast.Constant)
                and isinstance(value.value, str)
                and CODE.fullmatch(value.value)
            ):
                yield value.value


def documented() -> list[str]:
    return re.findall(r"^\| ([A-Z][A-Z0-9-]+) \|", PAGE.read_text(), re.MULTILINE)


def test_every_code_is_documented_once_and_every_documented_code_exists() -> None:
    """Scripts compare codes, people look them up."""
    found: set[str] = set()
    for path in (ROOT / "orchestrator").rglob("*.py"):
        found |= set(codes_in(path.read_text()))
    assert sorted(documented()) == sorted(found)


def test_every_row_has_a_meaning_and_a_way_out() -> None:
    """A code without help is noise."""
    rows = [row.strip("|").split("|") for row in PAGE.read_text().splitlines() if row[:2] == "| "]
    assert [row for row in rows if len(row) != 3 or not all(cell.strip() for cell in row)] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('problems.error("A-B", spot, "what")', ["A-B"]),
        ('Finding(line, "A-B", what)', ["A-B"]),
        ('Problem(code="A-B")', ["A-B"]),
        ('problems.error(code, spot, "what")', []),
        ('other("A-B")', []),
    ],
)
def test_codes_are_found_where_problems_are_made(text: str, expected: list[str]) -> None:
    """The search itself, so that it cannot pass by finding nothing."""
    assert list(codes_in(text)) == expected


def test_problems_are_sorted_with_the_hierarchy_file_first() -> None:
    """Whatever order they were found in, each is there once."""
    problems = Problems(SourceFile("hierarchy.yaml", "a\nb\n"))
    for file, line in (("a/Dockerfile", 1), ("hierarchy.yaml", 2), ("hierarchy.yaml", 1)) * 2:
        problems.keep(file, line, 1, "CYCLE", "what", "", "", "error")
    expected = [("hierarchy.yaml", 1), ("hierarchy.yaml", 2), ("a/Dockerfile", 1)]
    assert [(p.file, p.line) for p in problems.sorted()] == expected
