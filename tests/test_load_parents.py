"""What Dockerfiles' names mean in a hierarchy, and what is wrong between the two."""

from __future__ import annotations

import pytest

from tests.drafts import HEAD, IMAGES, load, places, problems

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
