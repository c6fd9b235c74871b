"""What soaks, and `--no-soak`, as the user sees them."""

from __future__ import annotations

import pytest

from tests.cli.stage import Stage
from tests.world import HEAD, UPSTREAM, put_image


@pytest.fixture
def soaking(stage: Stage) -> Stage:
    """Everything is built, and debian has moved a moment ago."""
    stage.world.head = HEAD.replace(f'"{UPSTREAM}"}}', f'"{UPSTREAM}", soak: 24h}}')
    stage.world.write()
    stage.write()
    assert stage.run("build").code == 0
    put_image(stage.world.registry, UPSTREAM, "debian 12.2")
    return stage


def test_a_plan_says_what_soaks_and_until_when(soaking: Stage) -> None:
    """It is told though nothing is to be done."""
    ran = soaking.run("plan", "--detailed-exitcode")
    assert ran.code == 0
    assert "upstream debian:12 soaks" in ran.out


def test_a_build_with_nothing_to_do_remembers(soaking: Stage) -> None:
    """The soak begins with the first command that may write; a plan is not one."""
    before = len(soaking.world.history.sightings("gold"))
    soaking.run("plan")
    assert len(soaking.world.history.sightings("gold")) == before
    assert soaking.run("build").code == 0
    assert len(soaking.world.history.sightings("gold")) == before + 1
    soaking.world.clock.sleep(24 * 3600)
    assert soaking.run("plan", "--detailed-exitcode").code == 10


def test_no_soak_takes_it_now_and_says_how_to_go_on(soaking: Stage) -> None:
    """The plan is for that upstream, and so is the build it offers."""
    ran = soaking.run("plan", "--no-soak", "debian:12", "--detailed-exitcode")
    assert ran.code == 10
    assert "orchestrate build --no-soak debian:12" in ran.out
    assert soaking.run("build", "--no-soak", "debian:12").code == 0
    assert soaking.run("plan", "--detailed-exitcode").code == 0


@pytest.mark.parametrize("command", ["plan", "build", "patch"])
def test_an_upstream_that_is_named_must_exist(soaking: Stage, command: str) -> None:
    """A mistyped one is exit 2, before anything is asked of a registry."""
    soaking.world.registry.counts.clear()
    ran = soaking.run(command, "--no-soak", "debain:12")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == ("error: no upstream is called 'debain:12'\nhint:  did you mean debian:12?\n")
    assert soaking.world.registry.counts.total() == 0


def test_all_upstreams_are_named_where_none_is_near(soaking: Stage) -> None:
    """There are seldom many."""
    ran = soaking.run("plan", "--no-soak", "zzz")
    assert ran.err == "error: no upstream is called 'zzz'\nhint:  upstreams: debian:12\n"


def test_a_question_and_a_build_for_this_machine_know_no_soaking(soaking: Stage) -> None:
    """What makes no sense is said, not ignored."""
    ran = soaking.run("plan", "--what-if", "base", "--no-soak", "debian:12")
    assert (ran.code, ran.out) == (2, "")
    assert "so --no-soak cannot be said with it" in ran.err
    ran = soaking.run("build", "--no-publish", "--no-soak", "debian:12", "base")
    assert (ran.code, ran.out) == (2, "")
    assert "--no-soak and --no-publish do not go together" in ran.err
    assert "here nothing soaks" in ran.err


def test_an_upstream_that_is_gone_fails_by_name(soaking: Stage) -> None:
    """Exit 5, one line with the image, the upstream and what its registry said; a plan too."""
    world = soaking.world
    place = world.hierarchy().upstreams["debian:12"].source.repository
    world.registry.delete_manifest(place, str(world.registry.resolve(place, "12")))
    for command in ("plan", "build"):
        ran = soaking.run(command)
        assert ran.code == 5
        assert "error: base: upstream debian:12 cannot be had" in ran.err
        assert f"{UPSTREAM} is not there" in ran.err


def test_why_of_what_soaks_names_what_the_image_stays_on(soaking: Stage) -> None:
    """The parent as it counts now: the digest in use, and no part that differs."""
    world = soaking.world
    source = world.hierarchy().upstreams["debian:12"].source.repository
    data = soaking.run("why", "base", "-o", "json").data
    (parent,) = data["parents"]
    assert parent["now"] == parent["was"] != world.registry.resolve(source, "12")
    assert all(part["same"] for part in data["parts"])


def test_why_of_what_cannot_be_had_says_so(soaking: Stage) -> None:
    """There is nothing to compare, and that is no reason to fail."""
    world = soaking.world
    place = world.hierarchy().upstreams["debian:12"].source.repository
    world.registry.delete_manifest(place, str(world.registry.resolve(place, "12")))
    ran = soaking.run("why", "base")
    assert (ran.code, ran.err) == (0, "")
    assert "debian:12" in ran.out


def test_new_image_on_what_has_soaked_is_told_of_nothing(soaking: Stage) -> None:
    """Only what is younger than its soak is said to be."""
    assert soaking.run("build").code == 0
    soaking.world.clock.sleep(24 * 3600)
    soaking.world.dockerfiles["late"] = "FROM debian:12\n"
    soaking.world.write()
    soaking.write()
    data = soaking.run("plan", "-o", "json").data
    (late,) = [each for each in data["decisions"] if each["image"] == "late"]
    assert [reason["cause"] for reason in late["reasons"]] == ["never-published"]
