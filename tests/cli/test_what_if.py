"""`orchestrate plan --what-if`."""

from __future__ import annotations

import re

import pytest

from orchestrator.doors.memory.registry import RegistryCall
from tests.cli.stage import Stage


def test_the_reach_of_a_change_needs_no_network(stage: Stage) -> None:
    """Files and history are enough; nothing is written."""

    def down(call: RegistryCall) -> None:
        raise AssertionError(f"asked for {call}")

    stage.world.registry.fault = down
    ran = stage.run("plan", "--what-if", "web")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("If web changed, 4 of 8 images would be rebuilt, at the most.\n")
    assert "nothing of it was ever built here" in ran.out


def test_several_images_and_globs(stage: Stage) -> None:
    """With commas between them."""
    data = stage.run("plan", "--what-if", "python,ng*", "-o", "json").data
    assert (data["format"], data["kind"], data["changed"]) == (1, "what-if", ["python", "nginx"])
    assert data["summary"] == {"rebuilds": 6, "images": 8}
    assert data["chain"] == ["python", "gunicorn", "hello"]
    assert set(data["unknown"]) == {r["image"] for r in data["rebuilds"]}


def test_who_would_be_told(stage: Stage) -> None:
    """Teams by their subscriptions, in every form."""
    stage.world.head = stage.world.head.replace(
        "images:\n",
        "subscriptions:\n  - {team: payments, images: [gunicorn], events: [image.published], "
        "slack: {webhook: env:A}, apprise: env:B}\n"
        "images:\n",
    )
    stage.world.write()
    stage.write()
    told = "payments (1 image, by slack and apprise)"
    assert told in stage.run("plan", "--what-if", "python").out
    assert told in stage.run("plan", "--what-if", "python", "-o", "markdown").out
    data = stage.run("plan", "--what-if", "python", "-o", "json").data
    assert data["told"] == [
        {"team": "payments", "images": ["gunicorn"], "channels": ["slack", "apprise"]}
    ]
    assert "no team" in stage.run("plan", "--what-if", "web").out


def test_past_builds_say_how_long_it_takes(stage: Stage) -> None:
    """After a build nothing is estimated."""
    stage.run("build")
    data = stage.run("plan", "--what-if", "base", "-o", "json").data
    assert data["unknown"] == []
    assert data["chain_s"] <= data["run_s"] <= data["total_s"]


@pytest.mark.parametrize(
    "option",
    ["--out x.json", "--detailed-exitcode", "--force base", "--allow-dirty", "web", "--since HEAD"],
)
def test_it_plans_nothing(stage: Stage, option: str) -> None:
    """What goes with a plan does not go with a question."""
    ran = stage.run("plan", "--what-if", "base", *option.split())
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: --what-if plans nothing, so ")


def test_an_image_that_is_none(stage: Stage) -> None:
    """Exit 2, and the nearest."""
    ran = stage.run("plan", "--what-if", "pyton")
    assert ran.code == 2
    assert "did you mean python?" in ran.err


def test_an_upstream(stage: Stage) -> None:
    """By the name that Dockerfiles use: everything that stands on it, in every form."""
    stage.world.dockerfiles["alone"] = "FROM scratch\nCOPY . /\n"
    stage.world.write()
    stage.write()
    ran = stage.run("plan", "--what-if", "debian:12")
    assert ran.out.startswith("If upstream debian:12 changed, 8 of 9 images would be rebuilt, at")
    assert re.search(r"(?m)^debian:12 +upstream$", ran.out)
    assert re.search(r"(?m)^  base ", ran.out)
    markdown = stage.run("plan", "--what-if", "debian:12", "-o", "markdown").out
    assert markdown.startswith("### If upstream debian:12 changed, 8 of 9 images")
    data = stage.run("plan", "--what-if", "debian:12", "-o", "json").data
    assert (data["upstreams"], data["changed"], data["summary"]["rebuilds"]) == (
        ["debian:12"], [], 8,
    )  # fmt: skip
    assert {r["image"]: r["depth"] for r in data["rebuilds"]}["base"] == 1
    assert data["chain"][0] == "base"


def test_upstreams_and_images(stage: Stage) -> None:
    """With commas between them."""
    stage.world.dockerfiles["alone"] = "FROM scratch\nCOPY . /\n"
    stage.world.write()
    stage.write()
    data = stage.run("plan", "--what-if", "alone,debian:12", "-o", "json").data
    assert (data["upstreams"], data["changed"]) == (["debian:12"], ["alone"])
    assert data["summary"] == {"rebuilds": 9, "images": 9}
    ran = stage.run("plan", "--what-if", "debian:12, alone")
    assert ran.out.startswith("If upstream debian:12 and alone changed, 9 of 9 images")


def test_an_upstream_that_is_none(stage: Stage) -> None:
    """Exit 2: the nearest, or that nothing stands on it."""
    ran = stage.run("plan", "--what-if", "base,debian:21")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "error: no image or upstream is called 'debian:21'\nhint:  did you mean debian:12?\n"
    )
    stage.world.head = stage.world.head.replace(
        "upstreams:\n", "upstreams:\n  alpine:3: {source: localhost:5000/upstream/alpine:3}\n"
    )
    stage.world.write()
    stage.write()
    ran = stage.run("plan", "--what-if", "alpine:3")
    assert (ran.code, ran.out) == (2, "")
    assert "error: no image stands on upstream alpine:3\nhint:" in ran.err
