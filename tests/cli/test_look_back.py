"""`orchestrate history`, `show` and `rollback`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.model.observation import Sighting
from tests.cli.stage import Stage


@pytest.fixture
def run(stage: Stage) -> str:
    """The id of a run that rebuilt hello, after one that built everything."""
    stage.run("build")
    stage.world.edit("hello", "RUN true")
    stage.write()
    stage.run("build", "--because", "a new greeting")
    return stage.world.history.runs()[0].id


def test_history_lists_the_newest_first(stage: Stage, run: str) -> None:
    """Every run, with what was said with `--because`."""
    ran = stage.run("history")
    assert ran.code == 0
    assert ran.out.index(run) < ran.out.index(stage.world.history.runs()[1].id)
    assert "a new greeting" in ran.out


def test_history_is_limited(stage: Stage, run: str) -> None:
    """`--limit 1` is the last run."""
    data = stage.run("history", "--limit", "1", "-o", "json").data
    assert [found["id"] for found in data["runs"]] == [run]
    assert (data["format"], data["kind"]) == (1, "history")


def test_history_needs_no_hierarchy(stage: Stage, tmp_path: Path) -> None:
    """What happened can be read from anywhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert stage.run("-C", str(elsewhere), "history", inside=False).code == 0


def test_what_the_cut_off_and_the_key_spared(stage: Stage, run: str) -> None:
    """`--saved` counts over the runs; here a change was taken back, and the key knew the result."""
    stage.world.dockerfiles["hello"] = stage.world.dockerfiles["hello"].replace("RUN true\n", "")
    stage.world.write()
    stage.write()
    assert stage.run("build").code == 0
    data = stage.run("history", "--saved", "-o", "json").data
    assert [(found["image"], found["reused"]) for found in data["images"]] == [("hello", 1)]
    assert "1 build spared, which would have taken" in stage.run("history", "--saved").out
    later = stage.run("history", "--saved", "--since", "2999-01-01")
    assert later.out == "No build was spared since 2999-01-01.\n"


def test_how_long_upstream_changes_took(stage: Stage) -> None:
    """`--slo` reads the ledger of every hierarchy, with runs or without."""
    first = Sighting(
        source="docker.io/library/debian:12",
        fingerprint="f1",
        digest="sha256:1",
        manifests={},
        first_seen_s=1_000_000.0,
    )
    done = replace(
        first, fingerprint="f2", first_seen_s=2_000_000.0, absorbed_at="1970-01-24T08:33:20Z"
    )
    stage.world.history.see("gold", (first, done), 3e9)
    stage.world.history.see("silver", (first, replace(done, absorbed_at="")), 3e9)
    data = stage.run("history", "--slo", "-o", "json").data
    assert (data["total"]["count"], data["total"]["max_s"]) == (1, 3600 * 5.0)
    assert [found["hierarchy"] for found in data["open"]] == ["silver"]
    assert "reached every image within 5 h" in stage.run("history", "--slo").out
    assert stage.run("history", "--slo", "--since", "1970-02-01").out.startswith("No upstream")


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("--saved", "--slo"), "--limit, --saved and --slo exclude one another"),
        (("--limit", "20", "--saved"), "--limit, --saved and --slo exclude one another"),
        (("--since", "2026-11-01"), "--since is for --saved and --slo"),
        (("--slo", "--since", "yesterday"), "'yesterday' is not a day as YYYY-MM-DD"),
        (("--saved", "--since", "2026-02-30"), "'2026-02-30' is not a day as YYYY-MM-DD"),
    ],
)
def test_options_of_history_that_make_no_sense(
    stage: Stage, options: tuple[str, ...], what: str
) -> None:
    """Exit 2, and what would."""
    ran = stage.run("history", *options)
    assert (ran.code, ran.out) == (2, "")
    assert what in ran.err


def test_show_without_an_id_is_the_last_run(stage: Stage, run: str) -> None:
    """The last run is what people ask for most."""
    assert stage.run("show").out.startswith(f"Run {run}: build of gold, succeeded")


