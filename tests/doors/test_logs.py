"""Build logs: one contract for those on disk and for their twin."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.doors.logs import DiskLogs
from orchestrator.doors.memory.logs import MemoryLogs
from orchestrator.doors.protocols_history import Logs
from orchestrator.errors import StateUnavailable

Write = Callable[[str, str, bytes], None]


@pytest.fixture(params=["disk", "memory"])
def door(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Logs, Write]:
    """The door, and how a builder writes a log behind it."""
    if request.param == "memory":
        twin = MemoryLogs()

        def keep(run: str, image: str, text: bytes) -> None:
            twin.texts[run, image] = text

        return twin, keep

    def write(run: str, image: str, text: bytes) -> None:
        (tmp_path / run).mkdir(exist_ok=True)
        (tmp_path / run / f"{image}.log").write_bytes(text)

    return DiskLogs(str(tmp_path)), write


def test_a_log_is_read_from_anywhere(door: tuple[Logs, Write]) -> None:
    """Its size, and its bytes from an offset, as many as are asked for."""
    logs, write = door
    write("run", "base", b"one\ntwo\n\xff")
    assert logs.size_bytes("run", "base") == 9
    assert logs.read("run", "base", 0, 4) == b"one\n"
    assert logs.read("run", "base", 4, 100) == b"two\n\xff"
    assert logs.read("run", "base", 9, 100) == b""
    assert logs.read("run", "base", 99, 100) == b""


def test_a_log_that_is_not_there(door: tuple[Logs, Write]) -> None:
    """No size, and nothing to read."""
    logs, write = door
    write("run", "base", b"x")
    for run, image in (("run", "python"), ("other", "base")):
        assert logs.size_bytes(run, image) is None
        assert logs.read(run, image, 0, 10) == b""


def test_each_platform_may_have_a_log(door: tuple[Logs, Write]) -> None:
    """By their names, and never those of an image whose id only begins alike."""
    logs, write = door
    for name in ("base@linux-arm64", "base@linux-amd64", "base.x", "base.x@linux-amd64", "bas"):
        write("run", name, name.encode())
    write("other", "base", b"x")
    assert logs.names("run", "base") == ("base@linux-amd64", "base@linux-arm64")
    assert logs.read("run", "base@linux-arm64", 0, 99) == b"base@linux-arm64"
    assert logs.names("other", "base") == ("base",)
    assert logs.names("run", "python") == logs.names("none", "base") == ()
    assert logs.names("run", "../other/base") == logs.names("..", "base") == ()


def test_an_empty_log_is_there(door: tuple[Logs, Write]) -> None:
    """A build that has just begun has one."""
    logs, write = door
    write("run", "base", b"")
    assert logs.size_bytes("run", "base") == 0


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "..", ".", "", "a\0b", "x" * 300])
def test_a_name_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    """What a user types as an image is not a path."""
    (tmp_path / "secret.log").write_text("secret")
    (tmp_path / "logs" / "run").mkdir(parents=True)
    logs = DiskLogs(str(tmp_path / "logs"))
    for run, image in (("run", name), (name, "secret")):
        assert logs.size_bytes(run, image) is None
        assert logs.read(run, image, 0, 10) == b""


def test_a_directory_is_no_log(tmp_path: Path) -> None:
    """Nor is anything else that is no file."""
    (tmp_path / "run" / "base.log").mkdir(parents=True)
    assert DiskLogs(str(tmp_path)).size_bytes("run", "base") is None


def test_a_log_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """It is never taken for one that is not there."""
    (tmp_path / "run").mkdir()
    os.symlink("base.log", tmp_path / "run" / "base.log")
    with pytest.raises(StateUnavailable, match=r"cannot read the log .*base.log"):
        DiskLogs(str(tmp_path)).read("run", "base", 0, 10)
