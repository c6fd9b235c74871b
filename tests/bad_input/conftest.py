"""Fixtures of the table: a world of twins, a directory to stand in, and the goldens."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bad_input.row import Row, section
from tests.cli.conftest import home as home
from tests.cli.stage import Stage

GOLDEN = Path(__file__).parent / "golden"

Compare = Callable[[str, tuple[Row, ...], Row, str], None]


@pytest.fixture
def stage(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """An empty directory in which the user stands, and which others may enter."""
    root = Path(tempfile.mkdtemp(prefix="bad-", dir="/tmp"))
    root.chmod(0o755)
    monkeypatch.chdir(root)
    yield Stage(directory=root, captured=capsys.readouterr)
    shutil.rmtree(root)


@pytest.fixture
def compare() -> Compare:
    """Compare a row's output with its section of ``golden/GROUP.md``.

    ``UPDATE_GOLDEN=1 pytest tests/bad_input`` writes the sections anew: read the difference
    before it is committed.
    """
    return _compare


def sections(group: str) -> dict[str, str]:
    """Return name → section of a golden."""
    path = GOLDEN / f"{group}.md"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    parts = text.split("\n## ")[1:]
    return {part.partition("\n")[0]: f"## {part.rstrip()}\n" for part in parts}


def _compare(group: str, rows: tuple[Row, ...], row: Row, output: str) -> None:
    text = section(row, output)
    if os.environ.get("UPDATE_GOLDEN"):
        found = {**sections(group), row.name: text}
        ordered = [found[one.name] for one in rows if one.name in found]
        page = "\n".join([f"# Bad input: {group}\n", *ordered])
        (GOLDEN / f"{group}.md").write_text(page, encoding="utf-8")
    assert text == sections(group)[row.name]
