"""Good hierarchy files, and what becomes of them."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import InvalidInput
from orchestrator.load import parse, resolve
from orchestrator.load.order import ordered
from orchestrator.model.hierarchy import (
    Builder,
    BuildOptions,
    Hierarchy,
    Image,
    Parent,
    ParentKind,
    Secret,
    Subscription,
    Upstream,
)
from orchestrator.model.names import Reference, Repository
from orchestrator.model.source import ImageFiles
from tests.drafts import HEAD, IMAGES, load, places, problems

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
  base: {context: images/base, version: "12"}
builders:
  - {name: remote, slots: 4}
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


NOBODY = (
    "hierarchy.yaml:43:5: [NOT-YET] team 'payments' subscribes, and this version tells nobody yet"
)


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
                line=39,
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
        builders=(Builder(name="remote", slots=4),),
        subscriptions=(
            Subscription(
                team="payments", images=("base", "h*"), events=("image.published",), line=43
            ),
        ),
        plain_http=("registry.lan:5000",),
        warnings=(NOBODY,),
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
    assert {kind for kind in found if issubclass(kind, str)} == {str, ParentKind}


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


FAMILY = f"""\
{HEAD}upstreams:
  debian:12: {{source: "registry.example/debian:12"}}
  quay.io/acme/tools: {{}}
images:
  python-3.11:
    {{context: a, version: "3.11", repository: python, tags: {{floating: ["{{version}}", lts]}}}}
  python-3.12: {{context: b, version: "3.12", repository: python}}
  base: {{context: c, version: "1", aliases: [quay.io/acme/base, debian]}}
  app: {{context: d, version: "1"}}
"""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("base", "image base"),
        ("localhost:5000/gold/base", "image base"),
        ("localhost:5000/gold/base:1", "image base"),
        ("quay.io/acme/base:1", "image base"),
        ("debian:1", "image base"),
        ("docker.io/library/debian:1", "image base"),
        ("python-3.12", "image python-3.12"),
        ("localhost:5000/gold/python:3.12", "image python-3.12"),
        ("localhost:5000/gold/python:3.11", "image python-3.11"),
        ("localhost:5000/gold/python:lts", "image python-3.11"),
        ("quay.io/acme/tools", "upstream quay.io/acme/tools"),
        ("quay.io/acme/tools:latest", "upstream quay.io/acme/tools"),
        ("localhost:5000/gold/python", "AMBIGUOUS-PARENT"),
        ("localhost:5000/gold/python:4", "AMBIGUOUS-PARENT"),
        ("localhost:5000/gold/base@sha256:" + "0" * 64, "PINNED-PARENT"),
        ("base:1", "UNDECLARED-UPSTREAM"),
        ("python", "UNDECLARED-UPSTREAM"),
        ("quay.io/acme/tools:2", "UNDECLARED-UPSTREAM"),
        ("quay.io/acme/tools@sha256:" + "0" * 64, "UNDECLARED-UPSTREAM"),
    ],
)
def test_what_a_name_means(name: str, expected: str) -> None:
    """A bare name is an image, a repository's name is the image published there."""
    family = FAMILY.replace('  debian:12: {source: "registry.example/debian:12"}\n', "")
    dockerfiles = {"app": f"FROM {name}\n"}
    codes = [problem.code for problem in problems(family, dockerfiles)]
    if codes:
        assert codes == [expected]
        return
    (parent,) = load(family, dockerfiles).images["app"].parents
    assert (f"{parent.kind} {parent.subject}", parent.name) == (expected, name)


def test_an_upstream_is_found_under_every_spelling() -> None:
    """`debian:12` and `docker.io/library/debian:12` are one; the exact spelling is preferred."""
    text = f"{HEAD}{IMAGES}upstreams:\n  debian:12: {{}}\n  docker.io/debian:12: {{}}\n"
    for name, expected in (
        ("debian:12", "debian:12"),
        ("docker.io/debian:12", "docker.io/debian:12"),
        ("docker.io/library/debian:12", "debian:12"),
    ):
        (parent,) = load(text, {"base": f"FROM {name}\n"}).images["base"].parents
        assert (parent.name, parent.subject) == (name, expected)


