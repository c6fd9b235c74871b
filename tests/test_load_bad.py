"""Bad hierarchy files, and what is said of them: every problem at once, each where it is.

In the tables a ``¦`` stands before every place where a problem is expected; it is not part of the
file. A code alone belongs to the next of these places, in the order of the file.
"""

from __future__ import annotations

import re

import pytest

from orchestrator.errors import InvalidInput
from orchestrator.load import parse, resolve
from orchestrator.model.source import ImageFiles
from tests.drafts import HEAD, IMAGES, app, more, places, problems

Row = tuple[str, str | bytes, str]


UNREADABLE: list[Row] = [
    ("empty", b"", "0:0 EMPTY-FILE"),
    ("only a comment", "# nothing\n", "0:0 EMPTY-FILE"),
    ("UTF-16 with a mark", "version: 1\n".encode("utf-16"), "0:0 NOT-UTF-8"),
    ("UTF-32 with a mark", "version: 1\n".encode("utf-32"), "0:0 NOT-UTF-8"),
    ("Latin-1", "version: 1\nname: é\n".encode("latin-1"), "2:7 NOT-UTF-8"),
    ("NUL", b"version: 1\nname: a\0b\n", "2:8 CONTROL-CHARACTER"),
    ("escape sequence", "version: 1\nname: ¦\x1b[31mred\n", "CONTROL-CHARACTER"),
    ("next line as a line break", "version: 1¦\x85name: a\n", "CONTROL-CHARACTER"),
    ("larger than 4 MiB", b"#" * (4 * 1024 * 1024 + 1), "0:0 FILE-TOO-LARGE"),
    ("400 kB of brackets", "[" * 40 + "¦" + "[" * 400_000, "YAML-TOO-DEEP"),
    ("two million dashes", "- " * 40 + "¦" + "- " * 2_000_000, "YAML-TOO-DEEP"),
    ("an open bracket", "images: [\n¦", "YAML-SYNTAX"),
    ("a tab", "images:\n¦\tbase: {}\n", "YAML-SYNTAX"),
    ("a colon too many", "name: a¦: b\n", "YAML-SYNTAX"),
    ("a list", "¦- version: 1\n", "WRONG-TYPE"),
    ("a word", "¦hello\n", "WRONG-TYPE"),
    ("a word after a mark", b"\xef\xbb\xbfhello\n", "1:1 WRONG-TYPE"),
    ("two documents", more("¦---\nversion: 1"), "MULTIPLE-DOCUMENTS"),
    ("not even the keys", "{}\n", "1:1 MISSING-KEY; " * 4 + "1:1 MISSING-KEY"),
]

REFUSED_YAML: list[Row] = [
    ("key twice", more("¦name: silver"), "DUPLICATE-KEY"),
    ("image twice", more("  ¦base: {context: b, version: 1}"), "DUPLICATE-KEY"),
    ("anchor and alias", app("labels: ¦&x {a: b}, args: ¦*x"), "YAML-ANCHOR; YAML-ANCHOR"),
    ("alias of itself", app("secrets: ¦&x [¦*x]"), "YAML-ANCHOR; YAML-ANCHOR"),
    ("merge key", app("¦<<: {tier: base}"), "YAML-MERGE"),
    ("Python tag", app("tier: ¦!!python/object:os.system x"), "YAML-TAG"),
    ("harmless tag", app("tier: ¦!!str x"), "YAML-TAG"),
    ("list as a key", more("? ¦[a]\n: b"), "YAML-KEY"),
]

