"""Contexts that are not read again: what is spared, and that nothing is ever missed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.doors.context import read_context
from orchestrator.doors.context_cache import TICK_S, ContextCache, Stamp
from orchestrator.doors.ignore import Filter
from orchestrator.doors.memory.clock import MemoryClock
from orchestrator.doors.memory.files import MemoryTree
from orchestrator.doors.tree import Dockerfile
from orchestrator.errors import Conflict, InvalidInput
from tests.doors.places import EARLIER_NS, CountingTree, Place, a_place
from tests.doors.trees import DOCKERFILE


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return a_place(tmp_path)


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
