"""Pipes, terminals, colours: what is written where, and who may go away."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from orchestrator.cli.overview import overview
from tests.cli.processes import ROOT, TWINS, on_terminal, shell
from tests.cli.stage import Stage

#: Enough of an answer to fill a pipe and more.
LONG = "schema hierarchy"


@pytest.mark.parametrize("command", ["--help", "plan --help", LONG, "--nonsense 2>&1"])
def test_a_reader_that_goes_away_is_no_error(command: str) -> None:
    """`| head` ends quietly, with the command's own exit code."""
    done = shell(f"$ORCHESTRATE {command} | true; echo ${{PIPESTATUS[0]}}")
    assert done.stderr == ""
    assert done.stdout == ("2\n" if "nonsense" in command else "0\n")


def test_a_run_goes_on_when_nobody_reads(stage: Stage) -> None:
    """Progress that nobody reads must not stop a build half way."""
    done = shell(
        f"$TWINS -C {stage.directory} --state {stage.directory}/state.db build 2>&1 | head -1;"
        "echo ${PIPESTATUS[0]}"
    )
    assert done.stdout.endswith("\n0\n")
    assert done.stderr == ""
    data = shell(f"$ORCHESTRATE --state {stage.directory}/state.db history -o json").stdout
    assert '"state": "succeeded"' in data


@pytest.mark.parametrize("command", ["--help", "plan --help", "--version", LONG, "version -o json"])
def test_a_full_disk_is_an_error(command: str) -> None:
    """An answer that is lost is exit 5, never silence."""
    done = shell(f"$ORCHESTRATE {command} >/dev/full")
    assert done.returncode == 5
    assert done.stderr == ("error: cannot write to standard output: No space left on device\n")


@pytest.mark.parametrize("closing", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_error(closing: str) -> None:
    """Daemons and cron jobs may have none."""
    assert shell(f"$ORCHESTRATE version {closing}").returncode == 0


def test_an_answer_in_a_terminal_that_takes_only_ascii(stage: Stage) -> None:
    """Lines and arrows become ASCII where the stream's encoding has no others."""
    done = shell(f"$TWINS -C {stage.directory} plan", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert done.stdout.isascii()
    assert "base" in done.stdout


def test_characters_that_a_stream_cannot_take_are_replaced() -> None:
    """An answer with one strange character is better than none."""
    program = "from orchestrator.cli.streams import write_out; write_out('caf\u00e9\\n')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"caf?\n", b"")


def test_json_survives_any_stream(stage: Stage) -> None:
    """What programs read is ASCII, with escapes."""
    stage.world.dockerfiles["hello"] = "FROM caf\u00e9\n"
    stage.write()
    done = shell(f"$TWINS -C {stage.directory} check -o json", PYTHONIOENCODING="latin-1")
    assert done.returncode == 3
    assert "\\u00e9" in done.stdout


def test_a_pipe_gets_no_colours_and_whole_lines(stage: Stage) -> None:
    """What is not a terminal is for programs."""
    done = shell(f"$TWINS -C {stage.directory} plan")
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("variables", "options", "colored"),
    [
        ({}, "", True),
        ({"NO_COLOR": "1"}, "", False),
        ({"NO_COLOR": ""}, "", True),
        ({"TERM": "dumb"}, "", False),
        ({"NO_COLOR": "1"}, "--color always", True),
        ({}, "--color never", False),
        ({"ORCHESTRATE_COLOR": "never"}, "", False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, "", False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, "", True),
    ],
)
def test_colours_on_a_terminal(
    stage: Stage, variables: dict[str, str], options: str, colored: bool
) -> None:
    """NO_COLOR, TERM=dumb and --color are honoured."""
    argv = (*TWINS, "-C", str(stage.directory), *options.split(), "plan")
    code, said = on_terminal(*argv, **variables)
    assert code == 0
    assert ("\x1b[" in said) is colored


def test_colours_can_be_forced_into_a_pipe(stage: Stage) -> None:
    """FORCE_COLOR is for CI systems whose logs show colours."""
    assert "\x1b[" in shell(f"$TWINS -C {stage.directory} plan", FORCE_COLOR="1").stdout


@pytest.mark.parametrize(
    ("variables", "options", "live"),
    [
        ({}, "", True),
        ({"NO_COLOR": "1"}, "", True),
        ({"CI": "true"}, "", False),
        ({"CI": "true"}, "--progress live", True),
        ({"CI": "false"}, "", True),
        ({"TERM": "dumb"}, "", False),
        ({"TERM": "dumb"}, "--progress live", False),
        ({}, "--progress plain", False),
        ({"ORCHESTRATE_PROGRESS": "plain"}, "", False),
        ({}, "-v", False),
    ],
)
def test_the_live_display(
    stage: Stage, variables: dict[str, str], options: str, live: bool
) -> None:
    """A terminal gets it, unless CI, TERM=dumb or somebody says no; the cursor comes back."""
    argv = (*TWINS, "-C", str(stage.directory), *options.split(), "build")
    code, said = on_terminal(*argv, **variables)
    assert code == 0
    assert ("\x1b[?25l" in said) is live
    assert said.rfind("\x1b[?25h") >= said.rfind("\x1b[?25l")
    assert "8 built" in said
    if "NO_COLOR" in variables:
        assert "\x1b[3" not in said


def test_force_color_moves_no_cursor_in_a_pipe(stage: Stage) -> None:
    """Colours may be forced into a log; a display may not."""
    done = shell(f"$TWINS -C {stage.directory} build", FORCE_COLOR="1")
    assert "\x1b[?25l" not in done.stdout + done.stderr
    assert "\x1b[" in done.stderr


def test_a_terminal_is_never_wider_than_it_is(stage: Stage) -> None:
    """At 80 columns no line is longer."""
    _, said = on_terminal(*TWINS, "-C", str(stage.directory), "--color", "never", "plan")
    assert max(map(len, said.splitlines())) <= 80


def test_it_is_a_module_too() -> None:
    """`python -m orchestrator` is `orchestrate`."""
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", "--help"], capture_output=True, text=True, cwd=ROOT
    )
    assert (done.returncode, done.stdout) == (0, overview())
