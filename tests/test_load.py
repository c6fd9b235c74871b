"""Good hierarchy files, and what becomes of them."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import InvalidInput
from orchestrator.load import parse, resolve
from orchestrator.load.order import ordered
from orchestrator.model.announcement import EventType
from orchestrator.model.hierarchy import (
    BuildCache,
    Builder,
    BuildOptions,
    Hierarchy,
    Image,
    Parent,
    ParentKind,
    Policy,
    Promote,
    Sbom,
    Secret,
    Track,
    Upstream,
)
from orchestrator.model.names import Reference, Repository
from orchestrator.model.source import ImageFiles
from orchestrator.model.subscription import Batch, Minimum, Subscription
from orchestrator.model.target import WebhookTarget
from tests.drafts import HEAD, IMAGES, load

WHOLE = """\
version: 1
name: gold
registry: localhost:5000/gold
platforms: [linux/arm64, linux/amd64]
tags:
  immutable: "{version}-{date}-{key}"
  floating: ["{version}", stable]
secrets:
  pip-index: {env: PIP_INDEX_URL}
  key: {file: /run/key}
upstreams:
  debian:bookworm-slim: {source: "registry.example/debian:12", soak: 0, mirror: false}
  tools: {}
images:
  hello:
    context: ./images/hello/
    version: 1.40
    dockerfile: ../shared/Dockerfile
    target: Final
    tier: application
    platforms: [linux/amd64, linux/arm64/v8]
    drop_platforms: [linux/s390x]
    args: {B: "2", A: on}
    secrets: [pip-index, key]
    labels: {team: web, cost: 0123}
    options:
      network: none
      add_hosts: ["a:10.0.0.1", "b:::1"]
      ulimits: ["nofile=1:2"]
      shm_size: 64m
      no_cache_filter: [FINAL]
    parents: [base, tools]
    tags: {floating: ["{version}-{label.team}"]}
    repository: apps/hello
    aliases: [quay.io/acme/hello]
    packages: apt
    reproducible: false
    allow_latest: true
    builder_labels: {zone: 1, disk: fast}
    timeout: 90m
    retries: 0
    cache: registry
  base: {context: images/base, version: "12", canaries: [hello]}
builders:
  - {name: far, slots: 3, platforms: [linux/arm64/v8, linux/amd64], labels: {zone: 1, disk: fast}}
  - {}
promote: all
subscriptions:
  - team: payments
    images: [base, "h*"]
    events: [image.published]
    webhook: {url: "https://ci.example/hook", secret: "env:KEY"}
