"""Room on disk between the builder and the registry: what is in it, and that it goes away."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.doors.spool import PREFIX, DiskSpool
from orchestrator.errors import Unavailable
from orchestrator.model.fingerprint import sha256

TOO_MUCH = 1 << 60


def test_directory_of_a_build_is_gone_however_it_ended(tmp_path: Path) -> None:
    """With everything in it; while it is there, its name says whose it is."""
    spool = DiskSpool(tmp_path)
    with spool.output(0) as output:
        assert Path(output.path).name.startswith(PREFIX)
        assert Path(output.path).stat().st_mode & 0o777 == 0o700
        Path(output.path, "ingest").mkdir()
        Path(output.path, "ingest", "data").write_bytes(b"x")

    def fail() -> None:
        with spool.output(0) as output:
            output.leave_out(sha256(b""), 5)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """Not what a living one uses, nor what is only a moment old, nor anybody else's."""
    with DiskSpool(tmp_path).output(0) as used:
        for name in (f"{PREFIX}left", f"{PREFIX}young", "other"):
            (tmp_path / name / "blobs").mkdir(parents=True)
        for old in (Path(used.path), tmp_path / f"{PREFIX}left", tmp_path / "other"):
            os.utime(old, (1, 1))
        with DiskSpool(tmp_path).output(0) as mine:
            names = {path.name for path in tmp_path.iterdir()}
            assert names - {Path(mine.path).name} == {
                Path(used.path).name,
                f"{PREFIX}young",
                "other",
            }


def test_hole_has_the_size_and_takes_no_room(tmp_path: Path) -> None:
    """However large the layer is that stays where it is."""
    digest = sha256(b"a layer")
    with DiskSpool(tmp_path).output(0) as output:
        assert output.size_bytes(digest) is None
        output.leave_out(digest, 50 << 20)
        assert output.size_bytes(digest) == 50 << 20
        (hole,) = Path(output.path).rglob(digest.partition(":")[2])
        assert hole.stat().st_blocks < 100
        assert len(next(iter(output.chunks(digest)))) == 1 << 20


def test_what_is_held_can_be_read_again(tmp_path: Path) -> None:
    """From its beginning each time, small or large."""
    for content in (b"small", b"x" * (3 << 20)):
        with DiskSpool(tmp_path).hold(iter((content,)), len(content)) as chunks:
            assert [b"".join(chunks), b"".join(chunks)] == [content] * 2


def test_no_room_is_said_before_anything_is_written(tmp_path: Path) -> None:
    """With the place, and a way out."""

    def untouched() -> Iterator[bytes]:
        yield b""
        raise AssertionError

    spool = DiskSpool(tmp_path)
    with pytest.raises(Unavailable, match="MiB free; a layer of") as failed:
        spool.hold(untouched(), TOO_MUCH).__enter__()
    assert "TMPDIR" in failed.value.hint
    with pytest.raises(Unavailable, match="MiB free; a build's result of"):
        spool.output(TOO_MUCH).__enter__()
    with pytest.raises(Unavailable, match="cannot make a directory"):
        DiskSpool(tmp_path / "gone").output(0).__enter__()
    assert list(tmp_path.iterdir()) == []
