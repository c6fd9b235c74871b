"""Mirrors by git's command: disks that are full or damaged, and what git says of secrets."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import BinaryIO

import pytest

from orchestrator.doors.context_walk import walk
from orchestrator.doors.git_mirror import GitMirrors
from orchestrator.doors.git_objects import LARGE_BYTES, OPEN_AT_MOST
from orchestrator.doors.git_transfer import reason
from orchestrator.doors.git_tree import GitTree
from orchestrator.doors.ignore import Filter
from orchestrator.doors.repositories import Repositories
from orchestrator.errors import InvalidInput, Unavailable
from orchestrator.model.address import Address
from tests.git_server import Server, only_our_configuration

__all__ = ["only_our_configuration"]
pytestmark = pytest.mark.usefixtures("only_our_configuration")

FILES = {"Dockerfile": b"FROM scratch\nCOPY . /\n", "file": b"some text\n" * 50}
MAIN = frozenset(("main",))


@pytest.fixture
def server(tmp_path: Path) -> Server:
    """A repository."""
    return Server(tmp_path)


@pytest.fixture
def mirrors(tmp_path: Path) -> GitMirrors:
    """An empty cache directory."""
    return GitMirrors(tmp_path / "cache")


def spoil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, *verbs: str) -> None:
    """Let git say something and fail, whenever it is asked to do one of these."""
    real, broken = shutil.which("git"), tmp_path / "bin"
    broken.mkdir()
    cases = "|".join(verbs)
    (broken / "git").write_text(
        f"#!/bin/sh\nfor word; do case $word in {cases}) echo $word >> {tmp_path}/asked; "
        f'echo "{said}" >&2; exit 128;; esac; done\n'
        f'exec {real} "$@"\n'
    )
    (broken / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(broken), prepend=":")


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("error: unable to write loose object file: No space left on device", ["fetch"]),
        (
            "fatal: Unable to create '/cache/x.git/packed-refs.lock': No space left on device",
            ["fetch"],
        ),
        ("fatal: cannot lock ref 'refs/heads/main': Permission denied", ["fetch"]),
        ("remote: fatal: unable to read 0000000000000000000000000000000000000000", ["fetch"]),
        ("fatal: bad object 0000000000000000000000000000000000000000", ["fetch", "init", "init"]),
    ],
)
def test_a_full_disk_or_a_broken_server_costs_nothing_that_was_here(
    server: Server,
    mirrors: GitMirrors,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: str,
    asked: list[str],
) -> None:
    """What was fetched before still is, and only what may be damaged is fetched as a whole."""
    commit = server.push(FILES)
    mirrors.fetch(server.url, MAIN)
    with monkeypatch.context() as broken:
        spoil(tmp_path, broken, said, "fetch", "init")
        with pytest.raises(Unavailable):
            mirrors.fetch(server.url, MAIN)
    assert (tmp_path / "asked").read_text().split() == asked
    assert mirrors.commit(server.url, "main") == commit
    assert mirrors.tree(server.url, commit).open("file").stream.read() == FILES["file"]
    assert list(tmp_path.glob("cache/*.old")) == []


def test_a_default_branch_that_is_gone_is_forgotten(server: Server, mirrors: GitMirrors) -> None:
    """No older commit is taken for it."""
    server.push(FILES)
    mirrors.fetch(server.url, frozenset(("",)))
    server.push(FILES, "topic")
    # A server does not delete its default branch for others.
    server.git("-C", str(server.path), "update-ref", "-d", "refs/heads/main")
    mirrors.fetch(server.url, frozenset(("",)))
    with pytest.raises(Unavailable, match="no commit that its HEAD names"):
        mirrors.commit(server.url, "")


def test_what_was_left_of_a_mirror_that_was_made_again_goes(
    server: Server, mirrors: GitMirrors, tmp_path: Path
) -> None:
    """Whoever was killed in the middle of that left the old one aside."""
    server.push(FILES)
    mirrors.fetch(server.url, MAIN)
    (mirror,) = tmp_path.glob("cache/*.git")
    mirror.with_suffix(".123.old").mkdir()
    mirror.with_suffix(".124.old").write_text("no directory")
    (mirror / "HEAD").write_text("")
    mirrors.fetch(server.url, MAIN)
    assert sorted(path.suffix for path in (tmp_path / "cache").iterdir()) == [".git", ".lock"]


@pytest.mark.parametrize("reference", ["main", "commit"])
def test_a_file_that_is_damaged_is_fetched_again(
    server: Server, tmp_path: Path, reference: str
) -> None:
    """The first command names the file; the next one has it, though no branch has moved."""
    commit = server.push(FILES)
    address = Address(url=server.url, reference=commit if reference == "commit" else "main")
    Repositories(GitMirrors(tmp_path / "cache")).fetch((str(address),))
    (mirror,) = tmp_path.glob("cache/*.git")
    packs = list(mirror.glob("objects/pack/*.pack"))
    for pack in packs:
        copy = tmp_path / "unpacked"
        copy.write_bytes(pack.read_bytes())
        shutil.rmtree(mirror / "objects/pack")
        (mirror / "objects/pack").mkdir()
        with copy.open("rb") as content:
            line = ["git", f"--git-dir={mirror}", "unpack-objects", "-q"]
            subprocess.run(line, stdin=content, check=True)
    blob = server.git("rev-parse", f"{commit}:file")
    loose = mirror / "objects" / blob[:2] / blob[2:]
    loose.chmod(0o644)
    loose.write_bytes(b"damaged")
    found = Repositories(GitMirrors(tmp_path / "cache"))
    found.fetch((str(address),))
    with pytest.raises(InvalidInput) as raised:
        found.context(address, "Dockerfile")
    assert [problem.file.rpartition(":")[2] for problem in raised.value.problems] == ["file"]
    again = Repositories(GitMirrors(tmp_path / "cache"))
    again.fetch((str(address),))
    assert again.context(address, "Dockerfile").source.files == 3


def test_a_large_file_is_sent_as_it_is(server: Server, mirrors: GitMirrors) -> None:
    """It comes through a process of its own, and what is asked for meanwhile through another."""
    content = bytes(range(256)) * (LARGE_BYTES // 256 + 1000)
    commit = server.push({**FILES, "large": content})
    mirrors.fetch(server.url, MAIN)
    tree = mirrors.tree(server.url, commit)
    opened = tree.open("large")
    with opened.stream as stream:
        begun = stream.read(1000)
        assert tree.open("Dockerfile").stream.read() == FILES["Dockerfile"]
        assert (begun + stream.read(), opened.size_bytes) == (content, len(content))
    with tree.open("large").stream as stream:
        assert stream.read(10) == content[:10]
    assert tree.open("large").stream.read(-1) == content


def test_few_processes_read_many_repositories(tmp_path: Path, mirrors: GitMirrors) -> None:
    """Each is read whenever it is asked for, also when others were asked for meanwhile."""
    trees = []
    server = Server(tmp_path)
    commit = server.push({"file": b"0"})
    for number in range(OPEN_AT_MOST + 1):
        url = f"file://{tmp_path}/app{number}.git"
        shutil.copytree(server.path, tmp_path / f"app{number}.git")
        mirrors.fetch(url, MAIN)
        trees += [mirrors.tree(url, commit), mirrors.tree(url, commit)]
    for _ in range(2):
        assert {tree.open("file").stream.read() for tree in trees} == {b"0"}
        assert len(readers(tmp_path / "cache")) == OPEN_AT_MOST


def readers(cache: Path) -> list[str]:
    """Return the command lines of processes that read mirrors."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if "cat-file" in line and str(cache) in line:
            found.append(line)
    return found


