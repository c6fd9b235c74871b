"""The files door: one contract for the directory on disk and for its twin."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.doors.disk import DiskTree
from orchestrator.doors.files import RealFiles, TreeFiles
from orchestrator.doors.memory.files import Directory, Entry, Executable, Faulty, Special, Symlink
from orchestrator.doors.tree import Kind
from orchestrator.errors import Conflict, InvalidInput
from tests.doors.trees import (
    BOTH_DOORS,
    DOCKERFILE,
    Build,
    in_memory,
    on_disk,
    problems_of,
    put_on_disk,
)


@pytest.fixture(params=BOTH_DOORS)
def build(request: pytest.FixtureRequest) -> Build:
    chosen: Build = request.param
    return chosen


def test_hierarchy_text_is_the_file_to_the_byte(build: Build) -> None:
    """The hierarchy file comes back unchanged, line ends and byte order mark included."""
    text = b"\xef\xbb\xbfversion: 1\r\n"
    with build({"hierarchy.yaml": text}) as world:
        assert world.files.hierarchy_text() == text


@pytest.mark.parametrize(
    ("entries", "what"),
    [
        ({}, "does not exist"),
        ({"hierarchy.yaml": Directory()}, "is a directory, not a file"),
        ({"hierarchy.yaml": Special(kind=Kind.FIFO)}, "is a FIFO, not a file"),
        ({"hierarchy.yaml": Special(kind=Kind.DEVICE)}, "is a device, not a file"),
        ({"hierarchy.yaml": Special(kind=Kind.SOCKET)}, "is a socket, not a file"),
        ({"hierarchy.yaml": Faulty()}, "cannot be read: Permission denied"),
        ({"hierarchy.yaml": bytes((4 << 20) + 1)}, "is larger than 4 MiB"),
    ],
)
def test_hierarchy_that_cannot_be_read_is_one_problem(
    build: Build, entries: Mapping[str, Entry], what: str
) -> None:
    """Whatever stands where the hierarchy file should be: one problem with its path, no wait."""
    with build(entries) as world, pytest.raises(InvalidInput) as caught:
        world.files.hierarchy_text()
    (problem,) = caught.value.problems
    assert (os.path.basename(problem.file), problem.what) == ("hierarchy.yaml", what)
    assert problem.hint


def test_hierarchy_of_exactly_4_mib_is_read(build: Build) -> None:
    """The limit itself is allowed."""
    with build({"hierarchy.yaml": bytes(4 << 20)}) as world:
        assert len(world.files.hierarchy_text()) == 4 << 20


def test_missing_hierarchy_names_the_path_as_the_user_wrote_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages show the relative path that was given, and a later chdir does not move the door."""
    monkeypatch.chdir(tmp_path)
    files = RealFiles("sub/hierarchy.yaml")
    with pytest.raises(InvalidInput) as caught:
        files.hierarchy_text()
    assert caught.value.problems[0].file == "sub/hierarchy.yaml"

    (tmp_path / "sub/app").mkdir(parents=True)
    (tmp_path / "sub/app/Dockerfile").write_bytes(DOCKERFILE)
    (tmp_path / "sub/app/pipe").touch()
    monkeypatch.chdir("/")
    assert files.context("app", "app/Dockerfile").source.files == 3


def test_image_files_gives_the_dockerfile_decoded(build: Build) -> None:
    """The text comes without its byte order mark and with its line ends."""
    with build({"app/Dockerfile": b"\xef\xbb\xbfFROM scratch\r\n# \xc3\xbc\n"}) as world:
        found = world.files.image_files("app", "app/Dockerfile")
    assert found.dockerfile_text == "FROM scratch\r\n# ü\n"
    assert (found.dockerfile_problem, found.context_problem) == ("", "")


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        (None, "does not exist"),
        (b" \n\t\n", "is empty"),
        (b"FROM scratch\nLABEL a=\xff\n", "is not UTF-8 (line 2)"),
        (bytes((1 << 20) + 1), "is larger than 1 MiB"),
        (Directory(), "is a directory, not a file"),
        (Special(kind=Kind.FIFO), "is a FIFO, not a file"),
        (Special(kind=Kind.SOCKET), "is a socket, not a file"),
        (Faulty(), "cannot be read: Permission denied"),
        (Symlink(target="Dockerfile"), "is a symlink that leads back to itself"),
        (Symlink(target="gone"), "is a symlink to something that does not exist"),
        (Symlink(target="../../Dockerfile"), "is a symlink that leaves the hierarchy's directory"),
        (Symlink(target="/etc/hostname"), "is a symlink to an absolute path; make it relative"),
    ],
)
def test_dockerfile_that_is_none_is_one_sentence(
    build: Build, entry: Entry | None, what: str
) -> None:
    """Whatever is wrong with the Dockerfile is said in one sentence; the context is not blamed."""
    entries: dict[str, Entry] = {"app/a": b""}
    if entry is not None:
        entries["app/Dockerfile"] = entry
    with build(entries) as world:
        found = world.files.image_files("app", "app/Dockerfile")
        assert (found.dockerfile_text, found.dockerfile_problem) == (None, what)
        assert found.context_problem == ""


