"""Selectors: which images a few words mean."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.decide.select import Selection, select, with_ancestors
from orchestrator.errors import UsageError
from orchestrator.model.hierarchy import Hierarchy, Image, Parent, ParentKind
from orchestrator.model.names import Repository

#: Image → (parents, tier, labels): the sample's chain and diamond.
IMAGES = {
    "base": ((), "base", {}),
    "python": (("base",), "runtime", {"team": "languages"}),
    "web": (("base",), "runtime", {"team": "web", "size": "small"}),
    "gunicorn": (("python",), "app-server", {"team": "web"}),
    "nginx": (("web",), "app-server", {"team": "web"}),
    "hello": (("gunicorn",), "application", {"team": "apps", "version": "1.0+2"}),
    "docs": (("nginx", "python"), "application", {"team": "docs"}),
}
ALL = frozenset(IMAGES)


def image(name: str, parents: tuple[str, ...] = ()) -> Image:
    """Return an image with these parents and nothing else of note."""
    return Image(
        id=name,
        version="1",
        repository=Repository("localhost:5000", f"gold/{name}"),
        context=name,
        dockerfile=f"{name}/Dockerfile",
        platforms=("linux/amd64",),
        parents=tuple(
            Parent(name=p, kind=ParentKind.IMAGE, subject=p, final=p == parents[0], line=1)
            for p in parents
        ),
        immutable="{key}",
    )


def hierarchy_of(images: list[Image]) -> Hierarchy:
    """Return a hierarchy of these images."""
    return Hierarchy(
        name="gold",
        file="hierarchy.yaml",
        images={each.id: each for each in images},
        upstreams={},
        secrets={},
        builders=(),
    )


@pytest.fixture(scope="module")
def gold() -> Hierarchy:
    """The sample, with tiers and labels; python was called py before, and snake first."""
    images = [
        replace(image(name, parents), tier=tier, labels=tuple(sorted(labels.items())))
        for name, (parents, tier, labels) in IMAGES.items()
    ]
    images[1] = replace(images[1], formerly=("snake", "py"))
    return hierarchy_of(images)


@pytest.mark.parametrize(
    ("terms", "meant"),
    [
        ("", "base python web gunicorn nginx hello docs"),
        ("python", "python"),
        ("python web", "python web"),
        ("python python", "python"),
        ("python+", "python gunicorn hello docs"),
        ("+gunicorn", "base python gunicorn"),
        ("+gunicorn+", "base python gunicorn hello"),
        ("base+0", "base"),
        ("base+1", "base python web"),
        ("base+2", "base python web gunicorn nginx docs"),
        ("base+000099", "base python web gunicorn nginx hello docs"),
        ("1+docs", "docs nginx python"),
        ("2+docs", "docs nginx python web base"),
        ("1+gunicorn+1", "python gunicorn hello"),
        ("+nginx+1", "base web nginx docs"),
        ("*n*", "python gunicorn nginx"),
        ("[dh]*", "hello docs"),
        ("ngin?+", "nginx docs"),
        ("1+ngin?", "nginx web"),
        ("tier:runtime", "python web"),
        ("tier:app*", "gunicorn nginx hello docs"),
        ("tier:app-server+", "gunicorn nginx hello docs"),
        ("+tier:runtime", "base python web"),
        ("label:team=web", "web gunicorn nginx"),
        ("label:team=web+1", "web gunicorn nginx hello docs"),
        ("label:team=[dl]*", "python docs"),
        ("label:size", "web"),
        ("label:*i*=*", "web hello"),
        ("label:version=1.0?2", "hello"),
        ("state:failed", "nginx"),
        ("state:failed+", "nginx docs"),
        ("py", "python"),
        ("snake+1", "python gunicorn docs"),
    ],
)
def test_a_selector_means_these_images(gold: Hierarchy, terms: str, meant: str) -> None:
    """Every form of a selector, and how they go together."""
    found = select(gold, terms.split(), failed=frozenset({"nginx"}))
    assert found == frozenset(meant.split())


@pytest.mark.parametrize(
    ("terms", "exclude", "meant"),
    [
        ("", "hello docs", "base python web gunicorn nginx"),
        ("base+", "python+", "base web nginx"),
        ("python", "python", ""),
        ("python", "tier:application", "python"),
        ("base+", "state:failed+", "base python web gunicorn hello"),
    ],
)
def test_what_is_excluded_is_taken_away(
    gold: Hierarchy, terms: str, exclude: str, meant: str
) -> None:
    """`--exclude` takes the same selectors, and wins."""
    failed = frozenset({"nginx"})
    found = select(gold, terms.split(), exclude=exclude.split(), failed=failed)
    assert found == frozenset(meant.split())


def test_what_changed_brings_what_stands_on_it(gold: Hierarchy) -> None:
    """Alone, `--since` is the selection; selectors beside it narrow it down."""
    changed = frozenset({"web"})
    assert select(gold, [], changed=changed) == {"web", "nginx", "docs"}
    assert select(gold, ["tier:application"], changed=changed) == {"docs"}
    assert select(gold, [], exclude=["docs"], changed=changed) == {"web", "nginx"}
    assert select(gold, ["python+"], changed=frozenset()) == frozenset()


def test_nothing_failed_is_no_fault(gold: Hierarchy) -> None:
    """`state:failed` may mean nobody."""
    assert select(gold, ["state:failed+"]) == frozenset()


@pytest.mark.parametrize(
    ("term", "what", "hint"),
    [
        ("pyhton+", "no image is called 'pyhton'", "did you mean python?"),
        ("zzz", "no image is called 'zzz'", "images: base, python, web, gunicorn"),
        ("Python", "no image is called 'Python'", "did you mean python?"),
        ("", "a selector is empty", "images: base"),
        ("+", r"no image is called '\+'", "images:"),
        ("++", r"no image is called '\+'", "images:"),
        ("base+1234567", r"no image is called 'base\+1234567'", "did you mean base?"),
        ("zzz*", r"no image matches 'zzz\*'", "images: base"),
        ("tier:runtme", "no image has tier 'runtme'", "did you mean tier:runtime?"),
        ("tier:", "no image has tier ''", "tiers: app-server, application, base, runtime"),
        ("label:taem=web", "no image has label 'taem=web'", "did you mean label:team"),
        ("label:team=wbe", "no image has label 'team=wbe'", "did you mean label:team=web?"),
        ("label:zzz", "no image has label 'zzz'", "labels: size, team, version"),
        ("state:broken", "'state:broken' is no selector", "state:failed"),
        ("teir:runtime", "'teir:runtime' is no selector", "did you mean tier:runtime?"),
        ("python\n+", r"no image is called 'python\\n'", "did you mean python?"),
    ],
)
def test_what_means_no_image_is_an_error(gold: Hierarchy, term: str, what: str, hint: str) -> None:
    """A selector that hits nothing is a typing mistake; the nearest name is offered."""
    with pytest.raises(UsageError, match=what) as raised:
        select(gold, [term])
    assert hint in raised.value.hint
    with pytest.raises(UsageError, match="--exclude: " + what):
        select(gold, [], exclude=[term])


def test_every_bad_selector_is_named_at_once(gold: Hierarchy) -> None:
    """Nobody mends one mistake to be told the next."""
    with pytest.raises(UsageError) as raised:
        select(gold, ["pyhton", "web", "tier:runtme"], exclude=["nginxx"])
    assert raised.value.what == (
        "no image is called 'pyhton'; no image has tier 'runtme'; "
        "--exclude: no image is called 'nginxx'"
    )
    assert raised.value.hint == (
        "did you mean python? did you mean tier:runtime? did you mean nginx?"
    )


def test_a_hint_names_only_a_few() -> None:
    """Ten thousand images do not fill the screen."""
    many = hierarchy_of([image(f"i{n}") for n in range(10_000)])
    with pytest.raises(UsageError) as raised:
        select(many, ["*nothing*"])
    assert raised.value.hint.endswith("i6, i7 and 9992 more")


def test_a_former_id_that_is_used_again_is_the_new_image(gold: Hierarchy) -> None:
    """Who has the id now comes before who had it."""
    taken = hierarchy_of([*gold.images.values(), image("snake")])
    assert select(taken, ["snake"]) == {"snake"}


def test_ten_thousand_deep_is_no_trouble() -> None:
    """No recursion, whatever the depth."""
    names = [f"i{n}" for n in range(10_000)]
    deep = hierarchy_of([image(name, tuple(names[at - 1 : at])) for at, name in enumerate(names)])
    assert select(deep, ["i0+"]) == select(deep, ["+i9999"]) == frozenset(names)
    assert select(deep, ["i5000+3"]) == {"i5000", "i5001", "i5002", "i5003"}
    assert with_ancestors(deep, ["i9999"]) == frozenset(names)


def test_a_selection_tells_itself_as_it_was_typed() -> None:
    """What a plan keeps can be typed again."""
    chosen = Selection(wanted=("python+", "web"), exclude=("hello",), since="main")
    assert chosen.terms == ("python+", "web", "--exclude hello", "--since main")
    assert Selection().terms == ()


@pytest.mark.parametrize(
    ("wanted", "exclude", "asks"),
    [("state:failed", "", True), ("", "+state:failed", True), ("base", "tier:x", False)],
)
def test_only_a_state_needs_the_history(wanted: str, exclude: str, asks: bool) -> None:
    """The database is not even opened for anything else."""
    chosen = Selection(wanted=tuple(wanted.split()), exclude=tuple(exclude.split()))
    assert chosen.asks_state is asks
