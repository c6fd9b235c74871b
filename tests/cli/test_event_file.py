"""Where events go, and what may be wrong with it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from orchestrator.cli.event_file import EventFile
from orchestrator.errors import Unavailable

SHORT_S = 0.2


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A named pipe."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def test_every_line_is_there_at_once(tmp_path: Path) -> None:
    """Nothing is held back until the end, and what was there before is gone."""
    path = tmp_path / "events"
    path.write_text("old and long\n")
    events = EventFile(str(path))
    assert events.write("one") == ""
    assert path.read_text() == "one\n"
    events.write("two")
    assert path.read_text() == "one\ntwo\n"
    events.close()
    assert events.write("three") == ""
    assert path.read_text() == "one\ntwo\n"


def test_a_pipe_that_nobody_reads(pipe: Path) -> None:
    """It is not waited for for ever."""
    with pytest.raises(Unavailable, match="nobody reads the pipe"):
        EventFile(str(pipe), SHORT_S)


def test_a_reader_that_comes_a_little_late(pipe: Path) -> None:
    """A shell starts both at once, and nobody knows which is first."""
    handles: list[int] = []
    late = threading.Timer(0.1, lambda: handles.append(os.open(pipe, os.O_RDONLY)))
    late.start()
    events = EventFile(str(pipe), 5.0)
    late.join()
    assert events.write("one") == ""
    assert os.read(handles[0], 100) == b"one\n"
    events.close()
    os.close(handles[0])


def test_a_reader_that_stops_reading(pipe: Path) -> None:
    """One sentence; the run is not held up."""
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    events = EventFile(str(pipe), SHORT_S)
    said = [events.write("x" * 1000) for _ in range(100)]
    assert [line for line in said if line] == [
        f"events are no longer written to {pipe}: its reader has stopped reading; the run goes on"
    ]
    os.close(reader)


def test_a_reader_that_goes_away(pipe: Path) -> None:
    """One sentence, and silence afterwards."""
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    events = EventFile(str(pipe), SHORT_S)
    assert events.write("one") == ""
    os.close(reader)
    assert events.write("two") == (
        f"events are no longer written to {pipe}: nobody reads it; the run goes on"
    )
    assert events.write("three") == ""


def test_a_full_disk() -> None:
    """One sentence as well."""
    assert "No space left on device" in EventFile("/dev/full").write("one")


def test_a_slow_reader_gets_everything(pipe: Path) -> None:
    """More than a pipe holds is written in pieces."""
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reader, True)
    events = EventFile(str(pipe), 5.0)
    got = bytearray()

    def read() -> None:
        while chunk := os.read(reader, 4096):
            got.extend(chunk)

    thread = threading.Thread(target=read)
    thread.start()
    assert events.write("x" * 300_000) == ""
    events.close()
    thread.join()
    os.close(reader)
    assert bytes(got) == b"x" * 300_000 + b"\n"