def test_a_name_without_a_tag_is_latest_where_several_share_a_repository() -> None:
    """As everywhere else; whoever moves `latest` has it."""
    text = (
        f"{HEAD}allow_latest: true\nimages:\n"
        "  old: {context: a, version: 1, repository: r}\n"
        "  new: {context: b, version: 2, repository: r, tags: {floating: [latest]}}\n"
        "  app: {context: c, version: 1}\n"
    )
    hierarchy = load(text, {"app": "FROM localhost:5000/gold/r\n"})
    assert hierarchy.images["app"].image_parents() == ("new",)


def test_an_undeclared_upstream_comes_with_the_yaml_to_paste() -> None:
    """The hint, pasted into the file, makes it right."""
    dockerfiles = {"base": "FROM registry.example:5000/a/b\n"}
    (problem,) = problems(HEAD + IMAGES, dockerfiles)
    pasted = problem.hint.partition("\n")[2]
    assert load(f"{HEAD}{IMAGES}{pasted}\n", dockerfiles).upstreams.keys() == {
        "registry.example:5000/a/b"
    }


def test_two_spellings_that_BuildKit_takes_for_one_are_refused() -> None:
    """`base` is an image here and `base:latest` an upstream, and a pin cannot tell them apart."""
    text = f"{HEAD}{IMAGES}  app: {{context: a, version: 1}}\nupstreams:\n  base:latest: {{}}\n"
    found = places(text, {"app": "FROM base\nCOPY --from=base:latest a b\n"})
    assert found == ["a/Dockerfile:2:1 AMBIGUOUS-PARENT"]


def test_a_tag_that_the_image_does_not_have_is_doubted() -> None:
    """`FROM …/python:3.9` stands on the image there, which is 3.11, and that is said."""
    hierarchy = load(
        f"{HEAD}{IMAGES}  app: {{context: app, version: 1}}\n",
        {"app": "FROM localhost:5000/gold/base:9\n"},
    )
    assert hierarchy.images["app"].image_parents() == ("base",)
    assert any("[OTHER-TAG]" in warning for warning in hierarchy.warnings)


PAIR = f"{HEAD}{IMAGES}  app: {{context: app, version: 1PLUS}}\nupstreams: {{debian:12: {{}}}}\n"


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("[base, 'debian:12']", []),
        ("['debian:12', base]", []),
        ("[localhost:5000/gold/base, 'docker.io/library/debian:12']", []),
        ("[base]", ["7:44 PARENTS-DISAGREE"]),
        ("[]", ["7:44 PARENTS-DISAGREE"] * 2),
        ("[base, 'debian:12', app]", ["7:64 PARENTS-DISAGREE"]),
        ("[bse, 'debian:12']", ["7:45 UNKNOWN-PARENT"]),
        ("['B:', 'debian:12']", ["7:45 UNKNOWN-PARENT"]),
    ],
)
def test_stated_parents_are_compared_with_the_dockerfile(stated: str, expected: list[str]) -> None:
    """What the file states and what the Dockerfile names must be the same images."""
    text = PAIR.replace("PLUS", f", parents: {stated}")
    dockerfiles = {"app": "FROM base\nCOPY --from=debian:12 a b\n", "base": "FROM debian:12\n"}
    assert places(text, dockerfiles) == expected


def test_a_disagreement_shows_both_lines() -> None:
    """The line of the file and the line of the Dockerfile."""
    (problem,) = problems(
        PAIR.replace("PLUS", ", parents: [base, 'debian:12']"),
        {"app": "\nFROM base\n", "base": "FROM debian:12\n"},
    )
    assert (problem.line, problem.source_line.strip()[:4]) == (7, "app:")
    assert "on line 7" in problem.what
    assert "app/Dockerfile:2: FROM base" in problem.hint


