"""The git door: the hierarchy's directory as it was where a branch began."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.doors.files import RealFiles
from orchestrator.doors.git import RealGit
from orchestrator.doors.memory.files import Entry, Executable, MemoryFiles, MemoryGit, Symlink
from orchestrator.doors.protocols import Files, Git
from orchestrator.errors import InvalidInput, UsageError
from tests.doors.test_git import git, only_our_configuration, repository

__all__ = ["only_our_configuration", "repository"]

#: What the branch `main` has, and what was done to it since on another one.
BEFORE: dict[str, Entry] = {
    "hierarchy.yaml": b"version: 1\n",
    "base/Dockerfile": b"FROM scratch\nCOPY . /\n",
    "base/run.sh": Executable(content=b"#!/bin/sh\n"),
    "base/link": Symlink(target="run.sh"),
    "base/sub/naïve name\n": b"x" * 100_000,
    "base/empty": b"",
    "linked": Symlink(target="base"),
}


def write(root: Path, entries: dict[str, Entry]) -> None:
    for path, entry in entries.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        if isinstance(entry, Symlink):
            (root / path).symlink_to(entry.target)
            continue
        content = entry.content if isinstance(entry, Executable) else entry
        assert isinstance(content, bytes)
        (root / path).write_bytes(content)
        (root / path).chmod(0o755 if isinstance(entry, Executable) else 0o644)


@pytest.fixture
def branched(repository: Path) -> Path:
    """A hierarchy's directory on a branch that left main, where both went on since."""
    gold = repository / "gold"
    (gold / "hierarchy.yaml").unlink()
    write(gold, BEFORE)
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message=before")
    git(repository, "branch", "topic")
    (gold / "hierarchy.yaml").write_text("main went on")
    git(repository, "commit", "--quiet", "--all", "--message=main goes on")
    git(repository, "checkout", "--quiet", "topic")
    shutil.rmtree(gold / "base/sub")
    (gold / "hierarchy.yaml").write_text("topic went on")
    git(repository, "commit", "--quiet", "--all", "--message=topic goes on")
    (gold / "base/run.sh").write_text("dirty")
    return gold


@pytest.fixture(params=["git", "memory"])
def a_git(request: pytest.FixtureRequest) -> Git:
    """Each kind of git in turn, on the same past."""
    if request.param == "memory":
        return MemoryGit(past={"main": MemoryFiles(BEFORE)})
    return RealGit(request.getfixturevalue("branched"))


def test_the_past_is_what_both_branches_had(a_git: Git) -> None:
    """It is the merge base's tree: neither what main did since, nor what this branch did."""
    past = a_git.files_since("main", "hierarchy.yaml")
    assert past.hierarchy_text() == b"version: 1\n"
    assert past.image_files("base", "base/Dockerfile").dockerfile_text == "FROM scratch\nCOPY . /\n"


def test_the_past_hashes_as_the_same_files_on_disk(a_git: Git, tmp_path: Path) -> None:
    """Bytes, modes, symlinks, directories and strange names are those that were committed."""
    write(tmp_path / "twin", BEFORE)
    on_disk = RealFiles(tmp_path / "twin/hierarchy.yaml")
    past = a_git.files_since("main", "hierarchy.yaml")
    for context in ("base", "linked"):
        was = past.context(context, "base/Dockerfile")
        assert was.source == on_disk.context(context, "base/Dockerfile").source
        assert b"".join(was.archive()).count(b"x" * 1000) > 0


def test_what_was_not_there_is_told_as_of_files(a_git: Git) -> None:
    """An image that the past does not have is a problem of that image."""
    found = a_git.files_since("main", "hierarchy.yaml").image_files("new", "new/Dockerfile")
    assert (found.context_problem, found.dockerfile_problem) == ("does not exist",) * 2


@pytest.mark.parametrize("reference", ["mian", "", "-x", "--all", "main..topic", "HEAD:gold"])
def test_what_is_no_commit_is_a_usage_error(a_git: Git, reference: str) -> None:
    """A mistyped reference is named, and no option reaches git."""
    with pytest.raises(UsageError, match="git knows no commit") as raised:
        a_git.files_since(reference, "hierarchy.yaml")
    assert repr(reference) in raised.value.what
    assert "origin/NAME" in raised.value.hint


def test_a_commit_and_a_tag_are_references(branched: Path) -> None:
    """Anything that git takes for a commit will do."""
    git(branched, "tag", "--annotate", "--message=x", "v1", "main")
    commit = git(branched, "rev-parse", "main")
    for reference in ("v1", commit, commit[:10], "main~1", "HEAD"):
        assert RealGit(branched).files_since(reference, "hierarchy.yaml").hierarchy_text()