insecure_registries: ["registry.lan:5000"]
"""
DOCKERFILES = {
    "hello": (
        "ARG A\nARG B\nFROM base AS final\nCOPY --from=tools a b\n"
        "RUN --mount=type=secret,id=key x\n"
    ),
    "base": "FROM debian:bookworm-slim\n",
}


def test_a_whole_file_becomes_a_whole_hierarchy() -> None:
    """Every field arrives where the model says, parents first."""
    expected = Hierarchy(
        name="gold",
        file="hierarchy.yaml",
        images={
            "base": Image(
                id="base",
                version="12",
                repository=Repository("localhost:5000", "gold/base"),
                context="images/base",
                dockerfile="images/base/Dockerfile",
                platforms=("linux/amd64", "linux/arm64"),
                parents=(
                    Parent(
                        name="debian:bookworm-slim",
                        kind=ParentKind.UPSTREAM,
                        subject="debian:bookworm-slim",
                        final=True,
                        line=1,
                    ),
                ),
                immutable="{version}-{date}-{key}",
                floating=("{version}", "stable"),
                canaries=("hello",),
                file="hierarchy.yaml",
                line=43,
            ),
            "hello": Image(
                id="hello",
                version="1.40",
                repository=Repository("localhost:5000", "gold/apps/hello"),
                context="images/hello",
                dockerfile="images/shared/Dockerfile",
                target="Final",
                tier="application",
                platforms=("linux/amd64", "linux/arm64"),
                drop_platforms=("linux/s390x",),
                build_args=(("A", "on"), ("B", "2")),
                secrets=("key", "pip-index"),
                labels=(("cost", "0123"), ("team", "web")),
                options=BuildOptions(
                    network="none",
                    add_hosts=("a:10.0.0.1", "b:::1"),
                    ulimits=("nofile=1:2",),
                    shm_size="64m",
                    no_cache_filter=("FINAL",),
                ),
                parents=(
                    Parent(name="base", kind=ParentKind.IMAGE, subject="base", final=True, line=3),
                    Parent(
                        name="tools",
                        kind=ParentKind.UPSTREAM,
                        subject="tools",
                        final=False,
                        line=4,
                    ),
                ),
                immutable="{version}-{date}-{key}",
                floating=("{version}-{label.team}",),
                aliases=(Repository("quay.io", "acme/hello"),),
                packages="apt",
                reproducible=False,
                builder_labels=(("disk", "fast"), ("zone", "1")),
                timeout_s=5400,
                retries=0,
                cache=BuildCache.REGISTRY,
                file="hierarchy.yaml",
                line=15,
            ),
        },
        upstreams={
            "debian:bookworm-slim": Upstream(
                name="debian:bookworm-slim",
                source=Reference(Repository("registry.example", "debian"), "12"),
                line=12,
            ),
            "tools": Upstream(
                name="tools", source=Reference(Repository("docker.io", "library/tools")), line=13
            ),
        },
        secrets={
            "pip-index": Secret(name="pip-index", env="PIP_INDEX_URL"),
            "key": Secret(name="key", file="/run/key"),
        },
        builders=(
            Builder(
                name="far",
                slots=3,
                platforms=("linux/amd64", "linux/arm64"),
                labels=(("disk", "fast"), ("zone", "1")),
            ),
            Builder(name=None, slots=4),
        ),
        promote=Promote.ALL,
        registries=("localhost:5000/gold",),
        subscriptions=(
            Subscription(
                team="payments",
                images=("base", "h*"),
                events=(EventType.IMAGE_PUBLISHED,),
                targets=(WebhookTarget(url="https://ci.example/hook", secrets=("env:KEY",)),),
                file="hierarchy.yaml",
                line=49,
            ),
        ),
        plain_http=("registry.lan:5000",),
    )
    hierarchy = load(WHOLE, DOCKERFILES)
    assert list(hierarchy.images) == ["base", "hello"]
    assert hierarchy == expected


def test_the_model_holds_plain_strings_only() -> None:
    """The reader's texts, which know their places, stay in the reader."""

    def kinds(value: object) -> set[type]:
        if isinstance(value, dict):
            return set().union(*(kinds(k) | kinds(v) for k, v in value.items()))
        if isinstance(value, tuple):
            return set().union(*map(kinds, value))
        if hasattr(value, "__dataclass_fields__"):
            return set().union(*(kinds(getattr(value, f)) for f in value.__dataclass_fields__))
        return {type(value)}

    found = kinds(load(WHOLE, DOCKERFILES))
    enums = {ParentKind, Policy, Track, Promote, BuildCache, Sbom, EventType, Minimum, Batch}
    assert {kind for kind in found if issubclass(kind, str)} == {str, *enums}


def test_what_is_left_out_has_its_default() -> None:
    """A minimal file says what it builds, and nothing else."""
    hierarchy = load(HEAD + IMAGES)
    (image,) = hierarchy.images.values()
    assert (image.immutable, image.floating) == ("{version}-{date}-{key}", ("{version}",))
    assert (image.dockerfile, image.reproducible) == ("images/base/Dockerfile", True)
    assert (hierarchy.builders, hierarchy.warnings) == ((Builder(),), ())


@pytest.mark.parametrize(
    "text",
    ["3.10", "1e3", "on", "no", "yes", "0x1F", "010", "1_000", "2024-01-01", "True", "NaN", "1.0"],
)
def test_texts_are_what_was_written(text: str) -> None:
    """YAML's guesses about unquoted texts are not followed."""
    hierarchy = load(f"{HEAD}images:\n  a: {{context: {text}, version: {text}}}\n")
    assert (hierarchy.images["a"].version, hierarchy.images["a"].context) == (text, text)


