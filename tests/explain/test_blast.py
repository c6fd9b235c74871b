"""How far a change would reach."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.explain.blast import UNKNOWN_BUILD_S, blast_radius
from orchestrator.model.announcement import EventType
from orchestrator.model.blast import Blast
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.subscription import Subscription
from tests.render.sample import DEBIAN, SAMPLE, hierarchy_of

TOOK_S = {"base": 60.0, "python": 30.0, "gunicorn": 20.0, "hello": 10.0, "web": 5.0, "nginx": 5.0}


def blast(*changed: str, slots: int = 2, hierarchy: Hierarchy | None = None) -> Blast:
    known = hierarchy or hierarchy_of(SAMPLE)
    return blast_radius(known, frozenset(changed), TOOK_S, slots)


def test_what_stands_on_it_would_be_rebuilt() -> None:
    """The image itself and everything above it, parents first, and nothing else."""
    found = blast("web")
    assert [rebuild.image for rebuild in found.rebuilds] == ["web", "nginx", "landing", "docs-site"]
    assert [rebuild.depth for rebuild in found.rebuilds] == [0, 1, 2, 2]
    assert (found.changed, found.of) == (("web",), 8)


def test_the_longest_chain_is_the_one_that_takes_longest() -> None:
    """In time, not in images: no number of builders makes a run shorter."""
    found = blast("base")
    assert found.chain == ("base", "python", "gunicorn", "hello")
    assert found.chain_s == 120
    hierarchy = hierarchy_of(
        {"a": ("1", "t", (DEBIAN,)), "b": ("1", "t", ("a",)), "c": ("1", "t", ("a",))}
    )
    found = blast_radius(hierarchy, frozenset({"a"}), {"a": 1.0, "b": 1.0, "c": 2.0}, 2)
    assert found.chain == ("a", "c")


def test_a_build_nobody_has_seen_takes_the_median_and_is_named() -> None:
    """An estimate is told apart from what was measured."""
    found = blast("nginx")
    assert found.unknown == ("landing", "docs-site")
    assert found.guess_s == 15
    assert found.total_s == 5 + 15 + 15
    nothing = blast_radius(hierarchy_of(SAMPLE), frozenset({"hello"}), {}, 1)
    assert (nothing.guess_s, nothing.run_s) == (UNKNOWN_BUILD_S, UNKNOWN_BUILD_S)


@pytest.mark.parametrize(("slots", "run_s"), [(1, 35.0), (2, 20.0), (9, 20.0)])
def test_the_run_is_as_long_as_its_slots_allow(slots: int, run_s: float) -> None:
    """One slot: all builds in a row. Many: the longest chain."""
    assert blast("nginx", slots=slots).run_s == run_s


def test_what_holds_up_most_starts_first() -> None:
    """Two short builds in a row fit beside a long one, not after it."""
    parents = {"base": DEBIAN, "short": "base", "brief": "base", "long": "base"}
    hierarchy = hierarchy_of({image: ("1", "t", (on,)) for image, on in parents.items()})
    lasts_s = {"base": 1.0, "short": 10.0, "brief": 10.0, "long": 30.0}
    assert blast_radius(hierarchy, frozenset({"base"}), lasts_s, 2).run_s == 31
    changed = frozenset({"short", "brief", "long"})
    assert blast_radius(hierarchy, changed, lasts_s, 2).run_s == 30


def test_a_retired_image_is_not_built() -> None:
    """It neither counts nor passes a change on."""
    hierarchy = hierarchy_of(SAMPLE)
    retired = replace(hierarchy.images["hello"], retired=True, parents=())
    hierarchy = replace(hierarchy, images={**hierarchy.images, "hello": retired})
    found = blast("gunicorn", hierarchy=hierarchy)
    assert [rebuild.image for rebuild in found.rebuilds] == ["gunicorn"]
    assert found.of == 7


def test_a_renamed_image_keeps_its_history() -> None:
    """What its last build took is known under the former name."""
    hierarchy = hierarchy_of({"flask": ("1", "app", (DEBIAN,))})
    image = replace(hierarchy.images["flask"], formerly=("hello",))
    hierarchy = replace(hierarchy, images={"flask": image})
    assert blast("flask", hierarchy=hierarchy).total_s == TOOK_S["hello"]


def test_teams_are_told_of_what_they_subscribed_to() -> None:
    """By id or pattern; each team once; failures alone are no reason to be told."""
    hierarchy = replace(
        hierarchy_of(SAMPLE),
        subscriptions=(
            Subscription(team="web", images=("nginx",), events=(EventType.IMAGE_PUBLISHED,)),
            Subscription(team="apps", images=("h*",), events=(EventType.IMAGE_PUBLISHED,)),
            Subscription(team="apps", images=("doc?-*",), events=(EventType.IMAGE_PUBLISHED,)),
            Subscription(team="night", images=("*",), events=(EventType.IMAGE_FAILED,)),
        ),
    )
    told = {t.team: t.images for t in blast("python", hierarchy=hierarchy).told}
    assert told == {"apps": ("hello", "docs-site")}


@given(
    st.lists(st.tuples(st.integers(0, 9), st.floats(0, 100)), min_size=1, max_size=10),
    st.integers(1, 4),
)
def test_a_run_is_between_its_chain_and_all_builds(
    shape: list[tuple[int, float]], slots: int
) -> None:
    """The estimate never beats the longest chain, nor loses against one build after another."""
    images = {
        f"i{n}": ("1", "t", (f"i{on}" if on < n else DEBIAN,)) for n, (on, _) in enumerate(shape)
    }
    lasts_s = {f"i{n}": lasts for n, (_, lasts) in enumerate(shape)}
    changed = frozenset({"i0"})
    found = blast_radius(hierarchy_of(images), changed, lasts_s, slots)
    most = max(found.chain_s, found.total_s / slots)
    assert most - 1e-6 <= found.run_s <= found.total_s + 1e-6
    assert {found.chain[0]} <= changed


def test_a_chain_of_thousands() -> None:
    """Deep hierarchies meet no limit of recursion."""
    images = {f"i{n}": ("1", "t", (f"i{n - 1}" if n else DEBIAN,)) for n in range(5000)}
    found = blast_radius(hierarchy_of(images), frozenset({"i0"}), {}, 2)
    assert (len(found.chain), found.run_s) == (5000, 5000 * UNKNOWN_BUILD_S)