@pytest.mark.parametrize("digits", [18, 21])
def test_show_takes_the_beginning_of_an_id(stage: Stage, run: str, digits: int) -> None:
    """An unambiguous beginning is enough."""
    data = stage.run("show", run[:digits], "-o", "json").data
    assert (data["format"], data["kind"], data["run"]["id"]) == (1, "run", run)


def test_an_ambiguous_beginning_names_the_last_run(stage: Stage, run: str) -> None:
    """Exit 2, and which runs there are."""
    ran = stage.run("show", "2023")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"error: 2 runs begin with '2023'\nhint:  the last of them is {run}\n"


def test_a_mistyped_id_gets_the_nearest(stage: Stage, run: str) -> None:
    """Did you mean."""
    mistyped = run[:-1] + ("0" if run[-1] != "0" else "1")
    ran = stage.run("show", mistyped)
    assert ran.code == 2
    assert ran.err == f"error: no run is called '{mistyped}'\nhint:  did you mean {run}?\n"


def test_before_the_first_run_there_is_nothing_to_show(stage: Stage) -> None:
    """An empty history is no traceback."""
    ran = stage.run("show")
    assert (ran.code, ran.out) == (2, "")
    assert "there is no run yet" in ran.err


def test_a_rollback_puts_tags_back_and_is_a_run(stage: Stage, run: str) -> None:
    """The tag is where the run found it, the digest stays rejected, history has a new run."""
    now = stage.world.tag("hello")
    ran = stage.run("rollback", run, "--because", "breaks TLS")
    assert ran.code == 0
    assert stage.world.tag("hello") not in (None, now)
    undo = stage.world.history.runs()[0]
    assert (undo.command, undo.because) == ("rollback", "breaks TLS")
    assert stage.run("plan", "--detailed-exitcode").code == 0


def test_a_rollback_of_one_image(stage: Stage, run: str) -> None:
    """Images that the run moved can be named; the others keep their tags."""
    stage.world.edit("hello", "RUN false || true")
    stage.world.edit("landing", "RUN true")
    stage.write()
    stage.run("build")
    both = (stage.world.tag("hello"), stage.world.tag("landing"))
    assert stage.run("rollback", stage.world.history.runs()[0].id, "hello").code == 0
    assert stage.world.tag("hello") != both[0]
    assert stage.world.tag("landing") == both[1]


def test_a_rollback_of_an_image_that_is_mistyped(stage: Stage, run: str) -> None:
    """Exit 2 with the nearest; nothing moves."""
    now = stage.world.tag("hello")
    ran = stage.run("rollback", run, "helo")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "error: no image is called 'helo'\nhint:  did you mean hello?\n"
    assert stage.world.tag("hello") == now


def test_a_rollback_of_an_image_that_the_run_left_alone(stage: Stage, run: str) -> None:
    """Exit 2: the run moved no tag of it."""
    ran = stage.run("rollback", run, "base")
    assert ran.code == 2
    assert f"run {run} moved no tag of base" in ran.err


def test_a_rollback_of_a_first_run_has_nowhere_to_go(stage: Stage) -> None:
    """Exit 4: before the run there was no digest to go back to."""
    stage.run("build")
    ran = stage.run("rollback", stage.world.history.runs()[0].id)
    assert (ran.code, ran.out) == (4, "")
    assert ran.err.startswith("error: nothing to roll back")


def test_a_run_of_another_hierarchy_is_not_rolled_back(stage: Stage, run: str) -> None:
    """One database has the runs of all hierarchies; a short id must not move another's tags."""
    stage.world.head = stage.world.head.replace("name: gold", "name: silver")
    stage.world.write()
    stage.write()
    now = stage.world.tag("hello")
    ran = stage.run("rollback", run)
    assert (ran.code, ran.out) == (2, "")
    assert f"run {run} is of hierarchy gold, this is silver" in ran.err
    assert stage.world.tag("hello") == now
