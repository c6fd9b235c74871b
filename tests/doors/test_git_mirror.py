"""Mirrors by git's command: real servers, credentials, faults, and files as they are sent."""

from __future__ import annotations

import fcntl
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrator.doors.files import RealFiles
from orchestrator.doors.git_mirror import GitMirrors
from orchestrator.doors.git_transfer import reason
from orchestrator.doors.memory.files import Entry, Executable, Symlink
from orchestrator.doors.repositories import Repositories
from orchestrator.errors import InvalidInput, Unavailable
from orchestrator.model.address import Address
from tests.git_server import (
    PASSWORD,
    USER,
    Server,
    daemon,
    http,
    know_the_password,
    only_our_configuration,
    ssh_server,
    write,
)

__all__ = ["only_our_configuration"]
pytestmark = pytest.mark.usefixtures("only_our_configuration")

FILES: Mapping[str, Entry] = {
    "docker/Dockerfile": b"FROM scratch\nCOPY . /\n",
    "docker/.dockerignore": b"*.log\n",
    "docker/x.log": b"left out",
    "docker/run.sh": Executable(content=b"#!/bin/sh\n"),
    "docker/link": Symlink(target="run.sh"),
    "docker/sub/na\u00efve name\n": b"x" * 100_000,
    "docker/empty": b"",
    "other/Dockerfile": b"FROM scratch\n",
}
MAIN = frozenset(("main",))


@pytest.fixture
def server(tmp_path: Path) -> Server:
    """A repository."""
    return Server(tmp_path)


@pytest.fixture
def mirrors(tmp_path: Path) -> GitMirrors:
    """An empty cache directory."""
    return GitMirrors(tmp_path / "cache")


def written(root: Path) -> bytes:
    """Return the bytes of every file below a directory."""
    return b"\n".join(path.read_bytes() for path in root.rglob("*") if path.is_file())


def repositories(mirrors: GitMirrors, address: Address) -> Repositories:
    """Return what a command has that fetched first."""
    found = Repositories(mirrors)
    found.fetch((str(address),))
    return found


def trouble(mirrors: GitMirrors, url: str, directory: str = "docker") -> list[str]:
    """Return what is wrong with a context."""
    address = Address(url=url, reference="main", directory=directory)
    found = repositories(mirrors, address)
    with pytest.raises(InvalidInput) as raised:
        found.context(address, f"{directory}/Dockerfile")
    return [f"{p.file}: {p.code}: {p.what}" for p in raised.value.problems]


@pytest.mark.parametrize(
    ("directory", "dockerfile"),
    [("docker", "docker/Dockerfile"), (".", "docker/Dockerfile"), ("docker", "other/Dockerfile")],
)
def test_a_tree_is_sent_as_the_same_files_in_a_directory(
    server: Server, mirrors: GitMirrors, tmp_path: Path, directory: str, dockerfile: str
) -> None:
    """Bytes, modes, symlinks, strange names and what is left out: the archive is the same."""
    commit = server.push(FILES)
    write(tmp_path / "twin", FILES)
    beside = RealFiles(tmp_path / "twin/hierarchy.yaml").context(directory, dockerfile)
    address = Address(url=server.url, reference="main", directory=directory)
    sent = repositories(mirrors, address).context(address, dockerfile)
    assert b"".join(sent.archive()) == b"".join(beside.archive())
    assert (sent.source.context, sent.source.dockerfile) == (
        beside.source.context,
        beside.source.dockerfile,
    )
    assert sent.source.revision is not None
    assert (sent.source.revision.commit, sent.source.revision.dirty) == (commit, False)


def test_submodules_and_large_files_are_refused_unless_ignored(
    server: Server, mirrors: GitMirrors
) -> None:
    """What is not fetched is not built without: it is named, or left out by `.dockerignore`."""
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    files = {**FILES, "docker/big.bin": pointer}
    commit = server.push(FILES)
    extra = (f"160000,{commit},docker/lib",)
    server.push(files, extra=extra)
    at, lfs = f"{server.url}#main:docker", "it is kept in Git LFS, which is not fetched"
    assert sorted(trouble(mirrors, server.url)) == [
        f"{at}/big.bin: CONTEXT-UNREADABLE: cannot be read: {lfs}",
        f"{at}/lib: CONTEXT-SPECIAL-FILE: is a git submodule, which cannot be sent to a builder",
    ]
    server.push({**files, "docker/.dockerignore": b"lib\nbig.bin\n"}, extra=extra)
    address = Address(url=server.url, reference="main", directory="docker")
    assert repositories(mirrors, address).context(address, "docker/Dockerfile").source.files