@pytest.mark.parametrize(
    ("context", "what"),
    [
        ("app", ""),
        ("./app/", ""),
        ("app/../app", ""),
        ("link", ""),
        (".", ""),
        ("gone", "does not exist"),
        ("APP", "does not exist; there is 'app'"),
        ("Deep/er", "does not exist; there is 'deep'"),
        ("..", "leaves the hierarchy's directory"),
        ("app/../../app", "leaves the hierarchy's directory"),
        ("/tmp", "is an absolute path; a path relative to the hierarchy file is needed"),
        ("out", "is a symlink that leaves the hierarchy's directory"),
        ("absolute", "is a symlink to an absolute path; make it relative"),
        ("round", "is a symlink that leads back to itself"),
        ("app/Dockerfile", "is a regular file, not a directory"),
        ("app/Dockerfile/x", "does not exist: app/Dockerfile is a regular file, not a directory"),
        ("a\0b", "has a NUL character in its name"),
        ("\ud800", "has a name that is no text"),
    ],
)
def test_context_must_be_a_directory_of_the_hierarchy(
    build: Build, context: str, what: str
) -> None:
    """A context is inside the hierarchy's directory by every symlink and ``..`` on the way."""
    entries: dict[str, Entry] = {
        "app/Dockerfile": DOCKERFILE,
        "link": Symlink(target="deep/er"),
        "deep/er": Symlink(target="../app"),
        "out": Symlink(target="app/../../x"),
        "absolute": Symlink(target="/tmp"),
        "round": Symlink(target="trip/x"),
        "trip": Symlink(target="round"),
    }
    with build(entries) as world:
        assert world.files.image_files(context, "app/Dockerfile").context_problem == what
        if what:
            (line,) = problems_of(world.files, context)
            assert line.endswith(f"BAD-CONTEXT: {what}")


@given(context=st.text(), dockerfile=st.text())
@settings(max_examples=200, deadline=None)
def test_image_files_never_raises(context: str, dockerfile: str) -> None:
    """No path that YAML can hold makes the door raise."""
    found = RealFiles("/nowhere/hierarchy.yaml").image_files(context, dockerfile)
    assert found.dockerfile_problem or found.unusable


def test_every_unreadable_file_is_named_at_once(build: Build) -> None:
    """Files and directories that cannot be read are all in one error, each with a hint."""
    entries: dict[str, Entry] = {
        "app/Dockerfile": DOCKERFILE,
        "app/a": Faulty(),
        "app/b/c": Faulty(),
        "app/d": Faulty(kind=Kind.DIRECTORY),
        "app/fine": b"",
    }
    with build(entries) as world:
        assert sorted(problems_of(world.files)) == [
            f"{name}: CONTEXT-UNREADABLE: cannot be read: Permission denied" for name in "acd"
        ]


def test_what_is_ignored_may_be_unreadable(build: Build) -> None:
    """Nobody needs to read what is not sent; also not a directory entered for an exception."""
    entries: dict[str, Entry] = {
        "app/.dockerignore": b"secret\nshut\n!shut/open\npipe\n",
        "app/Dockerfile": DOCKERFILE,
        "app/secret": Faulty(),
        "app/shut": Faulty(kind=Kind.DIRECTORY),
        "app/pipe": Special(kind=Kind.FIFO),
    }
    with build(entries) as world:
        assert world.files.context("app", "app/Dockerfile").source.files == 3