@pytest.mark.parametrize(
    "text", ["22:22", "''", '"null"', '"~"', "a b", "|\n        x\n        y\n"]
)
def test_free_texts_are_what_was_written(text: str) -> None:
    """Values of labels and arguments are any text."""
    hierarchy = load(f"{HEAD}images:\n  a:\n    context: a\n    version: 1\n    labels:\n"
                     f"      x: {text}\n")  # fmt: skip
    expected = "x\ny\n" if text.startswith("|") else text.strip("\"'")
    assert hierarchy.images["a"].labels == (("x", expected),)


def test_carriage_returns_and_byte_order_marks_are_accepted() -> None:
    """Editors on Windows write both."""
    hierarchy = load(b"\xef\xbb\xbf" + (HEAD + IMAGES).replace("\n", "\r\n").encode())
    assert hierarchy.name == "gold"


def test_wanted_names_files_of_images_whose_fields_are_right() -> None:
    """What to look at is normalised and relative to the hierarchy file."""
    draft = parse(
        f"{HEAD}images:\n"
        "  a: {context: ./x//a/, version: 1}\n"
        "  b: {context: ., version: 1, dockerfile: docker/../b.Dockerfile}\n"
        "  c: {context: c, version: 1, contxt: c}\n".encode(),
        "deep/hierarchy.yaml",
    )
    assert draft.wanted == (("a", "x/a", "x/a/Dockerfile"), ("b", ".", "b.Dockerfile"))
    assert [problem.code for problem in draft.problems] == ["UNKNOWN-KEY"]


def test_resolving_twice_tells_the_same() -> None:
    """A draft is not used up."""
    draft = parse((HEAD + IMAGES).encode(), "hierarchy.yaml")
    bad = {"base": ImageFiles(dockerfile_text="FROM debian\n")}
    for _ in range(2):
        with pytest.raises(InvalidInput) as caught:
            resolve(draft, bad)
        assert [p.code for p in caught.value.problems] == ["UNDECLARED-UPSTREAM"]
    good = resolve(draft, {"base": ImageFiles(dockerfile_text="FROM scratch\n")})
    assert (list(good.images), draft.problems) == (["base"], ())


def test_another_registry_replaces_the_file_s() -> None:
    """Images are published elsewhere; Dockerfiles that name the file's registry still fit."""
    text = f"{HEAD}{IMAGES}  app: {{context: app, version: 1}}\n"
    dockerfiles = {
        "app": "FROM localhost:5000/gold/base:12\nCOPY --from=other.example/x/base / /\n"
    }
    hierarchy = load(text, dockerfiles, registry="other.example/x")
    assert str(hierarchy.images["app"].repository) == "other.example/x/app"
    assert hierarchy.images["app"].image_parents() == ("base",)


def test_a_registry_from_outside_is_enough() -> None:
    """The file need not name one."""
    text = (HEAD + IMAGES).replace("registry: localhost:5000/gold\n", "")
    hierarchy = load(text, registry="other.example")
    assert str(hierarchy.images["base"].repository) == "other.example/base"


@settings(deadline=None)
@given(st.integers(1, 40), st.randoms(use_true_random=False))
def test_parents_come_first_and_otherwise_the_file_s_order(count: int, luck: random.Random) -> None:
    """Over random DAGs in random order: a valid order, and the file's where that is one."""
    images = [f"i{number}" for number in range(count)]
    parents = {
        image: luck.sample(images[:number], luck.randint(0, min(number, 3)))
        for number, image in enumerate(images)
    }
    assert ordered(parents) == (images, [])
    shuffled = luck.sample(images, count)
    order, cycles = ordered({image: parents[image] for image in shuffled})
    assert (sorted(order), cycles) == (sorted(images), [])
    position = {image: number for number, image in enumerate(order)}
    assert all(position[p] < position[i] for i in images for p in parents[i])


def test_a_chain_deeper_than_python_s_stack_loads() -> None:
    """5,000 images on one another, in the wrong order, in seconds."""
    count = 5000
    text = f"{HEAD}images:\n" + "".join(
        f"  i{number}: {{context: c{number}, version: 1}}\n" for number in reversed(range(count))
    )
    dockerfiles = {f"i{number}": f"FROM i{number - 1}\n" for number in range(1, count)}
    start = time.process_time()
    hierarchy = load(text, dockerfiles)
    assert list(hierarchy.images) == [f"i{number}" for number in range(count)]
    assert time.process_time() - start < 12
