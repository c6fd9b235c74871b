"""What images share: `defaults`, tiers, several registries, and the tool's version."""

from __future__ import annotations

import pytest

from orchestrator import __version__
from orchestrator.load import parse
from orchestrator.load.origins import Origin, origins
from orchestrator.load.requirement import clauses, is_met
from orchestrator.model.hierarchy import BuildOptions
from orchestrator.model.names import Repository
from tests.drafts import HEAD, IMAGES, load, more, places, problems

SHARED = f"""\
{HEAD}secrets: {{a: {{env: A}}, b: {{env: B}}}}
defaults:
  tier: runtime
  labels: {{team: platform, org: acme}}
  args: {{A: default, B: default}}
  secrets: [a]
  options: {{network: none, shm_size: 64m}}
  tags: {{floating: ["{{version}}", everyone]}}
  packages: apt
tiers:
  runtime:
    labels: {{team: runtime}}
    args: {{B: tier}}
    reproducible: false
  application:
    options: {{network: default}}
    platforms: [linux/amd64]
    eol: 2030-01-01
images:
  python:
    context: p
    version: 1
    labels: {{kind: language}}
    args: {{B: image}}
  app: {{context: a, version: 1, tier: application, secrets: [b], tags: {{immutable: "x-{{key}}"}}}}
"""
DOCKERFILES = {"python": "FROM scratch\nARG A\nARG B\n", "app": "FROM scratch\nARG A\nARG B\n"}


def test_the_nearest_wins_maps_merge_and_lists_replace() -> None:
    """The image over its tier, the tier over `defaults`, these over the hierarchy."""
    hierarchy = load(SHARED, DOCKERFILES)
    python, app = hierarchy.images["python"], hierarchy.images["app"]
    assert python.tier == "runtime"
    assert python.labels == (("kind", "language"), ("org", "acme"), ("team", "runtime"))
    assert python.build_args == (("A", "default"), ("B", "image"))
    assert (python.reproducible, python.packages, python.secrets) == (False, "apt", ("a",))
    assert python.floating == ("{version}", "everyone")
    assert app.labels == (("org", "acme"), ("team", "platform"))
    assert app.build_args == (("A", "default"), ("B", "default"))
    assert (app.secrets, app.platforms, app.eol) == (("b",), ("linux/amd64",), "2030-01-01")
    assert app.options == BuildOptions(network="default", shm_size="64m")
    assert (app.immutable, app.floating) == ("x-{key}", ("{version}", "everyone"))
    assert hierarchy.warnings == ()


def test_the_dockerfile_may_be_called_otherwise_everywhere() -> None:
    """Relative to each image's context."""
    draft = parse(f"{HEAD}defaults: {{dockerfile: Containerfile}}\n{IMAGES}".encode(), "h.yaml")
    assert draft.wanted == (("base", "images/base", "images/base/Containerfile"),)


MANY = "".join(f"  i{n}: {{{{context: c{n}, version: {n}}}}}\n" for n in range(3)).format()


@pytest.mark.parametrize(
    ("shared", "expected"),
    [
        ("defaults: {secrets: [¦x]}", "UNKNOWN-SECRET"),
        ("defaults: {drop_platforms: [¦linux/amd64]}", "DROPPED-PLATFORM"),
        ("defaults: {tags: {floating: [¦'{date}']}}", "TAG-TEMPLATE"),
        ("defaults: {tags: {floating: [¦latest]}}", "LATEST"),
        ("defaults: {tags: {floating: [¦key-1]}}", "RESERVED-TAG"),
        ("defaults: {dockerfile: ¦../../x}", "PATH-OUTSIDE"),
        ("defaults: {¦contxt: x}", "UNKNOWN-KEY"),
        ("defaults: {¦context: x}", "UNKNOWN-KEY"),
        ("defaults: {labels: {¦'a b': x}}", "BAD-VALUE"),
        ("defaults: ¦[]", "WRONG-TYPE"),
        ("tiers: {a: {¦tier: x}}", "UNKNOWN-KEY"),
        ("tiers: {a: ¦[]}", "WRONG-TYPE"),
        ("defaults: {eol: ¦2030-02-30}", "BAD-VALUE"),
        ("defaults: {eol: ¦tomorrow}", "BAD-VALUE"),
        ("defaults: {labels: ¦{" + ", ".join(f"l{n}: x" for n in range(101)) + "}}",
         "OUT-OF-RANGE"),
    ],
)  # fmt: skip
def test_a_mistake_that_many_inherit_is_told_once_where_it_is(shared: str, expected: str) -> None:
    """Not at the images that have it."""
    column = shared.index("¦") + 1
    text = f"{HEAD}{shared.replace('¦', '')}\nimages:\n{MANY}"
    assert places(text) == [f"5:{column} {expected}"]


