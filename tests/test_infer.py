"""A tree of Dockerfiles in, a hierarchy that loads out."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest

from orchestrator.doors.memory.files import Entry, Faulty, MemoryFiles
from orchestrator.infer import FoundImage
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.observe.infer_files import Proposal, infer_files
from orchestrator.observe.load_files import load_files
from tests.dockerfile_trees import MONOREPO, NAMESAKES, SEVERAL, STAGES

TREES = {"monorepo": MONOREPO, "several": SEVERAL, "stages": STAGES, "namesakes": NAMESAKES}


def propose(tree: Mapping[str, str | Entry], **settings: str) -> Proposal:
    """Infer the hierarchy of a tree called gold."""
    return infer_files(files(tree), "gold", **settings)


def files(tree: Mapping[str, str | Entry]) -> MemoryFiles:
    return MemoryFiles({p: e.encode() if isinstance(e, str) else e for p, e in tree.items()})


def loaded(tree: Mapping[str, str | Entry]) -> Hierarchy:
    """Write what was inferred beside the tree, and load it."""
    there = files(tree)
    there.write("hierarchy.yaml", infer_files(there, "gold").text.encode())
    return load_files(there)


def image(proposal: Proposal, name: str) -> FoundImage:
    return next(one for one in proposal.inferred.images if one.id == name)


def parents(tree: Mapping[str, str | Entry]) -> dict[str, list[str]]:
    """Return what every image stands on, as the hierarchy that was loaded says it."""
    return {
        name: [parent.subject for parent in image.parents]
        for name, image in loaded(tree).images.items()
    }


def remarks(proposal: Proposal) -> list[str]:
    return [f"{r.file}:{r.line}: {r.what}" for r in proposal.inferred.remarks]


def left_out(proposal: Proposal) -> dict[str, str]:
    return {one.id: f"{one.file}:{one.line}: {one.what}" for one in proposal.inferred.left_out}


@pytest.mark.parametrize("name", TREES)
def test_what_is_written_passes_check(name: str) -> None:
    """Trees as people have them give a hierarchy that loads, whatever is wrong in them."""
    proposal = propose(TREES[name])
    assert proposal.problems == ()
    assert set(loaded(TREES[name]).images) == {one.id for one in proposal.inferred.images}


def test_a_monorepo_of_registry_names() -> None:
    """References put together from ARGs find their images, their tags tell variants apart."""
    assert parents(MONOREPO) == {
        "base": ["debian:bookworm-slim"],
        "java-17": ["base"],
        "java-21": ["base"],
        "tomcat": ["java-17"],
        "shop": ["tomcat"],
    }
    found = dict(loaded(MONOREPO).images)
    assert str(found["java-21"].repository) == "registry.corp/platform/java"
    assert {name: image.version for name, image in found.items()} == {
        "base": "12.4",
        "java-17": "17",
        "java-21": "21",
        "tomcat": "10.1.19",
        "shop": "1.0.0",
    }
    assert dict(found["shop"].build_args) == {
        "REGISTRY": "registry.corp/platform",
        "TOMCAT_VERSION": "10.1.19",
    }
    assert [found[name].packages for name in ("base", "java-17", "shop")] == ["apt", "apt", None]
    assert [str(alias) for alias in found["base"].aliases] == ["registry.corp/platform/base"]
    assert [found[name].tier for name in ("base", "java-17", "java-21", "tomcat", "shop")] == [
        "base",
        "runtime",
        "application",
        "app-server",
        "application",
    ]


def test_a_from_that_nobody_can_know_is_left_out_and_said() -> None:
    """With its file, its line, and what to do."""
    (left,) = propose(MONOREPO).inferred.left_out
    assert (left.id, left.file, left.line) == ("legacy", "services/legacy/Dockerfile", 3)
    assert left.what == "'$PARENT' expands to nothing"
    assert left.hint.startswith("give PARENT a default before the first FROM")


def test_a_copy_source_that_is_not_there_is_said() -> None:
    """The context is the Dockerfile's directory, and a comment doubts it."""
    proposal = propose(MONOREPO)
    assert image(proposal, "shop").context == "services/shop"
    assert "target/shop.war (line 4) is not there" in proposal.text
    assert (
        "services/shop/Dockerfile:4: COPY takes target/shop.war, which is not in services/shop"
        in remarks(proposal)
    )


