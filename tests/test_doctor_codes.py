"""The tables of codes in docs/reference/doctor.md, kept true."""

from __future__ import annotations

import re
from pathlib import Path

from orchestrator.model.finding import Area, Code, Finding, Level

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "doctor.md"


def test_every_code_is_documented_in_its_area() -> None:
    """Scripts compare codes, people look them up."""
    documented: dict[str, str] = {}
    area = ""
    for line in PAGE.read_text().splitlines():
        if line.startswith("## "):
            area = line.removeprefix("## ").lower()
        elif found := re.match(r"\| ([a-z]+-[a-z]+) \|", line):
            documented[found[1]] = area
    codes = {str(code): Finding(code=code, level=Level.OK, what="").area for code in Code}
    assert documented == {code: str(area) for code, area in codes.items()}
    assert set(codes.values()) == set(Area)