def test_a_directory_that_is_new_was_empty(branched: Path) -> None:
    """A hierarchy that this branch adds has no past, and says so by its file."""
    (branched / "deep").mkdir()
    past = RealGit(branched / "deep").files_since("main", "deep/hierarchy.yaml")
    assert past.matching("**") == ()
    with pytest.raises(InvalidInput) as raised:
        past.hierarchy_text()
    (problem,) = raised.value.problems
    assert problem.file == "deep/hierarchy.yaml"
    assert problem.what.startswith("does not exist at ")


def test_a_hierarchy_at_the_top_of_the_repository(tmp_path: Path) -> None:
    """No prefix is a prefix too."""
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    write(tmp_path, BEFORE)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message=one")
    past = RealGit(tmp_path).files_since("main", "hierarchy.yaml")
    assert past.hierarchy_text() == b"version: 1\n"


def test_branches_without_a_common_commit(repository: Path) -> None:
    """What a shallow clone looks like is an error that tells how to get the rest."""
    git(repository, "checkout", "--quiet", "--orphan", "other")
    git(repository, "commit", "--quiet", "--message=other")
    with pytest.raises(UsageError, match="this branch and main have no commit in common") as raised:
        RealGit(repository / "gold").files_since("main", "h.yaml")
    assert "--unshallow" in raised.value.hint


def test_outside_a_repository(tmp_path: Path) -> None:
    """Where there is no git there is no since."""
    with pytest.raises(UsageError, match=f"{tmp_path} is in no git repository"):
        RealGit(tmp_path).files_since("main", "h.yaml")


def test_without_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without git is told so."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match="git is not installed"):
        RealGit(repository).files_since("main", "h.yaml")


def test_a_blob_that_is_not_here_is_a_problem_of_its_file(branched: Path) -> None:
    """A damaged or partial clone fails the image it concerns, not the program."""
    blob = git(branched, "rev-parse", "main~1:gold/base/Dockerfile")
    (branched.parent / ".git/objects" / blob[:2] / blob[2:]).unlink()
    past = RealGit(branched).files_since("main", "hierarchy.yaml")
    found = past.image_files("base", "base/Dockerfile")
    assert found.dockerfile_problem == "cannot be read: git does not have its content here"
    assert past.hierarchy_text() == b"version: 1\n"


def test_a_git_that_dies_or_hangs_is_an_error_and_not_the_end(
    branched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another file is asked of another process."""
    past = RealGit(branched, timeout_s=0.5).files_since("main", "hierarchy.yaml")
    assert past.hierarchy_text() == b"version: 1\n"
    real = os.environ["PATH"]
    for command in ("exec sleep 60", "exit 1"):
        broken = tmp_path / "bin"
        broken.mkdir(exist_ok=True)
        (broken / "git").write_text(f"#!/bin/sh\n{command}\n")
        (broken / "git").chmod(0o755)
        other = RealGit(branched, timeout_s=0.5).files_since("main", "hierarchy.yaml")
        monkeypatch.setenv("PATH", f"{broken}:{real}")
        with pytest.raises(InvalidInput) as raised:
            other.hierarchy_text()
        assert "cannot be looked at: git " in raised.value.problems[0].what
        monkeypatch.setenv("PATH", real)
        assert other.hierarchy_text() == b"version: 1\n"


def test_reading_the_past_leaves_no_process_behind(branched: Path) -> None:
    """The one process that reads blobs ends with the files it reads."""

    def running() -> set[str]:
        listed = subprocess.run(
            ["ps", "-ww", "-o", "pid,args", "--ppid", str(os.getpid())],
            check=False,
            capture_output=True,
            text=True,
        )
        return {line.split()[0] for line in listed.stdout.splitlines() if "cat-file" in line}

    def look(past: Callable[[], Files]) -> set[str]:
        files = past()
        files.hierarchy_text()
        files.image_files("base", "base/Dockerfile")
        return running()

    # Those of other tests may end at any moment.
    before = running()
    ours = look(lambda: RealGit(branched).files_since("main", "hierarchy.yaml")) - before
    assert len(ours) == 1
    assert not ours & running()


def test_looking_back_changes_nothing(branched: Path) -> None:
    """Neither the working tree nor the repository is touched."""
    before = {p: p.stat().st_mtime_ns for p in sorted(branched.parent.rglob("*"))}
    past = RealGit(branched).files_since("main", "hierarchy.yaml")
    past.context("base", "base/Dockerfile")
    assert {p: p.stat().st_mtime_ns for p in sorted(branched.parent.rglob("*"))} == before