def test_a_directory_that_holds_itself_has_an_end() -> None:
    """A few small trees that name each other ten times are thousands of millions of files."""
    tree = GitTree(b"a" * 40, _Endless(), directories_at_most=100)
    kept, problems = walk(tree, "", Filter([]), str)
    assert len(kept) < 1000
    assert {problem.what for problem in problems} == {
        "cannot be read: there are more than 100 directories"
    }


class _Endless:
    """Every tree holds itself, twice."""

    def read(self, object_id: bytes, kind: bytes = b"blob") -> bytes:
        return b"".join(
            b"40000 " + name + b"\0" + bytes.fromhex("aa" * 20) for name in (b"a", b"b")
        )

    def open(self, object_id: bytes) -> tuple[BinaryIO, int]:
        raise NotImplementedError


def test_a_name_that_no_directory_can_have_is_found_wherever_it_is(
    server: Server, mirrors: GitMirrors
) -> None:
    """Deep in a context too, and with a slash."""
    server.push(FILES)
    blob = server.add("blob", b"evil")
    tree = server.add("tree", b"100644 ../evil\0" + bytes.fromhex(blob))
    top = b"100644 Dockerfile\0" + bytes.fromhex(server.add("blob", b"FROM scratch\n"))
    root = server.add("tree", top + b"40000 sub\0" + bytes.fromhex(tree))
    server.point("refs/heads/main", server.git("commit-tree", "-m", "x", root))
    address = Address(url=server.url, reference="main")
    found = Repositories(mirrors)
    found.fetch((str(address),))
    with pytest.raises(InvalidInput) as raised:
        found.context(address, "Dockerfile")
    assert "a file that no directory can have: '../evil'" in raised.value.problems[0].what


@pytest.mark.parametrize(
    ("said", "clean"),
    [
        ("fatal: unable to access 'https://u:p@ss@host/a.git/': 500", "https://***@host/a.git/"),
        ("fatal: unable to access 'https://u:p/ss@host/a.git/': 500", "https://***@host/a.git/"),
        ("fatal: unable to access 'https://host/x?token=pss/a.git': 500", "https://host/x?***'"),
    ],
)
def test_secrets_of_any_form_are_masked(said: str, clean: str) -> None:
    """Passwords with `@` and `/` in them, and tokens in a query, as `insteadOf` may have them."""
    assert clean in reason(said)
    assert "ss" not in reason(said).replace("access", "")


@pytest.mark.parametrize(
    "line",
    [
        "ssh: Could not resolve hostname git.example: Name or service not known",
        "Connection closed by 192.0.2.1 port 22",
    ],
)
def test_why_ssh_did_not_get_there_is_told(line: str) -> None:
    """Git itself only says that it could not read."""
    said = f"Warning: something\r\n{line}\nfatal: Could not read from remote repository.\n\nPlease"
    assert reason(said).startswith(line)
