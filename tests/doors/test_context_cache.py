"""Contexts that are not read again: what is spared, and that nothing is ever missed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.doors.context import TarContext, read_context
from orchestrator.doors.context_cache import KEPT_S, TICK_S, ContextCache, Stamp, is_local
from orchestrator.doors.files import DiskTree, RealFiles
from orchestrator.doors.ignore import Filter
from orchestrator.doors.memory.clock import MemoryClock
from orchestrator.doors.memory.files import MemoryTree
from orchestrator.doors.tree import Dockerfile, OpenedFile
from orchestrator.errors import Conflict, InvalidInput
from tests.doors.trees import DOCKERFILE

EARLIER_NS = 1_000_000_000 * 10**9


class CountingTree(DiskTree):
    """A directory that knows which files were opened."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.opened: list[str] = []

    def open(self, path: str) -> OpenedFile:
        self.opened.append(path)
        return super().open(path)


@dataclass
class Place:
    """A hierarchy's directory, and where its cache is.

    Attributes:
        root: the directory.
        caches: what is known of contexts.
        clock: of every cache; some time after the files were written.
        read: files opened by the last look.
    """

    root: Path
    caches: Path
    clock: MemoryClock
    read: list[str] = field(default_factory=list)

    def cache(self) -> ContextCache:
        return ContextCache(self.caches, self.root, self.clock)

    def look(self, ignore: tuple[str, ...] = (), content: bytes = DOCKERFILE) -> TarContext:
        """Look at the context as one command does, and keep what it learnt."""
        tree, cache = CountingTree(self.root), self.cache()
        try:
            return self.context(tree, cache, ignore, content)
        finally:
            cache.save()
            self.read = list(tree.opened)

    def fresh(self, ignore: tuple[str, ...] = (), content: bytes = DOCKERFILE) -> TarContext:
        """Look at it without any cache."""
        return self.context(DiskTree(self.root), None, ignore, content)

    @staticmethod
    def context(
        tree: DiskTree, cache: ContextCache | None, ignore: tuple[str, ...], content: bytes
    ) -> TarContext:
        dockerfile = Dockerfile(path="app/Dockerfile", content=content)
        filtered = Filter(list(ignore))
        return read_context(tree, "app", dockerfile, filtered, shown=str, cache=cache)

    def file(self) -> Path:
        (file,) = self.caches.iterdir()
        return file


@pytest.fixture
def place(tmp_path: Path) -> Place:
    app = tmp_path / "tree" / "app"
    (app / "sub").mkdir(parents=True)
    (app / "Dockerfile").write_bytes(DOCKERFILE)
    for name in ("one", "two", "sub/three"):
        (app / name).write_text(name[-3:])
        os.utime(app / name, ns=(EARLIER_NS, EARLIER_NS))
    (app / "link").symlink_to("one")
    now_s = (app / "one").stat().st_ctime + 10
    return Place(tmp_path / "tree", tmp_path / "caches", MemoryClock(now_s))


def test_an_unchanged_context_is_not_read_again(place: Place) -> None:
    """The second look opens no file, and gives the same hashes and the same archive."""
    first = place.look()
    assert place.read == ["app/one", "app/sub/three", "app/two"]
    again = place.look()
    assert place.read == []
    assert again.source == first.source == place.fresh().source
    assert again.dockerfile == first.dockerfile
    assert b"".join(again.archive()) == b"".join(first.archive())


def test_a_dockerfile_outside_the_context_is_sent_all_the_same(place: Place) -> None:
    """The Dockerfile that is added at the end is neither cached nor forgotten."""
    for content in (DOCKERFILE, DOCKERFILE + b"# why\n"):
        for _ in range(2):
            found = place.look(("Dockerfile",), content)
            fresh = place.fresh(("Dockerfile",), content)
            assert found.source == fresh.source
            assert b"".join(found.archive()) == b"".join(fresh.archive())
        assert place.read == []


