"""The manual pages that are committed: true, and without a warning from those who print them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.cli.overview import COMMANDS
from tests.cli.processes import ROOT

PAGES = ROOT / "docs" / "man"


def test_the_pages_are_what_the_code_says(tmp_path: Path) -> None:
    """If this fails: scripts/man writes them again."""
    subprocess.run(
        [sys.executable, ROOT / "scripts" / "man_pages.py", tmp_path / "man"], check=True
    )
    made = {path.name: path.read_text() for path in (tmp_path / "man").iterdir()}
    assert set(made) == {"orchestrate.1", *(f"orchestrate-{name}.1" for name in COMMANDS)}
    assert {path.name: path.read_text() for path in PAGES.iterdir()} == made


def complaints(*argv: str) -> str:
    if shutil.which(argv[0]) is None:
        pytest.skip(f"{argv[0]} is not installed")
    done = subprocess.run(argv, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
    return done.stdout + done.stderr


def every_page() -> list[str]:
    return sorted(str(path) for path in PAGES.glob("*.1"))


def test_groff_warns_of_nothing() -> None:
    """Every warning is on."""
    assert [
        said
        for page in every_page()
        if (said := complaints("groff", "-man", "-ww", "-Tutf8", "-z", page))
    ] == []


def test_mandoc_warns_of_nothing() -> None:
    """Apart from a date, which the pages leave out on purpose."""
    said = complaints("mandoc", "-Tlint", "-W", "warning", *every_page()).splitlines()
    assert [line for line in said if "missing date" not in line] == []


def test_a_page_fits_a_terminal_of_80_columns() -> None:
    """With its sections, and dashes that can be copied."""
    page = complaints(
        "groff", "-man", "-Tutf8", "-rLL=78n", "-P-c", str(PAGES / "orchestrate-plan.1")
    )
    # Bold is written as a letter, a backspace, and the letter again.
    plain = [re.sub(r".\x08", "", line) for line in page.splitlines()]
    assert max(map(len, plain)) <= 80
    assert "--detailed-exitcode" in "\n".join(plain)
    sections = [line for line in plain if line[:1].isupper() and line.isupper()]
    assert [line for line in sections if "(" not in line] == [
        "NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "SEE ALSO",
    ]  # fmt: skip


def test_the_wheel_installs_them() -> None:
    """Under share/man/man1 of wherever it goes."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert shared == {"docs/man": "share/man/man1"}
