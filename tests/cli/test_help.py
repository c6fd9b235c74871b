"""Help: one page for everything, one for each command, and examples that work."""

from __future__ import annotations

import shlex

import click
import pytest

from orchestrator import __version__
from orchestrator.cli.app import root
from orchestrator.cli.command import Command
from orchestrator.cli.overview import COMMANDS, EXAMPLES, OPTIONS, overview
from tests.cli.stage import Stage

#: Every example of every help page.
LINES = [
    *(line for line, _ in EXAMPLES),
    *(
        line
        for name in COMMANDS
        for line, _ in root.get_command(click.Context(root), name).examples  # type: ignore[union-attr]
    ),
]


def command(name: str) -> Command:
    found = root.get_command(click.Context(root), name)
    assert isinstance(found, Command)
    return found


def test_the_overview_names_every_option_of_the_root() -> None:
    """The page is written without click, and still true."""
    page = overview()
    for param in root.get_params(click.Context(root)):
        for flag in param.opts:
            assert f" {flag}" in page
    assert root.get_help(click.Context(root)) == page.rstrip()


def test_the_options_of_every_command_keep_their_names() -> None:
    """Scripts have them."""
    flags = "-C -f --file --registry --state --color --progress -o -q --quiet -v --verbose"
    assert {flag for _, flags, *_ in OPTIONS for flag in flags} >= set(flags.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_the_options_of_all(name: str) -> None:
    """An option may stand before or after the command."""
    assert {param.name for param in command(name).params} >= {name for name, *_ in OPTIONS}


def test_the_commands_are_those_of_the_issue() -> None:
    """None is missing, none is there in secret."""
    words = "plan build apply check schema why status history show rollback version"
    words += " graph log init completion config doctor adopt digests"
    words += " reproduce patch resume promote diff notify subscribe subscriptions"
    assert set(COMMANDS) == set(words.split())


def test_the_overview_names_every_variable() -> None:
    """What weakly says the same as an option can be found."""
    variables = {f"ORCHESTRATE_{n}" for n in ("FILE", "REGISTRY", "STATE", "COLOR", "PROGRESS")}
    assert {variable for *_, variable, _ in OPTIONS if variable} == variables
    assert all(variable in overview() for variable in variables)


@pytest.mark.parametrize("argv", [["--help"], ["-h"]])
def test_help_is_data(stage: Stage, argv: list[str]) -> None:
    """Asked for, it is on standard output, exit 0."""
    ran = stage.run(*argv, inside=False)
    assert (ran.code, ran.out, ran.err) == (0, overview(), "")


def test_help_comes_through_the_parser_as_well(stage: Stage) -> None:
    """`orchestrate -q --help` is not the quick way, and the same page."""
    assert stage.run("-q", "--help", inside=False).out == overview()


@pytest.mark.parametrize("argv", [["--version"], ["-q", "--version"]])
def test_version_is_an_option_too(stage: Stage, argv: list[str]) -> None:
    """Whoever tries the usual option gets the answer."""
    ran = stage.run(*argv, inside=False)
    assert (ran.code, ran.out) == (0, f"orchestrate {__version__}\n")


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_has_help_with_examples(stage: Stage, name: str, flag: str) -> None:
    """At most 80 columns; options, and examples."""
    ran = stage.run(name, flag, inside=False)
    assert (ran.code, ran.err) == (0, "")
    assert max(map(len, ran.out.splitlines())) <= 80
    examples = command(name).examples
    assert len(examples) >= 2
    assert all(line in ran.out for line, _ in examples)


def test_the_overview_fits_80_columns() -> None:
    """A terminal of the usual width shows no broken line."""
    assert max(map(len, overview().splitlines())) <= 79


@pytest.mark.parametrize("line", LINES)
def test_every_example_parses(line: str) -> None:
    """What help shows is what the parser takes: it raises on anything else."""
    program, *argv = shlex.split(line)
    assert program == "orchestrate"
    if argv[0] == "COMMAND":
        return
    with click.Context(root) as above:
        command(argv[0]).make_context(argv[0], argv[1:], parent=above)
