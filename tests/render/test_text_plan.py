"""Plans as people read them. ``UPDATE_GOLDEN=1 pytest tests/render`` writes the golden files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.model.behind import Behind
from orchestrator.model.plan import Cause, Decision, Reason, Verdict
from orchestrator.render.cells import cell_width
from orchestrator.render.style import Style
from orchestrator.render.text import plan_text
from tests.render.conftest import Golden
from tests.render.sample import DEBIAN, SAMPLE, WORLDS


def text(name: str, style: Style, *, verbose: bool = False) -> str:
    world = WORLDS[name]()
    return plan_text(world.plan(), world.parents(), style, verbose=verbose)


@pytest.mark.parametrize("name", WORLDS)
def test_every_situation_at_80_columns(name: str, golden: Golden) -> None:
    """A tree with a sign per image, the reasons, the tags, a summary, and what to do next."""
    golden(f"plan-{name}-80.txt", text(name, Style(color=False, width=80)))


@pytest.mark.parametrize("width", [0, 40, 60, 120])
@pytest.mark.parametrize("name", ["two-changed", "upstream-moved", "wide-changed"])
def test_other_widths(name: str, width: int, golden: Golden) -> None:
    """Narrow terminals get more lines, wide ones longer lines, and pipes no limit."""
    golden(f"plan-{name}-{width}.txt", text(name, Style(color=False, width=width)))


@pytest.mark.parametrize("name", ["two-changed", "retag", "no-op"])
def test_verbose(name: str, golden: Golden) -> None:
    """Every image, with its key, what is current, and all that it stands on."""
    golden(f"plan-{name}-verbose.txt", text(name, Style(color=False, width=80), verbose=True))


def test_ascii(golden: Golden) -> None:
    """A terminal without Unicode gets the same tree in ASCII."""
    shown = text("two-changed", Style(color=False, width=80, unicode=False))
    assert shown.isascii()
    golden("plan-two-changed-ascii.txt", shown)


def test_colors_change_nothing_but_colors(golden: Golden) -> None:
    """Without its colour codes, coloured text is the plain text."""
    shown = text("two-changed", Style(color=True, width=80))
    golden("plan-two-changed-color.txt", shown)
    plain = shown
    for code in ("0", "1", "2", "31", "32", "33", "36"):
        plain = plain.replace(f"\x1b[{code}m", "")
    assert plain == text("two-changed", Style(color=False, width=80))


def test_forced() -> None:
    """An image that is asked for says so."""
    world = WORLDS["no-op"]()
    plan = world.plan(frozenset({"landing"}))
    assert "─ landing  forced\n" in plan_text(plan, world.parents(), Style(False, 80))


def test_the_legend_names_the_signs_that_occur_and_no_other() -> None:
    """Nobody has to learn signs that are not on the screen."""
    for name in WORLDS:
        tree, _, legend = (
            text(name, Style(color=False, width=0)).partition("\n\n")[2].partition("\n\n")
        )
        used = {line[0] for line in tree.splitlines() if line[0] != " "}
        named = {item[0] for item in legend.partition("\n")[0].split("   ")} if used else set()
        assert named == used, name


def test_next_steps_can_be_left_out() -> None:
    """What `orchestrate build` shows before it starts need not say how to start it."""
    world = WORLDS["cold"]()
    style = Style(color=False, width=80)
    with_steps = plan_text(world.plan(), world.parents(), style)
    without = plan_text(world.plan(), world.parents(), style, next_steps=False)
    assert with_steps.startswith(without)
    assert "orchestrate build" not in without


def many(shape: str) -> tuple[tuple[Decision, ...], dict[str, tuple[str, ...]]]:
    reason = (Reason(cause=Cause.NEVER_PUBLISHED),)
    names = [f"image-{n}" for n in range(3000)]
    decisions = tuple(Decision(image=i, verdict=Verdict.BUILD, reasons=reason) for i in names)
    if shape == "deep":
        return decisions, {name: (names[n],) for n, name in enumerate(names[1:])}
    return decisions, dict.fromkeys(names[1:], (names[0],))


@pytest.mark.parametrize("shape", ["deep", "flat"])
def test_thousands_of_images(shape: str) -> None:
    """Neither a long chain nor a wide fan breaks the tree or leaves its columns."""
    decisions, parents = many(shape)
    plan = replace(WORLDS["cold"]().plan(), decisions=decisions, steps=())
    lines = plan_text(plan, parents, Style(color=False, width=80), verbose=True).splitlines()
    assert sum("image-" in line for line in lines) == 3000
    assert max(map(cell_width, lines)) <= 80


def test_many_kept_images_share_a_line() -> None:
    """What is up to date is counted, not listed, when it is much."""
    decisions, parents = many("flat")
    kept = tuple(
        replace(d, verdict=Verdict.KEEP, reasons=()) if d.image != "image-7" else d
        for d in decisions
    )
    plan = replace(WORLDS["cold"]().plan(), decisions=kept)
    lines = plan_text(plan, parents, Style(color=False, width=100)).splitlines()
    assert lines[2].startswith("= image-0")
    assert lines[3].startswith("+ ├─ image-7")
    assert "and 2986 more" in lines[5]
    assert len(lines) < 15


def test_a_deep_tree_shows_its_nearest_levels() -> None:
    """Levels that there is no room for are an ellipsis; what an image stands on is still seen."""
    decisions, parents = many("deep")
    plan = replace(WORLDS["cold"]().plan(), decisions=decisions[:40], steps=())
    lines = plan_text(plan, parents, Style(color=False, width=80), verbose=True).splitlines()
    drawn = {line.split("  never")[0].rstrip() for line in lines}
    assert "+ " + " " * 15 + "└─ image-6" in drawn
    assert "+ …" + " " * 14 + "└─ image-7" in drawn
    assert "+ …" + " " * 14 + "└─ image-39" in drawn


def test_the_tags_of_many_steps_are_left_out() -> None:
    """A cascade over hundreds of images fits on a screen; --verbose shows the tags."""
    world = WORLDS["cold"]()
    plan = world.plan()
    more = tuple(replace(plan.steps[0], image=f"i{n}") for n in range(30))
    plan = replace(plan, steps=plan.steps + more)
    style = Style(color=False, width=80)
    shown = plan_text(plan, world.parents(), style)
    assert "Tags are shown by --verbose." in shown
    assert "tag 12-" not in shown
    assert "tag 12-" in plan_text(plan, world.parents(), style, verbose=True)


def test_a_tag_of_ours_is_not_shown() -> None:
    """Where the file names no floating tags, what marks the current digest is our own affair."""
    world = WORLDS["cold"]()
    world.hierarchy = replace(
        world.hierarchy,
        images={n: replace(i, floating=()) for n, i in world.hierarchy.images.items()},
    )
    shown = plan_text(world.plan(), world.parents(), Style(color=False, width=80))
    assert "tag 12-20261122-" in shown
    assert "moves" not in shown


def lack(upstream: str, for_s: float | None) -> Behind:
    """Return what an image lacks of an upstream."""
    return Behind(upstream=upstream, digest="sha256:1", since="", for_s=for_s)


@pytest.mark.parametrize("name", ["upstream-moved", "no-op"])
def test_for_how_long_images_are_behind(name: str, golden: Golden) -> None:
    """A line for each upstream, whether or not there is something to do; not what nobody knows."""
    world = WORLDS[name]()
    late: dict[str, tuple[Behind, ...]] = {i: (lack(DEBIAN, 75.5 * 3600),) for i in SAMPLE}
    late["hello"] = (lack(DEBIAN, 99 * 3600), lack("java:21", 3 * 3600), lack("alpine", None))
    plan = replace(world.plan(), behind=late)
    shown = plan_text(plan, world.parents(), Style(color=False, width=80))
    golden(f"plan-behind-{name}-80.txt", shown)


def test_many_upstreams_that_images_are_behind_are_counted() -> None:
    """The five longest are told."""
    world = WORLDS["no-op"]()
    late = {"base": tuple(lack(f"u{n}", n * 86_400.0) for n in range(3, 12))}
    shown = plan_text(replace(world.plan(), behind=late), world.parents(), Style(False, 80))
    lines = shown.splitlines()
    assert lines[0] == "Behind u11 for 11 days: base."
    assert lines[5] == "And behind 4 more: `orchestrate status` has them all."


def test_a_long_name_without_reasons_fits() -> None:
    """A kept image's name is wrapped inside the tree when it is wider than the terminal."""
    world = WORLDS["leaf-changed"]()
    plan = world.plan()
    long = "n" * 100
    kept = replace(plan.decisions[0], image=long)
    plan = replace(plan, decisions=(kept, *plan.decisions[1:]))
    parents = {**world.parents(), "python": (long,), "web": (long,)}
    lines = plan_text(plan, parents, Style(color=False, width=40)).splitlines()
    assert max(map(cell_width, lines)) == 40
    assert "".join(line.strip("=~ │├─└") for line in lines).count("n" * 100) == 1


def test_an_unknown_parent_makes_a_root() -> None:
    """A plan that was saved by somebody else is drawn, whatever the parents are said to be."""
    world = WORLDS["cold"]()
    parents = {"base": ("hello",), "hello": ("base", "nowhere"), "python": ("python",)}
    lines = plan_text(world.plan(), parents, Style(color=False, width=80)).splitlines()
    roots = {line[2:].split(" ")[0] for line in lines if line.startswith("+ ")}
    assert roots >= {"base", "python"}
