"""Random trees of Dockerfiles: what was meant is what is found."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from orchestrator.observe.infer_files import infer_files
from orchestrator.observe.load_files import load_files
from tests.test_infer import files

REGISTRY = "registry.corp:5000/team"
#: How a child may name its parent: by what is in the Dockerfile.
FORMS = (
    "FROM {id}",
    f"FROM {REGISTRY}/{{path}}:{{version}}",
    "FROM docker.io/corp/{path}:{version}",
    f"ARG R={REGISTRY}\nFROM $R/{{path}}:{{version}}",
    f"ARG R={REGISTRY}\nARG V={{version}}\nFROM ${{{{R}}}}/{{path}}:${{{{V}}}} AS last",
    f"ARG V\nFROM {REGISTRY}/{{path}}:$V",
    f"ARG IT={REGISTRY}/{{path}}:{{version}}\nFROM ${{{{IT}}}} AS one\nFROM one",
    "FROM alpine:3.20 AS tools\nRUN apk add jq\nFROM {id}\nCOPY --from=tools /x /x",
)
COPIES = (
    "COPY --from={id} /a /a",
    f"COPY --from={REGISTRY}/{{path}}:{{version}} /a /a",
    f"RUN --mount=type=bind,from={REGISTRY}/{{path}}:{{version}},target=/m true",
)


@dataclass(frozen=True)
class Made:
    """A tree, and what stands on what in it: id → the ids of its parents."""

    tree: dict[str, str]
    parents: dict[str, set[str]]


@st.composite
def trees(draw: st.DrawFn) -> Made:
    count = draw(st.integers(1, 12))
    groups = st.sampled_from(("", "images/", "services/", "a/b/"))
    names = [f"{draw(groups)}img{number}" for number in range(count)]
    # Directories that share their name are told apart by the one above.
    names += [f"java{twin}/core" for twin in range(draw(st.sampled_from((0, 2))))]
    versions = [f"{draw(st.integers(0, 3))}.{draw(st.integers(0, 12))}" for _ in names]
    tree: dict[str, str] = {}
    parents: dict[str, set[str]] = {}
    ids = [name.replace("/", "-") if "core" in name else name.rpartition("/")[2] for name in names]
    for number, name in enumerate(names):
        above = (
            draw(st.lists(st.integers(0, number - 1), max_size=3, unique=True)) if number else []
        )
        words = {
            one: {
                "id": ids[one],
                "path": names[one] if "core" in names[one] else names[one].rpartition("/")[2],
                "version": versions[one],
            }
            for one in above
        }
        lines = ["FROM debian:12"]
        if above:
            lines = [draw(st.sampled_from(FORMS)).format(**words[above[0]])]
        lines += [draw(st.sampled_from(COPIES)).format(**words[one]) for one in above[1:]]
        lines.append(f'LABEL version="{versions[number]}"')
        tree[f"{name}/Dockerfile"] = "\n".join(lines) + "\n"
        parents[ids[number]] = {ids[one] for one in above}
    return Made(tree=tree, parents=parents)


@given(trees())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(Made(tree={"x/Dockerfile": "FROM scratch\n"}, parents={"x": set()}))
@example(Made(
    tree={
        "a/core/Dockerfile": "FROM debian:12\n",
        "b/core/Dockerfile": f"ARG V\nFROM {REGISTRY}/a/core:$V\n",
    },
    parents={"a-core": set(), "b-core": {"a-core"}},
))  # fmt: skip
def test_parents_are_found_whatever_they_are_called(made: Made) -> None:
    """The written file loads, and every image stands on what the generator meant."""
    there = files(made.tree)
    proposal = infer_files(there, "gold")
    assert proposal.inferred.left_out == ()
    there.write("hierarchy.yaml", proposal.text.encode())
    hierarchy = load_files(there)
    assert {name: set(image.image_parents()) for name, image in hierarchy.images.items()} == (
        made.parents
    )


@given(st.dictionaries(
    st.sampled_from(("a/Dockerfile", "b/Dockerfile", "b/Dockerfile.x", "c/c/Dockerfile",
                     "Dockerfile")),
    st.lists(st.sampled_from((
        "FROM a", "FROM b", "FROM r.io/x/c:1", "FROM $X", "ARG X", "ARG X=b", "FROM b AS a",
        "FROM c", "FROM r.io/x/a@sha256:" + "0" * 64, "COPY --from=c x y", "COPY z /", "RUN <<E",
        "", "\\", "FROM --platform=linux/arm64 b",
        "FROM scratch", "ONBUILD COPY --from=b . .", "FROM gold",
    )), max_size=4).map("\n".join),
))  # fmt: skip
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_the_dockerfiles_say_the_file_loads(tree: dict[str, str]) -> None:
    """Every Dockerfile is in the file or left out with a reason, and the file passes check."""
    proposal = infer_files(files(tree), "gold")
    seen = [image.file for image in proposal.inferred.images]
    seen += [left_out.file for left_out in proposal.inferred.left_out]
    assert sorted(seen) == sorted(tree)
    if proposal.inferred.images:
        assert proposal.problems == ()
