"""The real doors, put together."""

from __future__ import annotations

from pathlib import Path

from orchestrator.cli.doors import REAL
from orchestrator.cli.workplace import Places
from orchestrator.doors.files import RealFiles
from orchestrator.observe.load_files import load_files
from tests.cli.stage import Stage


def test_opening_the_doors_writes_nothing_and_asks_nobody(stage: Stage, tmp_path: Path) -> None:
    """A plan must leave no database behind, and no cache where it was not used."""
    files = RealFiles(stage.directory / "hierarchy.yaml")
    places = Places(
        hierarchy_dir=str(stage.directory),
        state=str(tmp_path / "state" / "state.db"),
        logs=str(tmp_path / "state" / "logs"),
        cache=str(tmp_path / "cache"),
    )
    with REAL.doors(load_files(files), files, places) as doors:
        assert doors.files is files
        assert doors.history.runs() == ()
    with REAL.history(places) as history:
        assert history.runs() == ()
    assert not (tmp_path / "state").exists()
    assert not (tmp_path / "cache").exists()
