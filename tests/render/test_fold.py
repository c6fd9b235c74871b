"""Hundreds of images on one screen, and a way to see all of them."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from orchestrator.model.plan import Cause, Decision, Reason, Verdict
from orchestrator.model.status import ImageStatus
from orchestrator.render.cells import cell_width
from orchestrator.render.fold import MOST_LINES, common, groups_of
from orchestrator.render.style import Style
from orchestrator.render.text import plan_text, status_text
from orchestrator.render.tree import forest_of
from tests.render.conftest import Golden
from tests.render.large import Large, large
from tests.render.sample import digest_of

STYLE = Style(color=False, width=80)


def text(world: Large, *, verbose: bool = False, every: bool = False) -> str:
    return plan_text(world.plan, world.parents, STYLE, verbose=verbose, every=every)


def counted_in(shown: str) -> int:
    """Return how many images the lines of a folded tree stand for."""
    tree = shown.partition("\n\n")[2].partition("\n\n")[0]
    lines = len(re.findall(r"^[+~?>!=-] ", tree, re.MULTILINE))
    more = sum(map(int, re.findall(r"… and (\d+) more", tree)))
    above = sum(map(int, re.findall(r"(\d+) images? stands? on", tree)))
    return lines + more + above


def test_800_images_fit_on_a_screen(golden: Golden) -> None:
    """Those that only follow share a line under what they stand on; the numbers add up."""
    world = large(10, 6, 12)
    shown = text(world)
    assert len(world.decisions) == 791
    assert len(shown.splitlines()) < 60
    assert max(map(cell_width, shown.splitlines())) <= 80
    assert counted_in(shown) == 791
    golden("plan-800-80.txt", shown)


@pytest.mark.parametrize("shape", [(60, 1, 1), (2, 2, 200), (1, 1, 500), (1, 200, 2), (300, 0, 0)])
def test_every_shape_is_folded(shape: tuple[int, int, int]) -> None:
    """Wide at the bottom, at the top or in the middle: few lines, and nobody is lost."""
    world = large(*shape)
    shown = text(world)
    assert len(shown.splitlines()) < 2 * MOST_LINES + 12
    assert counted_in(shown) == len(world.decisions)


def test_a_chain_of_thousands_is_folded() -> None:
    """A chain has no groups: its end is folded into what it stands on."""
    world = large(0, 0, 0)
    names = [f"i{n}" for n in range(3000)]
    for below, image in zip(["base", *names], names, strict=False):
        world.add(image, (below,), "t")
    shown = text(world)
    assert counted_in(shown) == 3001
    assert len(shown.splitlines()) < 140


def test_a_change_of_its_own_stays_in_sight() -> None:
    """What is changed in one of 800 is what a reader looks for."""
    world = large(10, 6, 12)
    world.change("app-3-2-7")
    shown = text(world)
    assert "app-3-2-7" in shown
    assert "context images/app-3-2-7 changed" in " ".join(shown.split())
    assert counted_in(shown) == 791


def test_a_few_images_are_not_folded() -> None:
    """Up to 60 lines everything is listed."""
    world = large(3, 4, 3)
    assert groups_of(forest_of(world.plan, world.parents)) is None
    assert "more" not in text(world)


@pytest.mark.parametrize("option", ["every", "verbose"])
def test_all_of_them_can_be_seen(option: str) -> None:
    """`--all` and `-v` list every image; the folded text says how."""
    world = large(10, 6, 12)
    assert "`orchestrate plan --all` lists every image" in text(world)
    shown = text(world, **{option: True})
    assert all(re.search(rf"{re.escape(image)}\s", shown) for image in world.decisions)


def test_what_is_up_to_date_is_only_counted() -> None:
    """Where there is much to do, what is not touched has no line under each parent."""
    world = large(20, 4, 8)
    kept = [image for image in world.decisions if image.startswith(("app-0", "app-1", "app-2-"))]
    world.keep(*kept)
    shown = text(world)
    assert f"  {len(kept)} images are up to date\n" in shown
    assert not re.search(r"^=", shown, re.MULTILINE)


def test_what_is_left_out_is_counted_in_the_sum() -> None:
    """What was not selected, and what is retired, is no part of the tree."""
    world = large(2, 1, 1)
    world.keep("app-0-0-0", reasons=(Reason(cause=Cause.NOT_SELECTED),))
    world.keep("app-1-0-0", reasons=(Reason(cause=Cause.RETIRED),))
    plan = replace(world.plan, selection=("base+", "--exclude app-0-0-0"))
    shown = plan_text(plan, world.parents, STYLE)
    assert "Plan: 1 to build, 4 waiting, 1 left out, 1 retired.\n" in shown
    assert "\nonly base+ --exclude app-0-0-0\n" in shown
    assert "app-" not in shown.replace("--exclude app-0-0-0", "")
    shown = plan_text(plan, world.parents, STYLE, every=True)
    assert re.search(r"^- .*app-0-0-0 +not selected$", shown, re.MULTILINE)
    assert re.search(r"^- .*app-1-0-0 +retired$", shown, re.MULTILINE)
    assert "- left out" in shown


def test_nothing_to_do_says_what_is_left_out() -> None:
    """A plan of one image says nothing of the others."""
    world = large(1, 0, 0)
    world.keep("base")
    world.keep("python-3.0", reasons=(Reason(cause=Cause.NOT_SELECTED),))
    assert text(world) == "Nothing to do: 1 image is up to date, 1 left out.\n"


def test_a_cause_hides_behind_no_other_cause() -> None:
    """Hundreds of own changes are folded with their like, never under what is kept or differs."""
    world = large(10, 6, 12)
    world.keep(*(i for i in world.decisions if not i.startswith("app")))
    for image in [image for image in world.decisions if image.startswith("app")]:
        world.change(image)
    world.change("gunicorn-3-2")
    world.decisions["app-3-2-7"] = replace(
        world.decisions["app-3-2-7"], reasons=(Reason(cause=Cause.VERSION, was="1", now="2"),)
    )
    shown = text(world)
    assert counted_in(shown) == 791
    assert "version 1 → 2" in shown
    tree = [line for line in shown.splitlines() if line.startswith(("= ", "~ "))]
    assert not any("more" in line for line in tree if line.startswith("= "))


def test_what_is_kept_stands_for_nothing_that_waits() -> None:
    """An image on two parents may wait under one that is kept: both are shown."""
    world = large(0, 0, 0)
    kept = [f"kept-{n}" for n in range(70)]
    for image in kept:
        world.add(image, (), "runtime")
        world.add(f"on-{image}", (image,), "application")
        pending = (Reason(cause=Cause.PARENT_PENDING, subject="base"),)
        world.parents[f"on-{image}"] = (image, "base")
        world.decisions[f"on-{image}"] = replace(world.decisions[f"on-{image}"], reasons=pending)
    world.keep(*kept)
    assert not re.search(r"^= .* more", text(world), re.MULTILINE)


def test_what_differs_within_a_group_is_not_told() -> None:
    """Shared reasons keep their details, others only their kind."""
    shared = Reason(cause=Cause.PARENT_PENDING, subject="base")
    one, other = (Reason(cause=Cause.CONTEXT, subject=name) for name in "ab")
    decisions = [
        Decision(image=name, verdict=Verdict.BUILD, reasons=(own, shared))
        for name, own in (("a", one), ("b", other))
    ]
    assert common(decisions).reasons == (Reason(cause=Cause.CONTEXT), shared)
    assert common(decisions[:1]).reasons == (one, shared)


def statuses(world: Large) -> tuple[ImageStatus, ...]:
    return tuple(
        ImageStatus(
            image=image,
            tier=world.tiers[image],
            depth={"base": 0, "runtime": 1, "app-server": 2, "application": 3}[world.tiers[image]],
            repository=f"localhost:5000/gold/{image}",
            current=digest_of(image),
            publication=None,
            age_s=None,
            immutable="",
            candidate="",
            decision=decision,
        )
        for image, decision in world.decisions.items()
    )


def test_800_statuses_fit_on_a_screen(golden: Golden) -> None:
    """Those that are behind for the same reason share a row."""
    shown = status_text(statuses(large(10, 6, 12)), STYLE)
    assert len(shown.splitlines()) < 90
    assert max(map(cell_width, shown.splitlines())) <= 80
    golden("status-800-80.txt", shown)


def with_holds(number: int) -> Large:
    """Return 500 images that changed by themselves, and some that somebody holds."""
    world = large(1, 1, 500)
    apps = [image for image in world.decisions if image.startswith("app-")]
    for image in apps[number:]:
        world.change(image)
    for n, image in enumerate(apps[:number]):
        because = f"#{n}"
        reason = Reason(cause=Cause.HELD, subject="gunicorn-0-0", because=because)
        world.keep(image, reasons=(reason,))
    return world


@pytest.mark.parametrize("shown", ["plan", "status"])
def test_what_is_held_is_listed_by_name(shown: str) -> None:
    """Until when and why is different for each: nobody is to forget one of them."""
    world = with_holds(9)
    said = text(world) if shown == "plan" else status_text(statuses(world), STYLE)
    assert "app-0-0-9 … and" in said
    assert all(f": #{n}" in " ".join(said.split()) for n in range(9))
    many = with_holds(400)
    said = text(many) if shown == "plan" else status_text(statuses(many), STYLE)
    assert len(said.splitlines()) < 90


def test_statuses_that_are_up_to_date_are_only_counted() -> None:
    """800 images of which two are behind: two rows."""
    world = large(10, 6, 12)
    world.keep(*(set(world.decisions) - {"base", "app-1-1-1"}))
    shown = status_text(statuses(world), STYLE).splitlines()
    rows = [line.split()[0] for line in shown if digest_of("base")[7:15] in line or "app" in line]
    assert rows == ["base", "app-1-1-1"]
    assert shown[-3] == "791 images: 789 up to date, 2 behind."
    assert shown[-2] == "Those that are up to date are listed by `orchestrate status --all`."


def test_all_statuses_can_be_seen() -> None:
    """`--all` has a row for each."""
    shown = status_text(statuses(large(10, 6, 12)), STYLE, every=True)
    assert len(re.findall(r"(?:app|gunicorn|python|base)\S* ", shown)) >= 791
    assert "more" not in shown


def test_nothing_but_up_to_date_is_one_line() -> None:
    """No head without rows."""
    world = large(10, 6, 12)
    world.keep(*world.decisions)
    shown = status_text(statuses(world), STYLE)
    assert shown == (
        "791 images: 791 up to date.\n"
        "Those that are up to date are listed by `orchestrate status --all`.\n"
    )