def keep_times(file: Path, change: Callable[[Path], object]) -> None:
    """Change a file, then put its times back, as ``touch -r`` and ``rsync -t`` do."""
    before = file.lstat()
    change(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns), follow_symlinks=False)


def swap(one: Path, two: Path) -> None:
    between = one.with_name("between")
    one.rename(between)
    two.rename(one)
    between.rename(two)


def link(file: Path) -> None:
    file.unlink()
    file.symlink_to("two")


EDITS: dict[str, Callable[[Path], object]] = {
    "equal size": lambda app: (app / "one").write_text("ONE"),
    "equal size and mtime": lambda app: keep_times(app / "one", lambda f: f.write_text("ONE")),
    "other size": lambda app: (app / "one").write_text("longer"),
    "executable": lambda app: keep_times(app / "one", lambda f: f.chmod(0o755)),
    "swapped": lambda app: swap(app / "one", app / "two"),
    "swapped directories": lambda app: swap(app / "sub", app.parent / "other"),
    "replaced": lambda app: (app.parent / "like-one").replace(app / "one"),
    "replaced by a link": lambda app: link(app / "two"),
    "retargeted": lambda app: keep_times(app / "link", link),
    "added": lambda app: (app / "new").write_text(""),
    "added empty directory": lambda app: (app / "empty").mkdir(),
    "removed": lambda app: (app / "two").unlink(),
    "renamed directory": lambda app: (app / "sub").rename(app / "sup"),
    "renamed": lambda app: (app / "two").rename(app / "sub" / "two"),
}


@pytest.mark.parametrize("name", EDITS)
def test_every_edit_is_noticed(place: Place, name: str) -> None:
    """Whatever is done to a file, and however its times are put back, the hash is the right one."""
    other = place.root / "other"
    other.mkdir()
    for twin, text in ((other / "three", "eer"), (place.root / "like-one", "eno")):
        twin.write_text(text)
        os.utime(twin, ns=(EARLIER_NS, EARLIER_NS))
    before = place.look().source
    EDITS[name](place.root / "app")
    after = place.look()
    assert after.source == place.fresh().source
    assert after.source != before
    place.clock.sleep(10)
    place.look()
    assert place.look().source == after.source
    assert place.read == []


def test_what_the_filter_and_the_dockerfile_say_counts(place: Place) -> None:
    """Another ignore file or another Dockerfile is another context; the old ones stay known."""
    asked: list[tuple[tuple[str, ...], bytes]] = [
        ((), DOCKERFILE), (("two",), DOCKERFILE), ((), DOCKERFILE.lower()), ((), b"FROM one\n"),
    ]  # fmt: skip
    for _ in range(2):
        for ignore, content in asked:
            assert place.look(ignore, content).source == place.fresh(ignore, content).source
    assert len({place.look(*one).source.context for one in asked}) == 4
    assert place.read == []


def test_a_file_that_changed_within_the_tick_is_read_again(place: Place) -> None:
    """As long as another change could have the same time, nothing is taken for known."""
    changed_s = (place.root / "app" / "one").stat().st_ctime
    for later_s in (-3600.0, 0.0, TICK_S):
        place.clock.set_now(changed_s + later_s)
        place.look()
        place.look()
        assert "app/one" in place.read
    place.clock.set_now(changed_s + TICK_S + 1)
    place.look()
    place.look()
    assert place.read == []


def test_times_of_the_future_are_never_trusted(place: Place) -> None:
    """A file from a machine whose clock is ahead is read each time."""
    ahead_ns = int((place.clock.now_s() + 3600) * 1e9)
    os.utime(place.root / "app" / "one", ns=(ahead_ns, ahead_ns))
    place.look()
    place.look()
    assert "app/one" in place.read


def test_a_clock_that_was_set_back_makes_what_is_known_doubtful(place: Place) -> None:
    """Times that were may come again: what was learnt later than now is not used."""
    place.look()
    place.clock.set_now(place.clock.now_s() - 5)
    place.look()
    assert place.read != []


