"""The git door: where the tree stands, without ever writing to it."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import time
from pathlib import Path

import pytest

from orchestrator.doors.git import RealGit, public_url
from orchestrator.doors.memory.files import MemoryGit
from orchestrator.errors import Unavailable
from orchestrator.model.source import Revision

COMMITTED_AT_S = 1_700_000_000


@pytest.fixture(autouse=True)
def only_our_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))


def git(repository: Path, *arguments: str) -> str:
    date = f"{COMMITTED_AT_S} +0200"
    identity = {
        f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    done = subprocess.run(
        ["git", "-C", repository, *arguments],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **identity, "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date},
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a hierarchy in a sub-directory and a file beside it."""
    root = tmp_path / "repository"
    (root / "gold").mkdir(parents=True)
    git(root, "init", "--quiet", "--initial-branch=main")
    (root / "gold/hierarchy.yaml").write_text("version: 1\n")
    (root / "beside").write_text("x")
    (root / ".gitignore").write_text("*.log\n")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message=one")
    return root


def test_clean_tree_is_its_commit(repository: Path) -> None:
    """A clean tree has HEAD's hash and time; without a remote, no source."""
    assert RealGit(repository / "gold").revision() == Revision(
        commit=git(repository, "rev-parse", "HEAD"),
        dirty=False,
        committed_at_s=COMMITTED_AT_S,
        source="",
    )


def test_twin_says_what_it_is_told() -> None:
    """Stories set the revision."""
    revision = Revision(commit="0" * 40, dirty=True, committed_at_s=1)
    assert MemoryGit().revision() is None
    assert MemoryGit(revision).revision() == revision


@pytest.mark.parametrize(
    ("path", "dirty"),
    [
        ("gold/hierarchy.yaml", True),
        ("gold/new", True),
        ("gold/sub/new", True),
        ("gold/build.log", False),
        ("beside", False),
        ("new", False),
    ],
)
def test_dirty_is_what_differs_below_the_directory(
    repository: Path, path: str, dirty: bool
) -> None:
    """Changed and untracked files below it count; ignored ones, and others beside it, do not."""
    (repository / path).parent.mkdir(exist_ok=True)
    (repository / path).write_text("changed")
    revision = RealGit(repository / "gold").revision()
    assert revision is not None
    assert revision.dirty is dirty
    assert str(revision).endswith("-dirty") is dirty


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.unlink(),
        lambda path: path.chmod(path.stat().st_mode | stat.S_IXUSR),
        lambda path: git(path.parent, "mv", "hierarchy.yaml", "h.yaml"),
        lambda path: git(path.parent, "rm", "--quiet", "--cached", "hierarchy.yaml"),
    ],
    ids=["removed", "mode", "moved", "unstaged"],
)
def test_every_kind_of_change_is_dirty(repository: Path, change: object) -> None:
    """Removals, modes and the index count as well as contents."""
    assert callable(change)
    change(repository / "gold/hierarchy.yaml")
    revision = RealGit(repository / "gold").revision()
    assert revision is not None
    assert revision.dirty


def test_untracked_files_count_even_where_the_user_hides_them(repository: Path) -> None:
    """What a user configured for their own status does not make a dirty tree clean."""
    git(repository, "config", "status.showUntrackedFiles", "no")
    (repository / "gold/new").write_text("x")
    revision = RealGit(repository / "gold").revision()
    assert revision is not None
    assert revision.dirty


def test_nothing_is_written(repository: Path) -> None:
    """Not even the index is refreshed, though a touched file would make git want to."""
    index = repository / ".git/index"
    os.utime(repository / "gold/hierarchy.yaml", (1, 1))
    before = (index.read_bytes(), index.stat().st_mtime_ns, sorted(os.listdir(repository / ".git")))
    assert RealGit(repository / "gold").revision() is not None
    after = (index.read_bytes(), index.stat().st_mtime_ns, sorted(os.listdir(repository / ".git")))
    assert after == before


def test_repositorys_monitor_is_not_run(repository: Path) -> None:
    """A program that the repository names for its file system monitor is not started."""
    monitor = repository / "monitor"
    monitor.write_text(f"#!/bin/sh\ntouch {repository}/ran\n")
    monitor.chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(monitor))
    git(repository, "update-index", "--fsmonitor")
    git(repository, "status")
    (repository / "ran").unlink()
    assert RealGit(repository / "gold").revision() is not None
    assert not (repository / "ran").exists()


def test_inside_a_git_hook(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook's GIT_DIR and GIT_INDEX_FILE do not lead to another repository."""
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_WORK_TREE", "/")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")
    monkeypatch.setenv("GIT_LITERAL_PATHSPECS", "1")
    revision = RealGit(repository / "gold").revision()
    assert revision is not None
    assert not revision.dirty


