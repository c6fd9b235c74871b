"""What comes from outside: how it is followed, where it is copied to, and what nobody declared."""

from __future__ import annotations

import pytest

from orchestrator.model.hierarchy import ParentKind, Track, Upstream
from orchestrator.model.names import Reference, Repository
from tests.drafts import HEAD, IMAGES, load, places, problems

DIGEST = f"sha256:{'1' * 64}"
OTHER = f"sha256:{'2' * 64}"


def upstream(fields: str, name: str = "nginx:1.27", *, registry: str | None = None) -> Upstream:
    """Return the upstream that these fields make."""
    text = f'{HEAD}{IMAGES}upstreams:\n  "{name}": {{{fields}}}\n'
    return load(text, {"base": f"FROM {name}\n"}, registry=registry).upstreams[name]


def said(fields: str, name: str = "nginx:1.27") -> list[str]:
    """Return the codes of what is said of these fields, warnings too."""
    text = f'{HEAD}{IMAGES}upstreams:\n  "{name}": {{{fields}}}\n'
    found = problems(text, {"base": f"FROM {name}\n"})
    if found:
        return [problem.code for problem in found]
    warnings = load(text, {"base": f"FROM {name}\n"}).warnings
    return [warning.partition("[")[2].partition("]")[0] for warning in warnings]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("", (Track.TAG, "")),
        ("track: tag", (Track.TAG, "")),
        ("source: x@DIGEST", (Track.DIGEST, "")),
        ("source: 'x:1@DIGEST', track: digest", (Track.DIGEST, "")),
        ("track: semver ^1.27", (Track.SEMVER, "^1.27")),
        ("track: semver   >=1.27   <2", (Track.SEMVER, ">=1.27 <2")),
        ("track: 'semver \">= 1.27 <2\"'", (Track.SEMVER, ">= 1.27 <2")),
        ('track: semver ">=1.27 <2"', (Track.SEMVER, ">=1.27 <2")),
        ("track: \"semver '1.x || 2.x'\"", (Track.SEMVER, "1.x || 2.x")),
        ("track: semver 1.27 - 1.29", (Track.SEMVER, "1.27 - 1.29")),
        ('track: semver "*"', (Track.SEMVER, "*")),
        ("track: semver ~22.04, source: 'ubuntu:22.04'", (Track.SEMVER, "~22.04")),
        ("track: semver ^1, source: 'a:v1.2.3-alpine3.19'", (Track.SEMVER, "^1")),
    ],
)
def test_how_an_upstream_is_followed(fields: str, expected: tuple[Track, str]) -> None:
    """The range is taken with and without quotes; a digest in the source is followed as one."""
    found = upstream(fields.replace("DIGEST", DIGEST))
    assert (found.track, found.range) == expected


@pytest.mark.parametrize(
    "range_",
    ["", "''", "latest", "^1.2,", ">=1.27, <2", "1.2.3.4", "||", "^1 ||", "1 || x y", "v", "≥1"],
)
def test_a_range_that_is_none_is_refused(range_: str) -> None:
    """Whatever stands behind `semver`; nothing is not everything."""
    quoted = f"semver {range_}".replace('"', '\\"')
    assert said(f'track: "{quoted}"') == ["BAD-VALUE"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("soak: 24h", (86_400, False, None)),
        ("soak: 7d, urgent: true", (604_800, True, None)),
        ("soak: 0, urgent: false", (0, False, None)),
        (f"pin: {DIGEST}", (0, False, DIGEST)),
        (f"pin: {DIGEST}, soak: 30m, track: semver ^1", (1800, False, DIGEST)),
    ],
)
def test_soak_urgent_and_pin(fields: str, expected: tuple[int, bool, str | None]) -> None:
    """They arrive as they are; a pin goes together with all ways to follow a tag."""
    found = upstream(fields)
    assert (found.soak_s, found.urgent, found.pin) == expected
    assert said(fields) == []


@pytest.mark.parametrize(
    ("source", "registry", "expected"),
    [
        ("debian:12", None, "localhost:5000/gold/mirror/docker.io/library/debian"),
        ("index.docker.io/a/b", None, "localhost:5000/gold/mirror/docker.io/a/b"),
        ("localhost:5001/a/b:1", None, "localhost:5000/gold/mirror/localhost-5001/a/b"),
        ("Quay.IO/a/b", None, "localhost:5000/gold/mirror/quay.io/a/b"),
        ("[2001:db8::1]:5000/a", None, "localhost:5000/gold/mirror/2001-db8-1-5000/a"),
        (f"quay.io/a@{DIGEST}", "other.example", "other.example/mirror/quay.io/a"),
    ],
)  # fmt: skip
def test_where_a_mirror_is(source: str, registry: str | None, expected: str) -> None:
    """Below the first registry, or the one of --registry, by where it comes from."""
    found = upstream(f"mirror: true, source: '{source}'", "x", registry=registry)
    assert str(found.mirror) == expected


def test_a_mirror_is_in_the_first_of_several_registries() -> None:
    """That is where images are built to."""
    text = HEAD.replace("localhost:5000/gold", "[a.example, b.example/x]") + IMAGES
    text += "upstreams: {debian: {mirror: true}}\n"
    found = load(text, {"base": "FROM debian\n"}).upstreams["debian"].mirror
    assert found == Repository("a.example", "mirror/docker.io/library/debian")


@pytest.mark.parametrize("field", ["repository: X", "aliases: ['localhost:5000/gold/X']",
                                   "formerly: X"])  # fmt: skip