def test_several_dockerfiles_in_a_directory() -> None:
    """Each is an image called like the directory and the end of the Dockerfile's name."""
    assert parents(SEVERAL) == {
        "base": ["alpine:3.20"],
        "backend": ["base"],
        "backend-worker": ["backend"],
        "backend-migrate": ["backend"],
        "frontend": ["base"],
        "cli": ["base"],
    }


def test_the_context_is_where_copy_finds_its_sources() -> None:
    """The Dockerfile's own directory, or the nearest one above that has them all."""
    proposal = propose(SEVERAL)
    places = {one.id: (one.context, one.dockerfile) for one in proposal.inferred.images}
    assert places == {
        "base": (".", "Dockerfile.base"),
        "backend": ("backend", "Dockerfile"),
        "backend-worker": ("backend", "Dockerfile.worker"),
        "backend-migrate": ("backend", "migrate.dockerfile"),
        "frontend": ("frontend", "docker/Containerfile"),
        "cli": (".", "tools/cli/Dockerfile"),
    }


def test_hidden_files_are_seen_and_hidden_directories_believed() -> None:
    """A COPY of .npmrc or .mvn is not doubted, and does not move the context."""
    tree = {
        "x/app/Dockerfile": "FROM a:1\nCOPY .npmrc .mvn ./\nCOPY .mvn/wrapper /w\n",
        "x/app/.npmrc": "",
        "x/app/.mvn/wrapper/jar": "",
        ".npmrc": "",
    }
    assert image(propose(tree), "app").context == "x/app"
    assert remarks(propose(tree)) == []


def test_other_peoples_dockerfiles_are_not_read() -> None:
    """vendor, node_modules and templates are left alone, and that is said."""
    said = remarks(propose(SEVERAL))
    assert [line for line in said if "not read" in line] == [
        "node_modules/x/Dockerfile:0: other people's sources are not read: this and 1 more",
        "tools/Dockerfile.j2:0: it is what a Dockerfile is made from, and was not read",
    ]


def test_stages_secrets_and_digests() -> None:
    """COPY --from and RUN --mount make parents too; a digest is kept, a secret is declared."""
    digest = "busybox@sha256:" + "a" * 64
    assert parents(STAGES)["app"] == [
        "builder",
        "ghcr.io/astral-sh/uv:0.5",
        "base",
        "assets",
        digest,
    ]
    hierarchy = loaded(STAGES)
    assert str(hierarchy.upstreams[digest].source) == f"docker.io/library/{digest}"
    assert hierarchy.secrets["pip-index"].env == "PIP_INDEX"
    assert hierarchy.images["app"].secrets == ("pip-index",)
    assert hierarchy.images["app"].version == "3.4.1"
    assert hierarchy.images["builder"].packages == "dnf"
    assert hierarchy.images["assets"].packages is None, "git is in a stage that nobody ships"
    assert "app/Dockerfile:6: RUN mounts an SSH agent, which builds here do not get" in remarks(
        propose(STAGES)
    )


def test_namesakes_are_told_apart() -> None:
    """An official image is not taken for the directory of that name, nor an image for itself."""
    assert parents(NAMESAKES) == {
        "app": ["python:3.12-slim"],
        "distro": ["gcr.io/distroless/base"],
        "gold-redis": ["redis"],
        "java-base": ["eclipse-temurin:21"],
        "node-base": ["node:22"],
        "python": ["python:3.12-slim"],
        "shop": ["java-base"],
        "ui": ["registry.corp/team/base:22"],
        "uv": ["ghcr.io/astral-sh/uv:0.5"],
        "web": ["python"],
    }
    said = remarks(propose(NAMESAKES))
    official = (
        "python:3.12-slim is taken for Docker Hub's image, not for python (python/Dockerfile)"
    )
    two = (
        "registry.corp/team/base:22 could be any of java-base, node-base: it is taken for an image"
    )
    assert said == [f"app/Dockerfile:1: {official}", f"ui/Dockerfile:1: {two} from outside"]
    assert str(loaded(NAMESAKES).images["java-base"].repository) == "registry.corp/team/java/base"


