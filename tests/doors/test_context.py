"""The context archive: its bytes, its hash, what is in it, and what BuildKit makes of it."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.doors.context import ADDED_DOCKERFILE, read_context
from orchestrator.doors.context_member import MTIME_S, header
from orchestrator.doors.files import RealFiles
from orchestrator.doors.ignore import Filter
from orchestrator.doors.memory.files import (
    Directory,
    Entry,
    Executable,
    MemoryFiles,
    MemoryTree,
    Special,
    Symlink,
)
from orchestrator.doors.tree import Dockerfile, Kind, OpenedFile
from orchestrator.errors import Conflict, InvalidInput
from tests.doors.trees import (
    BOTH_DOORS,
    DOCKERFILE,
    Build,
    built,
    context_of,
    in_memory,
    members,
    names,
)


@pytest.fixture(params=BOTH_DOORS)
def build(request: pytest.FixtureRequest) -> Build:
    chosen: Build = request.param
    return chosen


VECTOR: dict[str, Entry] = {
    "app/.dockerignore": b"*.log\n!keep.log\ncache/\n",
    "app/a b/empty": Directory(),
    "app/cache/x": b"not sent",
    "app/debug.log": b"not sent",
    "app/keep.log": b"kept\n",
    "app/link": Symlink(target="a b/../keep.log"),
    "app/run": Executable(content=b"#!/bin/sh\n"),
    "app/sub/zero": b"",
    "app/\u00fc\udcff": b"x" * 512,
    "app/" + "n" * 101: b"long name",
    "app/far": Symlink(target="../" * 40),
}
VECTOR_DIGEST = "sha256:0f24bbd2e445e479ec67efc4d60cbc8be5d6da076901ea591ecd998c41a0455d"


def test_archive_bytes_are_frozen() -> None:
    """The vector of docs/adr/0001-context.md: another byte would rebuild every image there is."""
    context = context_of(VECTOR)
    assert context.source.context == VECTOR_DIGEST
    archive = b"".join(context.archive())
    assert f"sha256:{hashlib.sha256(archive).hexdigest()}" == VECTOR_DIGEST
    assert (context.source.size_bytes, context.source.files) == (len(archive), 13)
    adr = Path(__file__).parents[2] / "docs/adr/0001-context.md"
    assert VECTOR_DIGEST in adr.read_text(encoding="utf-8")


def test_everything_is_normalised() -> None:
    """One owner, one time, two modes, order of bytes; links, empty directories and names stay."""
    found = members(context_of(VECTOR))
    assert list(found) == [
        ".", ".dockerignore", "Dockerfile", "a b", "a b/empty", "far", "keep.log", "link",
        "n" * 101, "run", "sub", "sub/zero", "ü\udcff",
    ]  # fmt: skip
    assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in found.values()} == {
        (0, 0, "", "", MTIME_S)
    }
    assert [name for name, m in found.items() if m.mode == 0o755] == [
        ".", "a b", "a b/empty", "run", "sub",
    ]  # fmt: skip
    assert {m.mode for m in found.values() if m.isfile()} == {0o644, 0o755}
    assert found["link"].linkname == "a b/../keep.log"
    assert found["far"].linkname == "../" * 40
    assert found["a b/empty"].isdir()


def test_gnu_tar_reads_the_archive(tmp_path: Path) -> None:
    """Another reader finds the same: long names, bytes that are no text, links."""
    (tmp_path / "x.tar").write_bytes(b"".join(context_of(VECTOR).archive()))
    listing = subprocess.run(
        ["tar", "--quoting-style=escape", "-tf", tmp_path / "x.tar"],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
    )
    assert listing.stderr == ""
    assert listing.stdout.splitlines()[-4:] == ["run", "sub/", "sub/zero", "\\303\\274\\377"]


def test_first_kilobyte_is_recognised_as_a_tar() -> None:
    """The buildx client looks at 1,024 bytes; a long first name would leave no whole header."""
    archive = b"".join(context_of({"app/" + "a" * 300: b""}).archive())
    with tarfile.open(fileobj=io.BytesIO(archive[:1024])) as tar:
        first = tar.next()
    assert first is not None
    assert (first.name, first.type) == (".", tarfile.DIRTYPE)


def test_file_beyond_8_gib_has_a_readable_size() -> None:
    """Octal ends at 8 GiB; what comes after is GNU's base-256, which tarfile reads back."""
    for size in ((8 << 30) - 1, 8 << 30, 123 << 40):
        found = header(b"big", b"0", mode=0o644, size_bytes=size)
        assert tarfile.TarInfo.frombuf(found, "utf-8", "strict").size == size