@pytest.mark.parametrize("name", ["..", "."])
def test_names_that_no_directory_can_have_are_refused(
    server: Server, mirrors: GitMirrors, name: str
) -> None:
    """A tree made by hand reaches no tar that leaves its directory."""
    server.push(FILES)
    blob = server.add("blob", b"evil")
    tree = server.add("tree", f"100644 {name}\0".encode() + bytes.fromhex(blob))
    server.point("refs/heads/main", server.git("commit-tree", "-m", "x", tree))
    mirrors.fetch(server.url, MAIN)
    with pytest.raises(Unavailable, match="a file that no directory can have"):
        mirrors.tree(server.url, mirrors.commit(server.url, "main"))


def test_a_server_that_wants_a_password_gets_it_from_gits_own_helper(
    server: Server, tmp_path: Path, mirrors: GitMirrors
) -> None:
    """It is used, and stands nowhere: not in the mirror, a message or what is published."""
    commit = server.push(FILES)
    know_the_password(tmp_path / "home")
    with http(tmp_path) as (base, asked):
        address = Address(url=f"{base}/app.git", reference="main", directory="docker")
        source = repositories(mirrors, address).context(address, "docker/Dockerfile").source
    assert source.revision is not None
    assert (source.revision.commit, source.revision.source) == (commit, f"{base}/app.git")
    assert any("git-upload-pack" in line for line in asked)
    assert PASSWORD.encode() not in written(tmp_path / "cache")
    assert USER.encode() not in written(tmp_path / "cache")


@pytest.mark.parametrize("password", ["wrong-Passw0rd", ""])
def test_a_server_that_refuses_asks_nobody(
    server: Server, tmp_path: Path, mirrors: GitMirrors, password: str
) -> None:
    """Without the right password it ends at once, says what to do, and shows no password."""
    server.push(FILES)
    if password:
        know_the_password(tmp_path / "home", password)
    with http(tmp_path) as (base, asked), pytest.raises(Unavailable) as raised:
        mirrors.fetch(f"{base}/app.git", MAIN)
    assert "`git ls-remote` must work here without asking" in raised.value.what
    assert "Passw0rd" not in raised.value.what
    assert asked == []


def test_a_password_in_the_configuration_is_masked(
    server: Server, tmp_path: Path, mirrors: GitMirrors
) -> None:
    """CI systems put it into `insteadOf`, and git into its messages."""
    server.push(FILES)
    with http(tmp_path) as (base, _):
        inside = base.replace("://", f"://{USER}:wrong-Passw0rd@")
        settings = f'[url "{inside}/"]\n\tinsteadOf = https://git.example/\n'
        (tmp_path / "home/.gitconfig").write_text(settings)
        with pytest.raises(Unavailable) as raised:
            mirrors.fetch("https://git.example/app.git", MAIN)
    assert "Passw0rd" not in raised.value.what
    assert "Passw0rd" not in reason(f"fatal: unable to access '{inside}/app.git/': 403")


def test_a_git_daemon_serves(server: Server, tmp_path: Path, mirrors: GitMirrors) -> None:
    """git:// is a way too."""
    commit = server.push(FILES)
    with daemon(tmp_path) as base:
        mirrors.fetch(f"{base}/app.git", MAIN)
        assert mirrors.commit(f"{base}/app.git", "main") == commit


