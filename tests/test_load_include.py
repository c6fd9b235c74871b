"""Files that the hierarchy file includes: teams own their images, every error names its file."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest

from orchestrator.doors.memory.files import Directory, Entry, Faulty, MemoryFiles, Special, Symlink
from orchestrator.doors.tree import Kind
from orchestrator.errors import InvalidInput, Problem
from orchestrator.load import parse
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.observe.load_files import load_files
from tests.drafts import HEAD, IMAGES

TOP = f"{HEAD}include: ['teams/*.yaml']\n{IMAGES}"
APP = "images:\n  app: {context: app, version: 1}\n"
FILES: Mapping[str, Entry] = {
    "hierarchy.yaml": TOP.encode(),
    "images/base/Dockerfile": b"FROM scratch\n",
    "app/Dockerfile": b"FROM base\n",
}


def load(entries: Mapping[str, str | Entry], name: str = "hierarchy.yaml") -> Hierarchy:
    """Load the files above with these beside or in place of them."""
    given = {p: e.encode() if isinstance(e, str) else e for p, e in entries.items()}
    return load_files(MemoryFiles({**FILES, **given}, name))


def problems(entries: Mapping[str, str | Entry]) -> tuple[Problem, ...]:
    """Return what is wrong; nothing if it loads."""
    try:
        load(entries)
    except InvalidInput as error:
        return error.problems
    return ()


def places(entries: Mapping[str, str | Entry]) -> list[str]:
    """Return ``FILE:LINE:COLUMN CODE`` of every problem."""
    return [f"{p.file}:{p.line}:{p.column} {p.code}" for p in problems(entries)]


def test_images_and_subscriptions_of_all_files_are_one_hierarchy() -> None:
    """Each knows its file; contexts are relative to the hierarchy's directory."""
    subscription = "  - {team: a, images: [app], events: [image.failed], apprise: env:A_B}\n"
    hierarchy = load(
        {
            "teams/a.yaml": f"{APP}subscriptions:\n{subscription}",
            "teams/b.yaml": "images: {top: {context: app, version: 2}}\n",
            "teams/notes.txt": "not one of them",
        }
    )
    assert {i.id: (i.file, i.line, i.context) for i in hierarchy.images.values()} == {
        "base": ("hierarchy.yaml", 7, "images/base"),
        "app": ("teams/a.yaml", 2, "app"),
        "top": ("teams/b.yaml", 1, "app"),
    }
    (subscribed,) = hierarchy.subscriptions
    assert (subscribed.file, subscribed.line) == ("teams/a.yaml", 4)


def test_a_file_is_taken_once_and_the_hierarchy_file_never() -> None:
    """Whatever the patterns name."""
    top = TOP.replace("['teams/*.yaml']", "['*.yaml', 'more.yaml', ./more.yaml]")
    hierarchy = load({"hierarchy.yaml": top, "more.yaml": APP})
    assert (set(hierarchy.images), hierarchy.warnings) == ({"base", "app"}, ())


def test_all_images_may_be_in_included_files() -> None:
    """The hierarchy file then holds what they share."""
    top = f"{HEAD}include: [a.yaml]\n"
    assert list(load({"hierarchy.yaml": top, "a.yaml": APP.replace("app,", "images/base,")}).images)
    assert places({"hierarchy.yaml": top, "a.yaml": "images: {}\n"}) == [
        "hierarchy.yaml:5:1 NO-VALUE"
    ]


