"""What a parent's change means: where it is said, which of it counts, and holds that end."""

from __future__ import annotations

import pytest

from orchestrator.errors import InvalidInput
from orchestrator.load import parse, resolve
from orchestrator.model.hierarchy import Hierarchy, Hold, Policy
from orchestrator.model.source import ImageFiles
from tests.drafts import HEAD, load, places

TODAY = "2026-11-22"
FAR = "2999-12-31"
HOLD = f"{{hold: {{until: {FAR}, because: slow}}}}"
DOCKERFILES = {
    "app": "FROM debian:12 AS tools\nFROM base\nCOPY --from=tools a b\n"
    "COPY --from=localhost:5000/gold/lib:1 a b\n",
}


def family(
    app: str = "", *, defaults: str = "", tier: str = "", base: str = "", lib: str = "",
    debian: str = "",
) -> str:  # fmt: skip
    """An image on `base`, which copies from `lib` and from `debian:12`."""
    return (
        f"{HEAD}defaults: {{{defaults}}}\ntiers: {{web: {{{tier}}}}}\n"
        f"upstreams: {{'debian:12': {{{debian}}}}}\nimages:\n"
        f"  app: {{context: app, version: 1, tier: web, {app}}}\n"
        f"  base: {{context: base, version: 1, {base}}}\n"
        f"  lib: {{context: lib, version: 1, {lib}}}\n"
    )


def policies(text: str) -> dict[str, str]:
    """Return parent → policy of `app`."""
    return {p.subject: p.policy.value for p in load(text, DOCKERFILES).images["app"].parents}


def at(text: str, today: str, *, strict: bool = False) -> Hierarchy:
    """Load as of a day."""
    draft = parse(text.encode(), "hierarchy.yaml")
    files = {
        image: ImageFiles(dockerfile_text=DOCKERFILES.get(image, "FROM scratch\n"))
        for image, _, _ in draft.wanted
    }
    return resolve(draft, files, today=today, strict=strict)


def codes(warnings: tuple[str, ...]) -> list[str]:
    return [warning.partition("[")[2].partition("]")[0] for warning in warnings]


def whole(debian: str, base: str, lib: str) -> dict[str, str]:
    return {"debian:12": debian, "base": base, "lib": lib}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (family(), whole("rebuild", "rebuild", "rebuild")),
        (family("on_parent_change: notify"), whole("notify", "notify", "notify")),
        (family(f"on_parent_change: {HOLD}"), whole("hold", "hold", "hold")),
        (family("on_parent_change: {base: notify}"), whole("rebuild", "notify", "rebuild")),
        (family("on_parent_change: {'*': notify, lib: rebuild}"),
         whole("notify", "notify", "rebuild")),
        (family("on_parent_change: {lib: rebuild, '*': notify}"),
         whole("notify", "notify", "rebuild")),
        (family("on_parent_change: final-only"), whole("final-only", "rebuild", "final-only")),
        (family("on_parent_change: {base: final-only}"), whole("rebuild", "rebuild", "rebuild")),
        (family(f"on_parent_change: {{lib: {HOLD}}}"), whole("rebuild", "rebuild", "hold")),
        (family("on_parent_change: {'docker.io/library/debian:12': notify}"),
         whole("notify", "rebuild", "rebuild")),
        (family("on_parent_change: {'localhost:5000/gold/lib': notify}"),
         whole("rebuild", "rebuild", "notify")),
        (family("on_parent_change: {'quay.io/old/lib': notify}", lib="aliases: [quay.io/old/lib]"),
         whole("rebuild", "rebuild", "notify")),
        (family("on_parent_change: {library: notify}", lib="formerly: library"),
         whole("rebuild", "rebuild", "notify")),
        (family(defaults="on_parent_change: notify"), whole("notify", "notify", "notify")),
        (family(tier="on_parent_change: notify"), whole("notify", "notify", "notify")),
        (family(tier="on_parent_change: notify", defaults="on_parent_change: final-only"),
         whole("notify", "notify", "notify")),
        (family("on_parent_change: rebuild", tier="on_parent_change: notify"),
         whole("rebuild", "rebuild", "rebuild")),
        (family("on_parent_change: {base: rebuild}", tier="on_parent_change: {lib: notify}",
                defaults="on_parent_change: {base: notify, 'debian:12': notify}"),
         whole("notify", "rebuild", "notify")),
        (family("on_parent_change: {'*': rebuild}", tier="on_parent_change: {lib: notify}"),
         whole("rebuild", "rebuild", "notify")),
        (family("on_parent_change: {'localhost:5000/gold/lib': rebuild}",
                tier="on_parent_change: {lib: notify}"),
         whole("rebuild", "rebuild", "rebuild")),
        (family(lib="on_change: notify"), whole("rebuild", "rebuild", "notify")),
        (family(base="on_change: final-only", lib="on_change: final-only"),
         whole("rebuild", "rebuild", "final-only")),
        (family(debian=f"on_change: {HOLD}"), whole("hold", "rebuild", "rebuild")),
        (family("on_parent_change: {lib: rebuild}", lib="on_change: notify"),
         whole("rebuild", "rebuild", "rebuild")),
        (family(defaults="on_parent_change: rebuild", lib="on_change: notify"),
         whole("rebuild", "rebuild", "rebuild")),
        (family("on_parent_change: {base: notify}", lib="on_change: notify"),
         whole("rebuild", "notify", "notify")),
    ],
)  # fmt: skip
def test_which_policy_counts(text: str, expected: dict[str, str]) -> None:
    """What is said of this parent, then of every parent, then by the parent; nearest first."""
    assert policies(text) == expected