def test_disk_metadata_does_not_count(tmp_path: Path) -> None:
    """Times, owners, modes but the x bit, and hard links change neither hash nor bytes."""
    app = tmp_path / "app"
    app.mkdir()
    (app / "Dockerfile").write_bytes(DOCKERFILE)
    for name in ("a", "b"):
        (app / name).write_text("same")
    files = RealFiles(tmp_path / "hierarchy.yaml")
    before = files.context("app", "app/Dockerfile").source

    os.utime(app / "a", (1, 1))
    (app / "a").chmod(0o600)
    app.chmod(0o700)
    (app / "b").unlink()
    (app / "b").hardlink_to(app / "a")
    if os.geteuid() == 0:
        os.chown(app / "a", 1, 1)
    assert files.context("app", "app/Dockerfile").source == before

    (app / "a").chmod(0o610)
    assert files.context("app", "app/Dockerfile").source != before


def test_two_files_of_equal_size_and_time_differ(tmp_path: Path) -> None:
    """Equal path, size and time with other bytes is another context: BuildKit's own transfer
    took it for the same one.
    """
    (tmp_path / "Dockerfile").write_bytes(DOCKERFILE)
    files = RealFiles(tmp_path / "hierarchy.yaml")
    digests = set()
    for text in ("one", "two"):
        (tmp_path / "f").write_text(text)
        os.utime(tmp_path / "f", (1_000_000_000, 1_000_000_000))
        digests.add(files.context(".", "Dockerfile").source.context)
    assert len(digests) == 2


def test_dockerfile_keeps_its_path_where_the_context_holds_it() -> None:
    """Nothing is added to a context that has its Dockerfile; a symlink to one counts."""
    plain = context_of({"app/docker/prod": DOCKERFILE}, dockerfile="app/docker/prod")
    assert plain.dockerfile == "docker/prod"
    assert ADDED_DOCKERFILE not in members(plain)

    linked = context_of({"app/link": Symlink(target="Dockerfile")}, dockerfile="app/link")
    assert linked.dockerfile == "Dockerfile"


@pytest.mark.parametrize(
    ("entries", "dockerfile"),
    [
        ({"app/.dockerignore": b"Dockerfile\n"}, "app/Dockerfile"),
        ({"app/.dockerignore": b"**\n!other\n"}, "app/Dockerfile"),
        ({"docker/app": DOCKERFILE}, "docker/app"),
        ({"docker/app": DOCKERFILE, "app/link": Symlink(target="../docker/app")}, "app/link"),
        ({"app2/Dockerfile": DOCKERFILE}, "app2/Dockerfile"),
        ({"x/Dockerfile": DOCKERFILE, "app/x/Dockerfile": b"another"}, "x/Dockerfile"),
    ],
)
def test_dockerfile_outside_the_filtered_context_is_added_last(
    entries: Mapping[str, Entry], dockerfile: str
) -> None:
    """A Dockerfile that is ignored or elsewhere is sent under a reserved name, at the end."""
    context = context_of(entries, dockerfile=dockerfile)
    archive = b"".join(context.archive())
    assert context.dockerfile == ADDED_DOCKERFILE
    assert list(members(context))[-1] == ADDED_DOCKERFILE
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        member = tar.extractfile(ADDED_DOCKERFILE)
        assert member is not None
        assert member.read() == DOCKERFILE
    assert context.source.size_bytes == len(archive)


