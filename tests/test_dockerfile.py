"""Dockerfile text → the names of its parents."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.dockerfile import DockerfileParents, NamedParent, named_parents
from orchestrator.dockerfile.stages import MAX_BYTES

BOTH = ("linux/amd64", "linux/arm64")


def read(
    text: str,
    *,
    target: str | None = None,
    args: dict[str, str] | None = None,
    platforms: tuple[str, ...] = BOTH,
) -> DockerfileParents:
    return named_parents(text, target=target, args=args or {}, platforms=platforms)


def names(text: str, target: str | None = None, **args: str) -> str:
    """Return the parents, the final one with a star, each with its line."""
    found = read(text, target=target, args=args)
    assert found.problems == ()
    return " ".join(f"{p.name}{'*' * p.final}:{p.line}" for p in found.names)


def codes(text: str, target: str | None = None, **args: str) -> list[str]:
    return [f"{p.line} {p.code}" for p in read(text, target=target, args=args).problems]


JUPYTER = """\
ARG REGISTRY=quay.io
ARG OWNER=acme
ARG BASE_IMAGE=$REGISTRY/$OWNER/base-notebook
FROM $BASE_IMAGE
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM base", "base*:1"),
        ("from base as x\n", "base*:1"),
        ("FROM scratch\nCOPY a b\n", ""),
        ("\ufeffFROM base\n", "base*:1"),
        ("FROM base\r\nRUN x\r\n", "base*:1"),
        ("# syntax=docker/dockerfile:1\n# a comment\n\nFROM base\n", "base*:4"),
        ("# escape=`\nFROM `\n  base\nRUN dir C:\\\n", "base*:2"),
        ("FROM \\\n# a comment\n  base \\\n  AS x\n", "base*:1"),
        ("FROM base AS build\nFROM web\nCOPY --from=build /a /b\n", "base:1 web*:2"),
        ("FROM base AS build\nFROM web\nCOPY --from=0 /a /b\n", "base:1 web*:2"),
        ("FROM base AS Build\nFROM web\nCOPY --from=bUILD /a /b\n", "base:1 web*:2"),
        ("FROM base AS unused\nFROM web\n", "web*:2"),
        ("FROM base AS one\nFROM one AS two\nFROM two\n", "base*:1"),
        ("FROM a AS one\nFROM b AS one\nFROM one\n", "b*:2"),
        ("FROM a AS b\nFROM c\nCOPY --from=b / /\nCOPY --from=d:1 / /\n", "a:1 c*:2 d:1:4"),
        ("FROM a\nCOPY --from=a / /\n", "a*:1"),
        ("FROM a\nCOPY --from=scratch / /\n", "a*:1"),
        ("FROM a\nCOPY --chown=1:1 --link --from=tools:1 x y\n", "a*:1 tools:1:2"),
        ('FROM a\nCOPY --from="tools" ["x y", "z"]\n', "a*:1 tools:2"),
        ("FROM a\nADD --chmod=1 x y\n", "a*:1"),
        ("FROM a\nRUN --mount=type=bind,from=tools,target=/t x\n", "a*:1 tools:2"),
        ("FROM a\nRUN --network=none --mount=from=tools,dst=/t --mount=type=cache,target=/c x\n",
         "a*:1 tools:2"),
        ('FROM a\nRUN --mount="type=cache,\\"from=tools\\",target=/c" x\n', "a*:1 tools:2"),
        ("FROM t AS tools\nFROM a\nRUN --mount=FROM=Tools,target=/c x\n", "t:1 a*:2"),
        ("FROM a\nRUN echo COPY --from=b\n# COPY --from=c\nLABEL x=\"FROM d\"\n", "a*:1"),
        ("FROM a\nRUN <<EOF\nFROM b\nCOPY --from=c x y\nEOF\n", "a*:1"),
        ("FROM a\nRUN <<'A' <<-B\nFROM b\nA\nFROM c\n\tB\nCOPY --from=d x y\n", "a*:1 d:7"),
        ("FROM a\nCOPY <<EOF --from=x /b\nFROM b\nEOF\n", "a*:1"),
        ("FROM a\nONBUILD RUN <<EOF\nFROM b\nEOF\nRUN x\n", "a*:1"),
        ("FROM a\nONBUILD COPY --from=b x y\n", "a*:1"),
        ("FROM a AS x\nONBUILD COPY --from=b x y\nFROM x\n", "a*:1 b:2"),
        ("FROM a AS x\nonbuild RUN --mount=from=b,target=/x y\nFROM x\n", "a*:1 b:2"),
        ("FROM --platform=$BUILDPLATFORM go AS b\nFROM a\nCOPY --from=b x y\n", "go:1 a*:2"),
        ("FROM --platform=$TARGETPLATFORM a\n", "a*:1"),
        ("FROM --platform=linux/$TARGETARCH a\n", "a*:1"),
        ("FROM localhost:5000/gold/a:1.2@sha256:" + "0" * 64,
         "localhost:5000/gold/a:1.2@sha256:" + "0" * 64 + "*:1"),
        (JUPYTER, "quay.io/acme/base-notebook*:4"),
        ("ARG A=base\nFROM ${A}\n", "base*:2"),
        ("ARG A\nFROM ${A:-base}\n", "base*:2"),
        ("ARG A=\nFROM ${A:-base}\n", "base*:2"),
        ("ARG A=\nFROM base${A-x}\n", "base*:2"),
        ("ARG A=1\nFROM base${A:+:slim}\n", "base:slim*:2"),
        ("ARG A\nFROM base${A:+:slim}\n", "base*:2"),
        ("ARG A=v1.2\nFROM base:${A#v}\n", "base:1.2*:2"),
        ("ARG A=base B=12\nFROM $A:$B\n", "base:12*:2"),
        ("ARG A='ba'\"se\"\nFROM $A\n", "base*:2"),
        ("ARG A=base\nARG A=web\nFROM $A\n", "web*:3"),
        ("ARG A=base\nARG B=$A\nARG A=web\nFROM $B\n", "base*:4"),
        ("ARG S=build\nFROM a AS build\nFROM $S\n", "a*:2"),
        ("ARG REG\nFROM ${REG}base\n", "base*:2"),
        ("FROM a AS x\nARG N=x\nFROM b\nCOPY --from=x / /\n", "a:1 b*:3"),
        ("FROM a-$TARGETOS\n", "a-linux*:1"),
    ],
)  # fmt: skip
def test_names_of_parents(text: str, expected: str) -> None:
    """Parents are what BuildKit would look for outside the Dockerfile, and nothing else."""
    assert names(text) == expected


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ({}, "quay.io/acme/base-notebook*:4"),
        ({"OWNER": "me"}, "quay.io/me/base-notebook*:4"),
        ({"REGISTRY": "localhost:5000", "OWNER": "gold"}, "localhost:5000/gold/base-notebook*:4"),
        ({"BASE_IMAGE": "python"}, "python*:4"),
        ({"UNKNOWN": "x"}, "quay.io/acme/base-notebook*:4"),
    ],
)
def test_build_arguments_replace_defaults(args: dict[str, str], expected: str) -> None:
    """A build argument is taken as it is, and names built from it follow."""
    assert names(JUPYTER, **args) == expected


