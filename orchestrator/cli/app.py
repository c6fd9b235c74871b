"""The root of the command line: finds the command, and turns what click raises into our errors."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import click

from orchestrator import __version__
from orchestrator.cli.command import Surroundings, help_option, shared_options
from orchestrator.cli.environment import Environment
from orchestrator.cli.overview import COMMANDS, overview
from orchestrator.cli.perform import report
from orchestrator.cli.settings import Settings
from orchestrator.cli.streams import write_err, write_out
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.cli.workplace import Outside

_CHOICES_IN_A_SENTENCE = 8


class Root(click.Group):
    """The commands, each in a module of its own that is imported when it is asked for."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the names, in the overview's order."""
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Import a command; None where there is none of that name."""
        if name not in COMMANDS:
            return None
        found = getattr(import_module(f"orchestrator.cli.commands.{name}"), name)
        assert isinstance(found, click.Command)
        return found

    def get_help(self, context: click.Context) -> str:
        """Return the page that is printed without click as well."""
        return overview().rstrip()


def _print_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        context.exit(write_out(f"orchestrate {__version__}\n"))


root = Root(
    "orchestrate",
    params=[
        *shared_options(),
        click.Option(
            ["--version"], is_flag=True, expose_value=False, is_eager=True, callback=_print_version
        ),
        help_option(),
    ],
    add_help_option=False,
)


def call(arguments: list[str], environment: Environment, outside: Outside | None) -> int:
    """Run a command line and return its exit code.

    Args:
        arguments: without the program's name.
        environment: what the process was started with.
        outside: how the outside is reached; None: for real.
    """
    surroundings = Surroundings(environment=environment, outside=outside)
    if any("\0" in argument for argument in arguments):
        hint = "no file, image or run has one in its name"
        return report(
            UsageError("an argument has a NUL character", hint=hint), Settings(), environment
        )
    try:
        return int(root.main(arguments, "orchestrate", standalone_mode=False, obj=surroundings))
    except click.Abort:  # What click makes of Ctrl-C, its newline written.
        write_err("stopped\n")
        return 130
    except click.exceptions.NoArgsIsHelpError as error:
        write_err(error.format_message() + "\n")
        return error.exit_code
    except click.ClickException as error:
        return report(_usage_error(error), Settings(), environment)


def _usage_error(error: click.ClickException) -> UsageError:
    near = _near(error)
    context = getattr(error, "ctx", None)
    page = context.command_path if context else "orchestrate"
    hint = f"did you mean {near}?" if near else f"try `{page} --help`"
    many = _many_choices(error)
    if many and not near:
        hint = f"it takes {', '.join(many)}"
    if isinstance(error, click.NoSuchOption) and (commands := _having(error.option_name)):
        hint = f"{error.option_name} is an option of {', '.join(commands)}"
        hint += "" if context and context.parent else "; it stands behind the command"
    what = " ".join(_what(error).split()).rstrip(".")
    if not what[1:2].isupper():  # A variable keeps its capitals.
        what = what[:1].lower() + what[1:]
    return UsageError(what, hint=hint)


def _having(option: str) -> list[str]:
    """Return the commands that have an option; importing them all is worth it in an error."""
    found = []
    for name in COMMANDS:
        made = root.get_command(click.Context(root), name)
        if any(option in param.opts for param in made.params) if made else False:
            found.append(name)
    return found


def _what(error: click.ClickException) -> str:
    if isinstance(error, click.MissingParameter) or not isinstance(error, click.BadParameter):
        # The message alone: format_message adds click's own "did you mean".
        return error.message or error.format_message()
    said = error.message
    if many := _many_choices(error):
        said = f"{said.rpartition(' is not one of ')[0]} is none of the {len(many)} words it takes"
    return f"{_named(error)}: {said}"


def _many_choices(error: click.ClickException) -> tuple[str, ...]:
    """Return the words that could have been there, where a sentence with all of them is no help."""
    kind = getattr(getattr(error, "param", None), "type", None)
    if not isinstance(kind, click.Choice) or isinstance(error, click.MissingParameter):
        return ()
    words = tuple(map(str, kind.choices))
    return words if len(words) > _CHOICES_IN_A_SENTENCE else ()


def _named(error: click.BadParameter) -> str:
    """Return what the user wrote a bad value behind: an option, an argument, a variable."""
    param, context = error.param, error.ctx
    if param is None or context is None:
        return str(error.param_hint)
    source = context.get_parameter_source(param.name or "")
    if source is click.core.ParameterSource.ENVIRONMENT:
        return str(param.envvar)
    return (
        max(param.opts, key=len) if isinstance(param, click.Option) else param.make_metavar(context)
    )


def _near(error: click.ClickException) -> str:
    """Return what the user probably meant; empty where nobody knows."""
    from difflib import get_close_matches

    if isinstance(error, click.NoSuchCommand):
        return next(iter(get_close_matches(error.command_name, COMMANDS, 1, 0.5)), "")
    if isinstance(error, click.NoSuchOption):
        return next(iter(error.possibilities or ()), "")
    kind = getattr(getattr(error, "param", None), "type", None)
    if isinstance(kind, click.Choice) and not isinstance(error, click.MissingParameter):
        # The message begins with the value in quotes.
        return next(iter(get_close_matches(error.message.split("'")[1], kind.choices, 1, 0.5)), "")
    return ""
