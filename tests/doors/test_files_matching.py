"""What a pattern names in the hierarchy's directory: one contract for the disk and for its twin."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrator.doors.memory.files import Directory, Entry, Executable, Faulty, Special, Symlink
from orchestrator.doors.tree import Kind
from orchestrator.errors import InvalidInput
from tests.doors.trees import BOTH_DOORS, Build, in_memory, on_disk

TREE: Mapping[str, Entry] = {
    "hierarchy.yaml": b"",
    "teams/a.yaml": b"a",
    "teams/B.yaml": b"",
    "teams/[c].yaml": b"",
    "teams/.hidden.yaml": b"",
    "teams/.#lock.yaml": Symlink(target="nobody@nowhere"),
    "teams/notes.txt": b"",
    "teams/run.yaml": Executable(content=b""),
    "teams/sub.yaml/x.yaml": b"",
    "teams/deep/er/d.yaml": b"",
    "teams/.git/e.yaml": b"",
    "linked": Symlink(target="teams"),
    "links/file.yaml": Symlink(target="../teams/a.yaml"),
    "links/directory.yaml": Symlink(target="../teams"),
    "links/gone.yaml": Symlink(target="nothing"),
    "links/loop.yaml": Symlink(target="loop.yaml"),
    "odd/pipe.yaml": Special(kind=Kind.FIFO),
    "empty": Directory(),
}


YAMLS = "teams/B.yaml teams/[c].yaml teams/a.yaml"
RUN = "teams/run.yaml"


@pytest.fixture(params=BOTH_DOORS)
def build(request: pytest.FixtureRequest) -> Build:
    chosen: Build = request.param
    return chosen


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("teams/a.yaml", "teams/a.yaml"),
        ("./teams//a.yaml", "teams/a.yaml"),
        ("linked/a.yaml", "linked/a.yaml"),
        ("linked/*.yaml", "linked"),
        ("linked/**", "linked"),
        ("link*/a.yaml", ""),
        ("links/gone.yaml/*", "links/gone.yaml"),
        ("links/file.yaml/*", ""),
        ("teams/z.yaml", ""),
        ("teams", ""),
        ("teams/a.yaml/x", "teams/a.yaml/x"),
        ("teams/*.yaml", f"{YAMLS} {RUN}"),
        ("teams/?.yaml", "teams/B.yaml teams/a.yaml"),
        ("teams/[c].y*", "teams/[c].yaml"),
        ("teams/[ab].y*", ""),
        ("teams/.h*", "teams/.hidden.yaml"),
        ("teams/**", f"{YAMLS} teams/deep/er/d.yaml teams/notes.txt {RUN} teams/sub.yaml/x.yaml"),
        ("teams/**/d.yaml", "teams/deep/er/d.yaml"),
        ("teams/**/a.yaml", "teams/a.yaml"),
        ("**/a.yaml", "teams/a.yaml"),
        ("*/a.yaml", "teams/a.yaml"),
        ("*", "hierarchy.yaml"),
        ("links/*", "links/file.yaml links/gone.yaml links/loop.yaml"),
        ("odd/*", "odd/pipe.yaml"),
        ("empty/*", ""),
        ("nothing/*", ""),
        ("hierarchy.yaml/*", ""),
        ("../*", ""),
        ("teams/../*", ""),
        ("../a.yaml", ""),
        ("teams/../hierarchy.yaml", ""),
        ("/etc/hosts", ""),
        ("/etc/host*", ""),
        ("a\0*", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_what_a_pattern_names(build: Build, pattern: str, expected: str) -> None:
    """Names in sorted order; wildcards enter neither hidden nor symlinked directories."""
    with build(TREE) as world:
        assert " ".join(world.files.matching(pattern)) == expected


def test_a_directory_that_cannot_be_listed_is_named_itself(build: Build) -> None:
    """So that reading it says why files may be missing."""
    entries: dict[str, Entry] = {"teams/a.yaml": b"", "teams/shut": Faulty(kind=Kind.DIRECTORY)}
    with build(entries) as world:
        assert world.files.matching("teams/**/*.yaml") == ("teams/a.yaml", "teams/shut")
        assert reason(world.files.text, "teams/shut") == "cannot be read: Permission denied"


def test_a_symlink_that_is_not_entered_is_named_itself(build: Build) -> None:
    """Whoever keeps files behind it hears that they are not read."""
    with build(TREE) as world:
        why = "is a symlink to a directory, which no pattern enters"
        assert reason(world.files.text, "linked") == why


def test_text_is_the_file_to_the_byte(build: Build) -> None:
    """Through a symlink too, as long as it stays inside."""
    with build(TREE) as world:
        assert world.files.text("teams/a.yaml") == b"a"
        assert world.files.text("links/file.yaml") == b"a"


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        (None, "does not exist"),
        (Directory(), "is a directory, not a file"),
        (Special(kind=Kind.FIFO), "is a FIFO, not a file"),
        (Special(kind=Kind.SOCKET), "is a socket, not a file"),
        (Faulty(), "cannot be read: Permission denied"),
        (bytes((4 << 20) + 1), "is larger than 4 MiB"),
        (Symlink(target="a.yaml"), "is a symlink that leads back to itself"),
        (Symlink(target="gone"), "is a symlink to something that does not exist"),
        (Symlink(target="../a"), "is a symlink that leaves the hierarchy's directory"),
        (Symlink(target="/etc/hostname"), "is a symlink to an absolute path; make it relative"),
    ],
)
def test_what_cannot_be_read_is_one_problem(build: Build, entry: Entry | None, what: str) -> None:
    """With the path as the user would write it; nothing waits for a writer."""
    with build({} if entry is None else {"a.yaml": entry}) as world:
        assert reason(world.files.text, "a.yaml") == what


def test_a_file_of_exactly_4_mib_is_read(build: Build) -> None:
    """The limit itself is allowed."""
    with build({"a.yaml": bytes(4 << 20)}) as world:
        assert len(world.files.text("a.yaml")) == 4 << 20


def test_names_that_are_no_text_are_found() -> None:
    """A name is bytes; what is not UTF-8 in it comes back when the file is read."""
    with on_disk({"a.yaml": b""}) as world:
        root = Path(os.path.dirname(os.path.abspath(world.files.name)))
        Path(os.fsdecode(os.fsencode(root) + b"/\xff.yaml")).write_bytes(b"x")
        (first, last) = world.files.matching("*.yaml")
        assert (first, world.files.text(last)) == ("a.yaml", b"x")


def test_a_hostile_pattern_costs_little() -> None:
    """Stars do not go back, and no directory is looked into twice for one part."""
    entries: dict[str, Entry] = {f"a/b/c/d{n}/{'a' * 200}": b"" for n in range(20)}
    start = time.process_time()
    with in_memory(entries) as world:
        assert world.files.matching("**/" * 300 + "*a" * 100 + "*b") == ()
    assert time.process_time() - start < 5


def reason(text: object, path: str) -> str:
    """Return why a file cannot be read."""
    assert callable(text)
    with pytest.raises(InvalidInput) as caught:
        text(path)
    (problem,) = caught.value.problems
    assert (os.path.basename(problem.file), problem.code) == (os.path.basename(path), "BAD-INCLUDE")
    return problem.what
