"""A hold that has ended: `orchestrate check` fails, everything else goes on."""

from __future__ import annotations

import json

import pytest

from tests.cli.stage import Stage

HOLD = ", on_parent_change: {hold: {until: 2020-01-31, because: certified}}"


def test_check_fails_on_a_hold_that_has_ended(stage: Stage) -> None:
    """So that a pipeline asks who still needs it."""
    stage.world.extra["hello"] = HOLD
    stage.world.write()
    stage.write()
    ran = stage.run("check")
    assert (ran.code, ran.out) == (3, "")
    assert "error[HOLD-EXPIRED]: the hold of 'hello' on " in ran.err
    ran = stage.run("check", "-o", "json")
    assert ran.code == 3
    assert [problem["code"] for problem in ran.data["problems"]] == ["HOLD-EXPIRED"]


@pytest.mark.parametrize("line", [("plan",), ("status",), ("graph",), ("why", "hello")])
def test_every_other_command_warns_of_it(stage: Stage, line: tuple[str, ...]) -> None:
    """A day that has passed stops no nightly run, and holds as before."""
    stage.world.extra["hello"] = HOLD
    stage.world.write()
    stage.write()
    ran = stage.run(*line)
    assert ran.code == 0
    assert "warning: " in ran.err
    assert "[HOLD-EXPIRED] the hold of 'hello' on " in ran.err


def test_where_a_policy_comes_from_is_shown(stage: Stage) -> None:
    """`config show` puts what is inherited together as loading does."""
    defaults = "defaults: {on_parent_change: {base: notify, '*': final-only}}\n"
    stage.world.extra["hello"] = ", on_parent_change: {gunicorn: rebuild, base: final-only}"
    stage.world.write()
    stage.write()
    text = (stage.directory / "hierarchy.yaml").read_text()
    (stage.directory / "hierarchy.yaml").write_text(defaults + text)
    ran = stage.run("config", "show", "hello", "--origin", "-o", "json")
    shown = {row["name"]: row for row in json.loads(ran.out)["values"]}
    found = {
        name.partition(".")[2]: (row["value"], row["source"])
        for name, row in shown.items()
        if name.startswith("on_parent_change.")
    }
    assert found == {
        "gunicorn": ("rebuild", "image"),
        "base": ("final-only", "image"),
        "*": ("final-only", "defaults"),
    }