def test_added_dockerfile_is_no_part_of_the_context_hash() -> None:
    """Editing a Dockerfile that the context does not hold has one cause, the Dockerfile."""
    ignore: dict[str, Entry] = {"app/.dockerignore": b"Dockerfile\n"}
    before = context_of(ignore).source
    after = context_of({**ignore, "app/Dockerfile": b"FROM scratch\n# why\n"}).source
    assert after.dockerfile != before.dockerfile
    assert after.context == before.context

    inside = [
        context_of({"app/Dockerfile": text}).source.context for text in (b"FROM a", b"FROM b")
    ]
    assert inside[0] != inside[1]


@pytest.mark.parametrize("difference", [-1, 1])
def test_file_that_changes_size_while_it_is_hashed_is_named(difference: int) -> None:
    """A header that says another size than what follows would shift everything behind it."""

    class Changing(MemoryTree):
        def open(self, path: str) -> OpenedFile:
            opened = super().open(path)
            return replace(opened, size_bytes=opened.size_bytes + difference)

    tree = Changing()
    tree.write("app/f", b"content")
    dockerfile = Dockerfile(path="Dockerfile", content=DOCKERFILE)
    with pytest.raises(InvalidInput) as caught:
        read_context(tree, "app", dockerfile, Filter([]), shown=str)
    assert [(problem.file, problem.what) for problem in caught.value.problems] == [
        ("app/f", "changed while it was being read")
    ]


def test_reserved_name_in_the_context_is_refused() -> None:
    """A file of ours never replaces one of theirs."""
    entries: dict[str, Entry] = {f"app/{ADDED_DOCKERFILE}": b"mine"}
    assert context_of(entries).dockerfile == "Dockerfile"
    with pytest.raises(InvalidInput) as caught:
        context_of({**entries, "app/.dockerignore": b"Dockerfile\n"})
    assert [problem.code for problem in caught.value.problems] == ["CONTEXT-RESERVED-NAME"]
    ignored: dict[str, Entry] = {"app/.dockerignore": b"Dockerfile\n.orch*\n"}
    assert context_of({**entries, **ignored}).dockerfile == ADDED_DOCKERFILE


def test_dockerfiles_own_ignore_file_wins() -> None:
    """``NAME.dockerignore`` beside the Dockerfile replaces ``.dockerignore``, even when empty."""
    entries: dict[str, Entry] = {"app/.dockerignore": b"a\n", "app/a": b"", "app/b": b""}
    assert "a" not in names(context_of(entries))
    own = context_of({**entries, "app/Dockerfile.dockerignore": b"b\n"})
    assert [name for name in names(own) if len(name) == 1] == ["a"]
    empty = context_of({**entries, "app/Dockerfile.dockerignore": b""})
    assert [name for name in names(empty) if len(name) == 1] == ["a", "b"]
    outside = context_of(
        {**entries, "d/x": DOCKERFILE, "d/x.dockerignore": b"b\n"}, dockerfile="d/x"
    )
    assert [name for name in names(outside) if len(name) == 1] == ["a"]


EDITS: list[tuple[Entry, Entry | None]] = [
    (b"old", b"new"),
    (b"old", b"older"),
    (b"old", b""),
    (b"", b"new"),
    (b"old", None),
    (b"", None),
    (b"old", Special(kind=Kind.FIFO)),
    (b"old", Symlink(target="Dockerfile")),
    (b"old", Directory()),
    (bytes(3 << 20), bytes((3 << 20) - 1) + b"x"),
    (bytes(3 << 20), bytes((3 << 20) + 1)),
    (bytes((2 << 20) + 1), bytes(2 << 20)),
    (bytes((2 << 20) + 1), bytes((2 << 20) + 2)),
    (Symlink(target="old"), Symlink(target="new")),
]