def test_signatures_and_colours_do_not_confuse(repository: Path) -> None:
    """A user's settings for people's eyes do not reach us, nor does a signed commit."""
    unsigned = git(repository, "cat-file", "commit", "HEAD")
    head, _, message = unsigned.partition("\n\n")
    signed = repository.parent / "signed"
    block = "-----BEGIN PGP SIGNATURE-----\n x\n -----END PGP SIGNATURE-----"
    signed.write_text(f"{head}\ngpgsig {block}\n\n{message}\n")
    commit = git(repository, "hash-object", "-t", "commit", "-w", str(signed))
    git(repository, "reset", "--quiet", "--soft", commit)
    gpg = repository.parent / "gpg"
    gpg.write_text("#!/bin/sh\necho gpg: what a nice signature >&2\nexit 1\n")
    gpg.chmod(0o755)
    for name, value in {
        "gpg.program": str(gpg),
        "log.showSignature": "true",
        "color.ui": "always",
        "core.pager": "false",
        "status.branch": "true",
    }.items():
        git(repository, "config", name, value)
    assert "nice" in git(repository, "log", "-1", "--format=%ct")
    revision = RealGit(repository / "gold").revision()
    assert revision == Revision(commit=commit, dirty=False, committed_at_s=COMMITTED_AT_S)


def test_no_revision_outside_git(tmp_path: Path) -> None:
    """A directory that no repository has, has no revision."""
    assert RealGit(tmp_path).revision() is None


def test_no_revision_before_the_first_commit(tmp_path: Path) -> None:
    """A repository without commits has none either."""
    git(tmp_path, "init", "--quiet")
    assert RealGit(tmp_path).revision() is None


def test_no_revision_in_a_bare_repository(tmp_path: Path) -> None:
    """Without a work tree there is nothing that could stand anywhere."""
    git(tmp_path, "init", "--quiet", "--bare")
    assert RealGit(tmp_path).revision() is None


def test_no_revision_without_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without git can build."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert RealGit(repository).revision() is None


def test_no_revision_in_somebody_elses_repository(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where git refuses for safe.directory there is no revision, unless the user vouches for it."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to give the repository away")
    shutil.chown(repository, 12345)
    shutil.chown(repository / ".git", 12345)
    shutil.chown(repository / "gold", 12345)
    assert RealGit(repository / "gold").revision() is None

    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "safe.directory")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "*")
    assert RealGit(repository / "gold").revision() is not None


def test_damaged_repository_is_an_error(repository: Path) -> None:
    """A tree of which git can say nothing must not pass for a clean one."""
    (repository / ".git/index").write_bytes(b"damaged")
    with pytest.raises(Unavailable, match=r"git failed with exit code 128: .*index"):
        RealGit(repository).revision()


def test_git_that_hangs_is_an_error(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A git that gives no answer ends with a time-out that names the directory."""
    bin_directory = tmp_path / "bin"
    bin_directory.mkdir()
    (bin_directory / "git").write_text("#!/bin/sh\nexec sleep 60\n")
    (bin_directory / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_directory}:{os.environ['PATH']}")
    began_s = time.monotonic()
    with pytest.raises(Unavailable, match=rf"in {repository} gave no answer in 0\.2 s"):
        RealGit(repository, timeout_s=0.2).revision()
    assert time.monotonic() - began_s < 4


def test_source_is_the_remotes_public_url(repository: Path) -> None:
    """The URL is origin's own: what a CI system puts in its place, with a token, is not seen."""
    git(repository, "remote", "add", "origin", "https://me:s3cret@git.example/team/gold.git/")
    git(
        repository,
        "config",
        "url.https://ci:t0ken@inside.example/.insteadOf",
        "https://me:s3cret@git.example/",
    )
    revision = RealGit(repository / "gold").revision()
    assert revision is not None
    assert revision.source == "https://git.example/team/gold.git"


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("https://git.example/a/b.git", "https://git.example/a/b.git"),
        ("https://token@git.example/a/b", "https://git.example/a/b"),
        ("https://u:p@GIT.example:8443/a/b/?private_token=x#y", "https://git.example:8443/a/b"),
        ("http://[2001:db8::1]:80/a", "http://[2001:db8::1]:80/a"),
        ("git@github.com:acme/gold.git", "ssh://git@github.com/acme/gold.git"),
        ("alice@git.example:/srv/gold.git", "ssh://git.example/srv/gold.git"),
        ("ssh://git:pw@git.example:2222/a.git", "ssh://git@git.example:2222/a.git"),
        ("ssh://alice@git.example/a.git", "ssh://git.example/a.git"),
        ("u:p@git.example:a/b", ""),
        ("", ""),
        ("/srv/git/gold.git", ""),
        ("../gold.git", ""),
        ("file:///srv/git/gold.git", ""),
        ("ext::sh -c evil", ""),
        ("https://[bad/a", ""),
        ("https://git.example:port/a", ""),
        ("https:///a", ""),
        ("https://git.example/a\x1bb", ""),
    ],
)
def test_public_url_holds_no_secret(url: str, public: str) -> None:
    """Credentials, queries and paths of this machine never reach an annotation."""
    assert public_url(url) == public