def test_a_cycle_is_told_with_its_path_and_its_lines() -> None:
    """Every edge comes with the Dockerfile's line that makes it."""
    text = HEAD + "images:\n" + "".join(
        f"  {name}: {{context: {name}, version: 1}}\n" for name in ("top", "a", "b", "c")
    )  # fmt: skip
    (problem,) = problems(
        text,
        {
            "top": "FROM b\n",
            "a": "FROM c\n",
            "b": "FROM scratch AS x\nFROM a\n",
            "c": "FROM scratch\nCOPY --from=b x y\n",
        },
    )
    assert (problem.line, problem.code) == (7, "CYCLE")
    assert problem.what.partition(": ")[2] == (
        "a (a/Dockerfile:1) → c (c/Dockerfile:2) → b (b/Dockerfile:2) → a"
    )


def test_an_image_that_stands_on_itself_learns_why() -> None:
    """`FROM nginx` in image nginx meant the upstream, nine times of ten."""
    (problem,) = problems(f"{HEAD}images:\n  nginx: {{context: n, version: 1}}\n",
                          {"nginx": "FROM nginx\n"})  # fmt: skip
    assert (problem.code, "nginx:TAG" in problem.hint) == ("CYCLE", True)


def test_a_platform_that_a_parent_lacks_is_refused() -> None:
    """A child cannot be built where its parent was not."""
    text = (
        HEAD + "images:\n"
        "  base: {context: b, version: 1, platforms: [linux/amd64]}\n"
        "  app: {context: a, version: 1}\n"
        "  good: {context: g, version: 1, platforms: [linux/amd64]}\n"
    )
    dockerfiles = {"app": "FROM base\n", "good": "FROM base\n"}
    assert places(text, dockerfiles) == ["7:3 PLATFORM-MISSING"]


def test_an_onbuild_trigger_gives_the_child_a_parent() -> None:
    """ONBUILD COPY --from in an image is a parent of those that stand on it."""
    text = f"{HEAD}{IMAGES}  app: {{context: a, version: 1}}\n  tools: {{context: t, version: 1}}\n"
    hierarchy = load(
        text, {"base": "FROM scratch\nONBUILD COPY --from=tools a b\n", "app": "FROM base\n"}
    )
    assert hierarchy.images["app"].image_parents() == ("base", "tools")
    assert hierarchy.images["base"].image_parents() == ()
    assert list(hierarchy.images) == ["base", "tools", "app"]


DOUBTS = [
    ("args: {TOKEN: abc}", "ARG TOKEN\nFROM scratch\n", ["6:42 SECRET-IN-ARGS"]),
    ("args: {TOKEN_FILE: abc}", "ARG TOKEN_FILE\nFROM scratch\n", []),
    ("args: {A: 'https://a:b@c'}", "FROM scratch\nARG A\n", ["6:42 SECRET-IN-ARGS"]),
    ("args: {A: 1}", "FROM scratch\n", ["6:42 UNUSED-ARG"]),
    ("args: {HTTP_PROXY: a, BUILDKIT_X: 1}", "FROM scratch\n", []),
    ("tier: a", "FROM scratch\nRUN --mount=type=secret,id=key x\n",
     ["app/Dockerfile:2:1 SECRET-NOT-GIVEN"]),
    ("secrets: [key]", "FROM scratch\nRUN --mount=type=secret,id=key x\n", []),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "dockerfile", "expected"), DOUBTS)
def test_what_is_probably_not_meant_is_a_warning(
    fields: str, dockerfile: str, expected: list[str]
) -> None:
    """Legal and doubtful: it loads, and says so."""
    image = f"{{context: app, version: 1, {fields}}}"
    text = f"{HEAD}images:\n  app: {image}\nsecrets: {{key: {{env: K}}}}\n"
    warnings = load(text, {"app": dockerfile}).warnings
    found = [w.replace("hierarchy.yaml:", "").replace("[", "").split("]")[0] for w in warnings]
    assert [w.replace(": ", " ") for w in found] == expected


def test_an_upstream_that_nobody_uses_is_doubted() -> None:
    """Probably a name that was changed in one place only."""
    hierarchy = load(f"{HEAD}{IMAGES}upstreams:\n  debian:12: {{}}\n")
    assert [w.split("]")[0] for w in hierarchy.warnings] == ["hierarchy.yaml:8:3: [UNUSED-UPSTREAM"]


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