@pytest.mark.parametrize(("before", "after"), EDITS)
def test_edit_after_hashing_never_slips_in(
    build: Build, before: Entry, after: Entry | None
) -> None:
    """An edited file raises, and what was sent until then is no tar, however it is read.

    Go's reader, which BuildKit uses, takes a stream that ends between two members for whole.
    """
    with build({"app/Dockerfile": DOCKERFILE, "app/m": before, "app/z": b"z"}) as world:
        context = world.files.context("app", "app/Dockerfile")
        whole = b"".join(context.archive())
        if after is None:
            world.write("app/m", Directory())
            world.write("app/m/x", b"")
        else:
            world.write("app/m", after)
        sent = b""
        if isinstance(before, Symlink):
            # The link's text was hashed and is sent from memory.
            assert b"".join(context.archive()) == whole
            return
        with pytest.raises(Conflict, match=r"app/m changed since it was hashed"):  # noqa: PT012
            for chunk in context.archive():
                sent += chunk
    assert can_be_read_to_its_end(whole)
    assert not can_be_read_to_its_end(sent)


def can_be_read_to_its_end(archive: bytes) -> bool:
    """Say what Go's tar reader would: the end of the stream may stand for the end of the tar."""
    at = 0
    while header := archive[at : at + 512].rstrip(b"\0"):
        if header[257:263] != b"ustar ":
            return False
        size_bytes = int(header[124:135], 8)
        at += 512 + (size_bytes + 511) // 512 * 512
        if at > len(archive):
            return False
    return True


def test_torn_tar_is_taken_for_a_tar() -> None:
    """The reason for the poison, and a check of the check: a tar may end after any member."""
    with in_memory({"app/Dockerfile": DOCKERFILE, "app/z": b"z"}) as world:
        whole = b"".join(world.files.context("app", "app/Dockerfile").archive())
    assert [at for at in range(0, len(whole), 512) if can_be_read_to_its_end(whole[:at])] == [
        0, 512, 1536, 2560, 3072
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["Dockerfile", ADDED_DOCKERFILE])
def test_dockerfile_edited_after_hashing_is_sent_as_it_was(build: Build, name: str) -> None:
    """The Dockerfile is read once: its bytes are the hashed ones, wherever the archive has it."""
    ignore = b"Dockerfile\n" if name == ADDED_DOCKERFILE else b""
    with build({"app/Dockerfile": DOCKERFILE, "app/.dockerignore": ignore}) as world:
        context = world.files.context("app", "app/Dockerfile")
        assert context.dockerfile == name
        before = b"".join(context.archive())
        world.write("app/Dockerfile", b"FROM other\n")
        assert b"".join(context.archive()) == before


@pytest.mark.engine
def test_buildkit_reads_every_name_of_the_vector(engine: None) -> None:
    """Long names, bytes that are no text and links arrive, with our one time."""
    context = context_of(VECTOR)
    found = built(["--file", context.dockerfile, "-"], b"".join(context.archive()))
    assert set(found) == {name for name in members(context) if name != "."}


@pytest.mark.engine
def test_buildkit_refuses_what_was_sent_of_an_edited_context(engine: None) -> None:
    """A build whose archive stopped at an edit fails, even if its input just ends."""
    files = MemoryFiles({"app/Dockerfile": DOCKERFILE, "app/m": b"", "app/z": b""})
    context = files.context("app", "app/Dockerfile")
    files.write("app/m", b"new")
    sent = b""
    with pytest.raises(Conflict, match="changed since"):  # noqa: PT012
        for chunk in context.archive():
            sent += chunk
    with pytest.raises(AssertionError, match="invalid tar header"):
        built(["--file", "Dockerfile", "-"], sent)
    built(["--file", "Dockerfile", "-"], sent.removesuffix(b"\xff" * 512))
