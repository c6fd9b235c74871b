"""Variants: one entry with a `matrix`, an image of every combination."""

from __future__ import annotations

import time

import pytest

from orchestrator.model.names import Repository
from tests.drafts import HEAD, load, places, problems

PYTHON = """\
  python:
    context: images/python
    version: "{python}"
    repository: python
    matrix: {python: [3.10, "3.12"], distro: [bookworm, trixie]}
    exclude: [{python: "3.12", distro: bookworm}]
    tags: {floating: ["{version}-{distro}", "{label.py}.{distro}"]}
    labels: {py: "py{python}"}
    args: {PYTHON: "{python}", RAW: "${PYTHON} {other}"}
"""


def entry(fields: str, key: str = "a-{x}", matrix: str = "x: [1, 2]", version: str = "1") -> str:
    """A hierarchy with one entry that has a matrix."""
    start = f"context: c, version: {version}, matrix: {{{matrix}}}"
    return f"{HEAD}images:\n  {key}: {{{start}, {fields}}}\n"


def test_one_entry_makes_an_image_of_every_combination() -> None:
    """Values are taken as they are written, and filled in wherever they may vary."""
    hierarchy = load(f"{HEAD}images:\n{PYTHON}")
    assert list(hierarchy.images) == [
        "python-3.10-bookworm", "python-3.10-trixie", "python-3.12-trixie",
    ]  # fmt: skip
    image = hierarchy.images["python-3.10-trixie"]
    assert image.version == "3.10"
    assert image.variant == (("distro", "trixie"), ("python", "3.10"))
    assert image.repository == Repository("localhost:5000", "gold/python")
    assert image.labels == (("py", "py3.10"),)
    assert image.build_args == (("PYTHON", "3.10"), ("RAW", "${PYTHON} {other}"))
    assert image.floating == ("{version}-trixie", "{label.py}.trixie")
    assert image.immutable == "{version}-{date}-{key}"
    assert (image.file, image.line) == ("hierarchy.yaml", 6)


def test_the_key_is_the_template_of_the_ids() -> None:
    """An axis goes where the key names it."""
    text = entry("", key="'{distro}-py{v}'", matrix="v: [3.10, 3.9], distro: [a]")
    assert list(load(text).images) == ["a-py3.10", "a-py3.9"]


def test_everything_that_may_vary_does() -> None:
    """Paths, target, repository, aliases, parents and the life of an image."""
    text = (
        f"{HEAD}images:\n"
        "  base-{x}: {context: 'base/{x}', version: 1, matrix: {x: [a, b]}}\n"
        "  app-{x}:\n"
        "    context: 'app/{x}'\n"
        "    dockerfile: 'Dockerfile.{x}'\n"
        "    version: 'v{x}'\n"
        "    target: 'stage-{x}'\n"
        "    repository: 'apps/{x}'\n"
        "    aliases: ['quay.io/old/{x}']\n"
        "    parents: ['base-{x}']\n"
        "    formerly: 'old-{x}'\n"
        "    eol: '2030-01-{day}'\n"
        "    matrix: {x: [a, b], day: ['31']}\n"
    ).replace("  app-{x}:", "  app-{x}-{day}:")
    hierarchy = load(text, {f"app-{x}-31": f"FROM base-{x} AS stage-{x}\n" for x in "ab"})
    image = hierarchy.images["app-b-31"]
    assert (image.context, image.dockerfile) == ("app/b", "app/b/Dockerfile.b")
    assert (image.version, image.target, image.eol) == ("vb", "stage-b", "2030-01-31")
    assert str(image.repository) == "localhost:5000/gold/apps/b"
    assert image.aliases == (Repository("quay.io", "old/b"),)
    assert (image.image_parents(), image.formerly) == (("base-b",), ("old-b",))


def test_a_published_name_finds_its_variant_by_the_tag() -> None:
    """Variants share a repository and an alias; the tag in FROM decides."""
    alias = "    aliases: [quay.io/acme/py]\n"
    text = f"{HEAD}images:\n{PYTHON}{alias}  app: {{context: a, version: 1}}\n"
    dockerfile = "FROM localhost:5000/gold/python:3.10-trixie\n"
    dockerfile += "COPY --from=quay.io/acme/py:3.12-trixie a b\n"
    hierarchy = load(text, {"app": dockerfile})
    assert hierarchy.images["app"].image_parents() == ("python-3.10-trixie", "python-3.12-trixie")