def test_images_in_a_circle_are_left_out_with_what_stands_on_them() -> None:
    """The others are written."""
    tree = {
        "a/Dockerfile": "FROM b\n",
        "b/Dockerfile": "FROM a\n",
        "c/Dockerfile": "FROM scratch\nCOPY --from=a / /\n",
        "d/Dockerfile": "FROM scratch\n",
    }
    proposal = propose(tree)
    assert parents(tree) == {"d": []}
    assert left_out(proposal) == {
        "a": "a/Dockerfile:1: images stand on one another: a → b → a",
        "b": "b/Dockerfile:1: images stand on one another: a → b → a",
        "c": "c/Dockerfile:2: it stands on a, which is left out",
    }


def test_a_circle_that_only_guesses_make_is_opened() -> None:
    """A registry's name in it was not ours after all."""
    tree = {
        "base/Dockerfile": "FROM registry.corp/x/tools:1\n",
        "tools/Dockerfile": "FROM base\n",
    }
    assert parents(tree) == {"base": ["registry.corp/x/tools:1"], "tools": ["base"]}
    (said,) = remarks(propose(tree))
    assert said == (
        "base/Dockerfile:1: registry.corp/x/tools:1 is taken for an image from outside: were it "
        "tools, images would stand on one another"
    )


def test_dockerfiles_that_cannot_be_read_are_left_out() -> None:
    """Each with its reason; nothing else suffers."""
    tree: dict[str, str | Entry] = {
        "broken/Dockerfile": "FORM debian\n",
        "empty/Dockerfile": "",
        "latin/Dockerfile": b"FROM debian # \xe4\n",
        "locked/Dockerfile": Faulty(),
        "good/Dockerfile": "FROM debian:12\n",
        "child/Dockerfile": "FROM broken\n",
    }
    assert list(parents(tree)) == ["good"]
    said = left_out(propose(tree))
    assert said["empty"] == "empty/Dockerfile:0: is empty"
    assert said["latin"] == "latin/Dockerfile:0: is not UTF-8 (line 1)"
    assert said["locked"] == "locked/Dockerfile:0: cannot be read: Permission denied"
    assert said["child"] == "child/Dockerfile:1: it stands on broken, which is left out"
    assert said["broken"].startswith("broken/Dockerfile:1: ")


def test_a_digest_of_our_own_image_is_left_out() -> None:
    """The plan decides on digests; what pins one cannot be part of a cascade."""
    pinned = "registry.corp/x/base:1@sha256:" + "b" * 64
    tree = {
        "base/Dockerfile": "FROM debian:12\n",
        "app/Dockerfile": "FROM registry.corp/x/base:1\n",
        "pinned/Dockerfile": f"FROM {pinned}\n",
    }
    assert list(parents(tree)) == ["base", "app"]
    assert left_out(propose(tree)) == {
        "pinned": f"pinned/Dockerfile:1: {pinned} names an image of this tree by a digest"
    }


def test_children_that_disagree_on_a_version_are_named() -> None:
    """Most of them decide; the others are said, with file and line."""
    tree = {
        "base/Dockerfile": "FROM debian:12\n",
        "a/Dockerfile": "FROM registry.corp/x/base:1.9\n",
        "b/Dockerfile": "FROM registry.corp/x/base:1.10\n",
        "c/Dockerfile": "FROM registry.corp/x/base:1.10\n",
        "d/Dockerfile": "FROM registry.corp/x/base:stable\n",
    }
    proposal = propose(tree)
    assert image(proposal, "base").version.value == "1.10"
    assert proposal.inferred.floating == ("{version}", "stable")
    assert remarks(proposal) == [
        "a/Dockerfile:1: the tag 1.9 of base is not 1.10, which most others name"
    ]
    assert [warning.partition(": ")[2] for warning in proposal.warnings] == [
        "[OTHER-TAG] the tag of 'registry.corp/x/base:1.9' is none of image 'base''s (1.10, stable)"
    ]