def test_an_argument_that_no_ARG_declares_is_not_expanded() -> None:
    """BuildKit knows only what ARG declares before the first FROM."""
    assert codes("FROM $A\n", A="base") == ["1 EMPTY-FROM"]
    assert codes("FROM x\nARG A=base\nFROM $A\n") == ["3 EMPTY-FROM"]


@pytest.mark.parametrize("arg", ["ARG PY", "ARG PY="])
def test_an_empty_argument_is_named_where_it_spoils_a_name(arg: str) -> None:
    """What FROM says is shown as it is written, and as it reads."""
    (problem,) = read(f"{arg}\nFROM python:$PY\n").problems
    assert problem.what.startswith("'python:$PY' is 'python:', as PY is empty, and names no image")
    assert problem.hint.startswith("give PY a default")
    (problem,) = read("ARG PY=Big\nFROM $PY\n").problems
    assert problem.what.startswith("'$PY' is 'Big' and names no image: ")
    (problem,) = read("FROM Big\n").problems
    assert problem.what.startswith("'Big' names no image: ")


TARGETS = "FROM a AS one\nFROM b AS two\nCOPY --from=one / /\nFROM c AS three\n"


@pytest.mark.parametrize(
    ("target", "expected"),
    [(None, "c*:4"), ("three", "c*:4"), ("TWO", "a:1 b*:2"), ("one", "a*:1")],
)
def test_only_what_the_target_reaches_counts(target: str | None, expected: str) -> None:
    """Stages that the target does not need have no say."""
    assert names(TARGETS, target) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["0 EMPTY-DOCKERFILE"]),
        (" \n\n", ["0 EMPTY-DOCKERFILE"]),
        ("# nothing\n", ["0 EMPTY-DOCKERFILE"]),
        ("ARG A=1\n", ["0 EMPTY-DOCKERFILE"]),
        ("FROM a\0b\n", ["1 DOCKERFILE-SYNTAX"]),
        ("FROM a\nRUM x\n", ["2 DOCKERFILE-SYNTAX"]),
        ("RUN x\nFROM a\n", ["1 DOCKERFILE-SYNTAX"]),
        ("ONBUILD RUN x\nFROM a\n", ["1 DOCKERFILE-SYNTAX"]),
        ("FROM\n", ["1 DOCKERFILE-SYNTAX"]),
        ("FROM a b\n", ["1 DOCKERFILE-SYNTAX"]),
        ("FROM a AS 1x\n", ["1 DOCKERFILE-SYNTAX"]),
        ("FROM --from=x a\n", ["1 DOCKERFILE-SYNTAX"]),
        ("FROM a\nRUN <<EOF\nx\n", ["2 DOCKERFILE-SYNTAX"]),
        ("FROM a\nONBUILD FROM b\n", ["2 DOCKERFILE-SYNTAX"]),
        ("FROM a\nONBUILD ONBUILD RUN x\n", ["2 DOCKERFILE-SYNTAX"]),
        ("# escape=x\nFROM a\n", ["1 DOCKERFILE-SYNTAX"]),
        ("FROM ${a\n", ["1 DOCKERFILE-SYNTAX"]),
        ("ARG A=${B:?needed}\nFROM a\n", ["1 DOCKERFILE-SYNTAX"]),
        ("FROM $A\n", ["1 EMPTY-FROM"]),
        ("ARG A\nFROM $A\n", ["2 EMPTY-FROM"]),
        ("FROM $A AS unused\nFROM a\n", ["1 EMPTY-FROM"]),
        ("FROM Base\n", ["1 BAD-REFERENCE"]),
        ("FROM a AS Build\nFROM Build\n", ["2 BAD-REFERENCE"]),
        ("ARG V\nFROM a:$V\n", ["2 BAD-REFERENCE"]),
        ("FROM a@sha256:12\n", ["1 BAD-REFERENCE"]),
        ("FROM a\nCOPY --from=B x y\n", ["2 BAD-REFERENCE"]),
        ("FROM a-$TARGETARCH\n", ["1 NOT-YET"]),
        ("ARG A=a-$TARGETARCH\nARG B=$A\nFROM $B\n", ["3 NOT-YET"]),
        ("FROM a-$BUILDARCH\n", ["1 NOT-YET"]),
        ("FROM a AS b\nFROM c\nCOPY --from=$X x y\n", ["3 VARIABLE-IN-FROM"]),
        ("FROM a\nRUN --mount=from=$X,target=/y x\n", ["2 VARIABLE-IN-FROM"]),
        ("FROM a\nCOPY --from=1 x y\n", ["2 UNKNOWN-STAGE"]),
        ("FROM a\nCOPY --from=-1 x y\n", ["2 UNKNOWN-STAGE"]),
        ("FROM a AS b\nFROM c\nRUN --mount=from=0,target=/x y\n", ["3 UNKNOWN-STAGE"]),
        ("FROM a\nCOPY --from=0 x y\n", ["1 STAGE-CYCLE"]),
        ("FROM a AS x\nCOPY --from=x x y\n", ["1 STAGE-CYCLE"]),
        ("FROM a AS x\nCOPY --from=y x y\nFROM b AS y\nCOPY --from=x x y\n",
         ["1 STAGE-CYCLE", "2 STAGE-ORDER"]),
        ("FROM base AS base\nRUN x\n", ["1 STAGE-SHADOWS-PARENT"]),
        ("FROM base:latest AS base\nRUN x\n", ["1 STAGE-SHADOWS-PARENT"]),
        ("FROM docker.io/library/base AS base\n", ["1 STAGE-SHADOWS-PARENT"]),
        ("FROM web AS x\nFROM a AS web\nCOPY --from=x / /\n", ["2 STAGE-SHADOWS-PARENT"]),
        ("FROM base:1 AS base\nRUN x\n", []),
        ("FROM web AS one\nFROM scratch AS web\nFROM one\n", []),
        ("FROM base AS unused\nFROM a AS base\nRUN x\n", []),
        ("FROM --platform=linux/amd64 a\n", ["1 FINAL-PLATFORM"]),
        ("FROM --platform=$BUILDPLATFORM a AS x\nFROM x\n", ["1 FINAL-PLATFORM"]),
        ("FROM --platform=$BUILDPLATFORM a AS x\nFROM b\nCOPY --from=x / /\n", []),
        ("ARG P=$TARGETPLATFORM\nFROM --platform=$P a\n", []),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(text: str, expected: list[str]) -> None:
    """What BuildKit would refuse, or do silently wrong, is a problem of that line."""
    assert codes(text) == expected