def test_a_hold_says_until_when_and_why() -> None:
    """On one line, whatever the file has; other policies have none."""
    text = family("on_parent_change: {base: {hold: {until: 2999-12-31, because: BECAUSE}}}")
    text = text.replace("BECAUSE", '"  the vendor\\n  is slow "')
    base, *others = sorted(load(text, DOCKERFILES).images["app"].parents, key=lambda p: p.subject)
    assert base.hold == Hold(until=FAR, because="the vendor is slow")
    assert {parent.hold for parent in others} == {None}
    assert type(base.hold.until) is str


def test_all_names_of_a_parent_have_one_policy() -> None:
    """One that the final stage stands on by any name is a final parent."""
    text = family("on_parent_change: final-only")
    dockerfile = "FROM localhost:5000/gold/base:1 AS x\nFROM base\nCOPY --from=x a b\n"
    parents = load(text, {"app": dockerfile}).images["app"].parents
    assert [(p.final, p.policy) for p in parents] == [
        (False, Policy.REBUILD), (True, Policy.REBUILD),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["hold", "until"])
def test_a_parent_may_be_called_like_our_words(name: str) -> None:
    """A policy is told from a map of parents by what it holds."""
    text = f"{HEAD}images:\n  {name}: {{context: a, version: 1}}\n"
    text += "  app: {context: b, version: 1, on_parent_change: {NAME: POLICY}}\n"
    for policy, expected in (("notify", "notify"), (HOLD, "hold")):
        said = text.replace("NAME", name).replace("POLICY", policy)
        (parent,) = load(said, {"app": f"FROM {name}\n"}).images["app"].parents
        assert parent.policy == expected


MATRIX = f"""{HEAD}images:
  "py-{{v}}": {{context: py, version: 1, matrix: {{v: ['3.11', '3.12']}}}}
  "app-{{v}}":
    context: app
    version: 1
    matrix: {{v: ['3.11', '3.12']}}
    on_parent_change: POLICIES
"""


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("notify", ["notify", "notify"]),
        ("{py-3.11: notify}", ["notify", "rebuild"]),
        ('{"py-{v}": notify}', ["notify", "notify"]),
        ('{"py-{v}": notify, py-3.9: rebuild}', ["11:42 UNKNOWN-PARENT"]),
        ('{"p-{v}": notify}', ["11:24 UNKNOWN-PARENT"]),
        ('{"py-{w}": notify}', ["11:24 UNKNOWN-AXIS"]),
        ('{"py-{v}": notify, py-3.11: rebuild}', ["11:42 DUPLICATE-KEY"]),
        ("{py-3.11: {hold: {until: 2999-12-31, because: '{v} and {w}'}}}", ["hold", "rebuild"]),
    ],
)
def test_variants_say_it_for_their_own_parents(said: str, expected: list[str]) -> None:
    """A key has to be the parent of one of them, and may have an axis; reasons may not."""
    text = MATRIX.replace("POLICIES", said)
    dockerfiles = {f"app-{v}": f"FROM py-{v}\n" for v in ("3.11", "3.12")}
    found = places(text, dockerfiles)
    if found:
        assert found == expected
        return
    images = load(text, dockerfiles).images
    assert [images[f"app-{v}"].parents[0].policy for v in ("3.11", "3.12")] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (family("on_parent_change: {¦bse: notify}"), "UNKNOWN-PARENT"),
        (family("on_parent_change: {¦app: notify}"), "UNKNOWN-PARENT"),
        (family("on_parent_change: {¦'B:': notify}"), "UNKNOWN-PARENT"),
        (family("on_parent_change: {lib: notify, ¦'localhost:5000/gold/lib': notify}"),
         "DUPLICATE-VALUE"),
        (family(tier="on_parent_change: {¦bse: notify}"), "UNKNOWN-PARENT"),
        (family("on_parent_change: ¦1"), "UNKNOWN-VALUE"),
        (family("on_parent_change: {base: ¦1}"), "UNKNOWN-VALUE"),
        (family("on_parent_change: {base: ¦hold}"), "MISSING-KEY"),
        (family("on_parent_change: {base: ¦[]}"), "WRONG-TYPE"),
        (family("on_parent_change: {base: ¦{}}"), "WRONG-TYPE"),
        (family("on_parent_change: {base: {hold: ¦2027-01-01}}"), "WRONG-TYPE"),
        (family("on_parent_change: {¦base: }"), "NO-VALUE"),
        (family("on_parent_change: {hold: ¦{}}"), "MISSING-KEY; MISSING-KEY"),
        (family(lib="on_change: {hold: {until: 2027-01-01, because: x, ¦why: y}}"), "UNKNOWN-KEY"),
        (family(lib="on_change: {hold: {until: ¦tomorrow, because: x}}"), "BAD-VALUE"),
        (family(lib="on_change: {hold: {until: [¦2027-01-01], because: x}}").replace("[¦", "¦["),
         "WRONG-TYPE"),
        (family(debian="on_change: {¦lib: notify}").replace("{¦", "¦{"), "WRONG-TYPE"),
        (family(tier="¦on_change: notify"), "UNKNOWN-KEY"),
    ],
)  # fmt: skip
def test_a_bad_policy_is_told_where_it_is_bad(text: str, expected: str) -> None:
    """One mistake is one problem, with its place."""
    before = text.partition("¦")[0]
    place = f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"
    dockerfiles = {"app": DOCKERFILES["app"].replace("localhost:5000/gold/lib:1", "lib")}
    found = places(text.replace("¦", ""), dockerfiles)
    assert found == [f"{place} {code}" for code in expected.split("; ")]


