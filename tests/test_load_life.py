"""The life of an image: renamed, retired, replaced, at its end."""

from __future__ import annotations

import time

import pytest

from orchestrator.load import parse, resolve
from orchestrator.model.names import Repository
from orchestrator.model.source import ImageFiles
from tests.drafts import HEAD, app, load, places, problems

TODAY = "2026-11-22"


def images(*entries: str) -> str:
    """A hierarchy with these images; `id: fields`, each with a context of its own."""
    lines = []
    for number, entry in enumerate(entries):
        name, _, fields = entry.partition(": ")
        start = "" if "retired" in fields else f"context: c{number}, version: '{number}', "
        lines.append(f"  {name}: {{{start}{fields}}}\n")
    return f"{HEAD}images:\n{''.join(lines)}"


def warnings(
    text: str, dockerfiles: dict[str, str] | None = None, today: str | None = None
) -> list[str]:
    """Return the warnings of a hierarchy that loads."""
    draft = parse(text.encode(), "hierarchy.yaml")
    files = {
        image: ImageFiles(dockerfile_text=(dockerfiles or {}).get(image, "FROM scratch\n"))
        for image, _, _ in draft.wanted
    }
    return list(resolve(draft, files, today=today).warnings)


def test_a_renamed_image_goes_on_under_its_first_id() -> None:
    """Its identity stays, its former repositories are known, and so it is to its children."""
    text = images("base: formerly: [debian, os]", "app: ")
    hierarchy = load(text, {"app": "FROM base\n"})
    base = hierarchy.images["base"]
    assert (base.formerly, base.identity) == (("debian", "os"), "debian")
    assert base.former_repositories == (
        Repository("localhost:5000", "gold/debian"),
        Repository("localhost:5000", "gold/os"),
    )
    (parent,) = hierarchy.images["app"].parents
    assert (parent.subject, parent.first_name, parent.identity) == ("base", "debian", "debian")


def test_an_image_with_a_repository_of_its_own_may_have_got_it_with_its_name() -> None:
    """Nobody says where it was before: it may have been where its id said."""
    (image,) = load(app("formerly: old, repository: r")).images.values()
    former = (Repository("localhost:5000", "gold/old"),)
    assert (image.formerly, image.former_repositories) == (("old",), former)


@pytest.mark.parametrize("name", ["os", "localhost:5000/gold/os:1", "localhost:5000/gold/os"])
def test_a_former_name_in_a_dockerfile_is_understood_and_doubted(name: str) -> None:
    """The image is found, and the warning says what to write."""
    text = images("base: formerly: os", "app: ")
    dockerfiles = {"app": f"FROM {name}\n"}
    assert load(text, dockerfiles).images["app"].image_parents() == ("base",)
    assert warnings(text, dockerfiles) == [
        f"c1/Dockerfile:1:1: [RENAMED-PARENT] '{name}' is called 'base' now; write base"
    ]


def test_a_former_name_with_a_digest_is_refused() -> None:
    """As the name it has now would be."""
    dockerfiles = {"app": f"FROM localhost:5000/gold/os@sha256:{'0' * 64}\n"}
    text = images("base: formerly: os", "app: ")
    assert places(text, dockerfiles) == ["c1/Dockerfile:1:1 PINNED-PARENT"]


def test_a_subscription_to_a_former_id_is_doubted() -> None:
    """It still is that image."""
    text = images("base: formerly: os")
    text += (
        "subscriptions: [{team: a, images: [os], events: [image.failed], command: {run: [cat]}}]\n"
    )
    (warning,) = warnings(text)
    assert "[RENAMED-IMAGE] team 'a' subscribes to 'os', which is called 'base' now" in warning


def test_a_retired_image_needs_no_files() -> None:
    """It stays in the hierarchy, without version, context and parents, and is not looked at."""
    text = images("old: retired: true, replaced_by: new", "new: ")
    assert [image for image, _, _ in parse(text.encode(), "h.yaml").wanted] == ["new"]
    old = load(text).images["old"]
    assert (old.retired, old.replaced_by, old.version) == (True, "new", "")
    assert (old.context, old.dockerfile, old.parents) == ("", "", ())
    kept = load(app("retired: true")).images["app"]
    assert (kept.version, kept.context, kept.dockerfile) == ("1", "", "")


def test_a_child_of_a_retired_image_is_told_where_to_go() -> None:
    """At the line of its Dockerfile; the end of a chain of retired ones is named."""
    text = images(
        "a: retired: true, replaced_by: b", "b: retired: true, replaced_by: c", "c: ", "app: "
    )
    (warning,) = warnings(text, {"app": "# x\nFROM a\n"})
    assert warning.startswith("c3/Dockerfile:2:1: [RETIRED-PARENT] image 'app' stands on 'a', ")
    assert warning.endswith("which is retired; stand on c instead")
    text = images("a: retired: true", "app: ")
    (warning,) = warnings(text, {"app": "FROM localhost:5000/gold/a:9\n"})
    assert warning.endswith("which is retired; stand on another image")


def test_a_retired_image_lacks_no_platform() -> None:
    """Which ones are published of it, no file knows any more."""
    text = images("old: retired: true, platforms: [linux/amd64]", "app: ")
    assert places(text, {"app": "FROM old\n"}) == []