def test_a_value_overridden_by_every_image_still_is_checked() -> None:
    """Somebody would inherit it one day."""
    text = f"{HEAD}defaults: {{tags: {{floating: ['{{x}}']}}}}\nimages:\n"
    text += "  a: {context: a, version: 1, tags: {floating: [y]}}\n"
    assert places(text) == ["5:30 TAG-TEMPLATE"]


DOUBTS = [
    (
        "tiers: {runtime: {}}\nimages:\n  a: {context: a, version: 1, tier: runtme}\n",
        "7:37: [UNKNOWN-TIER] image 'a' is in the tier 'runtme'",
        "did you mean 'runtime'?",
    ),
    (
        "tiers: {runtime: {}}\ndefaults: {tier: x}\nimages:\n" + MANY,
        "6:18: [UNKNOWN-TIER] image 'i0' is in the tier 'x'",
        "tiers: runtime",
    ),
    (
        "defaults: {args: {NOBODY: 1}}\nimages:\n" + MANY,
        "5:19: [UNUSED-ARG] no Dockerfile of those who inherit it",
        "takes the argument 'NOBODY'",
    ),
    (
        "defaults: {args: {A_TOKEN: x}}\nimages:\n" + MANY,
        "5:19: [SECRET-IN-ARGS] build argument 'A_TOKEN' of image 'i0'",
        "pass it with `secrets:`",
    ),
]


@pytest.mark.parametrize(("text", "start", "end"), DOUBTS)
def test_what_is_doubtful_in_shared_values_is_told_once(text: str, start: str, end: str) -> None:
    """At the place where it is written."""
    dockerfiles = {f"i{n}": "FROM scratch\nARG A_TOKEN\n" for n in range(3)}
    (warning,) = load(HEAD + text, dockerfiles).warnings
    assert warning.startswith(f"hierarchy.yaml:{start}")
    assert warning.endswith(end)


def test_an_inherited_argument_need_not_be_taken_by_all() -> None:
    """One Dockerfile that takes it is enough."""
    text = f"{HEAD}defaults: {{args: {{A: 1}}}}\nimages:\n{MANY}"
    assert load(text, {"i1": "FROM scratch\nARG A\n"}).warnings == ()


def test_an_argument_of_the_image_s_own_is_doubted_where_the_image_says_it() -> None:
    """Though `defaults` has one of that name too."""
    text = f"{HEAD}defaults: {{args: {{A: 1}}}}\nimages:\n"
    text += "  a: {context: a, version: 1, args: {A: 2}}\n"
    (warning,) = load(text).warnings
    assert warning.startswith("hierarchy.yaml:7:38: [UNUSED-ARG]")


def test_what_follows_from_a_mistake_in_shared_values_is_not_told() -> None:
    """An argument that is missing for that reason makes no Dockerfile wrong."""
    text = f"{HEAD}defaults: {{arg: {{A: x}}}}\nimages:\n{MANY}"
    assert places(text, {"i1": "ARG A\nFROM $A\n"}) == ["5:12 UNKNOWN-KEY"]


def test_every_value_knows_where_it_comes_from() -> None:
    """For `config show --origin`: the nearest place, what is built in, and no password."""
    text = SHARED.replace("args: {A: default,", "args: {API_TOKEN: hunter22,")
    draft = parse(text.encode(), "h.yaml")
    found = {o.field: o._replace(data=None) for o in origins(draft, "python")}
    assert found["context"] == Origin("context", "p", "image", "h.yaml", 25)
    assert found["tier"] == Origin("tier", "runtime", "defaults", "h.yaml", 7)
    assert found["labels.team"] == Origin("labels.team", "runtime", "tier runtime", "h.yaml", 16)
    assert found["labels.kind"] == Origin("labels.kind", "language", "image", "h.yaml", 27)
    assert found["args.B"] == Origin("args.B", "image", "image", "h.yaml", 28)
    assert found["args.API_TOKEN"] == Origin("args.API_TOKEN", "***", "defaults", "h.yaml", 9)
    assert found["platforms"] == Origin(
        "platforms", "[linux/amd64, linux/arm64]", "hierarchy", "h.yaml", 4
    )
    assert found["tags.immutable"] == Origin("tags.immutable", "{version}-{date}-{key}", "built in")
    assert found["reproducible"] == Origin("reproducible", "false", "tier runtime", "h.yaml", 18)
    assert found["repository"] == Origin("repository", "python", "built in")
    assert "eol" not in found


