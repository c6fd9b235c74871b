"""`orchestrate build` and `orchestrate apply`."""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from orchestrator.doors.memory.registry import RegistryCall
from orchestrator.errors import BuildFailed, RegistryUnavailable
from tests.cli.stage import Stage


def test_a_build_shows_the_plan_then_lines_then_what_it_came_to(stage: Stage) -> None:
    """Plan and progress are on standard error, the end is on standard output."""
    ran = stage.run("build", "--because", "first light")
    assert ran.code == 0
    assert "Plan: 8 to build." in ran.err
    assert "base: started" in ran.err
    assert "8 built; 16 tags moved." in ran.out
    assert "orchestrate build" not in ran.err


def test_a_build_that_cannot_see_the_copies_is_not_well(stage: Stage) -> None:
    """Nothing else is to do, so no run starts; but nobody knows that all is right: exit 5."""
    two = "[localhost:5000/gold, copy.example:5000/gold]"
    stage.world.head = stage.world.head.replace("localhost:5000/gold\n", f"{two}\n", 1)
    stage.world.write()
    stage.write()
    assert stage.run("build").code == 0

    def away(call: RegistryCall) -> None:
        if call.repository.registry == "copy.example:5000":
            raise RegistryUnavailable("copy.example:5000 does not answer")

    stage.world.registry.fault = away
    ran = stage.run("build")
    assert ran.code == 5
    assert "nobody knows whether the copies at copy.example:5000 are right" in ran.err
    assert "its copy copy.example:5000/gold/base could not be looked at" in ran.out
    assert stage.run("build", "-q").code == 5
    assert stage.run("plan").code == 0
    assert len(stage.world.history.runs()) == 1


def test_history_knows_who_why_and_what_started_it(stage: Stage) -> None:
    """A run carries who, trigger and because."""
    stage.run("build", "--because", "first light", "--trigger", "schedule")
    run = stage.world.history.runs()[0]
    assert (run.command, run.trigger, run.because) == ("build", "schedule", "first light")
    assert "@" in run.who


