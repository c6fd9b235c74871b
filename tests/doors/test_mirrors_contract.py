"""Mirrors of repositories elsewhere: what references mean there, and what is kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import pytest

from orchestrator.doors.git_mirror import GitMirrors
from orchestrator.doors.memory.files import Entry
from orchestrator.doors.memory.mirrors import MemoryMirrors
from orchestrator.doors.repositories import Mirrors, Repositories
from orchestrator.errors import Unavailable
from orchestrator.model.address import Address
from tests.git_server import Server, only_our_configuration

__all__ = ["only_our_configuration"]
pytestmark = pytest.mark.usefixtures("only_our_configuration")

ONE: Mapping[str, Entry] = {"docker/Dockerfile": b"FROM base\n", "docker/a": b"1"}
TWO: Mapping[str, Entry] = {"docker/Dockerfile": b"FROM other\n", "docker/a": b"2"}
ANY = frozenset(("main",))


class Pushes(Protocol):
    """A server, as far as these tests need it."""

    def push(self, entries: Mapping[str, Entry], branch: str = "main", *, at_s: int = 1) -> str: ...

    def point(self, name: str, commit: str | None) -> None: ...


class MemoryServer:
    """One repository of the twin."""

    def __init__(self, mirrors: MemoryMirrors, url: str) -> None:
        self._mirrors, self._url = mirrors, url

    def push(self, entries: Mapping[str, Entry], branch: str = "main", *, at_s: int = 1) -> str:
        return self._mirrors.push(self._url, entries, branch, at_s=at_s)

    def point(self, name: str, commit: str | None) -> None:
        self._mirrors.point(self._url, name, commit)


@pytest.fixture(params=["git", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Mirrors, Pushes, str]:
    """Each kind of mirrors in turn, with one repository and its URL."""
    if request.param == "memory":
        twin = MemoryMirrors()
        url = "https://git.example/app.git"
        return twin, MemoryServer(twin, url), url
    server = Server(tmp_path)
    return GitMirrors(tmp_path / "cache"), server, server.url


def test_a_reference_means_what_was_last_fetched(place: tuple[Mirrors, Pushes, str]) -> None:
    """A branch moves here when somebody fetches, also to what has nothing in common with it."""
    mirrors, server, url = place
    one = server.push(ONE, at_s=5)
    with pytest.raises(Unavailable, match="it was never fetched here"):
        mirrors.commit(url, "main")
    mirrors.fetch(url, ANY)
    two = server.push(TWO, at_s=9)
    assert mirrors.commit(url, "main") == one
    mirrors.fetch(url, ANY)
    assert mirrors.commit(url, "main") == two
    assert (mirrors.committed_at_s(url, one), mirrors.committed_at_s(url, two)) == (5, 9)
    assert mirrors.tree(url, two).open("docker/a").stream.read() == b"2"


def test_branches_tags_commits_and_head(place: tuple[Mirrors, Pushes, str]) -> None:
    """All of them are references; one that could be two things is refused."""
    mirrors, server, url = place
    one, two = server.push(ONE), server.push(TWO, "next")
    server.point("refs/tags/v1", one)
    server.point("refs/tags/next", one)
    mirrors.fetch(url, frozenset(("", "v1")))
    assert [mirrors.commit(url, r) for r in ("", "main", "v1", two, "refs/tags/next")] == [
        one, one, one, two, one,
    ]  # fmt: skip
    with pytest.raises(Unavailable, match="a branch and a tag 'next': say refs/heads/next or"):
        mirrors.commit(url, "next")


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("nowhere", "no branch or tag 'nowhere'$"),
        ("abcdef12", "no branch or tag 'abcdef12'; a commit is written with all its digits"),
        ("0" * 40, "no commit 0000"),
        ("refs/heads/nowhere", "no branch or tag 'refs/heads/nowhere'"),
    ],
)
def test_a_reference_that_is_not_there(
    place: tuple[Mirrors, Pushes, str], reference: str, why: str
) -> None:
    """It is named, and how commits are written where it could be one."""
    mirrors, server, url = place
    server.push(ONE)
    mirrors.fetch(url, frozenset((reference,)))
    with pytest.raises(Unavailable, match=why):
        mirrors.commit(url, reference)


def test_a_branch_that_is_gone_is_forgotten_and_what_is_kept_is_not(
    place: tuple[Mirrors, Pushes, str],
) -> None:
    """After it was deleted nothing is built from it, but its structure can still be read."""
    mirrors, server, url = place
    one = server.push(ONE, "topic")
    server.push(TWO)
    mirrors.fetch(url, frozenset(("topic",)))
    assert mirrors.remembered(url, "abc") is None
    mirrors.remember(url, "abc", one)
    server.point("refs/heads/topic", None)
    mirrors.fetch(url, frozenset(("topic",)))
    with pytest.raises(Unavailable, match="no branch or tag 'topic'"):
        mirrors.commit(url, "topic")
    assert mirrors.remembered(url, "abc") == one
    assert mirrors.tree(url, one).open("docker/a").stream.read() == b"1"


def test_what_is_built_is_what_was_planned(place: tuple[Mirrors, Pushes, str]) -> None:
    """A reference means one commit for a whole command, though somebody else fetches meanwhile."""
    mirrors, server, url = place
    address = Address(url=url, reference="main", directory="docker")
    one = server.push(ONE)
    command = Repositories(mirrors)
    command.fetch((str(address),))
    planned = command.context(address, "docker/Dockerfile").source
    server.push(TWO)
    other = Repositories(mirrors)
    other.fetch((str(address),))
    assert command.context(address, "docker/Dockerfile").source == planned
    assert planned.revision is not None
    assert planned.revision.commit == one
    assert other.context(address, "docker/Dockerfile").source.context != planned.context


def test_an_older_dockerfile_stands_in_for_one_that_is_gone(
    place: tuple[Mirrors, Pushes, str],
) -> None:
    """The image cannot be used, and its parents are known all the same."""
    mirrors, server, url = place
    address = Address(url=url, reference="main", directory="docker")
    server.push(ONE)
    first = Repositories(mirrors)
    first.fetch((str(address),))
    assert first.image_files(address, "docker/Dockerfile").unusable == ""
    two = server.push({"docker/a": b"2"})
    second = Repositories(mirrors)
    second.fetch((str(address),))
    found = second.image_files(address, "docker/Dockerfile")
    assert found.dockerfile_text == "FROM base\n"
    assert found.unusable == f"docker/Dockerfile at commit {two[:12]} does not exist"