FIELDS: list[Row] = [
    ("unknown top key", more("¦upstream: {}"), "UNKNOWN-KEY"),
    ("unknown image key", app("¦contxt: x"), "UNKNOWN-KEY"),
    ("missing key", app("", start="context: a").replace("{context", "¦{context"), "MISSING-KEY"),
    ("version 2", HEAD.replace("1", "¦2", 1) + IMAGES, "OUT-OF-RANGE"),
    ("version one", HEAD.replace("1", "¦one", 1) + IMAGES, "WRONG-TYPE"),
    ("quoted number", HEAD.replace("1", '¦"1"', 1) + IMAGES, "WRONG-TYPE"),
    ("number with a sign", more("builders: [{slots: ¦+2}]"), "WRONG-TYPE"),
    ("octal number", more("builders: [{slots: ¦010}]"), "WRONG-TYPE"),
    ("no slots", more("builders: [{slots: ¦0}]"), "OUT-OF-RANGE"),
    ("too many slots", more("builders: [{slots: ¦1025}]"), "OUT-OF-RANGE"),
    ("no platforms of a builder", more("builders: [{platforms: ¦[]}]"), "NO-VALUE"),
    ("a list for a builder's labels", more("builders: [{labels: ¦[fast]}]"), "WRONG-TYPE"),
    ("a builder's label with a space", more("builders: [{labels: {disk: ¦a b}}]"), "BAD-VALUE"),
    ("no time", app("timeout: ¦0"), "BAD-VALUE"),
    ("no time in hours", app("timeout: ¦0h"), "BAD-VALUE"),
    ("time without a unit", app("timeout: ¦90"), "BAD-VALUE"),
    ("more tries than anybody wants", app("retries: ¦11"), "OUT-OF-RANGE"),
    ("fewer than no tries", app("retries: ¦-1"), "WRONG-TYPE"),
    ("a cache nowhere", app("cache: ¦local"), "UNKNOWN-VALUE"),
    ("promotion by nobody", more("promote: ¦never"), "UNKNOWN-VALUE"),
    ("a text for canaries", app("canaries: ¦base"), "WRONG-TYPE"),
    ("canaries for all", more("defaults: {¦canaries: [base]}"), "UNKNOWN-KEY"),
    ("yes for true", app("reproducible: ¦yes"), "WRONG-TYPE"),
    ("quoted true", app('reproducible: ¦"true"'), "WRONG-TYPE"),
    ("True in capitals", app("reproducible: ¦True"), "WRONG-TYPE"),
    ("no value", app("¦tier: "), "NO-VALUE"),
    ("null", app("tier: ¦null"), "NO-VALUE"),
    ("tilde", app("tier: ¦~"), "NO-VALUE"),
    ("image without fields", f"{HEAD}images:\n  ¦app:\n", "NO-VALUE"),
    ("no images", f"{HEAD}images: ¦{{}}\n", "NO-VALUE"),
    ("no platforms", re.sub(r"\[.*]", "¦[]", HEAD) + IMAGES, "NO-VALUE"),
    ("text for a list", app("secrets: ¦token"), "WRONG-TYPE"),
    ("list for a text", app("tier: ¦[base]"), "WRONG-TYPE"),
    ("map for a list", app("parents: ¦{a: b}"), "WRONG-TYPE"),
    ("list for a map", app("labels: ¦[a]"), "WRONG-TYPE"),
    ("list for an image", f"{HEAD}images:\n  app: ¦[]\n", "WRONG-TYPE"),
    ("doubled item", app("secrets: [¦a, ¦a]"), "UNKNOWN-SECRET; DUPLICATE-VALUE"),
    ("long text", app(f"labels: {{a: ¦{'x' * 40_000}}}"), "BAD-VALUE"),
    ("escape sequence in quotes", app(r'labels: {a: ¦"\e[31m"}'), "BAD-VALUE"),
    ("id in capitals", app("", name="¦App"), "BAD-NAME"),
    ("id with a slash", app("", name="¦a/b"), "BAD-NAME"),
    ("id of 65 letters", app("", name="¦" + "a" * 65), "BAD-VALUE"),
    ("id of BuildKit's", app("", name="¦scratch"), "BAD-NAME"),
    ("platform misspelt", app("platforms: [¦linux/arm46]"), "UNKNOWN-PLATFORM"),
    ("platform without a system", app("platforms: [¦arm64]"), "UNKNOWN-PLATFORM"),
    ("network", app("options: {network: ¦hostt}"), "UNKNOWN-VALUE"),
    ("package manager", app("packages: ¦yum"), "UNKNOWN-VALUE"),
    ("limit's name", app('options: {ulimits: [¦"files=1"]}'), "UNKNOWN-VALUE"),
    ("limit's grammar", app('options: {ulimits: [¦"nofile 1"]}'), "BAD-VALUE"),
    ("limit's order", app('options: {ulimits: [¦"nofile=9:1"]}'), "BAD-VALUE"),
    ("host's address", app('options: {add_hosts: [¦"a:1.2.3"]}'), "BAD-VALUE"),
    ("host's name", app('options: {add_hosts: [¦"-:1.2.3.4"]}'), "BAD-VALUE"),
    ("size", app("options: {shm_size: ¦64q}"), "BAD-VALUE"),
    ("label's name", app('labels: {¦"a b": c}'), "BAD-VALUE"),
    ("argument's name", app("args: {¦a-b: c}"), "BAD-VALUE"),
    ("our epoch", app("args: {¦SOURCE_DATE_EPOCH: 1}"), "RESERVED-ARG"),
    ("our refresh", app("args: {¦REFRESH_EPOCH: 1}"), "RESERVED-ARG"),
    ("BuildKit's argument", app("args: {¦TARGETARCH: arm64}"), "RESERVED-ARG"),
    ("context above", app("", start="version: 1, context: ¦a/../.."), "PATH-OUTSIDE"),
    ("absolute context", app("", start="version: 1, context: ¦/etc"), "PATH-OUTSIDE"),
    ("home", app("", start="version: 1, context: ¦~/x"), "PATH-OUTSIDE"),
    ("empty path", app("", start="version: 1, context: ¦''"), "BAD-VALUE"),
    ("backslashes", app("", start="version: 1, context: ¦a\\b"), "BAD-VALUE"),
    ("program for context", app("", start="version: 1, context: ¦'ext::sh -c x'"), "BAD-VALUE"),
    ("Dockerfile above", app("dockerfile: ¦../../Dockerfile"), "PATH-OUTSIDE"),
]