def test_a_mirror_is_never_where_an_image_is(field: str) -> None:
    """Neither where it is published nor where Dockerfiles look for it."""
    path = "mirror" if "formerly" in field else "mirror/docker.io/library/debian"
    text = f"{HEAD}images:\n  base: {{context: b, version: 1, {field.replace('X', path)}}}\n"
    text += "upstreams: {'debian:12': {mirror: true}}\n"
    expected = [] if "formerly" in field else ["7:27 MIRROR-IS-IMAGE"]
    if "aliases" in field:
        assert places(text) == expected
    else:
        assert places(text, {"base": "FROM debian:12\n"}) == expected


@pytest.mark.parametrize(
    ("name", "fields", "expected"),
    [
        ("debian:12", "track: digest", ["BAD-TRACK"]),
        (f"debian@{DIGEST}", "track: tag", ["BAD-TRACK"]),
        (f"debian:12@{DIGEST}", "track: semver ^12", ["BAD-TRACK"]),
        ("debian", "track: semver ^12", ["BAD-TRACK"]),
        ("debian:bookworm", "track: semver ^12", ["BAD-TRACK"]),
        ("debian:12", "source: debian, track: semver ^12", ["BAD-TRACK"]),
        (f"debian@{DIGEST}", f"pin: {OTHER}", ["PIN-CONFLICT"]),
        (f"debian@{DIGEST}", f"pin: {OTHER}, track: digest", ["PIN-CONFLICT"]),
        (f"debian@{DIGEST}", f"pin: {OTHER}, track: tag", ["BAD-TRACK"]),
        (f"debian@{DIGEST}", "soak: 0, urgent: false", []),
        (f"debian@{DIGEST}", "soak: 1s, urgent: true", ["NO-EFFECT", "NO-EFFECT"]),
        ("debian:12", "urgent: true", ["NO-EFFECT"]),
        ("debian:12", "urgent: true, soak: 0", ["NO-EFFECT"]),
        ("debian:12", "soak: 367d", ["OUT-OF-RANGE"]),
        ("debian:12", "soak: 366d", []),
        ("debian:12", "soak: 999999999w", ["OUT-OF-RANGE"]),
        ("debian:12", "source: ':x', track: digest", ["BAD-REFERENCE"]),
        ("debian:12", "track: 1.27, pin: 12, mirror: 1, urgent: 1, soak: []",
         ["BAD-VALUE", "BAD-VALUE", "WRONG-TYPE", "WRONG-TYPE", "WRONG-TYPE"]),
    ],
)  # fmt: skip
def test_what_contradicts_itself(name: str, fields: str, expected: list[str]) -> None:
    """An error each; what only comes to nothing is a warning."""
    assert said(fields, name) == expected


UNDECLARED = f"{HEAD}undeclared_upstreams: warn\n{IMAGES}  app: {{context: app, version: 1}}\n"


@pytest.mark.parametrize(
    ("name", "source", "track"),
    [
        ("debian", Reference(Repository("docker.io", "library/debian"), "latest"), Track.TAG),
        ("quay.io/a/b:1", Reference(Repository("quay.io", "a/b"), "1"), Track.TAG),
        (f"a@{DIGEST}", Reference(Repository("docker.io", "library/a"), None, DIGEST),
         Track.DIGEST),
    ],
)  # fmt: skip
def test_an_undeclared_upstream_may_be_a_warning(
    name: str, source: Reference, track: Track
) -> None:
    """It is looked up under its own name, and the warning has the line to paste."""
    hierarchy = load(UNDECLARED, {"base": f"FROM {name}\n"})
    (parent,) = hierarchy.images["base"].parents
    assert (parent.kind, parent.subject) == (ParentKind.UPSTREAM, name)
    assert dict(hierarchy.upstreams) == {name: Upstream(name=name, source=source, track=track)}
    (warning,) = hierarchy.warnings
    assert warning.startswith("images/base/Dockerfile:1:1: [UNDECLARED-UPSTREAM]")
    pasted = warning.partition("declare it: ")[2]
    assert load(f"{UNDECLARED}{pasted}\n", {"base": f"FROM {name}\n"}).warnings == ()


def test_an_undeclared_upstream_is_one_under_all_its_spellings() -> None:
    """The first one is its name, and it is told once."""
    hierarchy = load(
        UNDECLARED, {"base": "FROM debian\n", "app": "FROM docker.io/library/debian:latest\n"}
    )
    assert list(hierarchy.upstreams) == ["debian"]
    assert hierarchy.images["app"].upstream_parents() == ("debian",)
    assert len(hierarchy.warnings) == 1


def test_undeclared_upstreams_are_errors_unless_somebody_says_otherwise() -> None:
    """And stated parents are never made up."""
    strict = UNDECLARED.replace("warn", "error")
    for text in (strict, HEAD + IMAGES):
        assert places(text, {"base": "FROM debian\n"}) == [
            "images/base/Dockerfile:1:1 UNDECLARED-UPSTREAM"
        ]
    stated = UNDECLARED.replace("context: app", "parents: [debian, debain], context: app")
    found = problems(stated, {"app": "FROM debian\n"})
    assert [p.code for p in found if p.severity == "error"] == ["UNKNOWN-PARENT"]


def test_what_is_no_upstream_stays_an_error() -> None:
    """An image that is named by a digest, or is one of several, is not looked up outside."""
    for name, code in ((f"localhost:5000/gold/base@{DIGEST}", "PINNED-PARENT"),):
        assert places(UNDECLARED, {"app": f"FROM {name}\n"}) == [f"app/Dockerfile:1:1 {code}"]
