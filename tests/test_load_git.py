"""Contexts in git repositories elsewhere, as the hierarchy file and their Dockerfiles say."""

from __future__ import annotations

import re

import pytest

from orchestrator.doors.memory.files import MemoryFiles
from orchestrator.doors.memory.mirrors import MemoryMirrors
from orchestrator.doors.repositories import Repositories
from orchestrator.errors import InvalidInput
from orchestrator.model.address import Address, address_of
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.observe.load_files import load_files

URL = "https://git.example/team/app.git"
HEAD = """\
version: 1
name: gold
registry: localhost:5000/gold
platforms: [linux/amd64]
upstreams: {"debian:12": {}}
images:
  base: {context: base, version: "1"}
"""


def load(
    images: str, dockerfile: str | None = "FROM base\n", *, fetch: bool = True, head: str = HEAD
) -> Hierarchy:
    """Load a hierarchy whose repository has this Dockerfile at `docker/`; None: no repository."""
    mirrors = MemoryMirrors()
    if dockerfile is not None:
        mirrors.push(URL, {"docker/Dockerfile": dockerfile.encode(), "Dockerfile": b"FROM base\n"})
    files = {"hierarchy.yaml": (head + images).encode(), "base/Dockerfile": b"FROM debian:12\n"}
    door = MemoryFiles(files, repositories=lambda: Repositories(mirrors))
    return load_files(door, fetch=fetch)


def refused(context: str) -> str:
    """Return the code and the words of the one problem that a context is."""
    with pytest.raises(InvalidInput) as raised:
        load(f"  app: {{context: '{context}', version: 1}}\n")
    (problem,) = raised.value.problems
    assert (problem.line, problem.column) == (8, 18)
    assert "s3cret" not in f"{problem.what} {problem.hint} {problem.source_line}"
    return f"{problem.code}: {problem.what}"


@pytest.mark.parametrize(
    ("context", "address"),
    [
        (URL, Address(url=URL)),
        (f"{URL}#", Address(url=URL)),
        (f"{URL}#HEAD", Address(url=URL)),
        (f"{URL}#main", Address(url=URL, reference="main")),
        (f"{URL}#a/b:x/./y/", Address(url=URL, reference="a/b", directory="x/y")),
        (f"{URL}#:docker", Address(url=URL, directory="docker")),
        ("git@host:t/a.git#v1", Address(url="git@host:t/a.git", reference="v1")),
        ("ssh://[::1]:22/a#v:d", Address(url="ssh://[::1]:22/a", reference="v", directory="d")),
        ("file:///srv/a.git", Address(url="file:///srv/a.git")),
        ("images/a", None),
        ("a:b", None),
    ],
)  # fmt: skip
def test_an_address_has_a_repository_a_reference_and_a_directory(
    context: str, address: Address | None
) -> None:
    """The last two may be left out, and it can be written again from what was read."""
    assert address_of(context) == address
    assert address is None or address_of(str(address)) == address


@pytest.mark.parametrize(
    ("context", "why"),
    [
        ("https://me:s3cret@git.example/a", "CREDENTIALS: "),
        ("https://s3cret@git.example/a", "CREDENTIALS: "),
        ("https://:s3cret@git.example/a", "CREDENTIALS: "),
        ("ssh://git:s3cret@git.example/a", "CREDENTIALS: "),
        ("ext::sh -c evil", "BAD-VALUE: .* asks git to run a program"),
        ("fd::17", "BAD-VALUE: .* asks git to run a program"),
        ("ftp://git.example/a", "BAD-VALUE: .* no address that files are fetched from"),
        ("oci://git.example/a", "BAD-VALUE: .* no address that files are fetched from"),
        ("ssh://-oProxyCommand=evil/a", "BAD-VALUE: .* no address of a git repository"),
        ("git@-oProxyCommand=evil:a", "BAD-VALUE: .* no address of a git repository"),
        ("git@host:-evil", "BAD-VALUE: .* no address of a git repository"),
        ("https://git.example", "BAD-VALUE: .* no address of a git repository"),
        ("https://git.example/a?ref=main", "BAD-VALUE: .* has a query"),
        ("file://host/a", "BAD-VALUE: .* names a host"),
        (f"{URL}#--upload-pack=evil", "BAD-VALUE: .* no branch, tag or commit"),
        (f"{URL}#a..b", "BAD-VALUE: .* no branch, tag or commit"),
        (f"{URL}#main:../x", "PATH-OUTSIDE: .* leaves the repository"),
        (f"{URL}#main:/etc", "PATH-OUTSIDE: .* is absolute"),
        ("github.com/team/app", "BAD-VALUE: .* is no path"),
    ],
)
def test_what_git_should_not_be_given_is_refused(context: str, why: str) -> None:
    """No option, no program, no password reaches git; what stood there is not shown."""
    assert re.match(why, refused(context))


def test_a_dockerfile_may_be_anywhere_in_the_repository() -> None:
    """It is relative to the directory, and does not leave the repository."""
    app = f"  app: {{context: '{URL}#main:docker', version: 1, dockerfile: ../Dockerfile}}\n"
    image = load(app).images["app"]
    assert (image.context, image.dockerfile) == (f"{URL}#main:docker", "Dockerfile")
    with pytest.raises(InvalidInput) as raised:
        load(app.replace("../Dockerfile", "../../Dockerfile"))
    assert [p.what.rpartition("' ")[2] for p in raised.value.problems] == ["leaves the repository"]