REFERENCES: list[Row] = [
    ("password", HEAD.replace("localhost", "¦me:secret@localhost") + IMAGES, "CREDENTIALS"),
    ("user", HEAD.replace("localhost", "¦me@localhost") + IMAGES, "CREDENTIALS"),
    ("scheme", HEAD.replace("localhost", "¦https://localhost") + IMAGES, "BAD-REFERENCE"),
    ("capitals", HEAD.replace("loc", "¦loc").replace("/go", "/Go") + IMAGES, "BAD-REFERENCE"),
    ("registry without a host", HEAD.replace("localhost:5000/", "¦") + IMAGES, "BAD-REFERENCE"),
    ("port", HEAD.replace("localhost:5", "¦localhost:75") + IMAGES, "BAD-REFERENCE"),
    ("no registry", re.sub(r"registry: .*\n", "", "¦" + HEAD) + IMAGES, "MISSING-KEY"),
    ("repository too long", app(f"repository: ¦{'a' * 260}"), "BAD-VALUE"),
    ("repository too long together",
     app(f"repository: ¦{'a' * 20}").replace("/gold", f"/{'g' * 240}"), "BAD-REFERENCE"),
    ("repository elsewhere", app("repository: ¦quay.io/app"), "BAD-REFERENCE"),
    ("alias with a tag", app("aliases: [¦'quay.io/app:1']"), "BAD-REFERENCE"),
    ("upstream in capitals", more("upstreams:\n  ¦Debian: {}"), "BAD-REFERENCE"),
    ("source without a name", more("upstreams:\n  a: {source: ¦':12'}"), "BAD-REFERENCE"),
    ("source's digest", more("upstreams:\n  a: {source: ¦a@sha256:12}"), "BAD-REFERENCE"),
    ("source with a user", more("upstreams:\n  a: {source: ¦me@host.example/a}"), "CREDENTIALS"),
    ("insecure registry", more("insecure_registries: [¦a.example/x]"), "BAD-REFERENCE"),
    ("insecure registry's user", more("insecure_registries: [¦'a:b@a.example']"), "CREDENTIALS"),
    ("insecure word", more("insecure_registries: [¦all]"), "BAD-REFERENCE"),
]  # fmt: skip

