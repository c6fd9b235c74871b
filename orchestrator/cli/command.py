"""How a command is declared: its own options, those that all have, and examples in its help."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import click

from orchestrator.cli.environment import Environment
from orchestrator.cli.overview import COMMANDS, OPTIONS
from orchestrator.cli.perform import perform
from orchestrator.cli.streams import write_out

if TYPE_CHECKING:
    from orchestrator.cli.workplace import Outside

Example = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the root of the command line hands down to its commands."""

    environment: Environment
    outside: Outside | None


class Duration(click.ParamType[float]):
    """A duration such as ``90m``, ``24h`` or ``7d``, in seconds."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, context: click.Context | None
    ) -> float:
        """Return the seconds.

        Raises:
            click.BadParameter: it is none.
        """
        text, units = str(value), {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
        number = text[:-1]
        if not (number.isdecimal() and number.isascii() and len(number) < 7 and text[-1] in units):
            self.fail(f"{text!r} is not a duration such as 90m, 24h or 7d", param, context)
        return float(int(number) * units[text[-1]])


class WholeNumber(click.ParamType[int]):
    """A number of things, with an error that says what would do.

    Args:
        most: the largest.
        least: the smallest.
    """

    name = "number"

    def __init__(self, most: int, least: int = 1) -> None:
        self._most = most
        self._least = least

    def convert(
        self, value: object, param: click.Parameter | None, context: click.Context | None
    ) -> int:
        """Return the number.

        Raises:
            click.BadParameter: it is none, or out of range.
        """
        text = str(value)
        least, most = self._least, self._most
        if not (text.isdecimal() and text.isascii() and least <= int(text[:20]) <= most):
            self.fail(f"{text!r} is not a whole number from {least} to {most}", param, context)
        return int(text)


def help_option() -> click.Option:
    """Return the option that prints a command's help as its answer."""

    def show(context: click.Context, _: click.Parameter, wanted: bool) -> None:
        if wanted and not context.resilient_parsing:
            context.exit(write_out(context.get_help() + "\n"))

    return click.Option(
        ["-h", "--help"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=show,
        help="Print this.",
    )


def shared_options(forms: tuple[str, ...] | None = None) -> list[click.Parameter]:
    """Return the options that every command has, and the root too.

    Args:
        forms: what ``--output`` takes; None: this is the root, which takes all.
    """
    found: list[click.Parameter] = []
    for name, flags, metavar, choices, _, help_text in OPTIONS:
        if name == "output" and forms is not None:
            choices, help_text = forms, _listed(forms)
        found.append(
            click.Option(
                [*flags, name],
                metavar=metavar or None,
                is_flag=not metavar,
                type=click.Choice(choices) if choices else None,
                default=None if metavar else False,
                help=help_text,
            )
        )
    return found


def _listed(forms: tuple[str, ...]) -> str:
    return " or ".join(filter(None, (", ".join(forms[:-1]), forms[-1]))) + "."


class Command(click.Command):
    """A command whose function gets a session and its own options.

    Args:
        examples: (command line, what it does), shown in the help.
        forms: what ``--output`` takes, the usual one first.
        **settings: as click takes them.
    """

    def __init__(
        self, *, examples: tuple[Example, ...], forms: tuple[str, ...], **settings: object
    ) -> None:
        super().__init__(add_help_option=False, **settings)  # type: ignore[arg-type]
        self.examples = examples
        self.own = tuple(self.params)
        self.forms = forms
        self.params = [*self.params, *shared_options(forms), help_option()]

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        """Parse, and let every error know which command's help may be of use."""
        try:
            return super().parse_args(context, arguments)
        except click.UsageError as error:
            error.ctx = error.ctx or context
            raise

    def invoke(self, context: click.Context) -> int:
        """Run the command and return its exit code; our own errors are reported here."""
        surroundings = context.find_object(Surroundings)
        assert surroundings is not None and self.callback is not None  # noqa: PT018
        before = context.parent.params if context.parent else {}
        after = {name: context.params.pop(name) for name, *_ in OPTIONS}
        given = {name: value or before.get(name) for name, value in after.items()}
        work = partial(self.callback, **context.params)
        return perform(work, given, surroundings.environment, surroundings.outside, self.forms)

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options, and its forms; the others are the root's."""
        options = [param for param in self.params if isinstance(param, click.Option)]
        shown = ("output", "help")
        own = [param for param in options if param in self.own or param.name in shown]
        rows = [row for param in own if (row := param.get_help_record(context))]
        with formatter.section("Options"):
            formatter.write_dl(rows)
        formatter.write_paragraph()
        formatter.write_text("Options of every command: see `orchestrate --help`.")

    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        with formatter.section("Examples"):
            for line, does in self.examples:
                formatter.write_text(f"{line}")
                with formatter.indentation():
                    formatter.write_text(does)


def command(
    name: str,
    *,
    about: str,
    examples: tuple[Example, ...],
    forms: tuple[str, ...] = ("text", "json"),
) -> Callable[[Callable[..., int]], Command]:
    """Make a function a command; what it does in one line is in the overview.

    Args:
        name: of the command.
        about: the help's first paragraphs.
        examples: (command line, what it does).
        forms: what ``--output`` takes, the usual one first.
    """

    def made(function: Callable[..., int]) -> Command:
        found = click.command(
            name,
            cls=Command,
            examples=examples,
            forms=forms,
            help=about,
            short_help=COMMANDS[name],
        )(function)
        assert isinstance(found, Command)
        return found

    return made
