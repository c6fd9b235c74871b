"""Builders, limits of a build, promotion: what is said of them, and refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.load import parse
from orchestrator.load.origins import origins
from orchestrator.model.fingerprint import key_parts
from orchestrator.model.hierarchy import BuildCache, Builder, Image, Promote, Sbom
from orchestrator.model.source import Source
from tests.drafts import HEAD, IMAGES, app, load, more, places, problems
from tests.families import FAST, at

#: Every field that says how a build runs and when its tags move, as it would not be by itself.
RUNNING = "builder_labels: {disk: fast}, timeout: 1s, retries: 9, cache: inline, sbom: syft"
SOURCE = Source(dockerfile="sha256:d", context="sha256:c", size_bytes=1, files=1)


def image(text: str) -> Image:
    """Return the only image."""
    (only,) = load(text).images.values()
    return only


def test_builders_are_what_the_file_says() -> None:
    """In its order; platforms as indexes spell them, sorted; labels sorted; 4 slots."""
    said = "builders: [{name: b, platforms: [linux/arm64/v8, linux/amd64], labels: {z: 1, a: on}},"
    builders = load(more(f"{said} {{slots: 1024}}]")).builders
    assert builders == (
        Builder(
            name="b",
            slots=4,
            platforms=("linux/amd64", "linux/arm64"),
            labels=(("a", "on"), ("z", "1")),
        ),
        Builder(name=None, slots=1024, platforms=(), labels=()),
    )


@pytest.mark.parametrize("said", ["", "builders: []"])
def test_without_builders_there_is_the_current_one(said: str) -> None:
    """With the slots of any other."""
    assert load(more(said)).builders == (Builder(name=None, slots=4),)


def test_what_nobody_says_is_what_the_model_has() -> None:
    """One default, wherever an image or a hierarchy comes from."""
    found = load(HEAD + IMAGES)
    (base,) = found.images.values()
    bare = Image(
        id="a", version="1", repository=base.repository, context="a", dockerfile="a/Dockerfile",
        platforms=base.platforms, immutable="{key}",
    )  # fmt: skip
    for name in ("builder_labels", "timeout_s", "retries", "cache", "canaries", "sbom"):
        assert getattr(base, name) == getattr(bare, name)
    assert (found.promote, Builder().slots) == (Promote.PASSED, found.builders[0].slots)


@pytest.mark.parametrize("word", ["passed", "all", "manual"])
def test_promotion_is_said_for_the_whole_hierarchy(word: str) -> None:
    """One of three words."""
    assert load(more(f"promote: {word}")).promote is Promote(word)


@pytest.mark.parametrize(
    ("said", "timeout_s"), [("1s", 1), ("90m", 5400), ("2h", 7200), ("7d", 604800)]
)
def test_a_time_limit_is_in_seconds(said: str, timeout_s: int) -> None:
    """Whatever unit the file uses."""
    assert image(app(f"timeout: {said}")).timeout_s == timeout_s


def test_what_images_share_is_inherited() -> None:
    """The nearest wins; labels of builders are put together name by name."""
    text = (
        f"{HEAD}builders: [{{labels: {{a: 1, b: 2, c: 4}}}}]\n"
        "defaults: {timeout: 1h, retries: 5, cache: registry, sbom: syft,\n"
        "  builder_labels: {a: 1, b: 1, c: 3}}\n"
        "tiers: {web: {retries: 0, builder_labels: {b: 2}}}\n"
        "images: {app: {context: a, version: 1, tier: web, cache: none, builder_labels: {c: 4}}}\n"
    )
    app = image(text)
    assert (app.timeout_s, app.retries, app.cache) == (3600, 0, BuildCache.NONE)
    assert app.sbom is Sbom.SYFT
    assert app.builder_labels == (("a", "1"), ("b", "2"), ("c", "4"))


def test_axes_are_filled_into_labels_of_builders_and_canaries() -> None:
    """Each variant has its own."""
    text = (
        f"{HEAD}builders: [{{labels: {{gpu: a}}}}, {{name: b, labels: {{gpu: b}}}}]\nimages:\n"
        "  base-{x}: {context: b, version: 1, matrix: {x: [a, b]}, repository: base,\n"
        "    tags: {floating: ['{x}']},\n"
        "    builder_labels: {gpu: '{x}'}, canaries: ['top-{x}', 'end']}\n"
        "  top-{x}: {context: t, version: 1, matrix: {x: [a, b]}}\n"
        "  end: {context: e, version: 1}\n"
    )
    dockerfiles = {f"top-{x}": f"FROM base-{x}\n" for x in "ab"}
    found = load(text, {**dockerfiles, "end": "FROM base-a\nCOPY --from=base-b / /\n"}).images
    for x in "ab":
        one = found[f"base-{x}"]
        assert (one.builder_labels, one.canaries) == ((("gpu", x),), (f"top-{x}", "end"))


def test_equal_labels_of_many_images_are_one_object() -> None:
    """Ten thousand images that ask for the same builders hold one tuple."""
    text = f"{HEAD}{FAST}defaults: {{builder_labels: {{disk: fast}}}}\nimages:\n"
    text += "".join(f"  i{n}: {{context: c, version: {n}}}\n" for n in range(3))
    text += "  own: {context: c, version: 9, builder_labels: {disk: fast}}\n"
    assert len({id(one.builder_labels) for one in load(text).images.values()}) == 1


def test_how_an_image_is_built_is_not_in_its_key() -> None:
    """Nothing is rebuilt because a builder, a limit, a cache or a canary is another."""
    plain = image(app(""))
    said = image(FAST + app(f"{RUNNING}"))
    other = replace(said, canaries=("x",))
    for one in (said, other):
        assert one != plain
        keys = [key_parts(i, SOURCE, parents={}, epoch="") for i in (plain, one)]
        assert keys[0] == keys[1]


def test_every_value_says_where_it_comes_from() -> None:
    """`config show` has the new fields, with what is built in where nobody says."""
    text = f"{HEAD}{FAST}defaults: {{builder_labels: {{disk: fast}}, timeout: 3h}}\n{IMAGES}"
    draft = parse(text.replace("12}", "12, retries: 0}").encode(), "hierarchy.yaml")
    found = {o.field: (o.value, o.source, o.line, o.data) for o in origins(draft, "base")}
    assert found["builder_labels.disk"] == ("fast", "defaults", 6, "fast")
    assert found["timeout"] == ("3h", "defaults", 6, "3h")
    assert found["retries"] == ("0", "image", 8, 0)
    assert found["cache"] == ("none", "built in", 0, "none")
    assert "canaries" not in found


BUILDERS = [
    ("the same name", "builders: [{name: a}, {name: ¦a}]", "DUPLICATE-NAME"),
    ("the same but for case", "builders: [{name: a}, {slots: 1}, {name: ¦A}]", "DUPLICATE-NAME"),
    ("no name twice", "builders: [{slots: 1}, {name: a}, ¦{slots: 2}]", "DUPLICATE-NAME"),
    ("one platform, two spellings",
     "builders: [{platforms: [linux/amd64, linux/arm64/v8, ¦linux/arm64]}]", "DUPLICATE-VALUE"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "code"), [pytest.param(*row, id=name) for name, *row in BUILDERS])
def test_a_builder_has_one_entry(said: str, code: str) -> None:
    """Its slots would count twice."""
    text = more(said)
    assert places(text.replace("¦", "")) == at(text, code)


def test_a_builder_s_name_that_is_wrong_is_not_taken_for_none() -> None:
    """One mistake, told once."""
    text = more("builders: [{slots: 1}, {name: ¦a b}]")
    assert places(text.replace("¦", "")) == at(text, "BAD-VALUE")


@pytest.mark.parametrize(
    ("builders", "wanted", "hint"),
    [
        ("", "{¦disk: fast}", "give it to one: builders: [{name: NAME, labels: {disk: fast}}]"),
        ("builders: [{labels: {disk: slow}}]\n", "{¦disk: solw}", "did you mean 'slow'?"),
        ("builders: [{labels: {disk: slow}}]\n", "{¦dsk: slow}", "did you mean 'disk'?"),
        ("builders: [{labels: {disk: slow}}]\n", "{¦disk: x}", "builders have disk: slow"),
        ("builders: [{labels: {a: 1}}, {name: b, labels: {b: 2}}]\n", "{¦a: 1, b: 2}",
         "give one builder all of these labels, or ask for fewer"),
        ("builders: [{labels: {a: 1}}]\n", "{a: 1, ¦b: 2}",
         "give it to one: builders: [{name: NAME, labels: {b: 2}}]"),
    ],
)  # fmt: skip
def test_labels_that_no_builder_has_are_refused(builders: str, wanted: str, hint: str) -> None:
    """An image that nobody may build would wait for ever."""
    text = builders + app(f"builder_labels: {wanted}")
    (problem,) = problems(text.replace("¦", ""))
    assert [f"{problem.line}:{problem.column} {problem.code}"] == at(text, "NO-BUILDER")
    assert problem.hint == hint


def test_inherited_labels_that_no_builder_has_are_told_once() -> None:
    """Where they are written, however many inherit them."""
    text = f"{HEAD}defaults: {{builder_labels: {{¦disk: fast}}}}\nimages:\n"
    text += "".join(f"  i{n}: {{context: c, version: 1}}\n" for n in range(9))
    assert places(text.replace("¦", "")) == at(text, "NO-BUILDER")


def test_labels_are_not_missed_on_a_builder_that_is_wrong_itself() -> None:
    """What nobody could read may have had them."""
    text = "builders: [{labels: {disk: ¦f t}}]\n" + app("builder_labels: {disk: fast}")
    assert places(text.replace("¦", "")) == at(text, "BAD-VALUE")


def test_a_retired_image_asks_for_no_builder() -> None:
    """It is not built: like its other fields, nobody looks."""
    text = more("  old: {retired: true, builder_labels: {disk: fast}, timeout: 1s, retries: 0}")
    assert load(text).warnings == ()


@pytest.mark.parametrize(
    ("builders", "fields", "expected"),
    [
        ("{platforms: [linux/amd64]}", "", "4:26: no builder is native to linux/arm64"),
        ("{platforms: [linux/amd64]}", "platforms: [linux/amd64, linux/arm64/v8]",
         "6:67: no builder is native to linux/arm64"),
        ("{platforms: [linux/amd64]}", "platforms: [linux/amd64]", ""),
        ("{platforms: [linux/amd64]}, {name: b}", "", ""),
        ("{platforms: [linux/amd64]}, {name: b, platforms: [linux/arm64]}", "", ""),
        ("{platforms: [linux/amd64], labels: {a: 1}}, {name: b, platforms: [linux/arm64]}",
         "builder_labels: {a: 1}", "4:26: no builder with a: 1 is native to linux/arm64"),
        ("{labels: {a: 1}}, {name: b, platforms: [linux/arm64]}", "builder_labels: {a: 1}", ""),
        ("{platforms: [linux/amd64]}", "retired: true", ""),
    ],
)  # fmt: skip
def test_what_is_sure_to_be_emulated_is_warned_of(
    builders: str, fields: str, expected: str
) -> None:
    """It is legal, and slow; where one builder did not say, nobody can tell."""
    text = f"{HEAD}builders: [{builders}]\n"
    text += f"images: {{app: {{context: app, version: 1, {fields}}}}}\n"
    found = load(text).warnings
    assert [w.partition("; ")[0].replace(" [EMULATED-PLATFORM]", "") for w in found] == (
        [f"hierarchy.yaml:{expected}, so it is emulated for image 'app'"] if expected else []
    )


def test_what_many_emulate_is_one_warning() -> None:
    """With the first few, and how many more."""
    text = f"{HEAD}builders: [{{platforms: [linux/amd64]}}]\nimages:\n"
    text += "".join(f"  i{n}: {{context: c, version: 1}}\n" for n in range(7))
    (warning,) = load(text).warnings
    assert "for images 'i0', 'i1', 'i2', 'i3', 'i4' and 2 more" in warning