BAD = [
    ("unknown key of an image", {"teams/a.yaml": APP.replace("context", "contxt")},
     ["teams/a.yaml:2:8 MISSING-KEY", "teams/a.yaml:2:9 UNKNOWN-KEY"]),
    ("key of the top file", {"teams/a.yaml": f"registry: quay.io\ninclude: [b]\n{APP}"},
     ["teams/a.yaml:1:1 MISPLACED-KEY", "teams/a.yaml:2:1 MISPLACED-KEY"]),
    ("unknown key", {"teams/a.yaml": f"imags: 1\n{APP}"}, ["teams/a.yaml:1:1 UNKNOWN-KEY"]),
    ("image in two files", {"teams/a.yaml": APP, "teams/b.yaml": APP},
     ["teams/b.yaml:2:3 DUPLICATE-IMAGE"]),
    ("image of the top file", {"teams/a.yaml": APP.replace("app:", "base:")},
     ["teams/a.yaml:2:3 DUPLICATE-IMAGE"]),
    ("secret of nobody", {"teams/a.yaml": APP.replace("1}", "1, secrets: [x]}")},
     ["teams/a.yaml:2:45 UNKNOWN-SECRET"]),
    ("tags that collide", {"teams/a.yaml": APP.replace("1}", "12, repository: base}")},
     ["teams/a.yaml:2:3 TAG-COLLISION"]),
    ("Dockerfile that is not there", {"teams/a.yaml": APP.replace("app,", "x,")},
     ["teams/a.yaml:2:18 BAD-CONTEXT"]),
    ("stated parent", {"teams/a.yaml": APP.replace("1}", "1, parents: [x]}")},
     ["teams/a.yaml:2:45 UNKNOWN-PARENT"]),
    ("subscription to nothing", {"teams/a.yaml":
     "subscriptions: [{team: a, images: [x], events: [image.failed], apprise: env:A_B}]\n"},
     ["teams/a.yaml:1:36 UNKNOWN-IMAGE"]),
    ("list", {"teams/a.yaml": "- a\n"}, ["teams/a.yaml:1:1 WRONG-TYPE"]),
    ("no YAML", {"teams/a.yaml": "a: [\n"}, ["teams/a.yaml:2:1 YAML-SYNTAX"]),
    ("deep nesting", {"teams/a.yaml": "[" * 100_000}, ["teams/a.yaml:1:41 YAML-TOO-DEEP"]),
    ("anchor", {"teams/a.yaml": "images: &x {}\n"}, ["teams/a.yaml:1:9 YAML-ANCHOR"]),
    ("two documents", {"teams/a.yaml": "images: {}\n---\n"},
     ["teams/a.yaml:2:1 MULTIPLE-DOCUMENTS"]),
    ("UTF-16", {"teams/a.yaml": APP.encode("utf-16")}, ["teams/a.yaml:0:0 NOT-UTF-8"]),
    ("no text", {"teams/a.yaml": b"a: \xff\n"}, ["teams/a.yaml:1:4 NOT-UTF-8"]),
    ("NUL", {"teams/a.yaml": b"a: \0\n"}, ["teams/a.yaml:1:4 CONTROL-CHARACTER"]),
    ("larger than 4 MiB", {"teams/a.yaml": bytes((4 << 20) + 1)},
     ["teams/a.yaml:0:0 BAD-INCLUDE"]),
    ("FIFO", {"teams/a.yaml": Special(kind=Kind.FIFO)}, ["teams/a.yaml:0:0 BAD-INCLUDE"]),
    ("symlink to itself", {"teams/a.yaml": Symlink(target="a.yaml")},
     ["teams/a.yaml:0:0 BAD-INCLUDE"]),
    ("symlink out of the tree", {"teams/a.yaml": Symlink(target="../../a.yaml")},
     ["teams/a.yaml:0:0 BAD-INCLUDE"]),
    ("file that nobody may read", {"teams/a.yaml": Faulty()}, ["teams/a.yaml:0:0 BAD-INCLUDE"]),
    ("directory that nobody may read", {"teams": Faulty(kind=Kind.DIRECTORY)},
     ["teams:0:0 BAD-INCLUDE"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("entries", "expected"), [pytest.param(entries, found, id=name) for name, entries, found in BAD]
)
def test_a_problem_of_an_included_file_is_told_with_its_file(
    entries: Mapping[str, str | Entry], expected: list[str]
) -> None:
    """With its line and column there, and nothing else is said."""
    assert places(entries) == expected


INCLUDES = [
    ("file that is not there", "[¦teams/a.yaml]", "EMPTY-INCLUDE"),
    ("directory", "[¦teams]", "EMPTY-INCLUDE"),
    ("above", "[¦'../*.yaml']", "PATH-OUTSIDE"),
    ("absolute", "[¦/etc/*.yaml]", "PATH-OUTSIDE"),
    ("address", "[¦'https://x/a.yaml']", "BAD-VALUE"),
    ("twice", "['*.x', ¦'*.x']", "DUPLICATE-VALUE"),
    ("nothing", "¦[]", "NO-VALUE"),
    ("text", "¦a.yaml", "WRONG-TYPE"),
]


@pytest.mark.parametrize(
    ("include", "code"), [pytest.param(text, code, id=name) for name, text, code in INCLUDES]
)
def test_a_bad_pattern_is_told_where_it_is_bad(include: str, code: str) -> None:
    """Whatever is named must be inside the tree, and be there."""
    top = TOP.replace("['teams/*.yaml']", include.replace("¦", ""))
    column = 10 + include.index("¦")
    found = places({"hierarchy.yaml": top, "teams": Directory()})
    assert [place for place in found if "EMPTY-INCLUDE" not in place or code in place] == [
        f"hierarchy.yaml:5:{column} {code}"
    ]


@pytest.mark.parametrize("entries", [{}, {"teams/a.yaml": "# nothing yet\n"}])
def test_what_includes_nothing_is_doubted(entries: dict[str, str]) -> None:
    """A pattern may name no file yet, and a file may be empty yet: it loads, and says so."""
    (warning,) = load(entries).warnings
    assert "[EMPTY-INCLUDE]" in warning


def test_the_line_of_the_included_file_is_shown() -> None:
    """Not the line of the hierarchy file with the same number."""
    (problem,) = problems({"teams/a.yaml": APP.replace("1}", "1, tier: [x]}")})
    assert problem.source_line == "  app: {context: app, version: 1, tier: [x]}"


def test_an_id_in_two_files_names_both() -> None:
    """The place of the first is in the message."""
    (problem,) = problems({"teams/a.yaml": APP.replace("app:", "base:")})
    assert problem.what == "image 'base' is there twice; first on hierarchy.yaml:7"
    (problem,) = problems({"teams/a.yaml": APP.replace("1}", "12, repository: base}")})
    assert "images 'base' (hierarchy.yaml:7) and 'app'" in problem.what


def test_a_file_that_is_wrong_makes_nothing_unknown() -> None:
    """What stands on images of a file that cannot be read is not called wrong too."""
    entries: dict[str, str | Entry] = {
        "teams/a.yaml": "a: [\n",
        "images/base/Dockerfile": b"FROM app\n",
    }
    assert places(entries) == ["teams/a.yaml:2:1 YAML-SYNTAX"]


def test_a_hierarchy_elsewhere_names_its_files_from_here() -> None:
    """As the user would write them, and relative to the hierarchy file."""
    draft = parse(f"{HEAD}include: [a.yaml]\n".encode(), "deep/hierarchy.yaml")
    assert [(p.file, p.code) for p in draft.problems] == [("deep/hierarchy.yaml", "EMPTY-INCLUDE")]


def test_without_an_include_nothing_else_is_read() -> None:
    """A broken file beside the hierarchy file is nobody's business."""
    top = TOP.replace("include: ['teams/*.yaml']\n", "")
    assert places({"hierarchy.yaml": top, "teams/a.yaml": "a: [\n"}) == []


def test_a_name_that_is_no_text_is_shown_safely() -> None:
    """File names are bytes, and may hold anything."""
    (problem,) = problems({"teams/\x1b[31m.yaml": "a: 1\n"})
    assert problem.file == "teams/\\x1b[31m.yaml"


@pytest.mark.parametrize(
    ("count", "size_bytes", "code"), [(1001, 10, "TOO-MANY-FILES"), (20, 4 << 20, "FILE-TOO-LARGE")]
)
def test_many_or_large_files_cost_little(count: int, size_bytes: int, code: str) -> None:
    """A pattern that names too much is refused before all of it is read."""
    content = b"#" * size_bytes
    start = time.process_time()
    found = problems({f"teams/{n}.yaml": content for n in range(count)})
    assert {p.code for p in found if p.severity == "error"} == {code}
    assert time.process_time() - start < 10