def test_a_pipeline_is_told_from_a_person(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where CI is set and nobody says otherwise, the trigger is `ci`."""
    monkeypatch.setenv("CI", "true")
    stage.run("build")
    assert stage.world.history.runs()[0].trigger == "ci"


def test_nothing_to_do_starts_no_run(stage: Stage) -> None:
    """A second build says so in one line, and history does not grow."""
    stage.run("build")
    ran = stage.run("build")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "Nothing to do: 8 images are up to date.\n"
    assert len(stage.world.history.runs()) == 1


def test_nothing_to_do_as_json_has_the_shape_of_a_run(stage: Stage) -> None:
    """A script finds `results` and `moves` in any case; there is no run."""
    stage.run("build")
    data = stage.run("build", "-o", "json").data
    ended = {"format": 1, "kind": "run", "run": None, "results": [], "moves": [], "summary": {}}
    assert data.pop("notices").keys() >= {"teams", "waits", "dead"}
    assert data == {**ended, "mirrors": [], "duration_s": 0.0}


def test_a_build_as_json_is_one_object(stage: Stage) -> None:
    """Standard output holds the run's end and nothing else."""
    data = stage.run("build", "-o", "json").data
    assert (data["format"], data["kind"], data["run"]["state"]) == (1, "run", "succeeded")


def test_a_failed_build_exits_1_and_tells_what_failed(stage: Stage) -> None:
    """The failed image, its instruction and what it blocks are named; other branches go on."""
    stage.world.edit("web", "RUN exit 1")
    stage.write()
    ran = stage.run("build", "-q")
    assert ran.code == 1
    assert "error: web: " in ran.out
    assert "RUN exit 1" in ran.out
    assert "Blocked by web: nginx" in ran.out
    assert stage.world.tag("hello") is not None


def test_quiet_says_nothing_of_a_run_that_went_well(stage: Stage) -> None:
    """`build -q` is for cron, which mails whatever is said."""
    ran = stage.run("build", "-q")
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    ran = stage.run("build", "-q")
    assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_progress_none_leaves_out_the_lines(stage: Stage) -> None:
    """`--progress none` shows the plan and the end."""
    ran = stage.run("build", "--progress", "none")
    assert "started" not in ran.err
    assert "8 built" in ran.out


def test_verbose_logs_every_event(stage: Stage) -> None:
    """`-v` writes debug lines to standard error, never to standard output."""
    ran = stage.run("build", "-v")
    assert "[debug" in ran.err
    assert "run.finished" in ran.err
    assert "[debug" not in ran.out


def test_an_image_that_is_forced_must_exist(stage: Stage) -> None:
    """A mistyped image is exit 2, before anything is asked of the registry."""
    stage.world.registry.counts.clear()
    ran = stage.run("build", "--force", "pyton")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "error: no image is called 'pyton'\nhint:  did you mean python?\n"
    assert stage.world.registry.counts.total() == 0


def test_a_registry_that_is_down_is_one_line(stage: Stage) -> None:
    """Exit 5, with the address, and nothing but the error."""

    def down(call: RegistryCall) -> None:
        raise RegistryUnavailable(f"registry {call.repository.registry} is down", transient=True)

    stage.world.registry.fault = down
    ran = stage.run("build")
    assert (ran.code, ran.out) == (5, "")
    assert ran.err == "error: registry localhost:5000 is down\n"


def test_an_error_as_json_is_on_standard_output_too(stage: Stage) -> None:
    """With `-o json` standard output can always be parsed; people still read the error."""

    def down(call: RegistryCall) -> None:
        raise RegistryUnavailable("registry localhost:5000 is down")

    stage.world.registry.fault = down
    ran = stage.run("build", "-o", "json")
    assert ran.data == {
        "format": 1,
        "kind": "error",
        "code": "registry-unavailable",
        "exit_code": 5,
        "what": "registry localhost:5000 is down",
        "hint": "",
    }
    assert ran.err == "error: registry localhost:5000 is down\n"


def test_a_saved_plan_is_carried_out(stage: Stage) -> None:
    """`apply` does what `plan --out` saved, and records itself as apply."""
    stage.run("plan", "--out", "plan.json")
    ran = stage.run("apply", "plan.json", "--because", "approved")
    assert ran.code == 0
    assert "8 built" in ran.out
    run = stage.world.history.runs()[0]
    assert (run.command, run.because) == ("apply", "approved")


def test_a_plan_whose_inputs_moved_is_refused(stage: Stage) -> None:
    """Exit 4, naming what moved; nothing is published."""
    stage.run("plan", "--out", "plan.json")
    stage.world.edit("hello", "RUN true")
    stage.write()
    before = list(stage.world.registry.puts)
    ran = stage.run("apply", "plan.json")
    assert (ran.code, ran.out) == (4, "")
    assert "the plan is stale" in ran.err
    assert "hello: dockerfile" in ran.err
    assert "orchestrate plan --out FILE" in ran.err
    assert list(stage.world.registry.puts) == before


def test_a_saved_plan_without_steps_is_nothing_to_do(stage: Stage) -> None:
    """An empty plan starts no run."""
    stage.run("build")
    stage.run("plan", "--out", "plan.json")
    ran = stage.run("apply", "plan.json")
    assert (ran.code, ran.out) == (0, "Nothing to do: 8 images are up to date.\n")
    assert len(stage.world.history.runs()) == 1


def test_what_is_no_plan_is_refused_before_anything_is_read(stage: Stage) -> None:
    """A file that is no plan is exit 3, and the registry is not asked."""
    stage.world.registry.counts.clear()
    (stage.directory / "plan.json").write_text(json.dumps({"kind": "cake"}))
    ran = stage.run("apply", "plan.json")
    assert ran.code == 3
    assert f"{stage.directory}/plan.json: error[BAD-PLAN]: is not a plan" in ran.err
    assert stage.world.registry.counts.total() == 0


def test_a_plan_that_is_not_there(stage: Stage) -> None:
    """A missing file is exit 3 and says how a plan is made."""
    ran = stage.run("apply", "plan.json")
    assert ran.code == 3
    assert "plan.json: error[BAD-PLAN]: does not exist" in ran.err
    assert "orchestrate plan --out FILE" in ran.err


def test_a_plan_can_come_from_standard_input(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """`plan -o json | apply -`."""
    stage.run("plan", "--out", "plan.json")
    with (stage.directory / "plan.json").open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        assert stage.run("apply", "-").code == 0
    assert len(stage.world.builds) == 8


def test_a_plan_from_a_standard_input_that_is_closed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 3, no traceback."""
    monkeypatch.setattr(sys, "stdin", None)
    ran = stage.run("apply", "-")
    assert ran.code == 3
    assert ran.err.startswith("standard input: error[BAD-PLAN]: is closed")


def test_slots_bound_how_many_builds_run_at_once(stage: Stage) -> None:
    """With one slot no two builds overlap."""
    stage.run("build", "--slots", "1")
    records = sorted(stage.world.builds, key=lambda record: record.started)
    assert len(records) == 8
    assert all(first.finished < then.started for first, then in pairwise(records))


def test_logs_go_beside_the_database(stage: Stage, tmp_path: Path) -> None:
    """`--state PATH` says where history is, and build logs are next to it."""
    stage.run("build", "--state", str(tmp_path / "elsewhere" / "gold.db"))
    assert stage.opened[-1].state == str(tmp_path / "elsewhere" / "gold.db")
    assert stage.opened[-1].logs == str(tmp_path / "elsewhere" / "logs")


def test_fail_fast_stops_at_the_first_failure(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code is the failure's, and what was stopped says why; a variable says it as well."""
    broken = BuildFailed("RUN false: exit code: 1", cause="command")
    stage.world.builder.fail("base", broken)
    ran = stage.run("build", "--fail-fast", "-o", "json")
    assert ran.code == 1
    ended = {r["image"]: r for r in ran.data["results"]}
    assert ended["base"]["outcome"] == "failed"
    assert {r["blocked_by"] for name, r in ended.items() if name != "base"} == {"base"}
    stage.world.builder.fail("python", broken)
    stage.world.builder.fail("base", broken, times=0)
    monkeypatch.setenv("ORCHESTRATE_FAIL_FAST", "1")
    assert stage.run("build").code == 1
    monkeypatch.setenv("ORCHESTRATE_FAIL_FAST", "nonsense")
    ran = stage.run("build")
    assert ran.code == 2
    assert "ORCHESTRATE_FAIL_FAST" in ran.err or "--fail-fast" in ran.err


def test_keep_going_overrules_the_variable(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """An option is stronger than a variable: everything that can be built is."""
    monkeypatch.setenv("ORCHESTRATE_FAIL_FAST", "1")
    stage.world.builder.fail("web", BuildFailed("RUN false: exit code: 1", cause="command"))
    ran = stage.run("build", "--keep-going", "-o", "json")
    outcomes = {r["image"]: r["outcome"] for r in ran.data["results"]}
    assert outcomes["hello"] == "built"
    assert "cancelled" not in outcomes.values()
    assert ran.code == 1
