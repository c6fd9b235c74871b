"""The file that knows of contexts: what damages it, who shares it, and where it is trusted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.doors.context_cache import KEPT_S, is_local
from orchestrator.doors.disk import DiskTree
from orchestrator.doors.files import RealFiles
from tests.doors.places import Place, a_place
from tests.doors.trees import DOCKERFILE


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return a_place(tmp_path)


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "deleted": lambda file: file.unlink(),
    "empty": lambda file: file.write_bytes(b""),
    "truncated": lambda file: file.write_bytes(file.read_bytes()[:-1]),
    "one byte": lambda file: file.write_bytes(flipped(file.read_bytes(), -60)),
    "text": lambda file: file.write_bytes(b"{}" * 1000),
    "another version": lambda file: file.write_bytes(
        file.read_bytes().replace(b"contexts 1", b"contexts 2")
    ),
    "a directory": lambda file: directory(file),
    "writable by others": lambda file: file.chmod(0o666),
    "all caches deleted": lambda file: shutil.rmtree(file.parent),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_cache_counts_as_none(place: Place, name: str) -> None:
    """Deleted, cut, changed or foreign: the files are read, and nothing fails."""
    source = place.look().source
    DAMAGES[name](place.file())
    assert place.look().source == source
    assert place.read == ["app/one", "app/sub/three", "app/two"]


def test_a_file_of_somebody_else_is_not_believed(place: Place) -> None:
    """Who can write the cache could hide an edit: only our own file counts."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to give a file away")
    place.look()
    os.chown(place.file(), 65534, 65534)
    place.look()
    assert place.read != []


def test_a_cache_that_cannot_be_written_is_no_error(place: Place) -> None:
    """A file stands where its directory should be: every look reads, and says nothing."""
    place.caches.write_text("in the way")
    for _ in range(2):
        assert place.look().source == place.fresh().source
        assert place.read != []


def test_nothing_is_written_where_nothing_was_learnt(place: Place) -> None:
    """A look at what is known leaves the file alone; one a day later says that it is in use."""
    place.look()
    before = place.file().stat()
    place.look()
    assert place.file().stat() == before
    place.clock.sleep(86_400)
    place.look()
    assert place.file().stat().st_ino != before.st_ino


def test_several_processes_share_it(place: Place) -> None:
    """Each replaces the file as a whole; whoever is last wins, and it is never half a file."""
    caches = [place.cache() for _ in range(3)]
    for number, cache in enumerate(caches):
        tree = DiskTree(place.root)
        place.context(tree, cache, (), DOCKERFILE + b"#" * number)
    for cache in reversed(caches):
        cache.save()
    place.look()
    assert place.read == []
    assert [file.name for file in place.caches.iterdir()] == [place.file().name]


def test_what_is_not_used_is_dropped(place: Place) -> None:
    """A month without use ends what is known of a context, and of a whole hierarchy."""
    for n in range(100):
        place.look(content=DOCKERFILE + b"#" * n)
    size_bytes = place.file().stat().st_size
    for name in ("gone", ".new-left"):
        (place.caches / name).write_text("old")
        os.utime(place.caches / name, (1, 1))
    for _ in range(3):
        place.clock.sleep(KEPT_S / 2)
        place.look()
    assert place.file().stat().st_size < size_bytes / 50


MOUNTS = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 27 0:26 / /home rw shared:2 master:3 - nfs4 server:/home rw
31 30 8:1 / /home/fast rw - xfs /dev/sda1 rw
32 27 0:27 / /work/data rw - fuse.sshfs far rw
33 27 0:28 / /odd\\040name rw - 9p host rw
34 27 0:29 / /over rw - nfs far rw
35 34 0:30 / /over rw - overlay overlay rw
"""


@pytest.mark.parametrize(
    ("directory", "local"),
    [
        ("/srv/gold", True),
        ("/homestead", True),
        ("/home/me/gold", False),
        ("/home/fast/gold", True),
        ("/work/gold", True),
        ("/work", False),
        ("/", False),
        ("/odd name/gold", False),
        ("/over/gold", True),
    ],
)
def test_only_times_of_this_machine_are_trusted(
    tmp_path: Path, directory: str, local: bool
) -> None:
    """A file server has a clock of its own, so what it holds, or a part of it, is always read."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert is_local(Path(directory), mounts) is local


@pytest.mark.parametrize("text", [None, "", "nonsense\n", "22 27 0:21 / / rw\n"])
def test_without_knowing_the_mounts_nothing_is_trusted(tmp_path: Path, text: str | None) -> None:
    """Elsewhere than on Linux, or where the list is strange, everything is read."""
    mounts = tmp_path / "mountinfo"
    if text is not None:
        mounts.write_text(text)
    assert not is_local(Path("/srv"), mounts)


def test_the_files_door_uses_it(place: Place) -> None:
    """Two commands on the real door: the second one knows, and an edit is seen by the third."""
    if not is_local(place.root):
        pytest.skip("this file system's times are not trusted")
    sources = []
    for text in ("eno", "eno", "ONE"):
        if text != "eno":
            (place.root / "app" / "one").write_text(text)
        files = RealFiles(place.root / "hierarchy.yaml")
        with files.cached(place.caches, place.clock):
            sources.append(files.context("app", "app/Dockerfile").source)
    assert sources[0] == sources[1] != sources[2]
    assert place.file().stat().st_size < 1000
    place.look()
    assert place.read == []