def test_a_stage_used_before_it_is_defined_is_a_warning() -> None:
    """New versions of BuildKit find it, older ones do not."""
    found = read("FROM a AS x\nCOPY --from=y x y\nFROM b AS y\n", target="x")
    assert [(p.code, p.severity) for p in found.problems] == [("STAGE-ORDER", "warning")]
    assert [p.name for p in found.names] == ["a", "b"]


def test_a_target_that_is_missing_is_a_problem() -> None:
    """Stages have names; numbers are none of them."""
    assert codes(TARGETS, "four") == ["0 UNKNOWN-STAGE"]
    assert codes(TARGETS, "0") == ["0 UNKNOWN-STAGE"]


def test_one_platform_makes_platform_arguments_known() -> None:
    """With a single platform, a name built from TARGETARCH is one name."""
    one = read("FROM a-$TARGETARCH$TARGETVARIANT\n", platforms=("linux/arm/v7",))
    assert [p.name for p in one.names] == ["a-armv7"]
    flag = read("FROM --platform=linux/amd64 a\n", platforms=("linux/amd64",))
    assert flag.problems == ()


def test_platform_flags_are_reported_as_written() -> None:
    """The flag comes with the name it stands at."""
    text = "FROM --platform=$BUILDPLATFORM go AS b\nFROM a\nCOPY --from=b x y\n"
    assert read(text).names == (
        NamedParent("go", False, 1, "$BUILDPLATFORM"),
        NamedParent("a", True, 2),
    )


