"""`orchestrate log`."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

from orchestrator.model.run import Outcome, RunState, StepResult
from tests.cli.processes import shell
from tests.cli.stage import Stage


def test_the_log_of_the_last_build(stage: Stage) -> None:
    """Its lines, one platform after the other, and nothing else."""
    stage.run("build")
    ran = stage.run("log", "base")
    assert (ran.code, ran.err) == (0, "")
    lines = "#1 FROM debian:12\n#2 RUN apt-get update\n"
    assert ran.out == f"==> linux/amd64 <==\n{lines}\n==> linux/arm64 <==\n{lines}"


def test_the_log_of_one_platform(stage: Stage) -> None:
    """Without any heading; another platform has none, and what is no platform is refused."""
    stage.run("build")
    ran = stage.run("log", "base", "--platform", "linux/arm64")
    assert (ran.code, ran.out) == (0, "#1 FROM debian:12\n#2 RUN apt-get update\n")
    ran = stage.run("log", "base", "--platform", "linux/s390x")
    assert (ran.code, ran.out) == (2, "")
    assert "has no log of base for linux/s390x\nhint:  `orchestrate log base" in ran.err
    assert stage.run("log", "base", "--platform", "arm").code == 2


def test_the_log_of_an_image_with_one_platform(stage: Stage) -> None:
    """Needs no heading."""
    stage.world.dockerfiles["alone"] = "FROM debian:12\n"
    stage.world.extra["alone"] = ", platforms: [linux/arm64]"
    stage.world.write()
    stage.write()
    stage.run("build")
    assert stage.run("log", "alone").out == "#1 FROM debian:12\n"


def test_an_image_that_was_not_rebuilt_has_its_old_log(stage: Stage) -> None:
    """The last run did not build it: the newest log there is comes from the run before."""
    stage.run("build")
    stage.world.edit("hello", "RUN true")
    stage.write()
    stage.run("build")
    assert "RUN true" in stage.run("log", "hello").out
    assert stage.run("log", "base").out.startswith("==> linux/amd64 <==\n#1 FROM debian:12\n")
    first = stage.world.history.runs()[1].id
    assert "RUN true" not in stage.run("log", "hello", "--run", first).out


def test_a_run_that_did_not_build_it_says_so(stage: Stage) -> None:
    """No log in that run: what became of the image instead, and a way on."""
    stage.run("build")
    stage.world.edit("hello", "RUN true")
    stage.write()
    stage.run("build")
    run = stage.world.history.runs()[0].id
    ran = stage.run("log", "base", "--run", run)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        f"error: run {run} has no log of base: it built nothing of it\n"
        f"hint:  `orchestrate show {run}` tells what it did\n"
    )


def test_a_blocked_image_points_to_what_blocked_it(stage: Stage) -> None:
    """The log one wants is another one's."""
    stage.world.edit("web", "RUN exit 1")
    stage.write()
    stage.run("build")
    run = stage.world.history.runs()[0].id
    ran = stage.run("log", "nginx", "--run", run)
    assert ran.code == 2
    assert "it was blocked by web" in ran.err
    assert f"hint:  `orchestrate log web --run {run}`" in ran.err
    assert "ERROR: " in stage.run("log", "web").out


def test_an_image_that_was_never_built(stage: Stage) -> None:
    """It says so; a name that is none gets the nearest."""
    ran = stage.run("log", "base")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: there is no log of base: it was never built here\nhint:")
    assert "did you mean python?" in stage.run("log", "pyton").err


def test_a_log_can_be_read_where_the_hierarchy_is_broken(stage: Stage, tmp_path: Path) -> None:
    """It is asked for most where something does not work; elsewhere there may be none at all."""
    stage.run("build")
    (stage.directory / "hierarchy.yaml").write_text("images: [")
    assert stage.run("log", "base").code == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert stage.run("-C", str(elsewhere), "log", "base", inside=False).code == 0


def test_a_name_is_no_path(stage: Stage) -> None:
    """Nothing outside the logs is printed."""
    stage.run("build")
    run = stage.world.history.runs()[0].id
    assert stage.run("log", "../../state.db", "--run", run).code == 2


def rewritten(stage: Stage, text: str) -> None:
    for path in stage.world.builder.logs:
        stage.world.builder.logs[path] = text


def test_a_log_is_safe_to_read(stage: Stage) -> None:
    """Escapes go, overwritten lines show their end; `--raw` has the bytes."""
    stage.run("build")
    said = "\x1b[31mred\x1b[0m\x07\n 10 %\r100 %\nno newline"
    rewritten(stage, said)
    only = ("log", "base", "--platform", "linux/amd64")
    assert stage.run(*only).out == "red\\x07\n100 %\nno newline\n"
    assert stage.run(*only, "--raw").out == said


def test_a_line_without_an_end_is_printed_in_pieces(stage: Stage) -> None:
    """However long a line is, it is not held in memory."""
    stage.run("build")
    rewritten(stage, "x" * 300_000)
    shown = stage.run("log", "base", "--platform", "linux/amd64").out
    assert shown.replace("\n", "") == "x" * 300_000
    assert shown.count("\n") > 2


def test_following_a_build_that_is_over_prints_it(stage: Stage) -> None:
    """And ends."""
    stage.run("build")
    assert stage.run("log", "base", "--follow").out == stage.run("log", "base").out


def test_following_waits_for_a_build_that_is_to_come(stage: Stage) -> None:
    """In the run that goes on now; it ends when the image's step does."""
    stage.run("build")
    history = stage.world.history
    run = replace(history.runs()[0], id="20300101T000000Z-0000", state=RunState.RUNNING)
    history.begin_run(replace(run, started_at="2030-01-01T00:00:00Z", finished_at=""))
    done = StepResult(image="base", outcome=Outcome.REUSED)
    ender = threading.Timer(0.3, lambda: history.record_step(run.id, done))
    ender.start()
    ran = stage.run("log", "base", "--follow", "--run", run.id)
    ender.join()
    assert (ran.code, ran.out) == (2, "")
    assert "has no log of base, which was reused" in ran.err


def test_a_reader_that_goes_away_ends_it(stage: Stage) -> None:
    """`| head` gets what it wants, and the rest is not read."""
    logs = stage.directory / "logs" / "20261122T054700Z-3fa9"
    logs.mkdir(parents=True)
    (logs / "base.log").write_text("line\n" * 2_000_000)
    state = f"--state {stage.directory}/state.db"
    shell(f"$TWINS -C {stage.directory} {state} build -q")
    done = shell(
        f"mv {logs} {stage.directory}/logs/$($ORCHESTRATE {state} history -o json "
        '| sed -n \'s/.*"id": "\\(.*\\)".*/\\1/p\');'
        f"$ORCHESTRATE -C {stage.directory} {state} log base | head -1; echo ${{PIPESTATUS[0]}}"
    )
    assert (done.stdout, done.stderr) == ("line\n0\n", "")