def test_a_dockerfile_that_is_wrong_hides_no_parent() -> None:
    """Nothing is said of keys that may well be right."""
    text = family("on_parent_change: {bse: notify}", tier="on_parent_change: {app: notify}")
    assert [place.split()[1] for place in places(text, {"app": "FROM base\nFROM nowhere\n"})] == [
        "UNDECLARED-UPSTREAM"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (family(defaults="on_parent_change: {app: notify}"), ["UNUSED-POLICY"]),
        (family(defaults="on_parent_change: {lib: notify}"), []),
        (family(defaults="on_parent_change: notify", lib="on_change: rebuild"), ["NO-EFFECT"]),
        (family(app="on_parent_change: {lib: notify}", lib="on_change: rebuild"), ["NO-EFFECT"]),
        (family(app="on_parent_change: {base: notify}", lib="on_change: rebuild"), []),
        (family(app="on_change: notify"), []),
    ],
)
def test_what_comes_to_nothing_is_a_warning(text: str, expected: list[str]) -> None:
    """What is inherited by many need not fit all of them, and has to fit one."""
    assert codes(load(text, DOCKERFILES).warnings) == expected


@pytest.mark.parametrize(
    ("until", "code", "what"),
    [
        ("2026-11-21", "HOLD-EXPIRED", "of 'app' on 'lib' ended on 2026-11-21, and holds still: x"),
        ("2026-11-22", "HOLD-ENDS", "of 'app' on 'lib' ends on 2026-11-22, today: x"),
        ("2026-11-23", "HOLD-ENDS", "of 'app' on 'lib' ends on 2026-11-23, tomorrow: x"),
        ("2026-12-06", "HOLD-ENDS", "of 'app' on 'lib' ends on 2026-12-06, in 14 days: x"),
        ("2026-12-07", "", ""),
    ],
)
def test_the_end_of_a_hold_is_told_two_weeks_ahead(until: str, code: str, what: str) -> None:
    """Once it is over it holds still; whoever is strict takes that for an error."""
    text = family(f"on_parent_change: {{lib: {{hold: {{until: {until}, because: x}}}}}}")
    hierarchy = at(text, TODAY)
    assert codes(hierarchy.warnings) == ([code] if code else [])
    assert all(f"the hold {what}; " in warning for warning in hierarchy.warnings)
    assert {p.policy for p in hierarchy.images["app"].parents} == {Policy.HOLD, Policy.REBUILD}
    if code != "HOLD-EXPIRED":
        assert at(text, TODAY, strict=True) == hierarchy
        return
    with pytest.raises(InvalidInput) as caught:
        at(text, TODAY, strict=True)
    assert [(p.code, p.severity) for p in caught.value.problems] == [(code, "error")]


def test_a_hold_of_many_is_told_once() -> None:
    """With all that have it; one that holds nobody is not told at all."""
    text = family(defaults="on_parent_change: {hold: {until: 2020-01-01, because: x}}")
    (warning,) = at(text, TODAY).warnings
    assert "the hold of 'app' on 'debian:12', 'base', 'lib' ended" in warning
    assert (
        at(family(app="on_change: {hold: {until: 2020-01-01, because: x}}"), TODAY).warnings == ()
    )