def test_triggers_of_a_parent_reach_its_child() -> None:
    """ONBUILD COPY --from in a parent makes the child copy, from its own stage if it has one."""
    parent = read("FROM a\nONBUILD COPY --from=tools x y\nONBUILD RUN --mount=from=t2,dst=/x y\n")
    assert parent.triggers == ("tools", "t2")
    child = named_parents(
        "FROM z AS t2\nFROM parent\n",
        target=None,
        args={},
        platforms=BOTH,
        triggers_of=lambda name: parent.triggers if name == "parent" else (),
    )
    assert [(p.name, p.final, p.line) for p in child.names] == [
        ("z", False, 1),
        ("parent", True, 2),
        ("tools", False, 2),
    ]


def test_secrets_arguments_and_stages_are_reported() -> None:
    """What the hierarchy file is compared with."""
    found = read(
        "ARG A=1\nFROM a AS one\nARG B C=2\n"
        "RUN --mount=type=secret,id=token x\n"
        "RUN --mount=type=secret,target=/run/secrets/key x\n"
        "RUN --mount=type=cache,id=cache,target=/c x\n"
        "FROM b AS unused\nRUN --mount=type=secret,id=other x\n",
        target="one",
    )
    assert found.secrets == (("token", 4), ("key", 5))
    assert found.arguments == {"A", "B", "C"}
    assert found.stages == ("one", "unused")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("#" * (MAX_BYTES + 1), "DOCKERFILE-TOO-LARGE"),
        ("é" * (MAX_BYTES // 2 + 1), "DOCKERFILE-TOO-LARGE"),
        ("#a=x" + " " * 500_000 + "y\nFROM a\n", "DOCKERFILE-TOO-LARGE"),
        ("FROM a\n" * 100_000, "DOCKERFILE-TOO-LARGE"),
        ("FROM a\n" * 19_000, "DOCKERFILE-TOO-LARGE"),
        ("FROM a\n" + "ONBUILD COPY --from=b x y\n" * 19_000, "DOCKERFILE-TOO-LARGE"),
        ("ARG A=" + "a" * 1000 + "\nFROM ${A//*a*a*a*a*b/}\n", "DOCKERFILE-SYNTAX"),
        ("FROM a\nCMD " + "[" * 500_000, "DOCKERFILE-SYNTAX"),
        ("FROM " + "${a:-" * 200 + "}" * 200 + "\n", "DOCKERFILE-SYNTAX"),
        ("ARG A=aaaaaaaa\n" + "ARG A=$A$A\n" * 50 + "FROM $A\n", "NOT-YET"),
        ("".join(f"ARG A{i}=${{A{i - 1}#x}}\n" for i in range(19_000)) + "FROM $A\n", "EMPTY-FROM"),
    ],
)
def test_a_hostile_dockerfile_costs_little(text: str, code: str) -> None:
    """Whatever it holds, a Dockerfile is read, or refused, within seconds."""
    start = time.process_time()
    found = read(text)
    assert code in {p.code for p in found.problems}
    assert time.process_time() - start < 8


