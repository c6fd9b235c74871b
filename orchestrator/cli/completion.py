"""What a shell offers when the user asks it to complete a command line.

The shell runs ``orchestrate`` with ``_ORCHESTRATE_COMPLETING`` set and the line typed so far in
``COMP_LINE``; every answer is a line ``KIND<tab>WORD<tab>HELP``. Nothing here asks the network,
and nothing is ever said on the terminal: somebody is typing there.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem, ShellComplete, split_arg_string

from orchestrator.cli.app import Root, root
from orchestrator.cli.overview import COMMANDS
from orchestrator.cli.streams import write_out

if TYPE_CHECKING:
    from orchestrator.cli.environment import Environment
    from orchestrator.cli.workplace import Outside

#: Set by the shell's part, which `orchestrate completion SHELL` prints.
VARIABLE = "_ORCHESTRATE_COMPLETING"
#: What an argument or an option's value is, by how help calls it.
_FILES = {"FILE": "file", "PATH": "file", "DIR": "dir"}
_NAMES = ("IMAGE", "IMAGE|UPSTREAM", "SELECTOR", "RUN", "TEAM", "ID")
_HELP_LONGEST = 60


def complete(environment: Environment, outside: Outside | None) -> int:
    """Answer the shell; whatever goes wrong, there is just nothing to offer.

    Args:
        environment: holds the line typed so far.
        outside: how the outside is reached; None: for real.

    Returns:
        0.
    """
    try:
        words = split_arg_string(environment.variables.get("COMP_LINE", ""))
        line = environment.variables.get("COMP_LINE", "")
        typed = words.pop() if words and not line[-1:].isspace() else ""
        offered = _offered(words[1:], typed, environment, outside)
    except Exception:  # noqa: BLE001 - a broken file must not spoil the line that is being typed
        return 0
    write_out("".join(offered))
    return 0


def _offered(
    words: list[str], typed: str, environment: Environment, outside: Outside | None
) -> list[str]:
    completing = _CompletingRoot(root.name, add_help_option=False)
    completing.environment, completing.outside = environment, outside
    above = click.Context(completing)
    completing.params = [completing.alive(param, above) for param in root.params]
    shell = ShellComplete(completing, {}, "orchestrate", VARIABLE)
    found = shell.get_completions(words, typed)
    # The shell replaces the whole word: `--color=al` needs its beginning back.
    option, equals, _ = typed.partition("=")
    before = f"{option}=" if equals and option.startswith("--") else ""
    return [_line(item, before) for item in found]


def _line(item: CompletionItem, before: str) -> str:
    text = " ".join((item.help or "").split())
    if len(text) > _HELP_LONGEST:
        text = f"{text[: _HELP_LONGEST - 1]}…"
    return f"{item.type}\t{before}{item.value}\t{text}\n"


class _CompletingRoot(Root):
    """The commands, their arguments knowing what could stand there."""

    environment: Environment
    outside: Outside | None

    def shell_complete(self, context: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return commands without importing any of them, or options."""
        if incomplete and not incomplete[0].isalnum():
            return click.Command.shell_complete(self, context, incomplete)
        return [
            CompletionItem(name, help=does)
            for name, does in COMMANDS.items()
            if name.startswith(incomplete)
        ]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Import a command, and let its parameters complete themselves."""
        known = super().get_command(context, name)
        if known is None:
            return None
        found = copy(known)
        found.params = [self.alive(param, context) for param in known.params]
        return found

    def alive(self, param: click.Parameter, context: click.Context) -> click.Parameter:
        """Return a parameter that completes itself where its help says what it takes."""
        said = param.metavar or param.make_metavar(context)
        word = said.strip("[].").partition("[")[0].upper()
        if word not in (*_FILES, *_NAMES) or isinstance(param.type, click.Choice):
            return param
        made = copy(param)
        made.type = _Live(word, self)
        return made


class _Live(click.ParamType[str]):
    """A value of which the files and the diary know what it could be."""

    name = "text"

    def __init__(self, word: str, above: _CompletingRoot) -> None:
        self._word = word
        self._above = above

    def convert(self, value: Any, param: object, context: object) -> Any:
        """Take anything: what is being typed need not be right yet."""
        return value

    def shell_complete(
        self, context: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return what could stand there."""
        if self._word in _FILES:
            return [CompletionItem(incomplete, type=_FILES[self._word])]
        from orchestrator.cli.live_names import live_names

        given = {**(context.parent.params if context.parent else {})}
        given |= {name: value for name, value in context.params.items() if value}
        names = live_names(
            self._word, incomplete, given, self._above.environment, self._above.outside
        )
        return [CompletionItem(name, help=about) for name, about in names]