@pytest.mark.parametrize("url", ["ssh://git@git.example:2222/app.git", "git@git.example:app.git"])
def test_ssh_is_the_one_that_git_is_configured_with(
    server: Server, tmp_path: Path, mirrors: GitMirrors, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """Agents, keys and jump hosts are the user's; nothing can ask on the terminal."""
    commit = server.push(FILES)
    ssh = tmp_path / "ssh"
    ssh.write_text(
        f'#!/bin/sh\necho "$@" > {tmp_path}/said\n'
        f"(: < /dev/tty) 2>/dev/null && echo terminal >> {tmp_path}/said\n"
        f"exec git-upload-pack {server.path}\n"
    )
    ssh.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", f"{ssh} -i key")
    mirrors.fetch(url, MAIN)
    assert mirrors.commit(url, "main") == commit
    said = (tmp_path / "said").read_text()
    assert said.startswith("-i key")
    assert "git@git.example git-upload-pack" in said
    assert "terminal" not in said


def test_a_real_ssh_server_serves(server: Server, tmp_path: Path, mirrors: GitMirrors) -> None:
    """The key is found by ssh itself."""
    sshd = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin")
    if not sshd or not shutil.which("ssh"):
        pytest.skip("openssh-server is not installed; a stand-in for ssh is tested above")
    commit = server.push(FILES)
    with ssh_server(sshd, tmp_path) as base:
        mirrors.fetch(f"{base}{server.path}", MAIN)
        assert mirrors.commit(f"{base}{server.path}", "main") == commit


@pytest.mark.parametrize("remote", ["ext::sh -c 'touch {mark}'", "fd::17"])
def test_nothing_that_an_address_names_is_run(
    tmp_path: Path, mirrors: GitMirrors, remote: str
) -> None:
    """Not even where the user's own configuration would lead there."""
    remote = remote.format(mark=tmp_path / "mark")
    settings = f'[url "{remote}"]\n\tinsteadOf = https://git.example/app.git\n'
    settings += "[protocol]\n\tallow = always\n[core]\n\tx = y\n"
    (tmp_path / "home/.gitconfig").write_text(settings)
    with pytest.raises(Unavailable, match=r"not allowed .url.….insteadOf in git's configuration"):
        mirrors.fetch("https://git.example/app.git", MAIN)
    assert not (tmp_path / "mark").exists()


def test_no_hook_runs(server: Server, tmp_path: Path, mirrors: GitMirrors) -> None:
    """Hooks and templates of the user are for repositories that they work in."""
    server.push(FILES)
    hooks = tmp_path / "home/template/hooks"
    hooks.mkdir(parents=True)
    for name in ("reference-transaction", "post-checkout", "pre-auto-gc"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/mark\n")
        (hooks / name).chmod(0o755)
    settings = f"[core]\n\thooksPath = {hooks}\n[init]\n\ttemplateDir = {hooks.parent}\n"
    (tmp_path / "home/.gitconfig").write_text(settings)
    mirrors.fetch(server.url, MAIN)
    assert not (tmp_path / "mark").exists()


def test_a_server_that_says_nothing_is_not_waited_for(tmp_path: Path) -> None:
    """It took the connection, and that was all."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"git://127.0.0.1:{listening.getsockname()[1]}/app.git"
        with pytest.raises(Unavailable, match=r"git heard nothing of it for 0\.3 s"):
            GitMirrors(tmp_path / "cache", silence_s=0.3).fetch(url, MAIN)


def test_what_is_gone_or_empty_says_so(server: Server, tmp_path: Path, mirrors: GitMirrors) -> None:
    """A wrong address, an empty repository, and one whose default branch was never pushed."""
    with pytest.raises(Unavailable, match=r"does not appear to be a git repository .*wrong"):
        mirrors.fetch(f"file://{tmp_path}/nowhere", MAIN)
    mirrors.fetch(server.url, frozenset(("",)))
    with pytest.raises(Unavailable, match="no commit that its HEAD names"):
        mirrors.commit(server.url, "")
    server.push(FILES, "topic")
    mirrors.fetch(server.url, frozenset(("", "topic")))
    assert mirrors.commit(server.url, "topic")


def test_a_commit_that_is_here_needs_no_server(server: Server, mirrors: GitMirrors) -> None:
    """What can never mean anything else is built though its server is away."""
    commit = server.push(FILES)
    mirrors.fetch(server.url, MAIN)
    server.path.rename(server.path.with_suffix(".away"))
    mirrors.fetch(server.url, frozenset((commit,)))
    pinned = Address(url=server.url, reference=commit, directory="docker")
    moving = Address(url=server.url, reference="main", directory="docker")
    found = Repositories(mirrors)
    found.fetch((str(pinned), str(moving)))
    assert found.image_files(pinned, "docker/Dockerfile").unusable == ""
    told = found.image_files(moving, "docker/Dockerfile")
    assert told.unusable.startswith("git says: ")
    assert told.dockerfile_text == "FROM scratch\nCOPY . /\n"
    with pytest.raises(Unavailable, match="git says: "):
        found.context(moving, "docker/Dockerfile")


def test_a_commit_that_no_branch_has_is_asked_for(server: Server, mirrors: GitMirrors) -> None:
    """A branch that was forced elsewhere leaves commits that hierarchies still name."""
    old = server.push(FILES)
    server.push({**FILES, "new": b""})
    server.git("-C", str(server.path), "config", "uploadpack.allowAnySHA1InWant", "true")
    mirrors.fetch(server.url, frozenset((old,)))
    assert mirrors.commit(server.url, old) == old


def test_a_tag_with_a_message_is_its_commit(server: Server, mirrors: GitMirrors) -> None:
    """Annotated tags are objects of their own."""
    commit = server.push(FILES)
    server.git("tag", "--annotate", "--message=x", "v1", commit)
    server.point("refs/tags/v1", server.git("rev-parse", "v1"))
    mirrors.fetch(server.url, frozenset(("v1",)))
    assert mirrors.commit(server.url, "v1") == commit


@pytest.mark.parametrize("damage", ["packed-refs.lock", "refs/heads/main.lock", "HEAD", "objects"])
def test_a_mirror_that_was_left_broken_is_made_again(
    server: Server, tmp_path: Path, mirrors: GitMirrors, damage: str
) -> None:
    """Whoever was killed in the middle, or deleted half of a cache, stops nobody."""
    server.push(FILES)
    mirrors.fetch(server.url, MAIN)
    (mirror,) = tmp_path.glob("cache/*.git")
    if damage == "objects":
        shutil.rmtree(mirror / damage)
    else:
        (mirror / damage).write_bytes(b"")
    commit = server.push({**FILES, "new": b""})
    GitMirrors(tmp_path / "cache").fetch(server.url, MAIN)
    assert mirrors.commit(server.url, "main") == commit
    assert mirrors.tree(server.url, commit).open("new").stream.read() == b""


def test_two_processes_fetch_one_after_the_other(server: Server, tmp_path: Path) -> None:
    """Both get everything, and neither disturbs the other."""
    commit = server.push(FILES)
    script = (
        "import sys; from pathlib import Path; from orchestrator.doors.git_mirror import *\n"
        "mirrors = GitMirrors(Path(sys.argv[1]))\n"
        "for _ in range(3): mirrors.fetch(sys.argv[2], frozenset(('main',)))\n"
        "print(mirrors.commit(sys.argv[2], 'main'))\n"
    )
    line = [sys.executable, "-c", script, str(tmp_path / "cache"), server.url]
    with (
        subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as one,
        subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as two,
    ):
        assert [p.communicate()[0].strip() for p in (one, two)] == [commit, commit]


def test_who_works_on_a_mirror_works_alone(
    server: Server, tmp_path: Path, mirrors: GitMirrors
) -> None:
    """Another one waits, and not for ever."""
    server.push(FILES)
    mirrors.fetch(server.url, MAIN)
    (lock,) = tmp_path.glob("cache/*.lock")
    with lock.open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Unavailable, match="somebody else was not done with"):
            GitMirrors(tmp_path / "cache", timeout_s=0.1).fetch(server.url, MAIN)
    mirrors.fetch(server.url, MAIN)


def test_a_cache_that_cannot_be_written_is_told(server: Server, tmp_path: Path) -> None:
    """A full disk or a file in the way fails the images, not the command."""
    server.push(FILES)
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match=r"Not a directory|File exists"):
        GitMirrors(tmp_path / "file").fetch(server.url, MAIN)


def test_without_a_cache_directory_it_lives_as_long_as_the_command(server: Server) -> None:
    """There may be no home directory at all."""
    commit = server.push(FILES)
    mirrors = GitMirrors(None)
    mirrors.fetch(server.url, MAIN)
    assert mirrors.commit(server.url, "main") == commit


def test_without_git_it_says_so(
    tmp_path: Path, mirrors: GitMirrors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails as if the repository could not be reached."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match="git is not installed"):
        mirrors.fetch("https://git.example/app.git", MAIN)