class TickingTree(MemoryTree):
    """Files in memory on a file system that counts in ticks of two seconds."""

    def __init__(self, clock: MemoryClock) -> None:
        super().__init__()
        self.clock = clock
        self.stamps: dict[str, Stamp] = {}

    def set(self, path: str, content: bytes) -> None:
        tick_ns = int(self.clock.now_s() // 2 * 2 * 1e9)
        self.stamps[path] = Stamp(False, len(content), EARLIER_NS, tick_ns, 7, 1)
        self.write(path, content)


class TickingCache(ContextCache):
    """What is known of contexts on that file system."""

    def __init__(self, directory: Path, tree: TickingTree) -> None:
        super().__init__(directory, Path("/nowhere"), tree.clock)
        self.tree = tree

    def stamp(self, path: str) -> Stamp | None:
        return self.tree.stamps.get(path)


HAPPENINGS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.sampled_from((0.1, 0.9, 1.0, 2.0, 2.1, 5.0))),
        st.tuples(st.just("write"), st.sampled_from((b"aa", b"bb", b"c"))),
        st.tuples(st.just("look"), st.just(None)),
    ),
    max_size=30,
)


@settings(max_examples=300, deadline=None)
@given(happenings=HAPPENINGS)
def test_no_sequence_of_edits_and_looks_is_ever_decided_wrongly(
    happenings: list[tuple[str, object]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """On coarse times, with sizes and inodes that stay, each look gives what is there."""
    clock = MemoryClock()
    tree = TickingTree(clock)
    tree.set("app/f", b"aa")
    cache = TickingCache(tmp_path_factory.getbasetemp() / "unused", tree)
    dockerfile = Dockerfile(path="Dockerfile", content=DOCKERFILE)
    for what, value in [*happenings, ("look", None)]:
        if isinstance(value, float):
            clock.sleep(value)
        elif isinstance(value, bytes):
            tree.set("app/f", value)
        else:
            assert what == "look"
            found = read_context(tree, "app", dockerfile, Filter([]), shown=str, cache=cache)
            right = read_context(tree, "app", dockerfile, Filter([]), shown=str)
            assert found.source == right.source


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


def test_an_edit_after_the_look_is_named_and_never_sent(place: Place) -> None:
    """A file that was not read is compared before it is sent: the message names it."""
    place.look()
    context = place.look()
    assert place.read == []
    keep_times(place.root / "app" / "sub" / "three", lambda file: file.write_text("eee"))
    with pytest.raises(Conflict, match=r"app/sub/three changed since it was hashed"):
        list(context.archive())


def test_a_change_that_shows_in_nothing_is_never_sent(place: Place) -> None:
    """A write through a mapping may leave the times alone: the end has another hash, so the tar
    is spoilt, the context is named, and the next look reads it.
    """

    class Blind(ContextCache):
        """Sees what was there at first."""

        def __init__(self) -> None:
            super().__init__(place.caches, place.root, place.clock)
            self.seen: dict[str, Stamp | None] = {}

        def stamp(self, path: str) -> Stamp | None:
            return self.seen.setdefault(path, super().stamp(path))

    cache = Blind()
    tree = CountingTree(place.root)
    place.context(tree, cache, (), DOCKERFILE)
    (place.root / "app" / "one").write_text("ONE")
    tree.opened.clear()
    context = place.context(tree, cache, (), DOCKERFILE)
    assert tree.opened == []
    sent = bytearray()
    with pytest.raises(Conflict, match=r"^app changed since it was hashed"):  # noqa: PT012
        for chunk in context.archive():
            sent += chunk
    assert sent.endswith(b"\xff" * 512)
    again = place.context(tree, cache, (), DOCKERFILE)
    assert again.source == place.fresh().source


def test_a_context_with_problems_is_not_kept(place: Place) -> None:
    """A file that cannot be sent is named each time."""
    os.mkfifo(place.root / "app" / "pipe")
    for _ in range(2):
        with pytest.raises(InvalidInput) as caught:
            place.look()
        assert [problem.file for problem in caught.value.problems] == ["app/pipe"]
    assert not place.caches.exists()


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