@pytest.mark.parametrize(
    ("kind", "what"),
    [(Kind.FIFO, "a FIFO"), (Kind.SOCKET, "a socket"), (Kind.DEVICE, "a device")],
)
def test_special_files_are_refused_by_name(build: Build, kind: Kind, what: str) -> None:
    """A FIFO, socket or device in a context is an error that names it, never a wait."""
    with build({"app/Dockerfile": DOCKERFILE, "app/x": Special(kind=kind)}) as world:
        (line,) = problems_of(world.files)
    assert line == (f"x: CONTEXT-SPECIAL-FILE: is {what}, which cannot be sent to a builder")


def test_file_that_vanishes_during_the_walk_is_named() -> None:
    """A file that is listed and gone when it is opened is named, not left out silently."""

    class Vanishing(DiskTree):
        def entries(self, path: str) -> list[tuple[str, Kind]]:
            found = super().entries(path)
            (root / "app/gone").unlink(missing_ok=True)
            return found

    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        put_on_disk(root, "app/Dockerfile", DOCKERFILE)
        put_on_disk(root, "app/gone", b"x")
        assert problems_of(TreeFiles(Vanishing(root), "hierarchy.yaml")) == [
            "gone: CONTEXT-UNREADABLE: vanished while the context was being read"
        ]


def test_file_that_became_a_symlink_is_not_followed(tmp_path: Path) -> None:
    """Between the listing and the reading nothing outside of the context can get in."""
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "app").mkdir()
    (tmp_path / "app/f").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="symbolic links"):
        DiskTree(tmp_path).open("app/f")


def test_names_that_cannot_be_printed_are_escaped(build: Build) -> None:
    """A message about a name with a newline or bytes that are no text is one printable line."""
    entries: dict[str, Entry] = {
        "app/Dockerfile": DOCKERFILE,
        "app/a\nb\udcff": Special(kind=Kind.FIFO),
    }
    with build(entries) as world:
        (line,) = problems_of(world.files)
    assert line.startswith("a\\nb\\xff: ")
    assert line.isprintable()


def test_dockerfile_that_changed_after_loading_is_refused(build: Build) -> None:
    """The Dockerfile that is hashed is the one whose parents are in the plan."""
    with build({"app/Dockerfile": DOCKERFILE}) as world:
        world.files.image_files("app", "app/Dockerfile")
        world.write("app/Dockerfile", b"FROM other\n")
        with pytest.raises(Conflict, match=r"app/Dockerfile changed since its parents were read"):
            world.files.context("app", "app/Dockerfile")
        world.files.image_files("app", "app/Dockerfile")
        assert world.files.context("app", "app/Dockerfile").dockerfile == "Dockerfile"


def test_context_and_dockerfile_problems_come_together(build: Build) -> None:
    """Both paths are checked before anything is said."""
    with build({}) as world:
        assert problems_of(world.files) == [
            "app: BAD-CONTEXT: does not exist",
            "Dockerfile: BAD-DOCKERFILE: does not exist",
        ]


names = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0") | st.sampled_from("\udc80\udcff.*["),
    min_size=1,
    max_size=6,
).filter(lambda name: name not in (".", "..") and len(name.encode("utf-8", "surrogateescape")) < 99)
leaves: st.SearchStrategy[Entry] = st.one_of(
    st.binary(max_size=1100),
    st.builds(Executable, content=st.binary(max_size=3)),
    st.builds(Symlink, target=names),
    st.just(Directory()),
)


@given(
    tree=st.dictionaries(st.lists(names, min_size=1, max_size=3).map(tuple), leaves, max_size=8),
    ignore=st.lists(st.sampled_from(["*", "!*", "**/a", "!b/**", "a*", "[a-c]", ".?"]), max_size=4),
)
@settings(max_examples=150, deadline=None)
def test_disk_and_memory_give_the_same_bytes(
    tree: dict[tuple[str, ...], Entry], ignore: list[str]
) -> None:
    """The twin is true: any tree has the same archive on disk and in memory."""
    entries: dict[str, Entry] = {
        "d/Dockerfile": DOCKERFILE,
        "d/Dockerfile.dockerignore": "\n".join(ignore).encode(),
        "app": Directory(),
    }
    for path, entry in tree.items():
        # A path below another path that is no directory cannot be made on disk.
        if not any(other != path and path[: len(other)] == other for other in tree):
            entries["app/" + "/".join(path)] = entry
    with on_disk(entries) as disk, in_memory(entries) as memory:
        real = disk.files.context("app", "d/Dockerfile")
        twin = memory.files.context("app", "d/Dockerfile")
        assert real.source == twin.source
        assert b"".join(real.archive()) == b"".join(twin.archive())
