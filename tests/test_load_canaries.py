"""Canaries: what is said of them, and refused."""

from __future__ import annotations

import pytest

from orchestrator.load import parse, resolve
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.source import ImageFiles
from tests.drafts import HEAD, load, problems
from tests.families import DOCKERFILES, at, family, loaded, wrong


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