def test_a_retired_image_moves_no_tag() -> None:
    """So it cannot collide with the one that took its place."""
    text = images("a: retired: true, version: '1', repository: r", "b: repository: r")
    assert places(text) == []


BAD = [
    ("former id of an image", images("a: formerly: ¦b", "b: "), "FORMER-ID"),
    ("former id of itself", images("a: formerly: [¦a]"), "FORMER-ID"),
    ("former id of two", images("a: formerly: x", "b: formerly: [y, ¦x]"), "FORMER-ID"),
    ("former id of an upstream", images("a: formerly: x") + "upstreams: {¦x: {}}\n",
     "UPSTREAM-IS-IMAGE"),
    ("former id twice", images("a: formerly: [x, ¦x]"), "DUPLICATE-VALUE"),
    ("former id that is none", images("a: formerly: ¦A"), "BAD-NAME"),
    ("former ids of nothing", images("a: formerly: ¦[]"), "NO-VALUE"),
    ("replaced and not retired", images("a: replaced_by: ¦b", "b: "), "REPLACED-BY"),
    ("replaced by itself", images("a: retired: true, replaced_by: ¦a"), "REPLACED-BY"),
    ("replaced by nothing", images("a: retired: true, replaced_by: ¦b"), "UNKNOWN-IMAGE"),
    ("replaced in a circle", images(
        "a: retired: true, replaced_by: ¦b", "b: retired: true, replaced_by: c",
        "c: retired: true, replaced_by: a"), "REPLACED-BY"),
    ("retired by a word", images("a: retired: ¦yes"), "WRONG-TYPE"),
    ("not retired, and no context", f"{HEAD}images:\n  a: ¦{{retired: false, version: 1}}\n",
     "MISSING-KEY"),
    ("no day", images("a: eol: ¦2026-13-01"), "BAD-VALUE"),
    ("day in another form", images("a: eol: ¦01.12.2026"), "BAD-VALUE"),
    ("two variants of one former id",
     images("a: matrix: {v: [1, 2]}, repository: 'r{v}', formerly: ¦x"), "FORMER-ID"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "code"), [pytest.param(text, code, id=name) for name, text, code in BAD]
)
def test_a_bad_life_is_told_where_it_is_bad(text: str, code: str) -> None:
    """One mistake is one problem, with its place."""
    before = text.partition("¦")[0]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    assert places(text.replace("¦", "")) == [f"{line}:{column} {code}"]


def test_who_replaces_an_image_may_have_been_renamed() -> None:
    """The hint names it."""
    (problem,) = problems(images("a: retired: true, replaced_by: b", "c: formerly: b"))
    assert (problem.code, problem.hint) == ("UNKNOWN-IMAGE", "it is called c now")


@pytest.mark.parametrize(
    ("eol", "expected"),
    [
        ("2026-11-21", "[EOL-OVER] image 'a' has reached the end of support on 2026-11-21"),
        ("2026-11-22", "[EOL-SOON] support of image 'a' ends on 2026-11-22, today"),
        ("2026-11-23", "[EOL-SOON] support of image 'a' ends on 2026-11-23, tomorrow"),
        ("2027-02-20", "[EOL-SOON] support of image 'a' ends on 2027-02-20, in 90 days"),
        ("2027-02-21", ""),
    ],
)
def test_the_end_of_support_is_told_ninety_days_ahead(eol: str, expected: str) -> None:
    """And every day after it; without a date of today nothing is said."""
    text = images(f"a: eol: {eol}")
    found = warnings(text, today=TODAY)
    assert [w.split("; ")[0].partition(": ")[2] for w in found] == ([expected] if expected else [])
    assert warnings(text) == []


def test_an_inherited_end_of_support_is_told_once() -> None:
    """For all that have it; a retired image has ended already."""
    text = images(*(f"i{n}: " for n in range(7)), "old: retired: true")
    text = text.replace("images:", "defaults: {eol: 2026-12-01}\nimages:")
    (warning,) = warnings(text, today=TODAY)
    assert "images 'i0', 'i1', 'i2', 'i3', 'i4' and 2 more" in warning
    assert warning.startswith("hierarchy.yaml:5:17: [EOL-SOON]")


def test_a_child_that_outlives_its_parent_is_reported() -> None:
    """With both days, and where the parent's is written."""
    text = images("base: eol: 2030-01-01", "app: eol: 2031-01-01", "ok: eol: 2030-01-01", "no: ")
    (warning,) = warnings(text, dict.fromkeys(("app", "ok", "no"), "FROM base\n"))
    start = "hierarchy.yaml:7:41: [EOL-ORDER] image 'app' is supported until 2031-01-01, and the "
    start += "parent 'base' only until 2030-01-01 (line 6); "
    assert warning.startswith(start)


def test_a_long_chain_of_retired_images_costs_little() -> None:
    """Time grows with the chain's length, not with the square of it."""
    count = 10_000
    chain = [f"i{n}: retired: true, replaced_by: i{n + 1}" for n in range(count)]
    start = time.process_time()
    text = images(*chain, f"i{count}: ", "app: ")
    (warning,) = warnings(text, {"app": "FROM i0\n"})
    assert warning.endswith(f"stand on i{count} instead")
    assert time.process_time() - start < 10
