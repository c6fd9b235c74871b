"""Hierarchy files that mean harm: nothing raw is shown, nothing takes long, nothing crashes."""

from __future__ import annotations

import contextlib
import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.errors import InvalidInput
from orchestrator.load.fields import DEFAULTS, HIERARCHY, IMAGE, OPTIONS, SECRET, TAGS
from orchestrator.load.fields_run import BUILDER
from orchestrator.load.fields_upstream import UPSTREAM
from tests.drafts import HEAD, IMAGES, app, load, more, places, problems

FIELD_NAMES = {
    name
    for record in (BUILDER, DEFAULTS, HIERARCHY, IMAGE, OPTIONS, SECRET, TAGS, UPSTREAM)
    for name in record.fields
}

HOSTILE = [
    ("escape sequences in a quoted key", more('"\\e[2J\\e]0;owned\\a": 1')),
    ("right-to-left override", more("\u202eimages2: 1")),
    ("line separator in quotes", more('"\\u2028": 1')),
    ("a long key", more(f"? {'k' * 100_000}\n: 1")),
    ("a long line", app(f"tier: [{'x' * 100_000}]")),
    ("unpaired surrogate", app(r'tier: "\ud800"')),
]


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in HOSTILE])
def test_hostile_text_reaches_nobody_raw(text: str) -> None:
    """What is shown is printable and bounded, whatever the file holds."""
    found = problems(text)
    assert found
    for problem in found:
        for shown in (
            problem.file,
            problem.what,
            problem.hint.replace("\n", ""),
            problem.source_line,
        ):
            assert shown.isprintable()
            assert len(shown) <= 2000


@pytest.mark.parametrize(
    "text",
    [
        HEAD.replace("localhost", "me:hunter22@localhost") + IMAGES,
        app("args: {API_TOKEN: hunter22}, contxt: 1"),
        app("args: {url: 'https://me:hunter22@host/'}, contxt: 1"),
        app("args: {x: ghp_hunter22hunter22}, contxt: 1"),
        more("subscriptions: [{team: a, webhook: {secret: 'hunter22'}}]"),
        more("upstreams: {a: {source: me:hunter22@host.example/a}}"),
        more("secrets: {a: {env: 'hunter22!'}}"),
        app(r'args: {a: "hunter22\e"}'),
    ],
)
def test_a_password_in_the_file_is_not_repeated(text: str) -> None:
    """Problems end in logs: they show neither the password nor the line that holds it raw."""
    assert "hunter22" not in "".join(p.what + p.hint + p.source_line for p in problems(text))


def test_only_so_many_problems_are_kept() -> None:
    """A file with 100,000 mistakes is told in bounded time and space, and says that it was."""
    found = problems(more("\n".join(f"k{number}: 1" for number in range(100_000))))
    assert (len(found), found[-1].code) == (501, "TOO-MANY")


def many(count: int, fields: str) -> str:
    return "images:\n" + "".join(
        f"  i{number}: {{context: c, version: v{number}, {fields}}}\n" for number in range(count)
    )


@pytest.mark.parametrize(
    "text",
    [
        app("args: {A: '" + "token" * 6000 + "'}"),
        f"{HEAD}tags: {{floating: [{', '.join(f't{n}' for n in range(3000))}]}}\n{many(3000, '')}",
        HEAD + many(4000, "repository: r"),
        HEAD + many(10_000, ""),
        f"{HEAD}{many(2000, '')}subscriptions:\n"
        + "  - {team: t, images: ['x*a*b*'], events: [image.failed]}\n" * 2000,
        f"{HEAD}platforms2: [{'x, ' * 200_000}]\n{IMAGES}",
        f"{HEAD}images: {{{'a: {}, ' * 200_000}}}\n",
    ],
    ids=["argument", "tags", "repository", "upstreams", "patterns", "items", "doubles"],
)
def test_a_hostile_file_costs_little(text: str) -> None:
    """Time grows with the file's size, not with the square of it."""
    start = time.process_time()
    places(text, {f"i{number}": "FROM localhost:5000/gold/r\n" for number in range(10_000)})
    assert time.process_time() - start < 10


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_make_loading_fail_otherwise(content: bytes) -> None:
    """Whatever the bytes, the answer is a hierarchy or problems."""
    with contextlib.suppress(InvalidInput):
        load(content)


WORDS = ["version", "images", "context", "tags", "floating", "args", "null", "1", "a", "{key}", "~"]
VALUES = st.recursive(
    st.sampled_from(WORDS) | st.text(max_size=5) | st.booleans() | st.integers() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(sorted(FIELD_NAMES)) | st.text(max_size=3), inner)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(sorted(HIERARCHY.fields)), VALUES))
def test_no_structure_makes_loading_fail_otherwise(value: dict[str, object]) -> None:
    """Whatever stands in the fields, the answer is a hierarchy or problems."""
    with contextlib.suppress(InvalidInput):
        load(json.dumps({"version": 1, "name": "a", **value}))