@given(st.text(max_size=200))
def test_no_text_makes_reading_fail(text: str) -> None:
    """Whatever the text, the answer is names or problems."""
    read(f"FROM a\n{text}")
    read(text)


KEYWORDS = st.sampled_from(
    ["FROM ", "COPY --from=", "RUN --mount=from=", "ARG ", "ONBUILD ", " AS ", "a", "0", "$a",
     "${a:-b}", "\\\n", "\n", " ", "<<E", "E\n", "#", "--platform=", "=", ",target=/x", "\"", "'"]
)  # fmt: skip


@given(st.lists(KEYWORDS, max_size=40).map("".join))
def test_no_mixture_of_instructions_makes_reading_fail(text: str) -> None:
    """Nearly right Dockerfiles are read without surprise, and names keep their grammar."""
    for parent in read(f"FROM a\n{text}").names:
        assert parent.name
        assert "$" not in parent.name


Plan = list[tuple[int | None, list[int | str]]]


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Stages: the earlier stage each stands on (or an image of its own), and what it copies."""
    plan: Plan = []
    for number in range(draw(st.integers(1, 6))):
        base = draw(st.none() | st.integers(0, number - 1)) if number else None
        sources = st.integers(0, number - 1) | st.sampled_from("xyz") if number else st.just("x")
        plan.append((base, draw(st.lists(sources, max_size=3))))
    return plan


def written(plan: Plan, noise: st.DataObject) -> str:
    """Write a plan as a Dockerfile, with everything around it that means nothing."""
    choose = noise.draw
    lines = ["# syntax=docker/dockerfile:1"] if choose(st.booleans()) else []
    for number, (base, sources) in enumerate(plan):
        lines += ["ARG UNUSED=1"] if not number and choose(st.booleans()) else []
        name = f"image{number}" if base is None else f"Stage{base}".lower()
        lines.append(choose(st.sampled_from(["FROM {} AS {}", "from {} \\\n  as {}"])).format(
            name, choose(st.sampled_from(["stage{}", "Stage{}"])).format(number)
        ))  # fmt: skip
        for source in sources:
            named = source if isinstance(source, str) else f"stage{source}"
            forms = [f"COPY --from={named} a b", f"RUN --mount=from={named},target=/m true"]
            if isinstance(source, int):
                forms.append(f"COPY --link \\\n  --from={source} a b")
            lines.append(choose(st.sampled_from(forms)))
            noises = ["", "# FROM no", "RUN <<E\nFROM no\nE", 'LABEL a="FROM no"', "RUN a \\\n b"]
            lines.append(choose(st.sampled_from(noises)))
    return "\n".join(lines) + "\n"


def expected_names(plan: Plan, stage: int) -> set[str]:
    """Say what a stage needs, straight from the plan."""
    base, sources = plan[stage]
    found = {f"image{stage}"} if base is None else expected_names(plan, base)
    for source in sources:
        found |= {source} if isinstance(source, str) else expected_names(plan, source)
    return found


@given(plans(), st.data())
def test_random_dockerfiles_agree_with_what_they_were_written_from(
    plan: Plan, noise: st.DataObject
) -> None:
    """For every target, the names are those of the plan, and the final one is the chain's end."""
    text = written(plan, noise)
    for stage in range(len(plan)):
        found = read(text, target=f"stage{stage}")
        last = stage
        while (below := plan[last][0]) is not None:
            last = below
        assert {p.name for p in found.names} == expected_names(plan, stage)
        assert [p.name for p in found.names if p.final] == [f"image{last}"]
