"""The JSON Schema that ships, and the one table that it and the reader come from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from orchestrator.load import fields as fields_table
from orchestrator.load import schema
from orchestrator.load.fields import HIERARCHY
from orchestrator.load.kinds import AllOrEach, Either, Kind, ListOf, MapOf, Record, Text
from orchestrator.model import names
from tests.drafts import HEAD, IMAGES, places
from tests.test_load import WHOLE
from tests.test_load_bad import FIELDS

SHIPPED = Path(__file__).parent.parent / "orchestrator" / "schema"
VALIDATOR = jsonschema.Draft202012Validator(schema.json_schema())

#: Fields that WHOLE does not have.
MORE = """\
version: 1
requires: ">=0.1"
name: gold
registry: [localhost:5000/gold, quay.io/acme]
platforms: [linux/amd64]
include: [teams/*.yaml]
defaults: {tier: base, labels: {a: b}, eol: "2030-01-01", reproducible: false}
tiers: {base: {packages: apt, options: {network: none}, tags: {floating: [x]}}}
undeclared_upstreams: warn
builders: [{platforms: [linux/arm64], labels: {zone: 1, ssd: true}}, {name: b, slots: 1024}]
promote: manual
upstreams:
  a:1.2: {track: 'semver ">=1.27 <2"', soak: 24h, urgent: true, mirror: true, on_change: notify}
  b: {source: c, pin: "sha256:DIGEST", on_change: {hold: {until: "2030-01-01", because: 4711}}}
images:
  "{x}-py{python}":
    context: "images/{python}"
    version: "{python}"
    matrix: {python: [3.10, 3.11], x: [on, a]}
    exclude: [{python: 3.10, x: on}]
    target: "{x}"
    aliases: ["quay.io/a/{x}"]
    formerly: ["old-{x}", "{x}"]
    eol: "{x}"
    builder_labels: {zone: "{python}", ssd: true}
    canaries: ["top-{x}", top]
    timeout: 90m
    retries: 10
    cache: inline
    on_parent_change: {"{x}": rebuild, b: {hold: {until: "2031-01-01", because: x}}}
  old: {retired: true, replaced_by: new, formerly: older, on_parent_change: final-only}
""".replace("DIGEST", "0" * 64)
INCLUDED = """\
images: {a: {context: a, version: 1}}
subscriptions: [{team: a, images: [a], events: [image.failed], feed: true}]
"""

TEAM = """\
team: web
subscriptions:
  - images: [a, "tier:x", "label:a=b", "+a+2", "x*"]
    events: [image.published, run.finished]
    change: security
    tags: [1.2, stable]
    batch: image
    mute_until: "2030-01-01"
    webhook: {url: "https://a.example/", secret: [env:A, file:b], allow_internal: true}
    slack: {channel: "#gold", token: env:A, api: "https://s.example"}
    email: {to: a@b.example}
    feed: true
    command: {run: [./x, -v, -v, 1], environment: {A: env:B}, timeout: 60s}
    apprise: env:A
"""
TELLING = """\
mail: {host: m.example, port: 25, from: a@b.example, tls: none, user: a, password: env:A}
feeds: {directory: public, base_url: "https://f.example", entries: 9}
scanner: {command: [grype, "sbom:{sbom}", -o, json]}
"""

#: What a schema cannot see: rules in code, and texts that YAML reads as something else.
BEYOND_SCHEMA = {
    "BAD-REFERENCE", "CREDENTIALS", "PATH-OUTSIDE", "RESERVED-ARG", "UNKNOWN-PLATFORM",
    "UNKNOWN-SECRET; DUPLICATE-VALUE",
}  # fmt: skip
NAMES_BEYOND_SCHEMA = {
    "octal number", "number with a sign", "yes for true", "True in capitals", "limit's name",
    "limit's grammar", "limit's order", "host's address", "host's name", "empty path",
    "backslashes", "program for context", "id of BuildKit's", "escape sequence in quotes",
}  # fmt: skip


@pytest.mark.parametrize("name", schema.SCHEMAS)
def test_the_shipped_schema_is_that_of_the_table(name: str) -> None:
    """Byte for byte; write `schema.text(name)` there when a field changes."""
    assert (SHIPPED / f"{name}.json").read_text() == schema.text(name)


@pytest.mark.parametrize("name", schema.SCHEMAS)
def test_the_schema_is_one(name: str) -> None:
    """It keeps the rules of its own dialect."""
    jsonschema.Draft202012Validator.check_schema(schema.json_schema(name))


@pytest.mark.parametrize("text", [HEAD + IMAGES, WHOLE, MORE])
def test_good_files_pass_as_editors_read_them(text: str) -> None:
    """An editor sees 3.10 as a number: it must not complain of what we take."""
    VALIDATOR.validate(yaml.safe_load(text))


def test_an_included_file_has_a_schema_of_its_own() -> None:
    """With images and subscriptions, and nothing else."""
    validator = jsonschema.Draft202012Validator(schema.json_schema("include"))
    validator.validate(yaml.safe_load(INCLUDED))
    assert not validator.is_valid(yaml.safe_load(f"name: gold\n{INCLUDED}"))


def test_a_teams_file_has_a_schema_of_its_own() -> None:
    """With the team and its subscriptions, and nothing else; the hierarchy's know them too."""
    validator = jsonschema.Draft202012Validator(schema.json_schema("subscriptions"))
    validator.validate(yaml.safe_load(TEAM))
    assert not validator.is_valid(yaml.safe_load(f"{TEAM}images: {{}}\n"))
    said = TEAM.partition("subscriptions:\n")[2].replace("  - images", "  - team: web\n    images")
    VALIDATOR.validate(yaml.safe_load(f"{HEAD}{IMAGES}{TELLING}subscriptions:\n{said}"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("team: web", "team: 'a b'"),
        ("images: [", "team: web\n    images: ["),
        ('images: [a, "tier:x", "label:a=b", "+a+2", "x*"]', "images: []"),
        ("run.finished", "run.ended"),
        ("change: security", "change: secure"),
        ("batch: image", "batch: night"),
        ('"2030-01-01"', "soon"),
        ("secret: [env:A, file:b], ", ""),
        ("secret: [env:A, file:b]", "secret: hunter22"),
        ("secret: [env:A, file:b]", "secret: [env:A, env:B, env:C]"),
        ("allow_internal: true", "allow_internal: 'yes'"),
        ('channel: "#gold", ', ""),
        ('channel: "#gold"', 'channel: "#gold", webhook: env:B'),
        ("to: a@b.example", "to: []"),
        ("feed: true", "feed: false"),
        ("[./x, -v, -v, 1]", "./x"),
        ("{A: env:B}", "{A: b}"),
        ("timeout: 60s", "timeout: 60"),
        ("apprise: env:A", "apprise: tgram://a"),
    ],
)
def test_a_schema_refuses_a_bad_teams_file(old: str, new: str) -> None:
    """An editor marks what `check` would refuse."""
    validator = jsonschema.Draft202012Validator(schema.json_schema("subscriptions"))
    assert old in TEAM
    assert not validator.is_valid(yaml.safe_load(TEAM.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('">=0.1"', "[]"),
        ("[localhost:5000/gold, quay.io/acme]", "[]"),
        ("include: [teams/*.yaml]", "include: a"),
        ("tier: base, labels", "context: base, labels"),
        ("{base: {packages: apt", "{base: {tier: x, packages: apt"),
        ("[3.10, 3.11]", "[]"),
        ("{python: [3.10, 3.11], x: [on, a]}", "{}"),
        ("x: [on, a]}", "X: [on, a]}"),
        ("[{python: 3.10, x: on}]", "{python: 3.10, x: on}"),
        ('target: "{x}"', 'target: "{"'),
        ('eol: "{x}"', "eol: tomorrow"),
        ("retired: true", "retired: false"),
        ("replaced_by: new", "replaced_by: New"),
        ("formerly: older", "formerly: []"),
        ("undeclared_upstreams: warn", "undeclared_upstreams: ignore"),
        ("track: 'semver", "track: 'smever"),
        ("soak: 24h", "soak: 24 h"),
        ("urgent: true", "urgent: now"),
        ("mirror: true", "mirror: localhost:5000/x"),
        ("on_change: notify", "on_change: hold"),
        ('pin: "sha256:', 'pin: "sha512:'),
        ('until: "2030-01-01", because: 4711', 'until: "2030-01-01"'),
        ('until: "2030-01-01"', "until: soon"),
        ("because: 4711", 'because: " "'),
        ('"{x}": rebuild', '"{x}": rebuilt'),
        ("on_parent_change: final-only", "on_parent_change: {}"),
        ("[linux/arm64]", "[]"),
        ("slots: 1024", "slots: 1025"),
        ("{zone: 1, ssd: true}", "{zone: '', ssd: true}"),
        ("promote: manual", "promote: never"),
        ('zone: "{python}"', 'zone: "{"'),
        ('"top-{x}", top', '"top-{x}", Top'),
        ("timeout: 90m", "timeout: 0m"),
        ("retries: 10", "retries: 11"),
        ("cache: inline", "cache: local"),
        ("on_parent_change: final-only", "on_parent_change: [final-only]"),
    ],
)
def test_what_is_wrong_in_newer_fields_the_schema_refuses(old: str, new: str) -> None:
    """As far as it can be seen without looking elsewhere."""
    assert MORE.count(old) == 1
    assert not VALIDATOR.is_valid(yaml.safe_load(MORE.replace(old, new)))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(text, id=name)
        for name, text, codes in FIELDS
        if codes not in BEYOND_SCHEMA and name not in NAMES_BEYOND_SCHEMA
    ],
)
def test_what_the_schema_can_see_it_refuses_like_the_reader(text: str) -> None:
    """A field's kind means the same to both."""
    plain = text.replace("¦", "")
    assert places(plain) != []
    assert not VALIDATOR.is_valid(yaml.safe_load(plain))


def test_every_field_is_documented() -> None:
    """Each description is a sentence, in the schema that editors show."""

    def fields(kind: Kind, path: str) -> list[tuple[str, str]]:
        if isinstance(kind, ListOf):
            return fields(kind.item, path)
        if isinstance(kind, MapOf | AllOrEach):
            return fields(kind.value, path)
        if isinstance(kind, Either):
            return fields(kind.record, path)
        if not isinstance(kind, Record):
            return []
        found = []
        for name, field in kind.fields.items():
            found.append((f"{path}.{name}", field.doc))
            found += fields(field.kind, f"{path}.{name}")
        return found

    for record in (HIERARCHY, fields_table.INCLUDED):
        assert [path for path, doc in fields(record, "") if not doc.endswith(".")] == []


def test_names_follow_the_rules_of_the_model() -> None:
    """The pattern that editors get is the one that the model checks."""
    images = HIERARCHY.fields["images"].kind
    assert isinstance(images, MapOf)
    key = images.key
    assert isinstance(key, Text)
    for name in ("a", "a-b", "a--b", "a_b", "a__b", "a.b", "a1", "A", "-a", "a-", "a..b", "a___b"):
        found: dict[str, Any] = {"type": "string", "pattern": key.pattern}
        assert jsonschema.Draft202012Validator(found).is_valid(name) == names.is_image_id(name)
    assert key.longest == names.MAX_IMAGE_ID


def test_the_shipped_schema_reads_as_json() -> None:
    """`orchestrate schema` prints the file as it is."""
    assert json.loads((SHIPPED / "hierarchy.json").read_text())["title"] == "hierarchy.yaml"