def test_parents_are_read_from_the_repository() -> None:
    """They are images and upstreams of the hierarchy, as for any image."""
    image = load(f"  app: {{context: '{URL}#main:docker', version: 1}}\n").images["app"]
    assert image.image_parents() == ("base",)
    assert image.unusable == ""


def test_axes_of_a_matrix_are_filled_in() -> None:
    """A branch, a directory or a repository for each variant."""
    app = (
        f"  app: {{matrix: {{v: [main, next]}}, context: '{URL}#{{v}}:docker', version: '{{v}}'}}\n"
    )
    images = load(app).images
    assert [images[f"app-{v}"].context for v in ("main", "next")] == [
        f"{URL}#main:docker",
        f"{URL}#next:docker",
    ]
    assert [bool(images[f"app-{v}"].unusable) for v in ("main", "next")] == [False, True]


def test_a_repository_that_nobody_fetched_is_a_warning() -> None:
    """`check` needs no network; it says what it does not know, and everything else is checked."""
    app = f"  app: {{context: '{URL}#main:docker', version: 1}}\n"
    hierarchy = load(app, fetch=False)
    assert hierarchy.images["app"].unusable == "it was never fetched here"
    assert hierarchy.images["app"].parents == ()
    (warning,) = hierarchy.warnings
    assert warning.startswith("hierarchy.yaml:8:18: [SOURCE-UNUSABLE] image 'app' could not be")
    assert f"{URL}#main:docker: it was never fetched here" in warning


@pytest.mark.parametrize(
    ("dockerfile", "why"),
    [
        ("FROM\n", "docker/Dockerfile:1: "),
        ("FROM nowhere\n", "docker/Dockerfile:1: .*'nowhere'"),
        ("FROM base AS x\nCOPY --from=registry.example/x:1 a b\n", "docker/Dockerfile:2: "),
        ("FROM app\n", "it stands on itself: app → app"),
        ("FROM top\n", "it stands on itself: .*top"),
        ("", "docker/Dockerfile at commit [0-9a-f]{12} is empty"),
    ],
)
def test_a_mistake_in_another_repository_stops_its_image_alone(dockerfile: str, why: str) -> None:
    """Whoever may push there must not be able to stop every other image."""
    images = f"  app: {{context: '{URL}#main:docker', version: 1}}\n"
    images += f"  top: {{context: '{URL}#main:docker', version: 1, dockerfile: ../top}}\n"
    mirrors = MemoryMirrors()
    mirrors.push(URL, {"docker/Dockerfile": dockerfile.encode(), "top": b"FROM app\n"})
    files = {"hierarchy.yaml": (HEAD + images).encode(), "base/Dockerfile": b"FROM debian:12\n"}
    door = MemoryFiles(files, repositories=lambda: Repositories(mirrors))
    hierarchy = load_files(door, fetch=True)
    assert re.match(why, hierarchy.images["app"].unusable)
    assert hierarchy.warnings == ()
    assert [w for w in load_files(door).warnings if "'app' could not be planned" in w]


def test_a_stage_that_the_repository_lacks_is_its_mistake_too() -> None:
    """The hierarchy says which stage; who can remove it is somebody else."""
    app = f"  app: {{context: '{URL}#main:docker', version: 1, target: release}}\n"
    assert "has no stage 'release'" in load(app).images["app"].unusable
    app = f"  app: {{context: '{URL}#main:docker', version: 1, platforms: [linux/arm64]}}\n"
    assert "its parent 'base' is not" in load(app).images["app"].unusable


@pytest.mark.parametrize(
    ("url", "doubted"),
    [
        ("http://git.example/a", True),
        ("git://git.example/a", True),
        ("http://localhost:8080/a", False),
        (URL, False),
        ("ssh://git@git.example/a", False),
    ],
)
def test_what_anybody_could_change_on_the_way_is_doubted(url: str, doubted: bool) -> None:
    """It is allowed, and a warning says what it means."""
    warnings = load(f"  app: {{context: '{url}', version: 1}}\n").warnings
    assert bool([w for w in warnings if "[PLAIN-TRANSPORT]" in w]) is doubted


def test_a_repository_is_fetched_once_for_all_its_images() -> None:
    """Also where they name different branches, and however often files are looked at."""
    images = "".join(
        f"  app{n}: {{context: '{URL}#{ref}:docker', version: 1}}\n"
        for n, ref in enumerate(("main", "main", "next", ""))
    )
    mirrors = MemoryMirrors()
    mirrors.push(URL, {"docker/Dockerfile": b"FROM base\n"})
    files = {"hierarchy.yaml": (HEAD + images).encode(), "base/Dockerfile": b"FROM debian:12\n"}
    repositories = Repositories(mirrors)
    door = MemoryFiles(files, repositories=lambda: repositories)
    load_files(door, fetch=True)
    load_files(door, fetch=True)
    assert mirrors.fetched == [URL]
