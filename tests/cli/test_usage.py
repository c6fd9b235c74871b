"""Bad command lines: exit 2, what is wrong, and a way out. Nothing on standard output."""

from __future__ import annotations

import pytest

from orchestrator.cli.commands.schema import NAMES
from tests.cli.stage import Stage

#: Command line → what the user reads.
BAD = {
    "pln": ("no such command 'pln'", "did you mean plan?"),
    "frobnicate": ("no such command 'frobnicate'", "try `orchestrate --help`"),
    "plan --forse base": ("no such option '--forse'", "did you mean --force?"),
    "plan --quite": ("no such option '--quite'", "did you mean --quiet?"),
    "--regstry x plan": ("no such option '--regstry'", "did you mean --registry?"),
    "version extra": (
        "got unexpected extra argument (extra)",
        "try `orchestrate version --help`",
    ),
    "plan -o jsn": (
        "--output: 'jsn' is not one of 'text', 'json', 'markdown'",
        "did you mean json?",
    ),
    "status -o markdown": (
        "--output: 'markdown' is not one of 'text', 'json'",
        "try `orchestrate status --help`",
    ),
    "-o markdown status": (
        "--output: 'markdown' is not one of 'text', 'json'",
        "try `orchestrate --help`",
    ),
    "schema -o text": (
        "--output: 'text' is not 'json'",
        "try `orchestrate schema --help`",
    ),
    "schema plam": (
        f"[OF]: 'plam' is none of the {len(NAMES)} words it takes",
        "did you mean plan?",
    ),
    "schema frobnicate": (
        f"[OF]: 'frobnicate' is none of the {len(NAMES)} words it takes",
        f"it takes {', '.join(NAMES)}",
    ),
    "--color alwasy check": (
        "--color: 'alwasy' is not one of 'auto', 'always', 'never'",
        "did you mean always?",
    ),
    "--progress fancy build": (
        "--progress: 'fancy' is not one of 'auto', 'live', 'plain', 'none'",
        "try `orchestrate --help`",
    ),
    "build --slots 0": (
        "--slots: '0' is not a whole number from 1 to 1000",
        "try `orchestrate build --help`",
    ),
    "build --slots two": (
        "--slots: 'two' is not a whole number from 1 to 1000",
        "try `orchestrate build --help`",
    ),
    "history --limit -1": (
        "--limit: '-1' is not a whole number from 1 to 100000",
        "try `orchestrate history --help`",
    ),
    "why": ("missing argument 'IMAGE'", "try `orchestrate why --help`"),
    "apply": ("missing argument 'FILE'", "try `orchestrate apply --help`"),
    "rollback": ("missing argument 'RUN'", "try `orchestrate rollback --help`"),
    "plan --out": ("option '--out' requires an argument", "try `orchestrate plan --help`"),
    "check -q -v": ("--quiet and --verbose contradict one another", "leave one out"),
    "-C /nowhere check": ("/nowhere is not a directory", "-C takes one that is there"),
    "plan --quiet=yes": (
        "option '--quiet' does not take a value",
        "try `orchestrate plan --help`",
    ),
}


@pytest.mark.parametrize("line", BAD)
def test_a_bad_command_line_says_what_is_wrong(stage: Stage, line: str) -> None:
    """Exit 2 with `error:` and `hint:`, and nothing on standard output."""
    what, hint = BAD[line]
    ran = stage.run(*line.split(), inside=False)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"error: {what}\nhint:  {hint}\n"


@pytest.mark.parametrize(
    ("variable", "value", "what"),
    [
        ("ORCHESTRATE_COLOR", "blue", "'blue' is not one of 'auto', 'always', 'never'"),
        ("ORCHESTRATE_PROGRESS", "1", "'1' is not one of 'auto', 'live', 'plain', 'none'"),
        ("ORCHESTRATE_SLOTS", "many", "'many' is not a whole number from 1 to 1000"),
    ],
)
def test_a_bad_variable_is_named(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, what: str
) -> None:
    """Who reads the error looks at the variable, not for an option they never wrote."""
    monkeypatch.setenv(variable, value)
    ran = stage.run("build")
    assert ran.code == 2
    assert ran.err.startswith(f"error: {variable}: {what}\n")


def test_without_a_command_there_is_help_on_standard_error(stage: Stage) -> None:
    """Exit 2, as nothing was asked for; the page is not mistaken for an answer."""
    ran = stage.run(inside=False)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("Usage: orchestrate")