def test_a_constant_platform_is_kept_and_handed_down() -> None:
    """An image bound to one platform says so, and so does what stands on it."""
    tree = {
        "base/Dockerfile": "FROM debian:12\n",
        "arm/Dockerfile": "FROM --platform=linux/arm64 debian:12\n",
        "app/Dockerfile": "FROM arm\nCOPY --from=base / /\n",
    }
    platforms = {name: image.platforms for name, image in loaded(tree).images.items()}
    assert platforms == {
        "base": ("linux/amd64", "linux/arm64"),
        "arm": ("linux/arm64",),
        "app": ("linux/arm64",),
    }


def test_a_registry_may_be_given() -> None:
    """Names in Dockerfiles are then aliases."""
    proposal = propose(MONOREPO, registry="localhost:5000/gold")
    assert proposal.problems == ()
    assert 'REGISTRY: "localhost:5000/gold"' in proposal.text
    assert proposal.inferred.registry.value == "localhost:5000/gold"


@pytest.mark.parametrize(
    "path",
    [
        "Ünïcode/Dockerfile", "a b/Dockerfile", "-x-/Dockerfile", "no/Dockerfile", "12/Dockerfile",
        "1.2/3.4/Dockerfile", "scratch/Dockerfile", "__/Dockerfile", "a--b..c/Dockerfile",
        "Dockerfile", "Dockerfile.", "x" * 200 + "/Dockerfile", "#/Dockerfile", "a: b/Dockerfile",
        "'/Dockerfile", '"/Dockerfile', "{}/Dockerfile", "context/Dockerfile", "~/Dockerfile",
        "a\nb/Dockerfile", "a\\b/Dockerfile", "github.com/x/Dockerfile", "null/Dockerfile",
    ],
)  # fmt: skip
def test_every_path_gives_a_file_that_loads(path: str) -> None:
    """Names that are no ids, and names that YAML takes for something else."""
    proposal = propose({path: "FROM debian:12\n", "good/Dockerfile": "FROM debian:12\n"})
    assert proposal.problems == ()
    assert (
        len(proposal.inferred.images) + len(proposal.inferred.left_out)
        >= (path != "Dockerfile.") + 1
    )


def test_text_of_a_dockerfile_cannot_break_out_of_a_comment() -> None:
    """A carriage return, an escape sequence or a quote in a FROM stays a comment."""
    proposal = propose(
        {
            "a/Dockerfile": 'FROM "x\r\x1b[31m\nversion: 2\n',
            "b/Dockerfile": 'FROM a:1\nCOPY ["x\\nversion: 2\\u001b[31m\\r", "/"]\n',
        }
    )
    assert proposal.problems == ()
    assert remarks(proposal)[:1] == [
        "b/Dockerfile:1: a:1 is taken for an image from outside: a is left out"
    ]
    assert not {"\x1b", "\r"} & set(proposal.text)


def test_the_order_of_the_tree_does_not_matter() -> None:
    """The same tree gives the same file."""
    for tree in TREES.values():
        assert propose(dict(reversed(tree.items()))).text == propose(tree).text


def test_a_thousand_dockerfiles_take_a_moment() -> None:
    """Time grows with the tree, not with its square."""
    tree = {"i0/Dockerfile": "FROM debian:12\n"}
    for number in range(1, 1000):
        tree[f"i{number}/Dockerfile"] = (
            f"ARG REGISTRY\nFROM $REGISTRY/i{number // 3}:1.{number // 3}\n"
            f"COPY --from=registry.corp/x/i{number - 1}:1.{number - 1} / /\nCOPY app /\n"
        )
        tree[f"i{number}/app"] = ""
    began = time.process_time()
    proposal = propose(tree)
    assert len(proposal.inferred.images) == 1000
    assert proposal.problems == ()
    assert time.process_time() - began < 10