RULES: list[Row] = [
    ("equal but for case", more("secrets:\n  a: {env: A}\n  ¦A: {env: B}"), "DUPLICATE-NAME"),
    ("equal in Unicode", more("  ¦\uff42ase: {context: a, version: 1}"),
     "BAD-NAME; DUPLICATE-NAME"),
    ("secret from two places", more("secrets:\n  a: ¦{env: A, file: b}"), "ONE-OF"),
    ("secret from nowhere", more("secrets:\n  a: ¦{}"), "ONE-OF"),
    ("undeclared secret", app("secrets: [¦token]"), "UNKNOWN-SECRET"),
    ("platform kept and dropped", app("drop_platforms: [¦linux/arm64]"), "DROPPED-PLATFORM"),
    ("upstream named like an image", more("upstreams:\n  ¦base: {}"), "UPSTREAM-IS-IMAGE"),
    ("upstream where an image is", more("upstreams:\n  ¦localhost:5000/gold/base:12: {}"),
     "UPSTREAM-IS-IMAGE"),
    ("two builders of one name", more("builders: [{name: a}, {name: ¦A}]"), "DUPLICATE-NAME"),
    ("two builders of no name", more("builders: [{}, ¦{slots: 1}]"), "DUPLICATE-NAME"),
    ("a platform in two spellings", more(
        "builders: [{platforms: [linux/amd64, linux/arm64, ¦linux/arm64/v8]}]"
    ), "DUPLICATE-VALUE"),
    ("a label that no builder has", app("builder_labels: {¦disk: fast}"), "NO-BUILDER"),
    ("itself as its canary", app("canaries: [¦app]"), "BAD-CANARY"),
    ("a canary that is no image", app("canaries: [¦ap]"), "UNKNOWN-IMAGE"),
    ("no key in the tag", app('tags: {immutable: ¦"{version}"}'), "TAG-TEMPLATE"),
    ("unknown placeholder", app('tags: {floating: [¦"{versoin}"]}'), "TAG-TEMPLATE"),
    ("label without a name", app('tags: {floating: [¦"{label.}"]}'), "TAG-TEMPLATE"),
    ("open brace", app('tags: {floating: [¦"{version"]}'), "TAG-TEMPLATE"),
    ("floating tag that cannot move", app('tags: {floating: [¦"{date}"]}'), "TAG-TEMPLATE"),
    ("missing label", app('tags: {floating: ["{label.team}"]}', name="¦app"), "TAG-TEMPLATE"),
    ("version that is no tag", app("tags: {floating: []}", start="context: a, version: ¦1+2, "),
     "BAD-TAG"),
    ("tag longer than 128", app(
        f'tags: {{immutable: "{"a" * 95}-{{key}}-{{run}}", floating: []}}',
        start="context: a, version: ¦1, ",
    ), "BAD-TAG"),
    ("our tag", app("tags: {floating: [¦key-1]}"), "RESERVED-TAG"),
    ("cosign's tag", app("", start="context: a, version: ¦sha256-1"), "RESERVED-TAG"),
    ("latest", app("tags: {floating: [¦latest]}"), "LATEST"),
    ("latest by its version", app("", name="¦app", start="context: a, version: latest"), "LATEST"),
    ("colliding tags", app("repository: r", name="a")
     + "  ¦b: {context: b, version: 1, repository: r}\n", "TAG-COLLISION"),
    ("tags that are wrong for all", HEAD + "tags: {floating: ¦x}\n"
     + app("repository: r", name="a").removeprefix(HEAD)
     + "  b: {context: b, version: 1, repository: r}\n", "WRONG-TYPE"),
    ("subscription to nothing", more(
        "subscriptions:\n  - {team: a, images: [¦bse], events: [image.published], apprise: env:A}"
    ), "UNKNOWN-IMAGE"),
    ("subscription to no pattern", more(
        "subscriptions:\n  - {team: ¦a b, images: [¦'x*'], events: [image.failed], apprise: env:A}"
    ), "BAD-VALUE; EMPTY-PATTERN"),
    ("unknown event", more(
        "subscriptions:\n  - {team: a, images: [base], events: [¦image.publishd], apprise: env:A}"
    ), "UNKNOWN-VALUE"),
    ("webhook's scheme", more(
        "subscriptions:\n  - {team: a, images: [base], events: [image.failed], "
        "webhook: {url: ¦'ftp://a', secret: env:A}}"
    ), "BAD-VALUE"),
    ("webhook with a password", more(
        "subscriptions:\n  - {team: a, images: [base], events: [image.failed], "
        "webhook: {url: ¦'https://a:b@c', secret: ¦hunter2}}"
    ), "CREDENTIALS; BAD-VALUE"),
]  # fmt: skip


def expected_places(text: str, codes: list[str]) -> list[str]:
    """Give every code its place: those that have none take the marks in turn."""
    marks = []
    for number, line in enumerate(text.split("\n"), 1):
        before = 0
        for part in line.split("¦")[:-1]:
            before += len(part)
            marks.append(f"{number}:{before + 1}")
    alone = [code for code in codes if " " not in code]
    if len(marks) < len(alone) and marks:
        marks += [marks[-1]] * (len(alone) - len(marks))
    turns = iter(marks)
    return [code if " " in code else f"{next(turns)} {code}" for code in codes]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        pytest.param(text, codes, id=name)
        for name, text, codes in [*UNREADABLE, *REFUSED_YAML, *FIELDS, *REFERENCES, *RULES]
    ],
)
def test_a_bad_file_is_told_where_it_is_bad(text: str | bytes, codes: str) -> None:
    """Every mistake has its line, its column and its code, and nothing else is said."""
    marked = text if isinstance(text, str) else ""
    expected = expected_places(marked, codes.split("; "))
    assert places(text if isinstance(text, bytes) else text.replace("¦", "")) == expected


