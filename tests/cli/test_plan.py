"""`orchestrate plan`."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.cli.stage import Stage


def test_a_plan_is_shown_on_standard_output(stage: Stage) -> None:
    """The plan is data: it is on standard output, and standard error stays empty."""
    ran = stage.run("plan")
    assert (ran.code, ran.err) == (0, "")
    assert "Plan: 8 to build." in ran.out


def test_a_plan_as_json_is_one_object_with_a_format(stage: Stage) -> None:
    """`-o json` gives the frozen form of a plan."""
    ran = stage.run("plan", "-o", "json")
    assert {key: ran.data[key] for key in ("format", "kind", "hierarchy")} == {
        "format": 2,
        "kind": "plan",
        "hierarchy": "gold",
    }


def test_a_plan_as_markdown(stage: Stage) -> None:
    """`-o markdown` is for a pull request's comment."""
    assert stage.run("plan", "-o", "markdown").out.startswith("<!-- orchestrate plan: gold -->")


def test_an_option_counts_before_the_command_too(stage: Stage) -> None:
    """`orchestrate -o json plan` and `orchestrate plan -o json` are the same."""
    assert stage.run("-o", "json", "plan").data["kind"] == "plan"


def test_an_option_after_the_command_wins(stage: Stage) -> None:
    """What is said last counts."""
    assert stage.run("-o", "text", "plan", "-o", "json").data["kind"] == "plan"


@pytest.mark.parametrize(("published", "code"), [(False, 10), (True, 0)])
def test_detailed_exitcode_says_whether_there_is_something_to_do(
    stage: Stage, published: bool, code: int
) -> None:
    """Exit 10 where a run would do something, 0 where not."""
    if published:
        stage.run("build")
    assert stage.run("plan", "--detailed-exitcode").code == code


def test_without_detailed_exitcode_a_plan_exits_0(stage: Stage) -> None:
    """A plan that has something to do is no failure."""
    assert stage.run("plan").code == 0


def test_quiet_leaves_only_the_exit_code(stage: Stage) -> None:
    """`-q` is for scripts that look at the exit code."""
    ran = stage.run("plan", "-q", "--detailed-exitcode")
    assert (ran.code, ran.out, ran.err) == (10, "", "")


def test_quiet_still_gives_the_json_that_was_asked_for(stage: Stage) -> None:
    """`-q -o json` prints the object."""
    assert stage.run("plan", "-q", "-o", "json").data["kind"] == "plan"


def test_out_saves_what_json_prints(stage: Stage, tmp_path: Path) -> None:
    """The file holds the plan's JSON; the plan is shown as well."""
    file = tmp_path / "plan.json"
    ran = stage.run("plan", "--out", str(file), "-o", "json")
    assert json.loads(file.read_text()) == ran.data
    assert f"orchestrate apply {file}" in ran.err


def test_out_is_seen_from_the_directory_that_is_named(stage: Stage) -> None:
    """`-C DIR plan --out FILE` writes DIR/FILE, as `cd DIR` would."""
    stage.run("plan", "--out", "plan.json")
    assert (stage.directory / "plan.json").is_file()


def test_out_replaces_a_file_as_a_whole_and_leaves_nothing_else(
    stage: Stage, tmp_path: Path
) -> None:
    """An old plan is replaced, through a symlink too, and no temporary file stays behind."""
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "plan.json").write_text('{"format": 0, "kind": "plan"}')
    (kept / "link.json").symlink_to("plan.json")
    stage.run("plan", "--out", str(kept / "link.json"))
    assert sorted(path.name for path in kept.iterdir()) == ["link.json", "plan.json"]
    assert json.loads((kept / "plan.json").read_text())["kind"] == "plan"
    assert (kept / "link.json").is_symlink()


def test_a_saved_plan_can_be_read_by_reviewers(stage: Stage, tmp_path: Path) -> None:
    """The file's mode is what the umask leaves, not that of a secret."""
    stage.run("plan", "--out", str(tmp_path / "plan.json"))
    assert stat.S_IMODE((tmp_path / "plan.json").stat().st_mode) & 0o444 == 0o444


def test_out_into_nowhere_names_the_file(stage: Stage) -> None:
    """A directory that is not there is exit 5, with a way out, and nothing on standard output."""
    ran = stage.run("plan", "--out", "/nowhere/plan.json")
    assert (ran.code, ran.out) == (5, "")
    assert "cannot write the plan to /nowhere/plan.json: No such file or directory" in ran.err


def test_out_can_be_a_pipe(stage: Stage) -> None:
    """`--out /dev/stdout` writes there, and does not replace the device."""
    ran = stage.run("plan", "-q", "--out", "/dev/null")
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert not Path("/dev/null").is_file()


def test_how_to_go_on_repeats_what_was_wished(stage: Stage) -> None:
    """After `plan --force base`, a plain `orchestrate build` would do something else."""
    stage.run("build")
    ran = stage.run("plan", "--force", "base")
    assert "orchestrate build --force base" in ran.out


def test_a_plan_writes_nothing(stage: Stage) -> None:
    """No tag, no manifest, no run in the history, no file: contract 16."""
    stage.run("build")
    before = (list(stage.world.registry.puts), stage.world.history.runs())
    files = sorted(stage.directory.rglob("*"))
    stage.run("plan", "--force", "base")
    assert (list(stage.world.registry.puts), stage.world.history.runs()) == before
    assert sorted(stage.directory.rglob("*")) == files