def test_values_of_a_matrix_know_it() -> None:
    """What an axis was filled into says so; what was not, comes from the image."""
    text = f"{HEAD}images:\n  a-{{x}}:\n    matrix: {{x: [1, 2]}}\n    context: c\n"
    text += "    version: '{x}'\n    labels: {a: 'l{x}', b: l}\n    exclude: [{x: 2}]\n"
    found = [
        origin._replace(data=None)
        for origin in origins(parse(text.encode(), "h.yaml"), "a-1")
        if origin.source in ("matrix", "image")
    ]
    assert found == [
        Origin("context", "c", "image", "h.yaml", 8),
        Origin("version", "1", "matrix", "h.yaml", 9),
        Origin("matrix.x", "1", "matrix", "h.yaml", 7),
        Origin("labels.a", "l1", "matrix", "h.yaml", 10),
        Origin("labels.b", "l", "image", "h.yaml", 10),
    ]


TWO = HEAD.replace("localhost:5000/gold", "[localhost:5000/gold, quay.io/acme]")


def test_images_are_built_to_the_first_registry_and_copied_to_the_rest() -> None:
    """Dockerfiles may name them in any of these."""
    text = f"{TWO}{IMAGES}  app: {{context: a, version: 1, repository: apps/app}}\n"
    hierarchy = load(text, {"app": "FROM quay.io/acme/base:12\n"})
    assert hierarchy.registries == ("localhost:5000/gold", "quay.io/acme")
    app = hierarchy.images["app"]
    assert str(app.repository) == "localhost:5000/gold/apps/app"
    assert app.copies == (Repository("quay.io", "acme/apps/app"),)
    assert app.image_parents() == ("base",)


def test_a_registry_from_outside_takes_the_place_of_all() -> None:
    """Whoever tries something out copies nothing to production."""
    text = f"{TWO}{IMAGES}  app: {{context: a, version: 1}}\n"
    hierarchy = load(text, {"app": "FROM quay.io/acme/base\n"}, registry="other.example/x")
    assert hierarchy.registries == ("other.example/x",)
    assert hierarchy.images["app"].copies == ()
    assert hierarchy.images["app"].image_parents() == ("base",)


@pytest.mark.parametrize(
    ("registries", "code"),
    [
        ("¦[]", "NO-VALUE"),
        ("[quay.io/a, ¦quay.io/a]", "DUPLICATE-VALUE"),
        ("[docker.io/a, ¦index.docker.io/a]", "DUPLICATE-VALUE"),
        ("[quay.io/a, ¦Quay]", "BAD-REFERENCE"),
        ("¦{a: b}", "WRONG-TYPE"),
    ],
)
def test_a_bad_list_of_registries(registries: str, code: str) -> None:
    """Each of them is a registry, and each is there once."""
    text = HEAD.replace("localhost:5000/gold", registries.replace("¦", "")) + IMAGES
    assert places(text) == [f"3:{registries.index('¦') + 11} {code}"]


@pytest.mark.parametrize(
    ("requirement", "version", "met"),
    [
        (">=1.2", "1.2.0", True),
        (">=1.2", "1.10", True),
        (">=1.2", "1.1.9", False),
        (">=1.2, <2", "2.0", False),
        ("<2,>=1", "1.9.9", True),
        ("==1.2", "1.2.0", True),
        ("==1.2", "1.2.1", False),
        ("!=1.2", "1.2.0", False),
        (">1.2", "1.2.0", False),
        ("<=1.2", "1.2.0", True),
        ("~=1.2", "1.9", True),
        ("~=1.2", "2.0", False),
        ("~=1.2.3", "1.2.9", True),
        ("~=1.2.3", "1.3.0", False),
        ("~=1.2.3", "1.2.2", False),
        (">=1.2", "1.2.0.dev3", True),
    ],
)
def test_requirements_mean_what_PEP_440_says(requirement: str, version: str, met: bool) -> None:
    """Of versions that are numbers and dots."""
    assert is_met(requirement, version) is met


@pytest.mark.parametrize("text", ["", "1.2", ">=", "=>1", "~=1", "===1", ">=1,", ">=1.x", ">=1 <2"])
def test_what_is_no_requirement(text: str) -> None:
    """Each clause needs an operator and a version."""
    assert clauses(text) is None
    assert places(more(f"requires: '{text}'")) == ["7:11 BAD-VALUE"]


def test_a_file_for_another_version_says_so_and_nothing_else() -> None:
    """Its new keys would only be noise; the way out names the version."""
    text = more("requires: '>=99, <100'\nsigning: {}\n").replace("context:", "kontext:")
    (problem,) = problems(text)
    assert (problem.line, problem.column, problem.code) == (7, 11, "OTHER-VERSION")
    assert problem.what == f"this is orchestrate {__version__}, and the file requires '>=99, <100'"
    assert problem.hint.endswith("pip install 'gold-orchestrator>=99,<100'")
    assert load(more(f"requires: '>={__version__.partition('.dev')[0]}'")).name == "gold"