BAD = [
    ("axis misspelt in the version", entry("target: ¦'{y}'"), "UNKNOWN-AXIS"),
    ("axis misspelt in the key", entry("", key="¦a-{y}"), "UNKNOWN-AXIS"),
    ("axis misspelt in exclude", entry("exclude: [{¦y: 1}]"), "UNKNOWN-AXIS"),
    ("placeholder misspelt in a tag", entry("tags: {floating: [¦'{y}']}"), "TAG-TEMPLATE"),
    ("axis in a field that does not vary", entry("tier: ¦'{x}'"), "BAD-VALUE"),
    ("axis without a matrix", f"{HEAD}images:\n  ¦a-{{x}}: {{context: c, version: 1}}\n",
     "BAD-NAME"),
    ("axis named like a placeholder", entry("", key="a", matrix="¦version: [1]"), "BAD-NAME"),
    ("axis in capitals", entry("", key="a", matrix="¦X: [1]"), "BAD-NAME"),
    ("no axis", entry("", key="a", matrix="").replace("{}", "¦{}"), "NO-VALUE"),
    ("axis without values", entry("", key="a", matrix="x: ¦[]"), "NO-VALUE"),
    ("value twice", entry("", matrix="x: [1, ¦1]"), "DUPLICATE-VALUE"),
    ("value with a space", entry("", matrix="x: [¦a b]"), "BAD-VALUE"),
    ("value for an id in capitals", entry("", key="¦a-{x}", matrix="x: [A]"), "BAD-NAME"),
    ("value that makes a bad version", entry("", matrix="x: [1]", version="¦'-{x}'"), "BAD-VALUE"),
    ("path that leaves the tree", entry("dockerfile: ¦'../../{x}'"), "PATH-OUTSIDE"),
    ("no such day", entry("eol: ¦'2030-02-{x}'", matrix="x: ['30', '31']"), "BAD-VALUE"),
    ("exclude without a matrix", f"{HEAD}images:\n  a: {{context: c, version: 1, ¦exclude: []}}\n",
     "NO-MATRIX"),
    ("everything excluded", entry("¦exclude: [{x: 1}, {x: 2}]"), "NO-VALUE"),
    ("exclude of nothing", entry("exclude: [¦{}]"), "NO-VALUE"),
    ("an axis that is not in the key", entry("", key="¦a-{x}", matrix="x: [1], y: [1, 2]"),
     "DUPLICATE-IMAGE"),
    ("two entries for one image", entry("") + "  ¦a-2: {context: c, version: 3}\n",
     "DUPLICATE-IMAGE"),
    ("two entries for one image, of both", entry("")
     + "  ¦a-2: {context: c, version: 3, matrix: {y: [1]}}\n".replace("a-2:", "a:", 1),
     "DUPLICATE-IMAGE"),
    ("too many combinations", entry("", key="a", matrix="x: [{}], y: [{}]".format(
        *[", ".join(map(str, range(40)))] * 2)).replace("matrix", "¦matrix"), "TOO-MANY-IMAGES"),
    ("tags that collide", entry("repository: r", key="¦a"), "TAG-COLLISION"),
    ("tag of a variant that is none", entry("tags: {floating: [¦'{x}-é']}"), "TAG-TEMPLATE"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "code"), [pytest.param(text, code, id=name) for name, text, code in BAD]
)
def test_a_bad_matrix_is_told_once_where_it_is_bad(text: str, code: str) -> None:
    """However many images it makes, one mistake is one problem with its place."""
    before = text.partition("¦")[0]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    assert places(text.replace("¦", "")) == [f"{line}:{column} {code}"]


def test_colliding_ids_name_both_entries() -> None:
    """With the place of the other one, and of which combination it is made."""
    (problem,) = problems(entry("") + "  a-2: {context: c, version: 3}\n")
    assert problem.what == "image 'a-2' is there twice: as 'a-2' and as 'a-{x}'; first on line 6"
    (problem,) = problems(entry("", matrix="x: [1], y: [1, 2]"))
    assert problem.what == "'a-{x}' makes the image 'a-1' of x=1, y=1 and of x=1, y=2"


def test_colliding_tags_name_both_images() -> None:
    """With the place of the other one."""
    text = entry("repository: r") + "  b: {context: c, version: 1, repository: r}\n"
    found = [problem for problem in problems(text) if "'b'" in problem.what]
    assert [problem.what for problem in found] == [
        "images 'a-1' (line 6) and 'b' would both move the tag '1' of the repository 'r'"
    ]


def test_an_exclusion_that_fits_nothing_is_doubted() -> None:
    """Probably a value that was changed in one place only."""
    text = entry("exclude: [{x: 3}, {x: 2}]")
    hierarchy = load(text)
    assert list(hierarchy.images) == ["a-1"]
    assert [w.split("]")[0] for w in hierarchy.warnings] == ["hierarchy.yaml:6:67: [EMPTY-EXCLUDE"]


def test_names_of_a_matrix_that_is_wrong_are_not_called_unknown() -> None:
    """Who knows which images it would make: one mistake, one problem."""
    text = entry("", key="a", matrix="x: []") + "  app: {context: b, version: 1}\n"
    assert places(text, {"app": "FROM a-1\n"}) == ["6:43 NO-VALUE"]
    text = entry("", key="a", matrix="x: [1, b c]") + "  app: {context: b, version: 1}\n"
    assert places(text, {"app": "FROM a-2\n"}) == ["6:47 BAD-VALUE"]


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}images:\n"
        + "".join(
            f"  a{n}: {{context: c, version: 1, matrix: "
            f"{{x: [{', '.join(map(str, range(1000)))}]}}}}\n"
            for n in range(150)
        ),
        entry(
            "exclude: [" + ", ".join(f"{{x: {n}}}" for n in range(50_000)) + "]",
            key="a",
            matrix=f"x: [{', '.join(map(str, range(1000)))}]",
        ),
        f"{HEAD}images:\n"
        + "".join(
            f"  a{n}-{{x}}: {{context: c, version: 1, labels: {{l: '{'y' * 30_000}{{x}}'}}, "
            f"matrix: {{x: [{', '.join(map(str, range(900)))}]}}}}\n"
            for n in range(20)
        ),
    ],
    ids=["combinations", "exclusions", "text"],
)
def test_a_hostile_matrix_costs_little(text: str) -> None:
    """A small file cannot ask for millions of images, or for gigabytes of text."""
    start = time.process_time()
    codes = {place.split()[1] for place in places(text)}
    assert "TOO-MANY" in codes or codes == {"TOO-MANY-IMAGES"}
    assert time.process_time() - start < 15