def test_everything_wrong_is_told_at_once_in_the_order_of_the_file() -> None:
    """Shape, rules and the Dockerfiles of healthy images are told together."""
    text = (
        HEAD.replace("name: gold", "nam: gold")
        + "images:\n"
        + "  base: {context: base, version: 1, tiers: base}\n"
        + "  good: {context: good, version: 1, secrets: [tokn]}\n"
        + "  fine: {context: fine, version: 1}\n"
        + "secrets: {token: {env: TOKEN}}\n"
    )
    expected = [
        "1:1 MISSING-KEY",
        "2:1 UNKNOWN-KEY",
        "6:37 UNKNOWN-KEY",
        "7:47 UNKNOWN-SECRET",
        "fine/Dockerfile:2:1 UNDECLARED-UPSTREAM",
    ]
    assert places(text, {"fine": "# A comment\nFROM debian:12\n"}) == expected


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (app("contxt: x"), "did you mean 'context'?"),
        (app("secrets: [pip_index]") + "secrets: {pip-index: {env: A}}\n", "'pip-index'?"),
        (app("platforms: [linux/arm46]"), "did you mean 'linux/arm64'?"),
        (app("platforms: [arm64]"), "did you mean 'linux/arm64'?"),
        (app("tags: {floating: ['{verison}']}"), "did you mean 'version'?"),
        (app("packages: aptt"), "did you mean 'apt'?"),
        (app("packages: zypper"), "one of: apt, apk, dnf"),
        (app("reproducible: no"), "write false, in lower case and without quotes"),
        (app("tier: null"), 'for the text write "null"'),
        (app("parents: [bas]") + "  base: {context: base, version: 1}\n", "did you mean 'base'?"),
        (app("target: biuld"), "did you mean 'build'?"),
        (app("args: {VERSOIN: 1}"), "did you mean 'VERSION'?"),
    ],
)
def test_a_hint_names_what_was_probably_meant(text: str, hint: str) -> None:
    """Names that nearly exist are suggested."""
    dockerfile = "ARG VERSION=1\nFROM base AS build\nRUN x\nFROM scratch\nARG VERSION\n"
    found = problems(text + "nonsense: 1\n", {"app": dockerfile})
    assert any(hint in problem.hint for problem in found)


def test_a_byte_order_mark_is_not_part_of_the_first_line() -> None:
    """What editors on Windows put there is not shown."""
    (problem,) = problems(b"\xef\xbb\xbfhello\n")
    assert problem.source_line == "hello"


def test_the_line_is_shown_as_it_is_in_the_file() -> None:
    """The source line comes with its indentation, so that the column fits."""
    (problem,) = problems(app("tier: [x]"))
    assert problem.source_line == "  app: {context: app, version: 1, tier: [x]}"


def test_a_registry_given_from_outside_is_checked_too() -> None:
    """`--registry` follows the rules of the file's."""
    draft = parse((HEAD + IMAGES).encode(), "hierarchy.yaml")
    files = {"base": ImageFiles(dockerfile_text="FROM scratch\n")}
    with pytest.raises(InvalidInput) as caught:
        resolve(draft, files, registry="me:hunter22@host.example")
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.code) == ("--registry", 0, "CREDENTIALS")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (ImageFiles(dockerfile_problem="does not exist"), "6:19 BAD-DOCKERFILE"),
        (
            ImageFiles(dockerfile_text="FROM scratch\n", context_problem="is empty"),
            "6:19 BAD-CONTEXT",
        ),
        (
            ImageFiles(dockerfile_problem="does not exist", context_problem="does not exist"),
            "6:19 BAD-CONTEXT",
        ),
        (ImageFiles(dockerfile_text=" \n"), "images/base/Dockerfile:0:0 EMPTY-DOCKERFILE"),
    ],
)
def test_files_that_are_not_as_the_hierarchy_says(files: ImageFiles, expected: str) -> None:
    """What the files door found wrong is told where the hierarchy names the file."""
    draft = parse((HEAD + IMAGES).encode(), "hierarchy.yaml")
    with pytest.raises(InvalidInput) as caught:
        resolve(draft, {"base": files})
    (p,) = caught.value.problems
    place = "" if p.file == "hierarchy.yaml" else f"{p.file}:"
    assert f"{place}{p.line}:{p.column} {p.code}" == expected
