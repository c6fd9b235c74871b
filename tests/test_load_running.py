"""Builders, limits of a build, promotion, canaries: what is said of them, and refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.load import parse, resolve
from orchestrator.load.origins import origins
from orchestrator.model.fingerprint import key_parts
from orchestrator.model.hierarchy import BuildCache, Builder, Hierarchy, Image, Promote, Sbom
from orchestrator.model.source import ImageFiles, Source
from tests.drafts import HEAD, IMAGES, app, load, more, places, problems

#: Every field that says how a build runs and when its tags move, as it would not be by itself.
RUNNING = "builder_labels: {disk: fast}, timeout: 1s, retries: 9, cache: inline, sbom: syft"
FAST = "builders: [{labels: {disk: fast}}]\n"
SOURCE = Source(dockerfile="sha256:d", context="sha256:c", size_bytes=1, files=1)
#: A parent, what stands on it, and what stands beside it.
DOCKERFILES = {
    "web": "FROM base\n",
    "shop": "FROM web\n",
    "copy": "FROM scratch\nCOPY --from=base / /\n",
}


def family(base: str = "", *, web: str = "", shop: str = "", more: str = "") -> str:
    """`shop` on `web` on `base`, `copy` of `base`, `other` on nothing."""
    return (
        f"{HEAD}images:\n  base: {{context: base, version: 1, {base}}}\n"
        f"  web: {{context: web, version: 1, {web}}}\n"
        f"  shop: {{context: shop, version: 1, {shop}}}\n"
        "  copy: {context: copy, version: 1}\n"
        f"  other: {{context: other, version: 1}}\n{more}"
    )


def image(text: str) -> Image:
    """Return the only image."""
    (only,) = load(text).images.values()
    return only


def loaded(text: str, dockerfiles: dict[str, str] | None = None) -> Hierarchy:
    return load(text, {**DOCKERFILES, **(dockerfiles or {})})


def wrong(text: str, dockerfiles: dict[str, str] | None = None) -> list[str]:
    return places(text.replace("¦", ""), {**DOCKERFILES, **(dockerfiles or {})})


def at(marked: str, code: str) -> list[str]:
    """Return what is expected of a file with one mistake, at the mark."""
    before = marked.partition("¦")[0]
    return [f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))} {code}"]


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


@pytest.mark.parametrize(
    ("named", "meant"),
    [("[web]", ("web",)), ("[shop, web]", ("shop", "web")), ("[copy]", ("copy",))],
)
def test_canaries_are_descendants_in_the_file_s_order(named: str, meant: tuple[str, ...]) -> None:
    """However far below, and also those that only copy from it."""
    found = loaded(family(f"canaries: {named}"))
    assert (found.images["base"].canaries, found.warnings) == (meant, ())


CANARIES = [
    ("no image", family("canaries: [¦shp]"), "UNKNOWN-IMAGE"),
    ("itself", family("canaries: [¦base]"), "BAD-CANARY"),
    ("beside it", family("canaries: [¦other]"), "BAD-CANARY"),
    ("above it", family(web="canaries: [¦base]"), "BAD-CANARY"),
    ("retired", family("canaries: [¦old]", more="  old: {retired: true}\n"), "BAD-CANARY"),
    ("twice", family("canaries: [web, ¦web]"), "DUPLICATE-VALUE"),
    ("twice, under two names", family("canaries: [web, ¦w3]", web="formerly: w3"),
     "DUPLICATE-VALUE"),
    ("under a name it had itself", family("formerly: b, canaries: [¦b]"), "BAD-CANARY"),
    ("that is only told", family("canaries: [¦web]", web="on_parent_change: notify"),
     "BAD-CANARY"),
    ("below one that holds", family(
        "canaries: [¦shop]",
        web="on_parent_change: {base: {hold: {until: 2999-01-01, because: slow}}}",
    ), "BAD-CANARY"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code"), [pytest.param(*row, id=name) for name, *row in CANARIES])
def test_a_canary_that_could_never_pass_is_refused(text: str, code: str) -> None:
    """It would keep the tags where they are for ever."""
    found = [one for one in wrong(text) if not one.endswith("RENAMED-IMAGE")]
    assert found == at(text, code)


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        (family("canaries: [shp]"), "has the canary 'shp', which is no image",
         "did you mean 'shop'?"),
        (family("canaries: [other]"), "canary 'other' of image 'base' does not stand on it",
         "on it stand web, copy"),
        (family(shop="canaries: [web]"), "canary 'web' of image 'shop' does not stand on it",
         "nothing does"),
        (family("canaries: [shop]", shop="on_parent_change: notify"),
         "not rebuilt when that changes: to 'shop', a change of 'web' means notify",
         "name another descendant, or take that policy away"),
    ],
)  # fmt: skip
def test_why_a_canary_is_refused(text: str, what: str, hint: str) -> None:
    """What is wrong, and a way out."""
    (problem,) = problems(text, DOCKERFILES)
    assert what in problem.what
    assert problem.hint == hint


def test_a_canary_that_follows_on_one_way_follows() -> None:
    """A policy stops one edge; the other one still rebuilds it."""
    text = family("canaries: [shop]", shop="on_parent_change: {web: notify}")
    dockerfiles = {"shop": "FROM web\nCOPY --from=base / /\n"}
    assert loaded(text, dockerfiles).images["base"].canaries == ("shop",)


def test_a_canary_may_be_named_as_it_was() -> None:
    """It is warned of, and the model has the id it has now."""
    found = loaded(family("canaries: [w3]", web="formerly: w3"))
    assert found.images["base"].canaries == ("web",)
    (warning,) = found.warnings
    assert "[RENAMED-IMAGE] image 'base' has the canary 'w3', which is called 'web' now" in warning


def test_canaries_of_a_retired_image_come_to_nothing() -> None:
    """Nothing of it is built or moved: whom they name is not looked at."""
    text = family(more="  old: {retired: true, canaries: [nobody]}\n")
    (warning,) = loaded(text).warnings
    assert "[NO-EFFECT] `canaries` of image 'old' comes to nothing" in warning


@pytest.mark.parametrize(
    "dockerfile", ["FROM nobody\n", "FROM\n", "FROM other\nCOPY --from=nobody / /\n"]
)
def test_a_canary_is_not_doubted_where_its_dockerfile_is_wrong(dockerfile: str) -> None:
    """Nobody knows what it stands on: one mistake is enough."""
    codes = [one.split()[-1] for one in wrong(family("canaries: [shop]"), {"web": dockerfile})]
    assert "BAD-CANARY" not in codes
    assert codes


@pytest.mark.parametrize(
    "text",
    [
        *(family(f"canaries: [{name}]") for name in ("web", "shop", "copy", "other")),
        *(family(web=f"canaries: [{name}]") for name in ("base", "shop", "copy", "other")),
        *(family(shop=f"canaries: [{name}]") for name in ("base", "web", "copy", "other")),
    ],
)
def test_a_canary_in_a_circle_is_not_doubted(text: str) -> None:
    """The circle is told, and nothing that comes of it."""
    found = wrong(text, {"base": "FROM shop\n", "other": "FROM shop\n"})
    assert [one.split()[-1] for one in found] == ["CYCLE"]


def elsewhere(dockerfile: str | None, canary: str = "web") -> Hierarchy:
    """`base` and a canary, with `web` in another repository."""
    text = family(f"canaries: [{canary}]").replace(
        "context: web", "context: 'https://git.example/w.git'"
    )
    draft = parse(text.encode(), "hierarchy.yaml")
    given = {**DOCKERFILES, "web": dockerfile}
    files = {
        image: ImageFiles(dockerfile_text=given.get(image, "FROM scratch\n"))
        for image, _, _ in draft.wanted
    }
    return resolve(draft, files)


@pytest.mark.parametrize("canary", ["web", "shop"])
def test_another_repository_cannot_make_the_hierarchy_wrong(canary: str) -> None:
    """A canary that left its parent is warned of and left out; nobody waits for it."""
    found = elsewhere("FROM other\n", canary)
    assert found.images["base"].canaries == ()
    (warning,) = found.warnings
    assert f"[NO-EFFECT] canary '{canary}' of image 'base' does not stand on it" in warning


@pytest.mark.parametrize("canary", ["web", "shop"])
@pytest.mark.parametrize("dockerfile", [None, "FROM web\n", "FROM nobody\n"])
def test_a_canary_whose_files_are_no_use_is_still_one(dockerfile: str | None, canary: str) -> None:
    """Nobody knows that it left: its parent's tags wait for it."""
    assert elsewhere(dockerfile, canary).images["base"].canaries == (canary,)


def test_many_canaries_of_many_images_load_in_no_time() -> None:
    """A chain of 2,000, each with the last ones for canaries: no search for each of them."""
    count = 2000
    last = ", ".join(f"i{n}" for n in range(count - 20, count))
    text = f"{HEAD}images:\n" + "".join(
        f"  i{n}: {{context: c{n}, version: 1"
        f"{f', canaries: [{last}]' if n < count - 20 else ''}}}\n"
        for n in range(count)
    )
    found = load(text, {f"i{n}": f"FROM i{n - 1}\n" for n in range(1, count)})
    assert found.images["i0"].canaries[-1] == f"i{count - 1}"
